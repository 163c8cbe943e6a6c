"""Turns of a log as people read them in a report."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from streams.turn import TurnEvent

_AROUND: Final = 2  # turns that are shown to either side of one
_MOST_CHARACTERS: Final = 300  # of a text: the rest would hide what the example is about


class ExampleLine(Struct, frozen=True, kw_only=True):
    """One turn of an example."""

    event_id: str
    gap_s: float | None  # since the line above; None for the first
    text: str
    response: str | None
    signals: tuple[str, ...]  # what the log shows of how it went, a few words each
    role: str | None  # what the turn is in the example


def example_lines(
    turns: Sequence[TurnEvent], numbers: Sequence[int], roles: Mapping[int, str]
) -> list[ExampleLine]:
    """Some turns of a log as lines.

    Args:
        turns: of the log.
        numbers: of those that are shown, rising.
        roles: of those that have one, by their number.
    """
    lines = []
    for above, number in zip([None, *numbers], numbers, strict=False):
        event = turns[number]
        lines.append(
            ExampleLine(
                event_id=event.event_id,
                gap_s=None if above is None else (event.ts_ms - turns[above].ts_ms) / 1000,
                text=shortened(event.request.text),
                response=None if event.response is None else shortened(event.response.text or ""),
                signals=tuple(visible_signals(event)),
                role=roles.get(number),
            )
        )
    return lines


def lines_around(
    turns: Sequence[TurnEvent],
    number: int,
    session: Sequence[object],
    roles: Mapping[int, str],
) -> list[ExampleLine]:
    """A turn with those before and after it in its session.

    Args:
        turns: of a log; those of a session follow each other.
        number: of the turn.
        session: (turns,) what tells the session of each.
        roles: of the turns that have one, by their number.
    """
    near = range(max(0, number - _AROUND), min(len(turns), number + _AROUND + 1))
    return example_lines(turns, [other for other in near if session[other] == session[number]], roles)


def visible_signals(turn: TurnEvent) -> list[str]:
    """What a log shows of how a turn went, a few words each."""
    signals = []
    if turn.response is not None and turn.response.status not in (None, "ok"):
        signals.append(str(turn.response.status))
    if turn.signals.barge_in:
        signals.append("interrupted")
    if turn.signals.terminated:
        signals.append("stopped")
    if turn.signals.feedback is not None:
        signals.append(f"{turn.signals.feedback} feedback")
    return signals


def shortened(text: str) -> str:
    """The start of a text that is long."""
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"


def seconds_in_words(seconds: float) -> str:
    """A time that people can judge at a glance."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s"
