import pytest
from turns import turn_event

from rewriting.evidence.interpretation import interpretation_of
from streams.turn import NluHypothesis, Slot, TurnEvent


def turn(*hypotheses: NluHypothesis, text: str = "Play Jazz!", executed: str | None = None) -> TurnEvent:
    return turn_event(text, executed_text=executed, nlu=hypotheses)


def with_slots(*slots: tuple[str, str | None]) -> NluHypothesis:
    return NluHypothesis(
        domain="music", intent="play", slots=tuple(Slot(name=name, value=value) for name, value in slots)
    )


def test_the_best_hypothesis_with_its_slots_sorted() -> None:
    best = with_slots(("room", "kitchen"), ("genre", "jazz"))
    assert interpretation_of(turn(best, with_slots())) == "music|play|genre=jazz;room=kitchen"


def test_no_slots_and_no_domain() -> None:
    assert interpretation_of(turn(NluHypothesis(intent="stop"))) == "|stop|"


def test_without_understanding_it_is_the_text_that_was_run() -> None:
    assert interpretation_of(turn()) == "text:play jazz"
    assert interpretation_of(turn(executed="Play  BLUES")) == "text:play blues"


@pytest.mark.parametrize("value", ["the kitchen", "Kitchen", "in my kitchen, please"])
def test_light_words_case_and_punctuation_make_no_difference(value: str) -> None:
    assert interpretation_of(turn(with_slots(("room", value)))) == "music|play|room=kitchen"


def test_a_value_of_light_words_alone_stays() -> None:
    assert interpretation_of(turn(with_slots(("song", "The The")))) == "music|play|song=the the"
    assert interpretation_of(turn(with_slots(("song", None)))) == "music|play|song="


def test_separators_in_names_and_values_cannot_forge_another_interpretation() -> None:
    forged = NluHypothesis(domain="music|play", intent="x", slots=(Slot(name="a=b;c", value="d;e=f|g"),))
    assert interpretation_of(turn(forged)) == "music play|x|a b c=d e f g"


def test_other_scripts() -> None:
    assert interpretation_of(turn(with_slots(("genre", "ÄRZTE 音楽")))) == "music|play|genre=ärzte 音楽"
