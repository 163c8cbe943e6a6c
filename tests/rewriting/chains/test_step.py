import msgspec
import pytest

from rewriting.chains.step import (
    CONFIDENCE_BANDS,
    MOST_TOLD,
    NOT_KNOWN,
    STEPS_FORM,
    SessionSteps,
    confidence_band,
    session_steps,
)
from streams.session import sessionize
from streams.turn import NluHypothesis, Recognition, Request, Response, Status, TurnEvent


def turn(number: int, text: str, status: Status = "ok", **fields: object) -> TurnEvent:
    event = TurnEvent(
        schema_version=1,
        event_id=f"e{number}",
        assistant_id="a",
        user_id="u",
        ts_ms=number * 1000,
        request=Request(text=text, asr=(Recognition(text=text, confidence=0.5),)),
        nlu=(NluHypothesis(domain="d", intent="i", confidence=0.5),),
        response=Response(status=status),
    )
    return msgspec.structs.replace(event, **fields)


def steps_of(*turns: TurnEvent) -> SessionSteps:
    (session,) = sessionize(turns)
    return session_steps(session)


def test_a_step_for_each_turn() -> None:
    session = steps_of(turn(0, "Play  Jazz", "error"), turn(1, "play some jazz!"))
    first, second = session.steps
    assert (first.text, first.surface, first.interpretation) == ("play jazz", "Play Jazz", "d|i|")
    assert (first.success, first.failure, first.goes_on) == (0, 0, 1)
    assert (second.text, second.success) == ("play some jazz", 1)
    assert first.band == 1  # 0.5 * 0.5 is not below 0.25
    assert (first.asr_band, first.nlu_band) == (3, 3)
    assert not session.is_dialogue


def test_a_rewritten_request_counts_for_the_text_that_was_run() -> None:
    (step,) = steps_of(turn(0, "play jass", executed_text="Play jazz", rewrite_id="r")).steps
    assert (step.text, step.surface) == ("play jazz", "Play jazz")


def test_turns_without_a_word_are_left_out_before_judging() -> None:
    session = steps_of(turn(0, "play jazz", "error"), turn(1, " ?! "), turn(2, ""))
    (step,) = session.steps
    assert (step.text, step.failure, step.goes_on) == ("play jazz", 1, 0)


def test_a_session_without_a_word_has_no_steps() -> None:
    assert steps_of(turn(0, "...")).steps == ()


def test_knows_a_declared_dialogue() -> None:
    assert steps_of(turn(0, "play jazz", dialogue_id="d")).is_dialogue


@pytest.mark.parametrize(
    ("confidence", "band"),
    [
        (0.0, 0),
        (CONFIDENCE_BANDS[0], 1),
        (CONFIDENCE_BANDS[-1] - 1e-9, len(CONFIDENCE_BANDS) - 1),
        (CONFIDENCE_BANDS[-1], len(CONFIDENCE_BANDS)),
        (1.0, len(CONFIDENCE_BANDS)),
        (None, len(CONFIDENCE_BANDS)),
    ],
)
def test_bands(confidence: float | None, band: int) -> None:
    assert confidence_band(confidence) == band


def test_steps_are_stored_as_they_are() -> None:
    session = steps_of(turn(0, "spiel ÄRZTE 音楽", "error"), turn(1, "x", dialogue_id=None))
    encoded = msgspec.msgpack.encode(session)
    assert msgspec.msgpack.decode(encoded, type=SessionSteps) == session


def told(response: str, prompt: str | None = "What area?") -> tuple[str, str]:
    """The question and the words of the response that are kept of one turn."""
    (step,) = steps_of(turn(0, "no", prompt=prompt, response=Response(text=response))).steps
    return step.question, step.told


def test_after_a_question_the_words_of_the_response_are_kept() -> None:
    assert told("It is in the South.") == ("what area", "it is south")
    assert told("South, right? Here it is.") == ("what area", "south right . here it is")
    assert told("It is in the South.", prompt="Hello.") == ("", "")
    assert told("It is in the South.", prompt=None) == ("", "")


def test_to_ask_again_tells_nothing() -> None:
    assert told("Sorry. What area?") == ("what area", "sorry")
    assert told("What area?") == ("what area", "")


def test_long_responses_are_cut_between_words() -> None:
    _, words = told("southwest " * MOST_TOLD)
    assert set(words.split()) == {"southwest"}
    assert MOST_TOLD - 20 < len(words) <= MOST_TOLD


def test_in_a_dialogue_the_response_before_may_have_asked() -> None:
    first = turn(0, "hello", response=Response(text="What area?"), dialogue_id="d")
    silence = turn(1, " ", response=Response(text="What food?"), dialogue_id="d")
    second = turn(2, "no", response=Response(text="the south"), dialogue_id="d")
    assert [step.question for step in steps_of(first, second).steps] == ["", "what area"]
    assert [step.question for step in steps_of(first, silence, second).steps] == ["", "what food"]
    assert steps_of(first, second).steps[1].told == "south"


def test_steps_without_a_question_are_read_as_they_were_stored() -> None:
    session = steps_of(turn(0, "play jazz"))
    (step,) = session.steps
    shorter = (*session_fields(session)[:3], [list(session_fields(step)[:7])], False)
    decoded = msgspec.msgpack.decode(msgspec.msgpack.encode(shorter), type=SessionSteps)
    assert decoded.form < session.form == STEPS_FORM
    earlier = msgspec.structs.replace(step, asr_band=NOT_KNOWN, nlu_band=NOT_KNOWN)
    assert decoded == msgspec.structs.replace(session, form=decoded.form, steps=(earlier,))


def session_fields(value: msgspec.Struct) -> tuple[object, ...]:
    return msgspec.structs.astuple(value)
