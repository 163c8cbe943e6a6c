"""Rephrase links: which later request of a session is the next try of which earlier one.

A user who was not understood tries again, and again: each try is linked to the one before, and linked tries
make a run. A request is the next try of at most one other, and has at most one next try.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, Protocol

from msgspec import Struct

from streams.session import Session
from streams.turn import EventId, TurnEvent

PointsAt = Literal["auto", "first", "previous"]
"""Which request of its run a later try is said to rephrase. `auto`: in sessions that are cut by gaps the
first, which is what the user came to say; in declared dialogues the one before, since what is asked there
shifts from turn to turn."""


class RephraseLink(Struct, frozen=True, array_like=True, gc=False):
    """Two requests of one session."""

    source: int  # position among the session's turns
    target: int  # position of the next try; larger
    score: float  # 0..1: how likely it is one


class Rephrase(Struct, frozen=True, kw_only=True):
    """What is said of one turn; a line of the output of `rehear rephrases`."""

    event_id: EventId
    rephrase_of: EventId | None
    score: float  # 0..1: how likely it is a next try of any earlier request; 0: not even a candidate


class RephraseDetector(Protocol):
    """What finds rephrases, or a baseline."""

    def detect(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[RephraseLink]]:
        """The possible links of each session, in any order, whatever their scores.

        Args:
            sessions: the turns of each, in order. What is found in one does not depend on the others.
        """
        ...


def resolve(links: Iterable[RephraseLink]) -> list[RephraseLink]:
    """The likeliest links under which each request has one next try at most, and is the next try of one.

    The best link is taken first; of equals, the one between the nearest requests, then the earliest. Sorted
    by target.
    """
    sources: set[int] = set()
    targets: set[int] = set()
    kept = []
    for link in sorted(links, key=lambda link: (-link.score, link.target - link.source, link.source)):
        if link.source not in sources and link.target not in targets:
            sources.add(link.source)
            targets.add(link.target)
            kept.append(link)
    return sorted(kept, key=lambda link: link.target)


def rephrases_of(
    session: Session, links: Iterable[RephraseLink], threshold: float, points_at: PointsAt = "auto"
) -> list[Rephrase]:
    """What is said of each turn of a session, in order.

    Args:
        session: whose turns they are.
        links: as detected; they are resolved here.
        threshold: least score of a link, 0..1.
        points_at: which request of a run is named.
    """
    points_at_first = points_at == "first" or (points_at == "auto" and session.dialogue_id is None)
    link_to = {link.target: link for link in resolve(links)}
    first: dict[int, int] = {}
    found = []
    for position, turn in enumerate(session.turns):
        link = link_to.get(position)
        named: int | None = None
        if link is not None and link.score >= threshold:
            first[position] = first.get(link.source, link.source)
            named = first[position] if points_at_first else link.source
        found.append(
            Rephrase(
                event_id=EventId(turn.event_id),
                rephrase_of=None if named is None else EventId(session.turns[named].event_id),
                score=0.0 if link is None else link.score,
            )
        )
    return found
