"""Systems that find rephrases, and what they say of each turn when they are evaluated.

A decision alone shows one threshold. To rank, a system must also say of the turns below its threshold which
turn it would name: that is what it names when the threshold falls to the score of that very turn.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from rewriting.evidence.rephrase_link import (
    PointsAt,
    Rephrase,
    RephraseDetector,
    RephraseLink,
    rephrases_of,
    resolve,
)
from services.evaluation.common.json_lines import decoded_lines
from services.evaluation.errors import EvaluationFileError
from streams.session import Session
from streams.turn import EventId


class RankedRephrase(Struct, frozen=True, kw_only=True):
    """What a system says of one turn, or would say."""

    event_id: EventId
    named: EventId | None  # None: it knows no turn to name, or does not tell
    score: float  # 0..1: how likely the turn says an earlier one again
    said: bool  # whether it says so: the score is at or above the threshold


class RephraseSystem(Struct, frozen=True, kw_only=True):
    """A detector, and from which score on it is believed."""

    name: str
    detector: RephraseDetector
    threshold: float  # 0..1
    baseline: bool = False

    def rank(self, sessions: Sequence[Session], points_at: PointsAt = "auto") -> list[RankedRephrase]:
        """What is said of the turns of sessions, one after the other."""
        links_of = self.detector.detect([session.turns for session in sessions])
        return [
            line
            for session, links in zip(sessions, links_of, strict=True)
            for line in rank_rephrases(session, links, self.threshold, points_at)
        ]


def rank_rephrases(
    session: Session, links: Sequence[RephraseLink], threshold: float, points_at: PointsAt = "auto"
) -> list[RankedRephrase]:
    """What is said of each turn of a session, in order; arguments as for `rephrases_of`."""
    kept = resolve(links)
    said = rephrases_of(session, kept, threshold, points_at)
    if not kept:
        return [RankedRephrase(event_id=line.event_id, named=None, score=0.0, said=False) for line in said]
    lower = {line.score for line in said if 0 < line.score < threshold}
    at_score = {score: rephrases_of(session, kept, score, points_at) for score in lower}
    return [
        RankedRephrase(
            event_id=line.event_id,
            named=at_score[line.score][position].rephrase_of if line.score in lower else line.rephrase_of,
            score=line.score,
            said=line.rephrase_of is not None,
        )
        for position, line in enumerate(said)
    ]


def read_rephrases(path: str | Path) -> Iterator[RankedRephrase]:
    """Yields the lines of the output of `rehear rephrases`, JSON Lines, plain or gzipped, or `-`.

    Below its threshold such a file holds scores alone: which turn would be named is not known from it.

    Raises:
        EvaluationFileError: a line is something else.
        TurnFileError: the file cannot be read.
    """
    decode = msgspec.json.Decoder(Rephrase).decode
    for number, line in decoded_lines(path, decode, "a rephrase (event_id, rephrase_of, score)"):
        if not 0 <= line.score <= 1:
            raise EvaluationFileError(f"{path}, line {number}: the score is {line.score}: it must be 0 to 1")
        yield RankedRephrase(
            event_id=line.event_id,
            named=line.rephrase_of,
            score=line.score,
            said=line.rephrase_of is not None,
        )
