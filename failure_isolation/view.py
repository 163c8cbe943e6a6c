"""The failure view: a dialogue as a failure model reads it, with parts hidden."""

from collections.abc import Sequence
from typing import cast

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from failure_isolation.part import TRACES, FailurePart
from failure_isolation.trace_item import INTERPRETATIONS, item_numbers, trace_items
from labeling.turns.dialogue_part import Part
from labeling.turns.features import MISSING, UNSEEN, DialogueFeatures, TurnFeatures, intent_name
from labeling.turns.texts import said_by, turn_texts
from labeling.turns.tokenizer import TurnTokenizer, TurnTokens
from streams.turn import TurnEvent


class DialogueView(Struct, frozen=True):
    """A dialogue of n turns."""

    tokens: Sequence[TurnTokens]  # of request, response and trace items of each turn
    features: DialogueFeatures
    items: NDArray[np.float32]  # (n, PLACES, NUMBERS) of the trace items
    items_there: NDArray[np.bool_]  # (n, PLACES)
    meant: NDArray[np.int64]  # (n, INTERPRETATIONS) numbers of intents; `MISSING` where there is none


def dialogue_view(
    turns: Sequence[TurnEvent],
    hidden: frozenset[FailurePart],
    features: TurnFeatures,
    tokenizer: TurnTokenizer,
) -> DialogueView:
    """Reads a dialogue; what is hidden is missing."""
    following = [None] * len(turns) if "following" in hidden else [*turns[1:], None]
    items = [trace_items(turn, hidden, after) for turn, after in zip(turns, following, strict=True)]
    numbers = [item_numbers(of_turn) for of_turn in items]
    return DialogueView(
        [
            tokenizer.tokens(
                texts.request,
                texts.response,
                texts.prompt,
                [item.text if item else None for item in of_turn],
            )
            for texts, of_turn in zip(turn_texts(turns, hidden), items, strict=True)
        ],
        features.of(turns, cast(frozenset[Part], hidden - TRACES)),
        np.stack([values for values, _ in numbers]),
        np.stack([there for _, there in numbers]),
        np.array(
            [
                [
                    intent_number(features, turn, rank) if of_turn[rank] else MISSING
                    for rank in range(INTERPRETATIONS)
                ]
                for turn, of_turn in zip(turns, items, strict=True)
            ]
        ),
    )


def intent_number(features: TurnFeatures, turn: TurnEvent, rank: int) -> int:
    """Of an interpretation of a turn; `MISSING` where it has no such one."""
    if rank >= len(turn.nlu):
        return MISSING
    return features.categories["intent"].get(intent_name(turn.nlu[rank]) or "", UNSEEN)


def said_texts(turn: TurnEvent, hidden: frozenset[FailurePart]) -> list[str]:
    """All texts of a turn."""
    texts = [turn.request.text, None if "responses" in hidden else said_by(turn)]
    texts += [item.text if item else None for item in trace_items(turn, hidden)]
    return [text for text in texts if text]
