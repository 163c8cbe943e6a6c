"""Turn texts: what was said around a request."""

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from labeling.turns.dialogue_part import NOTHING_HIDDEN
from streams.turn import TurnEvent

_NONE_SWAPPED: Final[Mapping[int, str]] = {}


class TurnTexts(Struct, frozen=True):
    """The texts of a turn; None: there is none, or it is hidden."""

    request: str
    response: str | None
    prompt: str | None  # what the assistant had said before


def said_by(turn: TurnEvent) -> str | None:
    """The text of a response; None where there is none."""
    return (turn.response.text or None) if turn.response else None


def turn_texts(
    turns: Sequence[TurnEvent],
    hidden: frozenset[str] = NOTHING_HIDDEN,
    swapped: Mapping[int, str] = _NONE_SWAPPED,
) -> list[TurnTexts]:
    """The texts of each turn of a dialogue.

    Args:
        turns: in order.
        hidden: parts (`Part`) that are not read.
        swapped: other responses, by position.
    """
    responses = [swapped.get(position, said_by(turn)) for position, turn in enumerate(turns)]
    if "responses" in hidden:
        return [TurnTexts(turn.request.text, None, None) for turn in turns]
    if "preceding" in hidden:
        return [
            TurnTexts(turn.request.text, response, None)
            for turn, response in zip(turns, responses, strict=True)
        ]
    return [
        TurnTexts(turn.request.text, response, turn.prompt or before)
        for turn, response, before in zip(turns, responses, [None, *responses], strict=False)
    ]
