"""Sessions of a log of any length, with only the open ones in memory."""

from collections.abc import Iterable, Iterator
from itertools import islice

from streams.session import DEFAULT_GAP_MS, Session, sessionize
from streams.turn import TurnEvent

WINDOW_TURNS = 20_000
"""Turns looked at together. Raised, more memory; lowered, open sessions are cut more often."""


def sessions_of(turns: Iterable[TurnEvent], gap_ms: int = DEFAULT_GAP_MS) -> Iterator[Session]:
    """The sessions of a log that is in time order and has no dialogue ids; as `sessionize` gives them."""
    remaining = iter(turns)
    waiting: list[TurnEvent] = []
    while window := list(islice(remaining, WINDOW_TURNS)):
        waiting += window
        over_ms = window[-1].ts_ms - gap_ms
        sessions = sessionize(waiting, gap_ms)
        waiting = []
        for session in sessions:
            if session.end_ms < over_ms:
                yield session
            else:
                waiting += session.turns
    yield from sessionize(waiting, gap_ms)
