"""Turns, gold and predictions must speak of the same events: a denominator never changes silently."""

from collections import Counter
from collections.abc import Iterable, Sequence

from services.evaluation.common.json_lines import LineOfEvent
from services.evaluation.errors import MismatchError
from streams.turn import TurnEvent


def require_same_events(turns: Sequence[str], others: Sequence[str], what: str) -> None:
    """Checks that each event occurs once in the turns and once in the others.

    Args:
        turns: their event ids, in any order.
        others: the event ids of gold or predictions.
        what: the name of the others, for the message.

    Raises:
        MismatchError: some are missing, unknown or repeated; it names up to three.
    """
    require_known_events(turns, others, what)
    _refuse(
        sorted(set(turns) - set(others)),
        f"turns have no line in the {what}",
        "make them from this very turns file",
    )


def aligned_lines(turns: Sequence[TurnEvent], lines: Iterable[LineOfEvent], what: str) -> list[LineOfEvent]:
    """The lines of gold or predictions, parallel to the turns; `what` and errors: `require_same_events`."""
    found = list(lines)
    events = [turn.event_id for turn in turns]
    require_same_events(events, [line.event_id for line in found], what)
    of_event = {line.event_id: line for line in found}
    return [of_event[event] for event in events]


def require_known_events(turns: Sequence[str], others: Sequence[str], what: str) -> None:
    """Checks that each event occurs once in the turns, and each of the others at most once, and in the turns.

    Arguments and errors are those of `require_same_events`.
    """
    _refuse(_repeated(turns), "events occur more than once in the turns", "give each turns file once")
    _refuse(_repeated(others), f"events occur more than once in the {what}", "keep one line for each turn")
    _refuse(
        sorted(set(others) - set(turns)),
        f"lines of the {what} belong to no turn",
        "make them from this very turns file",
    )


def require_apart(train: Sequence[TurnEvent], test: Sequence[TurnEvent]) -> None:
    """Refuses to score what was learned from.

    Raises:
        MismatchError: the test log has turns of the training log.
    """
    learned = {turn.event_id for turn in train}
    if both := sorted(learned & {turn.event_id for turn in test}):
        raise MismatchError(
            f"{len(both)} turns of the test log are in the training log, too ({both[0]}, ...): what is "
            "scored must not be learned from; give logs that have no turn in common"
        )


def _refuse(events: Sequence[str], problem: str, remedy: str) -> None:
    if events:
        shown = ", ".join(events[:3]) + (", ..." if len(events) > 3 else "")
        raise MismatchError(f"{len(events)} {problem} ({shown}): {remedy}")


def _repeated(events: Sequence[str]) -> list[str]:
    return sorted(event for event, count in Counter(events).items() if count > 1)
