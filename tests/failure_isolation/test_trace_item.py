"""Trace items of turns that are written out."""

import numpy as np
from turns import turn_event

from failure_isolation.part import PARTS, TRACES
from failure_isolation.trace_item import NUMBERS, PLACES, item_numbers, trace_items
from streams.turn import Entity, NluHypothesis, Recognition, Request, Response, Slot, TurnEvent

HEARD = Request(
    text="play chess",
    asr=(Recognition(text="play chess", confidence=0.7), Recognition(text="play jazz", confidence=0.6)),
    wake_confidence=0.9,
)
TURN = turn_event(
    request=HEARD,
    nlu=(
        NluHypothesis(
            domain="game", intent="start", confidence=0.8, slots=(Slot(name="game", value="chess"),)
        ),
        NluHypothesis(
            domain="music", intent="play", confidence=0.5, slots=(Slot(name="genre", value="jazz"),)
        ),
    ),
    entities=(Entity(mention="chess", type="game", resolved="Chess", confidence=0.9),),
    response=Response(text="Starting chess.", action="game.start", status="ok"),
)
AFTER = turn_event("play jazz", nlu=(NluHypothesis(domain="music", intent="play"),))
CHOSEN, SECOND, ALTERNATIVE, ENTITY, ACTION, WAKE = 0, 1, 3, 6, 12, 13


def _item(place: int, *hidden: str, turn: TurnEvent = TURN, after: TurnEvent | None = AFTER) -> list[float]:
    item = trace_items(turn, frozenset(hidden), after)[place]  # type: ignore[arg-type]  # names of parts
    assert item is not None
    return list(item.numbers)


def test_each_thing_has_its_place() -> None:
    texts = [item.text if item else None for item in trace_items(TURN, frozenset(), AFTER)]
    assert len(texts) == PLACES
    expected = {
        CHOSEN: "game start game chess",
        SECOND: "music play genre jazz",
        ALTERNATIVE: "play jazz",
        ENTITY: "Chess game chess",
        ACTION: "game start",
        WAKE: "",
    }
    assert {place: text for place, text in enumerate(texts) if text is not None} == expected


def test_the_three_best_recognitions_that_were_not_chosen_are_read() -> None:
    heard = tuple(Recognition(text=f"play {number}") for number in range(6))
    items = trace_items(turn_event(request=Request(text="play 0", asr=heard)), frozenset())
    assert [item.text for item in items if item is not None] == ["play 1", "play 2", "play 3"]


def test_the_next_turn_agrees_with_what_had_been_meant() -> None:
    agrees = 2
    assert _item(CHOSEN)[agrees] == 0
    assert _item(SECOND)[agrees] == 1
    assert _item(ALTERNATIVE)[agrees] == 1
    assert _item(ENTITY)[agrees] == 0
    missing = NUMBERS - 1
    assert _item(SECOND)[missing] == 0
    assert _item(SECOND, after=None)[missing] == 1


def test_confidences_are_read_beside_the_best_of_their_kind() -> None:
    assert _item(SECOND)[:2] == [0.5, 0.8 - 0.5]
    assert _item(ALTERNATIVE)[:2] == [0.6, 0.7 - 0.6]
    assert _item(WAKE)[0] == 0.9


def test_values_are_sought_in_all_that_was_said() -> None:
    in_request, in_response, in_others = 4, 5, 6
    assert [_item(CHOSEN)[i] for i in (in_request, in_response, in_others)] == [1, 1, 0]
    assert [_item(SECOND)[i] for i in (in_request, in_response, in_others)] == [0, 0, 1]
    assert [_item(ENTITY)[i] for i in (in_request, in_response, in_others)] == [1, 1, 0]


def test_what_is_hidden_is_in_no_item() -> None:
    everything = trace_items(TURN, frozenset(PARTS))
    assert everything == [None] * PLACES
    for part in TRACES:
        assert all(item is None or item.part != part for item in trace_items(TURN, frozenset({part})))
    assert trace_items(TURN, frozenset({"understanding"}), AFTER)[SECOND] is None
    # Nor does it come in by what other items are compared with.
    no_others = turn_event(
        request=Request(text="play chess", asr=HEARD.asr[:1], wake_confidence=0.9),
        nlu=TURN.nlu,
        entities=TURN.entities,
        response=TURN.response,
    )
    for place in (CHOSEN, SECOND, ENTITY):
        assert _item(place, "alternatives") == _item(place, turn=no_others)
    silent = turn_event(
        request=HEARD,
        nlu=TURN.nlu,
        entities=TURN.entities,
        response=Response(action="game.start", status="ok"),
    )
    for place in (CHOSEN, SECOND, ALTERNATIVE, ENTITY, ACTION):
        assert _item(place, "responses") == _item(place, turn=silent)


def test_numbers_of_what_is_not_there_are_nothing() -> None:
    numbers, there = item_numbers(trace_items(turn_event("play jazz"), frozenset()))
    assert numbers.shape == (PLACES, NUMBERS)
    assert not there.any()
    assert not numbers.any()
    numbers, there = item_numbers(trace_items(TURN, frozenset(), AFTER))
    assert there.sum() == 6
    assert np.abs(numbers).max() <= 1
