"""Swapped responses: each kind is what it says, and none is the response that a turn has."""

from typing import Any

import numpy as np
import pytest
from turns import turn_event

from labeling.labels.response_swaps import KINDS, Responses, SwapKind
from labeling.turns.texts import said_by
from streams.turn import Entity, NluHypothesis, Response, Slot, TurnEvent

_DRAWS = 60


def _turn(
    said: str | None, intent: str = "play", slots: dict[str, str] | None = None, **more: Any
) -> TurnEvent:
    named = tuple(Slot(name=name, value=value) for name, value in (slots or {}).items())
    return turn_event(
        nlu=(NluHypothesis(domain="d", intent=intent, slots=named),), response=Response(text=said), **more
    )


LOG = [
    [
        _turn("Playing jazz", slots={"genre": "jazz"}),
        _turn("Dimming the hall", "dim", {"room": "hall"}),
        _turn("Playing folk", slots={"genre": "folk"}),
    ],
    [_turn("Playing blues in the hall", slots={"genre": "blues", "room": "hall"}), _turn(None)],
    [_turn("Stopped", "stop"), _turn("Stopped", "stop")],
]
RESPONSES = Responses.of(LOG)


def _drawn(
    turns: list[TurnEvent], position: int, kind: SwapKind, responses: Responses = RESPONSES
) -> set[str | None]:
    """All that comes in many draws."""
    generator = np.random.default_rng(1)
    return {responses.swapped(turns, position, kind, generator) for _ in range(_DRAWS)}


def test_the_responses_of_a_log_are_collected_once_in_its_order() -> None:
    assert RESPONSES.all == [
        "Playing jazz",
        "Dimming the hall",
        "Playing folk",
        "Playing blues in the hall",
        "Stopped",
    ]
    assert RESPONSES.by_intent["d.play"] == ["Playing jazz", "Playing folk", "Playing blues in the hall"]
    assert RESPONSES.values == {"genre": ["jazz", "folk", "blues"], "room": ["hall"]}
    assert Responses.of([]) == Responses([], {}, {})


def test_another_response_is_any_but_the_own() -> None:
    assert _drawn(LOG[0], 0, "other") - {None} == set(RESPONSES.all) - {"Playing jazz"}


def test_one_of_the_same_intent_answers_such_a_request() -> None:
    assert _drawn(LOG[0], 0, "same_intent") - {None} == {"Playing folk", "Playing blues in the hall"}
    assert _drawn(LOG[2], 0, "same_intent") == {None}


def test_a_stale_one_is_of_an_earlier_turn_of_the_dialogue() -> None:
    assert _drawn(LOG[0], 2, "stale") - {None} == {"Playing jazz", "Dimming the hall"}
    assert _drawn(LOG[0], 1, "stale") == {"Playing jazz"}  # never its own: there is always one
    assert _drawn(LOG[0], 0, "stale") == {None}
    assert _drawn(LOG[2], 1, "stale") == {None}  # the same words again


def test_with_another_entity_all_else_stays() -> None:
    assert _drawn(LOG[0], 0, "entity") - {None} == {"Playing folk", "Playing blues"}
    assert _drawn(LOG[1], 0, "entity") - {None} == {"Playing jazz in the hall", "Playing folk in the hall"}
    assert _drawn(LOG[0], 1, "entity") == {None}  # there is no other room
    assert _drawn(LOG[2], 0, "entity") == {None}  # there is no value


def test_an_entity_is_sought_as_whole_words_without_regard_to_case() -> None:
    log = [
        [_turn("Now PLAYING Pop pop", slots={"genre": "pop"}), _turn("ska", slots={"genre": "ska"})],
        [_turn("It popped", slots={"genre": "pop"})],
    ]
    responses = Responses.of(log)
    assert _drawn(log[0], 0, "entity", responses) - {None} == {"Now PLAYING ska pop"}
    assert _drawn(log[1], 0, "entity", responses) == {None}


def test_the_same_value_in_other_letters_is_no_other_entity() -> None:
    log = [[_turn("Playing Jazz", slots={"genre": "jazz"}), _turn("x", slots={"genre": "Jazz"})]]
    assert _drawn(log[0], 0, "entity", Responses.of(log)) == {None}


def test_resolved_entities_are_values_too() -> None:
    log = [
        [
            turn_event(
                response=Response(text=f"Calling {name}"),
                entities=(Entity(mention=name.lower(), type="person", resolved=name), Entity(mention="")),
            )
        ]
        for name in ("Ann", "Bob")
    ]
    responses = Responses.of(log)
    assert responses.values == {"person": ["Ann", "Bob"]}
    assert _drawn(log[0], 0, "entity", responses) - {None} == {"Calling Bob"}


def test_without_interpretation_the_action_is_the_kind() -> None:
    log = [
        [turn_event(response=Response(text=text, action=action))]
        for text, action in [
            ("one", "play"),
            ("two", "play"),
            ("three", "stop"),
            ("four", None),
            ("five", None),
        ]
    ]
    responses = Responses.of(log)
    assert responses.by_intent == {"play": ["one", "two"], "stop": ["three"]}
    assert _drawn(log[0], 0, "same_intent", responses) - {None} == {"two"}
    assert _drawn(log[3], 0, "same_intent", responses) == {None}


@pytest.mark.parametrize("kind", KINDS)
def test_where_there_is_none_of_a_kind_there_is_none(kind: SwapKind) -> None:
    for turns in ([turn_event()], [_turn("alone", slots={"genre": "alone"})], [_turn("")]):
        assert _drawn(turns, 0, kind, Responses.of([turns])) == {None}
    turkish = [_turn("\u0130 jazz", slots={"genre": "jazz"}), _turn("\u0130 jazz", slots={"genre": "ska"})]
    assert _drawn(turkish, 0, kind, Responses.of([turkish])) <= {None, "\u0130 ska"}


@pytest.mark.parametrize("kind", KINDS)
def test_the_own_response_is_never_drawn(kind: SwapKind) -> None:
    for turns in LOG:
        for position, turn in enumerate(turns):
            if said_by(turn) is not None:
                assert said_by(turn) not in _drawn(turns, position, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_draws_the_same(kind: SwapKind) -> None:
    def draws() -> list[str | None]:
        generator = np.random.default_rng(7)
        return [RESPONSES.swapped(LOG[0], 2, kind, generator) for _ in range(10)]

    assert draws() == draws()
