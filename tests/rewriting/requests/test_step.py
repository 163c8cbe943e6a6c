from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from turns import turn_event

from rewriting.requests.counts import RequestCounts
from rewriting.requests.history import RequestHistory
from rewriting.requests.step import RequestStep, session_requests
from streams.session import Session, SessionId, sessionize
from streams.turn import NluHypothesis, Response, Signals, Status, TurnEvent

NLU = (NluHypothesis(intent="play", domain="music", confidence=0.5),)


def turns(*texts: str, dialogue: str | None = None, **last: object) -> list[TurnEvent]:
    made = [
        turn_event(text, event_id=str(i), ts_ms=i * 1000, dialogue_id=dialogue, nlu=NLU)
        for i, text in enumerate(texts)
    ]
    made[0] = msgspec.structs.replace(made[0], **last)
    return made


def only_session(events: list[TurnEvent]) -> Session:
    (found,) = sessionize(events)
    return found


def test_a_failed_request_meant_what_its_second_try_was_met_with() -> None:
    failed = turns("pley jazz", "play jazz", response=Response(status="error"))
    steps = session_requests(only_session(failed))
    assert [steps.meant(i) for i in range(2)] == [1, 1]
    assert [step.failed for step in steps.steps] == [True, False]


def test_a_request_whose_session_never_succeeds_has_no_meaning() -> None:
    (turn,) = turns("pley jazz", response=Response(status="error"))
    assert session_requests(only_session([turn])).meant(0) is None


class CountedSteps(tuple[RequestStep, ...]):
    """Steps that count how often one of them is looked at by its number."""

    looks = 0

    def __getitem__(self, index: Any) -> Any:
        self.looks += 1
        return super().__getitem__(index)


@given(st.lists(st.sampled_from(("ok", "error")), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_what_each_request_meant_is_what_one_by_one_they_meant(statuses: list[Status]) -> None:
    made = turns(*("play jazz" if i % 3 else "what time is it" for i in range(len(statuses))))
    made = [
        msgspec.structs.replace(turn, response=Response(status=status))
        for turn, status in zip(made, statuses, strict=True)
    ]
    steps = session_requests(only_session(made))
    assert steps.each_meant() == [steps.meant(i) for i in range(len(statuses))]


def test_counting_a_long_run_of_tries_looks_at_each_only_a_few_times() -> None:
    steps = session_requests(only_session(turns(*["play jazz"] * 400)))
    counted = CountedSteps(steps.steps)
    session = msgspec.structs.replace(steps, steps=counted)
    RequestCounts(min_users=1).add(session)
    RequestHistory([session])
    assert counted.looks <= 10 * len(counted)


def test_in_a_dialogue_similar_words_are_no_second_try() -> None:
    asked = ("the address and the post code", "the post code")
    assert session_requests(only_session(turns(*asked))).meant(0) == 1
    steps = session_requests(only_session(turns(*asked, dialogue="d")))
    assert steps.meant(0) == 0
    assert steps.steps[0].success == 0.5


def test_in_a_dialogue_a_rejected_request_is_one() -> None:
    rejected = turns("the west", "the east", dialogue="d", signals=Signals(feedback="negative"))
    assert session_requests(only_session(rejected)).meant(0) == 1


def test_requests_without_a_word_are_left_out() -> None:
    made = turns("...", "play jazz")
    assert [step.text for step in session_requests(only_session(made)).steps] == ["play jazz"]


def test_the_question_before_a_request_is_kept() -> None:
    made = turns("no", dialogue="d", prompt="Hello. What area?")
    assert session_requests(only_session(made)).steps[0].question == "what area"


def test_the_locale_of_a_session_and_who_began_are_kept() -> None:
    made = turns("yes", "play jazz", locale="de-DE", system_initiated=True)
    steps = session_requests(only_session(made))
    assert steps.locale == "de-DE"
    assert [step.system_initiated for step in steps.steps] == [True, False]
    assert session_requests(only_session(turns("yes"))).locale == ""


def test_sessions_that_an_earlier_version_has_stored_are_read() -> None:
    session = session_requests(only_session(turns("yes", "play jazz")))
    array = msgspec.msgpack.decode(msgspec.msgpack.encode(session))
    earlier = [*array[:3], [step[:12] for step in array[3]]]  # without what came later
    assert msgspec.convert(earlier, type(session)) == msgspec.structs.replace(session, form=0)


def test_steps_survive_encoding() -> None:
    made = session_requests(only_session(turns("play jazz", "stop")))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=type(made)) == made
    assert made.session_id == SessionId(made.session_id)
