"""What was said around requests, and what of it may be read."""

from turns import turn_event

from labeling.turns.texts import TurnTexts, said_by, turn_texts
from streams.turn import Response

ASK = turn_event("play jazz", response=Response(text="Where?"))
PLACE = turn_event("in the hall", response=Response(text="Okay."))
SILENT = turn_event("stop", response=Response(status="ok"))
CALLED_BACK = turn_event("yes", prompt="Do you still want to hear jazz?")


def test_a_turn_has_what_was_said_before_it() -> None:
    assert turn_texts([ASK, PLACE, SILENT, CALLED_BACK]) == [
        TurnTexts("play jazz", "Where?", None),
        TurnTexts("in the hall", "Okay.", "Where?"),
        TurnTexts("stop", None, "Okay."),
        TurnTexts("yes", None, "Do you still want to hear jazz?"),
    ]


def test_hidden_parts_are_not_read() -> None:
    turns = [ASK, PLACE, CALLED_BACK]
    assert [texts.prompt for texts in turn_texts(turns, frozenset({"preceding"}))] == [None, None, None]
    for texts, turn in zip(turn_texts(turns, frozenset({"responses"})), turns, strict=True):
        assert texts == TurnTexts(turn.request.text, None, None)


def test_a_swapped_response_is_also_what_was_said_before_the_next_turn() -> None:
    swapped = turn_texts([ASK, PLACE], swapped={0: "Which song?"})
    assert swapped == [
        TurnTexts("play jazz", "Which song?", None),
        TurnTexts("in the hall", "Okay.", "Which song?"),
    ]


def test_an_empty_response_says_nothing() -> None:
    assert said_by(turn_event(response=Response(text=""))) is None
    assert said_by(turn_event()) is None
    assert said_by(PLACE) == "Okay."
