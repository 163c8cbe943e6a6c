"""Baselines of rephrase detection: each scores pairs of requests by their two texts alone.

All see the same candidate pairs as the detector (`candidate_pairs`), and of each later request the best pair
is kept (`resolve`). What there is to choose (a threshold, a measure of likeness) is chosen on the training
log, where it agrees best with the weak links, which were made without annotation; never on gold.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from rapidfuzz import fuzz

from labeling.text.normalisation import normalise
from rewriting.encoders.text_encoder import RequestEncoder
from rewriting.evidence.rephrase_link import RephraseDetector, RephraseLink, resolve
from rewriting.rephrases.settings import RephraseSettings
from rewriting.rephrases.turn_pair import MOST_COMPARED, candidate_pairs
from services.evaluation.common.score_thresholds import best_f1
from services.evaluation.errors import BaselineError
from services.evaluation.rephrases.system import RephraseSystem
from streams.turn import TurnEvent

WEAKLY_LINKED = 0.5
"""Score of a weak link from which a baseline takes the pair for a rephrase."""

Sessions = Sequence[Sequence[TurnEvent]]
TextPair = tuple[str, str]
"""An earlier and a later text, normalised and cut."""

Likeness = Callable[[str, str], float]
"""Of two texts: 0..1."""


class TextPairScorer(Protocol):
    """What says how likely a text says another again."""

    def score(self, pairs: Sequence[TextPair]) -> NDArray[np.float32]:
        """Scores of pairs of texts, none of them twice: (pairs,), 0..1."""
        ...


class TextPairDetector(Struct, frozen=True):
    """A `RephraseDetector` that looks at the texts of two requests, and at nothing else."""

    scorer: TextPairScorer
    settings: RephraseSettings

    def detect(self, sessions: Sessions) -> list[list[RephraseLink]]:
        """A link for each candidate pair."""
        pairs = [
            (number, source, target, text_pair(turns[source], turns[target]))
            for number, turns in enumerate(sessions)
            for source, target in candidate_pairs(turns, self.settings.window_turns, self.settings.window_s)
        ]
        texts = sorted({text for *_, text in pairs})
        scores = self.scorer.score(texts).tolist() if texts else []
        score_of = dict(zip(texts, scores, strict=True))
        found: list[list[RephraseLink]] = [[] for _ in sessions]
        for number, source, target, text in pairs:
            found[number].append(RephraseLink(source, target, score_of[text]))
        return found


class EditSimilarity(Struct, frozen=True):
    """By the letters: requests without words are like no other."""

    likeness: Likeness

    def score(self, pairs: Sequence[TextPair]) -> NDArray[np.float32]:
        """As `TextPairScorer` says."""
        scores = [self.likeness(*pair) if all(pair) else 0.0 for pair in pairs]
        return np.array(scores, dtype=np.float32)


class VectorCosine(Struct, frozen=True):
    """By the vectors of an encoder that reads each text by itself; opposite ones score 0."""

    encoder: RequestEncoder

    def score(self, pairs: Sequence[TextPair]) -> NDArray[np.float32]:
        """As `TextPairScorer` says."""
        texts = sorted({text for pair in pairs for text in pair})
        row = {text: number for number, text in enumerate(texts)}
        vectors = self.encoder.encode(texts)  # (texts, dimension)
        earlier = vectors[[row[first] for first, _ in pairs]]
        later = vectors[[row[second] for _, second in pairs]]
        cosines = np.clip((earlier * later).sum(axis=1), 0, 1)  # (pairs,)
        scores: NDArray[np.float32] = np.where([all(pair) for pair in pairs], cosines, 0).astype(np.float32)
        return scores


def _letters(first: str, second: str) -> float:
    return fuzz.ratio(first, second) / 100


def _words(first: str, second: str) -> float:
    return fuzz.token_set_ratio(first, second) / 100


LIKENESSES: MappingProxyType[str, Likeness] = MappingProxyType(
    {
        "letters": _letters,
        "words": _words,
        "mean": lambda first, second: (_letters(first, second) + _words(first, second)) / 2,
        "either": lambda first, second: max(_letters(first, second), _words(first, second)),
    }
)
"""Edit distance as a share of the length, likeness of the sets of words, their mean, the larger of both."""


def text_pair(earlier: TurnEvent, later: TurnEvent) -> TextPair:
    """What a baseline reads of two requests."""
    first, second = (normalise(turn.request.text[:MOST_COMPARED]) for turn in (earlier, later))
    return first, second


def edit_similarity(sessions: Sessions, weak: "WeakLinks", settings: RephraseSettings) -> RephraseSystem:
    """The likeness of letters that agrees best with the weak links of a training log.

    Raises:
        BaselineError: there are no weak links.
    """
    detectors = {
        name: TextPairDetector(EditSimilarity(likeness), settings) for name, likeness in LIKENESSES.items()
    }
    chosen = {name: best_threshold(detector, sessions, weak) for name, detector in detectors.items()}
    best = max(chosen, key=lambda name: chosen[name][1])  # of equals, the first
    return RephraseSystem(
        name=f"edit similarity ({best})",
        detector=detectors[best],
        threshold=chosen[best][0],
        baseline=True,
    )


def system_at_best_threshold(
    name: str, detector: RephraseDetector, sessions: Sessions, weak: "WeakLinks"
) -> RephraseSystem:
    """A baseline with the threshold that agrees best with the weak links of a training log.

    Raises:
        BaselineError: there are no weak links.
    """
    threshold, _ = best_threshold(detector, sessions, weak)
    return RephraseSystem(name=name, detector=detector, threshold=threshold, baseline=True)


WeakLinks = Sequence[Sequence[RephraseLink]]
"""Of each session of a training log, with all their scores (`WeakRephrases.detect`)."""


def best_threshold(detector: RephraseDetector, sessions: Sessions, weak: WeakLinks) -> tuple[float, float]:
    """The score from which a detector's links agree best, by F1, with weak links; and that F1.

    Raises:
        BaselineError: there are no weak links.
    """
    wanted = {
        (number, link.source, link.target)
        for number, links in enumerate(weak)
        for link in resolve(links)
        if link.score >= WEAKLY_LINKED
    }
    if not wanted:
        raise BaselineError(
            "the training log shows no second tries, so no baseline can be set by it: give a longer log"
        )
    found = [
        (link.score, (number, link.source, link.target) in wanted)
        for number, links in enumerate(detector.detect(sessions))
        for link in resolve(links)
    ]
    if not found:
        return 1.0, 0.0
    scores, right = map(np.array, zip(*found, strict=True))
    return best_f1(scores, right, len(wanted))


def base_encoder(base: str | None, folder: Path) -> RequestEncoder:
    """A text encoder as it is before any training, all of its layers.

    Args:
        base: folder or name on the model hub; None: the weights that need no network.
        folder: where it is exported to; nothing lies there yet.

    Raises:
        EncoderBaseError: there is no such model.
    """
    from rewriting.encoders.export import export_encoder
    from rewriting.encoders.text_encoder import TextEncoder

    export_encoder(base, folder)
    return TextEncoder.load(folder)
