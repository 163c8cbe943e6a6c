import msgspec
import pytest

from rewriting.chain_step import CONFIDENCE_BANDS, SessionSteps, confidence_band, session_steps
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
