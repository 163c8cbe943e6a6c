from typing import Any

import msgspec
from rewrites import rewrite_row
from sqlalchemy import create_engine
from turns import turn_event

from rewriting.index.request_index import RequestIndex
from rewriting.ranking.online_rewriter import OnlineAnswer
from rewriting.requests.asked_request import AskedRequest
from rewriting.requests.history import RequestHistory
from rewriting.requests.statistics import StatisticsSource
from rewriting.table.abstain_reason import AbstainReason
from rewriting.table.lookup import LookupTable
from rewriting.table.rewrite import Rewrite, TableVersion, user_scope
from services.jobs.rewrite_replay import replay_turns
from services.jobs.served_layers import ServedLayers
from streams.session import DEFAULT_GAP_MS
from streams.stores.database_schema import METADATA, reading
from streams.turn import AssistantId, Recognition, Request, Response, TurnEvent

A = AssistantId("a")


def turn(text: str, *, confidence: float | None = None, **changes: str) -> TurnEvent:
    asr = () if confidence is None else (Recognition(text=text, confidence=confidence),)
    return turn_event(text, request=Request(text=text, asr=asr), **changes)


def row(source: str, target: str, **changes: Any) -> Rewrite:
    return rewrite_row(source, target, assistant_id=A, **changes)


def answers(turns: list[TurnEvent], *rows: Rewrite) -> list[str | None]:
    layers = ServedLayers({A: LookupTable.of(A, TableVersion(1), rows)}, {})
    turns = [msgspec.structs.replace(turn, event_id=str(i), ts_ms=i) for i, turn in enumerate(turns)]
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    with reading(engine) as connection:
        return [replayed.rewrite for replayed in replay_turns(turns, layers, connection)]


def test_each_turn_gets_what_the_api_would_answer() -> None:
    rows = [row("pley jazz", "play jazz"), row("pley jazz", "play rock", scope=user_scope("rocker"))]
    turns = [turn("Pley  jazz!"), turn("pley jazz", user_id="rocker"), turn("play jazz"), turn("")]
    assert answers(turns, *rows) == ["play jazz", "play rock", None, None]


def test_a_guarded_rewrite_leaves_sure_requests_alone() -> None:
    guarded = row("pley jazz", "play jazz", max_confidence=0.5)
    turns = [turn("pley jazz", confidence=value) for value in (0.4, 0.6, None)]
    assert answers(turns, guarded) == ["play jazz", None, None]


def test_another_assistant_gets_nothing() -> None:
    assert answers([turn("pley jazz", assistant_id="b")], row("pley jazz", "play jazz")) == [None]


def test_a_rewrite_after_a_question_is_given_after_that_question() -> None:
    south = row("no", "south", question="what area")
    turns = [turn("no", prompt="Hello. What area?"), turn("no", prompt="What food?"), turn("no")]
    assert answers(turns, south) == ["south", None, None]


def test_in_a_dialogue_the_question_may_be_in_the_answer_before() -> None:
    south = row("no", "south", question="what area")

    def said(text: str, dialogue: str | None, response: str | None = None) -> TurnEvent:
        return turn_event(
            text, dialogue_id=dialogue, response=None if response is None else Response(text=response)
        )

    turns = [
        said("no", "d-1", "What area?"),
        said("no", "d-2"),  # nothing was asked in this one
        said("no", "d-1", "It is in the south."),
        said("no", "d-1"),
        said("no", None, "What area?"),
        said("no", None),  # perhaps not the next turn
    ]
    assert answers(turns, south) == [None, None, "south", None, None, None]


class HistoryRecorder:
    """Rewrites nothing; notes what each request came with as the user's history."""

    index = None

    def __init__(self) -> None:
        self.said: list[set[str]] = []

    @property
    def rewriter(self) -> "HistoryRecorder":
        return self

    def answer(
        self,
        request: AskedRequest,
        statistics: StatisticsSource,
        history: RequestHistory,
        index: RequestIndex | None,
    ) -> OnlineAnswer:
        self.said.append(set(history.said))
        return OnlineAnswer(None, AbstainReason.NO_CANDIDATE)


def test_a_session_is_history_once_its_time_is_over_and_no_sooner() -> None:
    times = {"first": 0, "at once": 30_000, "just within": DEFAULT_GAP_MS, "after": DEFAULT_GAP_MS + 1}
    turns = [turn_event(text, event_id=text, dialogue_id=text, ts_ms=ts_ms) for text, ts_ms in times.items()]
    turns.append(turn_event("of another", event_id="v", user_id="v", ts_ms=10**6))
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    recorder = HistoryRecorder()
    with reading(engine) as connection:
        assert len(list(replay_turns(turns, ServedLayers({}, {A: recorder}), connection))) == 5
    assert recorder.said == [set(), set(), set(), {"first"}, set()]


def test_each_turn_is_asked_in_its_locale_and_as_its_kind() -> None:
    rows = [
        row("gift", "poison", locale="de-DE"),
        row("yes", "south please", turn_kind="answer"),
        row("yes", "lock the door", turn_kind="system"),
    ]
    turns = [
        turn("gift", locale="de_DE"),
        turn("gift", locale="de"),
        turn("gift", locale="no locale"),
        turn("gift"),
        turn("yes"),
        turn("yes", prompt="South?"),
        turn_event("yes", system_initiated=True, prompt="Shall I lock the door?"),
    ]
    assert answers(turns, *rows) == ["poison", None, None, None, None, "south please", "lock the door"]
