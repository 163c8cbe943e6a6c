"""A sample of turns for people to annotate: the same seed draws the same turns of the same log.

Failures are rare, and nobody reads thousands of turns to find some. So the sample is drawn in two parts:
turns after which the log shows trouble (an error, an interruption, a complaint, a second try), and others.
Within each, every domain has its share.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from labeling.text.outcome import Reason, judge_turns
from labeling.turns.features import interpretation
from streams.session import Session

TROUBLED: Final = 0.5
"""Share of the sample with visible trouble. Raised, more failures are found and fewer of those that no signal
shows; lowered, most of what people read is correct."""

_TROUBLE: Final[frozenset[Reason]] = frozenset({"rejected", "failed", "interrupted", "ended", "rephrased"})


class SampledTurn(Struct, frozen=True):
    """A turn of a session."""

    session: Session
    position: int


class _Drawn(Struct, frozen=True):
    turn: SampledTurn
    troubled: bool
    domain: str
    chance: bytes  # by which turns of a stratum are ordered


def sample_turns(
    sessions: Sequence[Session], size: int, seed: int = 0, troubled: float | None = TROUBLED
) -> list[SampledTurn]:
    """Draws turns, in the order of the sessions.

    A turn's chance depends on its event and the seed alone, so a log that has grown keeps most of its sample.

    Args:
        sessions: of a log.
        size: turns to draw; all turns where there are no more.
        seed: another one, other turns.
        troubled: share of them with visible trouble, 0..1; where one part has too few, the other fills up.
            None: the share that they have in the log, for turns to be scored on.
    """
    halves: dict[bool, list[_Drawn]] = {True: [], False: []}
    for session in sessions:
        for position, outcome in enumerate(judge_turns(session.turns)):
            turn = session.turns[position]
            meaning = interpretation(turn)
            drawn = _Drawn(
                SampledTurn(session, position),
                outcome.reason in _TROUBLE,
                (meaning.domain or "") if meaning else "",
                hashlib.sha256(f"{seed}\x00{turn.event_id}".encode()).digest(),
            )
            halves[drawn.troubled].append(drawn)
    if troubled is None:
        troubled = len(halves[True]) / max(len(halves[True]) + len(halves[False]), 1)
    wanted = round(size * troubled)
    n_troubled = min(len(halves[True]), max(wanted, size - len(halves[False])))
    n_others = min(len(halves[False]), size - n_troubled)
    chosen = [*_by_domain(halves[True], n_troubled), *_by_domain(halves[False], n_others)]
    events = {(one.session.session_id, one.position) for one in chosen}
    return [
        SampledTurn(session, position)
        for session in sessions
        for position in range(len(session.turns))
        if (session.session_id, position) in events
    ]


def _by_domain(drawn: Sequence[_Drawn], size: int) -> list[SampledTurn]:
    """As many of each domain as is its share, the larger remainders rounded up."""
    of_domain: dict[str, list[_Drawn]] = {}
    for one in drawn:
        of_domain.setdefault(one.domain, []).append(one)
    exact = {domain: size * len(some) / max(len(drawn), 1) for domain, some in of_domain.items()}
    counts = {domain: int(share) for domain, share in exact.items()}
    by_remainder = sorted(exact, key=lambda domain: (counts[domain] - exact[domain], domain))
    for domain in by_remainder[: size - sum(counts.values())]:
        counts[domain] += 1
    return [
        one.turn
        for domain, some in of_domain.items()
        for one in sorted(some, key=lambda one: one.chance)[: counts[domain]]
    ]
