"""What label models learn from, and what they are scored on: files read, and parted where they are one log.

Nothing that is said of a turn that is scored is ever learned from.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from labeling.annotation import Annotation
from labeling.annotation_file import read_annotations
from labeling.label_targets import Annotations
from services.evaluation.errors import EvaluationFileError, MismatchError
from services.evaluation.intent_file import is_intent_file, read_intent_file
from services.evaluation.label_gold import GoldLabel, read_gold_labels
from streams.session import Session, sessionize
from streams.turn import AssistantId, EventId, TurnEvent
from streams.turn_file import read_turns


class Fold(Struct, frozen=True):
    """Which part of the dialogues is scored."""

    number: int = 0  # 0..folds-1
    folds: int = 5

    def holds(self, session: Session) -> bool:
        """Whether a session is in it."""
        return stable_number(session) % self.folds == self.number


class LabelSplit(Struct, frozen=True, kw_only=True):
    """Sessions to learn from and sessions to be scored on; they have no turn in common."""

    train: Sequence[Session]
    test: Sequence[Session]
    annotations: Annotations  # of training turns alone
    strangers: int  # annotations of turns that no log has
    gold: Sequence[GoldLabel]  # of test turns alone

    @property
    def train_turns(self) -> list[TurnEvent]:
        """The turns that are learned from."""
        return [turn for session in self.train for turn in session.turns]

    @property
    def test_turns(self) -> list[TurnEvent]:
        """The turns that are labelled."""
        return [turn for session in self.test for turn in session.turns]

    @property
    def train_gold(self) -> list[GoldLabel]:
        """The annotations of the training turns, as gold, in the order of these turns."""
        said = (self.annotations.get(EventId(turn.event_id)) for turn in self.train_turns)
        return [GoldLabel.of(annotation) for annotation in said if annotation is not None]


def stable_number(session: Session, salt: str = "") -> int:
    """A number that depends on a dialogue alone: on its assistant, and its id or else its first event.

    Args:
        session: the dialogue.
        salt: another one, other numbers.
    """
    name = session.dialogue_id or session.turns[0].event_id
    key = "\x00".join([salt, session.assistant_id, name] if salt else [session.assistant_id, name])
    return int.from_bytes(hashlib.sha256(key.encode()).digest(), "big")


def by_assistant(sessions: Iterable[Session]) -> dict[AssistantId, list[Session]]:
    """Sessions of each assistant, the assistants in the order of their names."""
    found: dict[AssistantId, list[Session]] = {}
    for session in sessions:
        found.setdefault(session.assistant_id, []).append(session)
    return dict(sorted(found.items()))


def read_split(
    *,
    turns: Sequence[Path],
    annotations: Sequence[Path] = (),
    test_turns: Path | None = None,
    gold: Path | None = None,
    fold: Fold | None = None,
    gap_ms: int,
) -> LabelSplit:
    """Reads logs, turn events or texts with intents, and what is said of them.

    Args:
        turns: to learn from; without a test log, those to be scored on too.
        annotations: of turns of either.
        test_turns: to be scored on; None: a fold of the dialogues.
        gold: of the turns to be scored on; None: their annotations.
        fold: which one, where there is no test log; the first of five where None.
        gap_ms: as for `sessionize`.

    Raises:
        AnnotationFileError: a file of annotations cannot be used.
        EvaluationError: another file cannot, the logs have turns in common, one of them is empty, or no
            gold is about the turns to be scored on.
        TurnFileError: a log cannot be read.
    """
    said = dict(read_annotations(*annotations))
    _require_other_names([*turns, *([] if test_turns is None else [test_turns])])
    log = [turn for path in turns for turn in _read_log(path, said)]
    if test_turns is None:
        fold = fold or Fold()
        sessions = sessionize(log, gap_ms)
        train = [session for session in sessions if not fold.holds(session)]
        test = [session for session in sessions if fold.holds(session)]
    else:
        train = sessionize(log, gap_ms)
        test = sessionize(_read_log(test_turns, said), gap_ms)
    learned, scored = _events(train), _events(test)
    both = sorted(learned & scored)
    if both:
        raise MismatchError(
            f"{len(both)} turns are to be learned from and to be scored on ({both[0]}, ...): give logs that "
            "have no turn in common"
        )
    for part, kind in ((train, "learn from"), (test, "be scored on")):
        if not part:
            remedy = "give a larger log, or another fold" if test_turns is None else "give another log"
            raise MismatchError(f"there is no dialogue to {kind}: {remedy}")
    return LabelSplit(
        train=train,
        test=test,
        annotations={event: one for event, one in said.items() if event in learned},
        strangers=len(said.keys() - learned - scored),
        gold=_gold(gold, said, scored, is_part=test_turns is None),
    )


def _gold(
    path: Path | None, said: Mapping[EventId, Annotation], scored: set[EventId], *, is_part: bool
) -> list[GoldLabel]:
    if path is None:
        gold = [GoldLabel.of(one) for event, one in said.items() if event in scored]
        where = "the annotations speak of none of the turns to be scored on: annotate some, or give --gold"
    else:
        gold = read_gold_labels(path)
        if is_part:  # it may be that of all turns
            gold = [line for line in gold if line.event_id in scored]
        where = f"{path} speaks of none of the turns to be scored on: give the gold of these"
    if not any(line.says_anything for line in gold):
        raise MismatchError(where)
    return gold


def _read_log(path: Path, said: dict[EventId, Annotation]) -> list[TurnEvent]:
    """The turns of a log; what a file of texts says of their intents is added to what is `said`."""
    if not is_intent_file(path):
        return list(read_turns(path))
    requests = read_intent_file(path)
    for annotation in requests.annotations:
        said[EventId(annotation.event_id)] = annotation
    return requests.turns


def _require_other_names(paths: Sequence[Path]) -> None:
    """Requests in files of texts are called by the file's name."""
    names: dict[str, Path] = {}
    for path in paths:
        if str(path) == "-" or not is_intent_file(path):
            continue
        if path.name in names:
            raise EvaluationFileError(
                f"{names[path.name]} and {path} have the same name, by which their requests are called: "
                "rename one"
            )
        names[path.name] = path


def _events(sessions: Iterable[Session]) -> set[EventId]:
    return {EventId(turn.event_id) for session in sessions for turn in session.turns}
