import pytest
from turns import turn_event

from labeling.text.question import (
    MOST_SEARCHED,
    NO_QUESTION,
    Question,
    beside_question,
    question_before,
    question_of,
)
from streams.turn import Response, TurnEvent


@pytest.mark.parametrize(
    ("said", "question"),
    [
        (None, ""),
        ("", ""),
        ("Curry Garden serves Indian food.", ""),
        ("What AREA do you want?", "what area do you want"),
        ("There are 3 of them. What area?  ", "what area"),
        ("What area? What food?", "what food"),  # the last one is to be answered
        ("What area? I did not get that.", "what area"),
        ("?", ""),
        ("Welche Gegend - Süd oder Nord?!", ""),  # no question mark at its end
        ("In welcher Straße?", "in welcher strasse"),
        ("It is far. " * MOST_SEARCHED + "What area?", "what area"),
        ("What area? " + "It is far. " * MOST_SEARCHED, ""),
    ],
)
def test_the_last_question_counts(said: str | None, question: str) -> None:
    assert question_of(said) == question


def test_a_question_is_its_own_question() -> None:
    question = question_of("Well, what's the area, then?")
    assert question_of(f"{question}?") == question


def test_a_prompt_goes_before_the_response_to_the_turn_before() -> None:
    def said(**changes: object) -> TurnEvent:
        return turn_event("no", **changes)

    before = said(dialogue_id="d", response=Response(text="What area?"))
    assert question_before(said(dialogue_id="d"), before) == "what area"
    assert question_before(said(dialogue_id="d", prompt="What food?"), before) == "what food"
    assert question_before(said(dialogue_id="d", prompt="Hm."), before) == NO_QUESTION
    assert question_before(said(dialogue_id="d"), None) == NO_QUESTION
    assert question_before(said(dialogue_id="d"), said(dialogue_id="d")) == NO_QUESTION
    assert question_before(said(), said(response=Response(text="What area?"))) == NO_QUESTION


def test_what_does_not_ask_the_question_again() -> None:
    area = Question("what area")
    assert beside_question("Sorry. What area? North or south?", area) == ["Sorry.", "North or south?"]
    assert beside_question(None, area) == []
