"""Baselines of failure isolation that learn from the same annotations: isolators without a failure model.

The most frequent class; logistic regression on what a log says beside its texts; an encoder that reads the
request and the response of one turn, without the dialogue around it and what components wrote down.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold, cross_val_predict

from failure_isolation.rule import FAILURE_POINTS
from failure_isolation.settings import FailureSettings
from failure_isolation.trace_item import item_numbers, trace_items
from failure_isolation.training import passes_over
from failure_isolation.turn_failure import TurnFailure
from labeling.annotations.annotation import Annotation, FailurePoint
from labeling.labels.space import LabelSpace
from labeling.labels.training import LabelTraining
from labeling.models.training_schedule import Progress
from labeling.turns.dialogue_part import Part
from labeling.turns.features import TurnFeatures
from services.evaluation.common.arrays import Floats
from services.evaluation.common.plain_encoder import PlainLabeller, train_plain_encoder
from services.evaluation.errors import BaselineError
from services.evaluation.labels.baselines import drawn_items
from streams.turn import EventId, TurnEvent

MAJORITY: Final = "majority"
METADATA: Final = "metadata"
PLAIN_ENCODER: Final = "no-context encoder"

_FOLDS: Final = 5  # of the annotated turns, by users, to choose how classes are weighted
_INVERSE_PENALTY: Final = 1.0  # of a few hundred features, most of which are rarely there
_STEPS: Final = 1_000  # at most; some hundred are needed

_TEXTUAL: Final[frozenset[Part]] = frozenset({"likeness"})  # of requests: it takes their words to know it


class FailureLesson(Struct, frozen=True, kw_only=True):
    """What can be learned: dialogues, and where some of their turns failed."""

    dialogues: Sequence[Sequence[TurnEvent]]
    failure_points: Mapping[EventId, FailurePoint]

    def known(self, turns: Sequence[TurnEvent]) -> list[tuple[int, int]]:
        """Numbers of the turns of a dialogue whose failure point is known, and of their classes."""
        return [
            (number, FAILURE_POINTS.index(point))
            for number, turn in enumerate(turns)
            if (point := self.failure_points.get(EventId(turn.event_id))) is not None
        ]

    @property
    def classes(self) -> list[int]:
        """The classes of all known turns, in the order of the dialogues."""
        return [known for turns in self.dialogues for _, known in self.known(turns)]


def turn_failure(event_id: str, shares: Floats, weights: Floats | None = None) -> TurnFailure:
    """The failure that some probabilities amount to.

    Args:
        event_id: of the turn.
        shares: (classes,) probabilities, as a model has them that learned from weighted classes.
        weights: (classes,) how much each weighed: rare ones are named more often for it, and the
            probabilities are those without.
    """
    likeliest = FAILURE_POINTS[int(shares.argmax())]  # of several, the first stage
    if weights is not None:
        shares = shares / weights
        shares = shares / shares.sum()
    probabilities = dict(zip(FAILURE_POINTS, shares.tolist(), strict=True))
    return TurnFailure(event_id=EventId(event_id), failure_point=likeliest, probabilities=probabilities)


class MajorityIsolator:
    """Says of every turn what is true of most."""

    def __init__(self, lesson: FailureLesson) -> None:
        counts = np.bincount(_required_classes(lesson), minlength=len(FAILURE_POINTS))
        self._shares = counts / counts.sum()

    def isolate(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[TurnFailure]]:
        """The same of each turn."""
        return [[turn_failure(turn.event_id, self._shares) for turn in turns] for turns in sessions]


class MetadataIsolator:
    """Logistic regression on numbers and categories: no words, and no other turn but when it was.

    Confidences of recogniser, understanding, entities and wake word, how far alternatives lie below them,
    status, signals, domain, intent, device, locale, lengths, and the time to the turns around.
    """

    def __init__(self, lesson: FailureLesson, seed: int = 0) -> None:
        """Learns.

        Classes are weighted by how rare they are if that gives the better macro F1 on annotated turns of
        users (dialogues, where there is one user) that were not learned from.

        Raises:
            BaselineError: the annotations know under two classes.
        """
        classes = np.array(_required_classes(lesson), dtype=np.int64)
        if len(np.unique(classes)) < 2:
            raise BaselineError(f"no {METADATA}: the annotations to learn from know one class alone")
        self._features = TurnFeatures.fit(lesson.dialogues)
        rows, owners = [], []
        for number, turns in enumerate(lesson.dialogues):
            if known := [turn for turn, _ in lesson.known(turns)]:
                rows.append(self._rows(turns)[known])
                owners += [(turns[0].user_id, number)] * len(known)
        chosen = drawn_items(len(classes), seed)
        columns, classes = csr_array(np.concatenate(rows))[chosen], classes[chosen]
        users = [owners[item][len({user for user, _ in owners}) < 2] for item in chosen.tolist()]
        self.weighted = _is_better_weighted(columns, classes, users)
        self._model = _regression(weighted=self.weighted).fit(columns, classes)
        counts = np.bincount(classes, minlength=len(FAILURE_POINTS))
        self._weights = 1.0 / np.maximum(counts, 1) if self.weighted else None

    def isolate(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[TurnFailure]]:
        """The likeliest class of each turn, and the probabilities of all."""
        return [
            [
                turn_failure(turn.event_id, shares, self._weights)
                for turn, shares in zip(turns, self._shares(turns), strict=True)
            ]
            for turns in sessions
        ]

    def _shares(self, turns: Sequence[TurnEvent]) -> Floats:
        shares = np.zeros((len(turns), len(FAILURE_POINTS)))
        shares[:, self._model.classes_] = self._model.predict_proba(self._rows(turns))
        return shares

    def _rows(self, turns: Sequence[TurnEvent]) -> Floats:
        """What is read of the turns of a dialogue: (turns, columns)."""
        features = self._features.of(turns, _TEXTUAL)
        columns = [features.numbers.astype(np.float64)]
        for kind, size in enumerate(self._features.sizes):
            columns.append(np.eye(size)[features.categories[:, kind]])
        traces = []
        for turn in turns:
            numbers, there = item_numbers(trace_items(turn, frozenset()))
            confidences = numbers[:, [0, 1, -2, -1]]  # and how far below the first; whether they are missing
            traces.append(np.concatenate([confidences.ravel(), there]))
        columns.append(np.array(traces, dtype=np.float64))
        return np.concatenate(columns, axis=1)


class PlainEncoderIsolator:
    """Reads request and response of each turn by itself."""

    def __init__(self, labeller: PlainLabeller, weights: Floats) -> None:
        """Takes a labeller over that learned from classes, each with a weight, (classes,)."""
        self._labeller = labeller
        self._weights = weights
        self._classes = [
            FAILURE_POINTS.index(point) for point in FAILURE_POINTS if point in labeller.space.intents
        ]

    def isolate(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[TurnFailure]]:
        """The likeliest class of each turn, and the probabilities of all."""
        failures = []
        for turns, known in zip(sessions, self._labeller.shares(sessions, "intent"), strict=True):
            shares = np.zeros((len(turns), len(FAILURE_POINTS)))
            shares[:, self._classes] = known
            failures.append(
                [
                    turn_failure(turn.event_id, row, self._weights)
                    for turn, row in zip(turns, shares, strict=True)
                ]
            )
        return failures


def train_encoder_isolator(
    lesson: FailureLesson, settings: FailureSettings, progress: Progress | None = None
) -> PlainEncoderIsolator:
    """Fine-tunes the encoder that a failure model would start from, with as many passes.

    Classes weigh the more the rarer they are: by the root of how much rarer than the average.

    Raises:
        BaselineError: the annotations know under two classes.
        EncoderBaseError: there is no such model to start from.
    """
    counts = np.bincount(_required_classes(lesson), minlength=len(FAILURE_POINTS))
    known = np.flatnonzero(counts)
    if len(known) < 2:
        raise BaselineError(f"no {PLAIN_ENCODER}: the annotations to learn from know one class alone")
    weights = np.sqrt(counts.sum() / (len(known) * np.maximum(counts, 1)))
    # The classes stand where the plain encoder has its intents.
    annotations = {
        event: Annotation(event_id=event, intent=point) for event, point in lesson.failure_points.items()
    }
    labeller = train_plain_encoder(
        [turns for turns in lesson.dialogues if lesson.known(turns)],
        annotations,
        encoder_training(settings, int(counts.sum())),
        progress,
        space=LabelSpace(("intent",), intents=tuple(FAILURE_POINTS[number] for number in known)),
        responses=True,
        weights={"intent": weights[known].tolist()},
    )
    return PlainEncoderIsolator(labeller, weights)


def encoder_training(settings: FailureSettings, turns: int) -> LabelTraining:
    """How the encoder is trained on so many annotated turns."""
    passes = settings.passes or passes_over(turns)
    return LabelTraining(
        base=settings.base,
        layers=settings.layers,
        epochs=passes,
        most_turns=None,
        device=settings.device,
        seed=settings.seed,
    )


def _required_classes(lesson: FailureLesson) -> list[int]:
    classes = lesson.classes
    if not classes:
        raise BaselineError(
            "no annotation of the training log names a failure point: baselines have nothing to learn from"
        )
    return classes


def _is_better_weighted(columns: csr_array, classes: NDArray[np.int64], groups: Sequence[object]) -> bool:
    numbers: dict[object, int] = {}
    group = np.array([numbers.setdefault(one, len(numbers)) for one in groups])
    if len(numbers) < _FOLDS or np.bincount(classes).max() == len(classes):
        return False
    scores = []
    for weighted in (False, True):
        said = cross_val_predict(
            _regression(weighted=weighted), columns, classes, groups=group, cv=GroupKFold(_FOLDS)
        )
        scores.append(f1_score(classes, said, average="macro", zero_division=0.0))
    return bool(scores[1] > scores[0])


def _regression(*, weighted: bool) -> LogisticRegression:
    return LogisticRegression(
        C=_INVERSE_PENALTY, class_weight="balanced" if weighted else None, max_iter=_STEPS, tol=1e-3
    )
