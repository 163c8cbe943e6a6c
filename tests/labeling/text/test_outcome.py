from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from turns import turn_event

from labeling.text.outcome import Reason, TurnOutcome, judge_turns
from streams.turn import Feedback, NluHypothesis, Response, Signals, Status, TurnEvent


def turn(
    text: str,
    status: Status | None = "ok",
    barge_in: bool | None = None,
    terminated: bool | None = None,
    feedback: Feedback | None = None,
) -> TurnEvent:
    return turn_event(
        text,
        nlu=(NluHypothesis(domain="one domain", intent="one intent"),),
        response=None if status is None else Response(status=status),
        signals=Signals(barge_in=barge_in, terminated=terminated, feedback=feedback),
    )


def judged(turns: Sequence[TurnEvent]) -> list[TurnOutcome]:
    """The outcomes of turns that came one after the other."""
    return judge_turns([msgspec.structs.replace(turn, ts_ms=1_000 * i) for i, turn in enumerate(turns)])


MUSIC, WEATHER, MUSIC_AGAIN = "play jazz", "will it rain", "play some jazz please"


@pytest.mark.parametrize(
    ("first", "following", "reason", "weights"),
    [
        (turn(MUSIC), None, "accepted", (1, 0, 0)),
        (turn(MUSIC, status=None), None, "accepted", (1, 0, 0)),
        (turn(MUSIC, "error"), None, "failed", (0, 1, 0)),
        (turn(MUSIC, "no_result"), None, "failed", (0, 1, 0)),
        (turn(MUSIC, "error"), WEATHER, "failed", (0, 0, 1)),
        (turn(MUSIC, barge_in=True), None, "interrupted", (0, 1, 0)),
        (turn(MUSIC, barge_in=True), WEATHER, "interrupted", (0, 0, 1)),
        (turn(MUSIC, barge_in=True, terminated=True), None, "ended", (0.5, 0.5, 0)),
        (turn(MUSIC, terminated=True), None, "ended", (0.5, 0.5, 0)),
        (turn(MUSIC, "cancelled"), None, "ended", (0.5, 0.5, 0)),
        (turn(MUSIC, "unsupported"), None, "ended", (0.5, 0.5, 0)),
        (turn(MUSIC, "unsupported"), WEATHER, "accepted", (1, 0, 0)),
        (turn(MUSIC, "unsupported"), MUSIC_AGAIN, "rephrased", (0, 0, 1)),
        (turn(MUSIC), MUSIC_AGAIN, "rephrased", (0, 0, 1)),
        (turn(MUSIC), WEATHER, "moved_on", (0.5, 0, 0.5)),
        (turn(MUSIC, feedback="negative"), None, "rejected", (0, 1, 0)),
        (turn(MUSIC, feedback="negative"), WEATHER, "rejected", (0, 0, 1)),
        (turn(MUSIC, feedback="positive"), None, "praised", (1, 0, 0)),
    ],
)
def test_each_reason(
    first: TurnEvent, following: str | None, reason: Reason, weights: tuple[float, float, float]
) -> None:
    turns = [first] if following is None else [first, turn(following)]
    assert judged(turns)[0] == TurnOutcome(*weights, reason)


def test_no_turn_is_judged_as_nothing() -> None:
    assert judged([]) == []


@pytest.mark.parametrize("status", ["ok", "error", "no_result", "cancelled", "unsupported"])
@pytest.mark.parametrize("barge_in", [False, True])
@pytest.mark.parametrize("following", [None, WEATHER, MUSIC_AGAIN])
def test_explicit_feedback_beats_all_other_signs(
    status: Status, barge_in: bool, following: str | None
) -> None:
    rest = [] if following is None else [turn(following)]
    praised = turn(MUSIC, status, barge_in, feedback="positive")
    rejected = turn(MUSIC, status, barge_in, feedback="negative")
    assert judged([praised, *rest])[0].reason == "praised"
    assert judged([rejected, *rest])[0].reason == "rejected"


def test_requests_of_one_domain_are_no_second_tries_by_that() -> None:
    assert judged([turn("in the north"), turn("cheap food")])[0].reason == "moved_on"


@pytest.mark.parametrize(("status", "weights"), [("ok", (0.5, 0.5, 0)), ("error", (0, 1, 0))])
def test_turns_of_one_time_have_no_order(status: Status, weights: tuple[float, float, float]) -> None:
    outcomes = judge_turns([turn(MUSIC, status), turn(MUSIC_AGAIN)])
    assert outcomes == [TurnOutcome(*weights, "unordered"), TurnOutcome(1, 0, 0, "accepted")]


def test_the_case_of_letters_does_not_matter() -> None:
    assert judged([turn("PLAY JAZZ"), turn("play jazz")])[0].reason == "rephrased"


turns_of_a_session = st.lists(
    st.builds(
        turn,
        st.sampled_from([MUSIC, WEATHER, MUSIC_AGAIN, "", "ünïcode 音楽"]),
        st.sampled_from([None, "ok", "error", "no_result", "cancelled", "unsupported"]),
        st.sampled_from([None, False, True]),
        st.sampled_from([None, False, True]),
        st.sampled_from([None, "positive", "negative"]),
    ),
    min_size=1,
    max_size=6,
)


@given(turns_of_a_session)
def test_weights_sum_to_one_and_the_last_turn_never_goes_on(turns: list[TurnEvent]) -> None:
    outcomes = judged(turns)
    assert len(outcomes) == len(turns)
    for outcome in outcomes:
        weights = (outcome.success, outcome.failure, outcome.goes_on)
        assert sum(weights) == 1
        assert set(weights) <= {0, 0.5, 1}
    assert outcomes[-1].goes_on == 0
