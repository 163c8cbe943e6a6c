"""Feedback that users give through the lookup API counts as if the turn events had carried it."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from databases import new_database, opened
from earlier_schema import without_applied_feedback
from letter_detector import letter_log
from letter_models import CASE_OF
from litestar import Litestar
from litestar.testing import TestClient
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, select
from streaming import (
    drain,
    everything,
    feed,
    learn_log,
    records_of,
    requests,
    requests_in,
    rewrites,
    rewrites_in,
    send_turns,
    store_log,
    stream_settings,
)
from turns import START_MS, turn_event

from rewriting.chains.store import CHAIN_STORE
from rewriting.feedback.settling import REWRITE_WINDOW_MS, leave_to_others, unsettled_feedback
from rewriting.feedback.store import FEEDBACK, DatabaseFeedbackStore, FeedbackEntry, Outcome
from services.lookup_api.app import build_app, forget_in
from services.platform.api_settings import LookupApiSettings
from services.platform.clock import now_ms
from services.privacy.forgetting import forget_user
from services.processes.feedback_counts import FeedbackCounts
from services.simulator import PlantedPair, planted_log
from services.simulator.planted_log import plant_hypothesis
from services.tasks.session import SessionTask
from streams.kafka_settings import KafkaSettings
from streams.session_record import decode_session
from streams.stores.database_schema import reading
from streams.stores.session_store import all_sessions, new_turns, store_turns
from streams.stream_task import OffsetRange, Received
from streams.topic_names import Topics
from streams.topics import ensure_topics
from streams.turn import AssistantId, Feedback, Request, Signals, TurnEvent, UserId

HOME = AssistantId("planted-assistant")
SOURCE, TARGET = "play sonk", "play song"
SAID_MS = START_MS + 10_000
STRANGERS = [f"stranger-{number}" for number in range(6)]

Say = Callable[..., None]


@pytest.fixture
def learned() -> list[TurnEvent]:
    """A pair of six users, which makes a row; and other requests of those who judge it."""
    pair = planted_log([PlantedPair(source=SOURCE, target=TARGET, users=6)])
    (_, target) = pair[:2]
    ordinary = [
        msgspec.structs.replace(
            target,
            event_id=f"{user}-{number}",
            user_id=user,
            ts_ms=START_MS + number * 10**6,
            request=Request(text=f"call {name}"),
            nlu=(plant_hypothesis(f"call {name}"),),
        )
        for user in STRANGERS
        for number, name in enumerate(("mom", "dad", "ann", "bob"))
    ]
    return [*pair, *ordinary]


def run(user_id: str, event_id: str | None = None, **changes: object) -> TurnEvent:
    """A request of a user that was rewritten; nothing speaks against it."""
    (_, target) = planted_log([PlantedPair(source=SOURCE, target=TARGET, users=1)])
    ran = msgspec.structs.replace(
        target,
        event_id=event_id or f"run-{user_id}",
        user_id=user_id,
        ts_ms=START_MS + 86_400_000,
        request=msgspec.structs.replace(target.request, text=SOURCE, asr=()),
        executed_text=TARGET,
        rewrite_id="r1",
    )
    return msgspec.structs.replace(ran, **changes)


def plain(event_id: str = "e", **changes: object) -> TurnEvent:
    return turn_event(event_id=event_id, assistant_id=HOME, **changes)


@pytest.fixture
def say(engine: Engine) -> Iterator[Say]:
    """Gives feedback through the API, a millisecond after the last."""
    with saying(engine) as say:
        yield say


class saying:
    """The API of a database, whose clock starts at `SAID_MS`."""

    def __init__(self, engine: Engine) -> None:
        clock = itertools.count(SAID_MS)
        app = build_app(
            LookupApiSettings(poll_interval_s=0.02),
            engine,
            DatabaseFeedbackStore(engine),
            forget_in(engine),
            lambda: next(clock),
        )
        self._client: TestClient[Litestar] = TestClient(app, base_url="http://127.0.0.1:8420")

    def __enter__(self) -> Say:
        self._client.__enter__()
        return self._say

    def __exit__(self, *error: object) -> None:
        self._client.__exit__(*error)  # type: ignore[arg-type]  # as they come

    def _say(self, user_id: str, feedback: Feedback, **about: str) -> None:
        body = {"assistant_id": HOME, "user_id": user_id, "feedback": feedback, **about}
        answer = self._client.post("/v1/feedback", json=body)
        assert answer.status_code == 201, answer.text


class Stream:
    """A sessions worker without Kafka."""

    def __init__(self, engine: Engine, partition: int = 0) -> None:
        self.task = SessionTask(engine, Topics(), lambda: START_MS)
        self.task.assigned([partition])
        self._partition = partition
        self._at: int | None = self.task.start_offsets([partition])[partition]

    def feed(self, *turns: TurnEvent) -> list[list[Feedback | None]]:
        """Brings turns in; gives the feedback of the turns of each session that is sent."""
        first = self._at or 0
        items = [Received(turn, self._partition, first + number, 0) for number, turn in enumerate(turns)]
        self.task.write(
            self.task.process(items), {self._partition: OffsetRange(self._at, first + len(turns))}
        )
        self._at = first + len(turns)
        return self._sent()

    def idle(self, now_ms: int = START_MS) -> list[list[Feedback | None]]:
        """Waits; gives the same."""
        work = self.task.idle(now_ms)
        if work is None:
            return []
        at = self._at
        self.task.write(work, {} if at is None else {self._partition: OffsetRange(at, at)})
        return self._sent()

    def close(self, *turns: TurnEvent) -> None:
        """Brings turns in and closes their sessions."""
        self.feed(*turns)
        self.idle(START_MS)
        self.idle(START_MS + 10**6)

    def _sent(self) -> list[list[Feedback | None]]:
        sessions = [decode_session(record.value) for record in self.task.outgoing()]
        self.task.produced()
        return [[turn.signals.feedback for turn in session.turns or ()] for session in sessions]


def carried(engine: Engine) -> dict[str, Feedback | None]:
    """The feedback of every stored turn."""
    with reading(engine) as connection:
        return {
            turn.event_id: turn.signals.feedback
            for session in all_sessions(connection, HOME)
            for turn in session.turns
        }


def outcomes(engine: Engine) -> list[Outcome]:
    with reading(engine) as connection:
        return sorted(connection.scalars(select(FEEDBACK.c.outcome)))


def live_sources(engine: Engine) -> set[str]:
    rows = rewrites_in(engine)
    return {row.source_text for row in rows if row.status == "live" and row.source_text == SOURCE}


# What it does to rewrites


def test_negative_feedback_withdraws_a_row_whose_runs_it_is_about(
    engine: Engine, learned: Sequence[TurnEvent], say: Say, tmp_path: Path
) -> None:
    log = [*learned, *map(run, STRANGERS)]
    learn_log(engine, tmp_path, log)
    assert live_sources(engine) == {SOURCE}
    for user in STRANGERS:
        say(user, "negative", event_id=f"run-{user}")
    learn_log(engine, tmp_path, log)
    assert live_sources(engine) == set()
    with reading(engine) as connection:
        steps = [step for session in CHAIN_STORE.all(connection, HOME) for step in session.steps if step.said]
    assert [(step.failure, step.failed) for step in steps] == [(1, True)] * len(STRANGERS)


def test_positive_feedback_withdraws_nothing(
    engine: Engine, learned: Sequence[TurnEvent], say: Say, tmp_path: Path
) -> None:
    log = [*learned, *map(run, STRANGERS)]
    learn_log(engine, tmp_path, log)
    for user in STRANGERS:
        say(user, "positive", event_id=f"run-{user}")
    learn_log(engine, tmp_path, log)
    assert live_sources(engine) == {SOURCE}
    assert {carried(engine)[f"run-{user}"] for user in STRANGERS} == {"positive"}


def test_feedback_is_the_same_as_signals_in_the_turn_events(
    engine: Engine, learned: Sequence[TurnEvent], say: Say, tmp_path: Path
) -> None:
    words: dict[str, Feedback] = dict(zip(STRANGERS, itertools.cycle(["negative", "positive"]), strict=False))
    learn_log(engine, tmp_path, [*learned, *map(run, STRANGERS)])
    for user, word in words.items():
        say(user, word, event_id=f"run-{user}")
    learn_log(engine, tmp_path, [])
    in_events = [
        run(user, signals=Signals(barge_in=False, terminated=False, feedback=word))
        for user, word in words.items()
    ]
    with opened(new_database(tmp_path / "events.db")) as other:
        learn_log(other, tmp_path, [*learned, *in_events])
        assert requests_in(other) == requests_in(engine)
        assert rewrites_in(other) == rewrites_in(engine)


@pytest.mark.parametrize("first", ["turns", "feedback"])
def test_kafka_and_files_give_the_same_table(
    first: str, learned: Sequence[TurnEvent], kafka_settings: KafkaSettings, tmp_path: Path
) -> None:
    location = new_database(tmp_path / "kafka.db")
    log = [*learned, *map(run, STRANGERS)]
    ensure_topics(kafka_settings, partitions=4)
    settings = stream_settings(location, kafka_settings)

    def give(engine: Engine) -> None:
        with saying(engine) as say:
            for user in STRANGERS:
                say(user, "negative", event_id=f"run-{user}")

    def learn() -> None:
        send_turns(kafka_settings, log)
        drain(settings)

    if first == "turns":
        learn()
        assert [row.status for row in rewrites(location)] == ["live"]
    with opened(location) as engine:
        give(engine)
    if first == "turns":
        drain(settings)
    else:
        learn()
    files = new_database(tmp_path / "files.db")
    with opened(files) as engine:
        learn_log(engine, tmp_path, log)
        give(engine)
        learn_log(engine, tmp_path, [])
    assert rewrites(location) == rewrites(files)
    assert requests(location) == requests(files)
    assert [row for row in rewrites(location) if row.status == "live"] == []


@pytest.mark.parametrize("name", ["rephrases", "labels", "failures"])
def test_models_judge_a_session_again_whose_turn_has_feedback(engine: Engine, say: Say, name: str) -> None:
    case = CASE_OF[name]
    log = letter_log("ab")
    store_log(engine, log)
    case.use(engine, "letters")
    model = case.new()
    task = case.task(engine, model)
    place = feed(task, records_of(log))
    assert model.judged == 12
    say(log[0].user_id, "negative", event_id=log[0].event_id, assistant_id=log[0].assistant_id)
    Stream(engine).idle()
    feed(task, records_of(log), place)
    assert model.judged == 13


# Which turn it is about


def test_a_session_is_sent_again_when_feedback_about_its_turn_has_come(engine: Engine, say: Say) -> None:
    stream = Stream(engine)
    stream.close(plain("a"), plain("b", ts_ms=START_MS + 1_000))
    say("u", "negative", event_id="a")
    assert stream.idle() == [["negative", None]]
    assert stream.idle() == []
    assert carried(engine) == {"a": "negative", "b": None}


def test_a_session_that_came_from_a_file_is_sent_too(engine: Engine, say: Say, tmp_path: Path) -> None:
    learn_log(engine, tmp_path, [plain()])
    stream = Stream(engine)
    assert stream.idle() == []
    say("u", "negative", event_id="e")
    assert stream.idle() == [["negative"]]


def test_a_session_that_goes_on_is_sent_when_it_ends(engine: Engine, say: Say) -> None:
    stream = Stream(engine)
    stream.feed(plain())
    say("u", "negative", event_id="e")
    assert stream.idle() == []
    assert stream.idle(START_MS + 10**6) == [["negative"]]


def test_what_a_dead_worker_has_not_sent_the_next_one_does(engine: Engine, say: Say) -> None:
    dead = Stream(engine)
    dead.close(plain())
    say("u", "negative", event_id="e")
    work = dead.task.idle(START_MS)
    assert work is not None
    dead.task.write(work, {})
    next(iter(dead.task.outgoing()))  # and it dies
    assert Stream(engine).idle() == [["negative"]]
    assert Stream(engine).idle() == []


def test_one_worker_applies_the_feedback_of_all(engine: Engine, say: Say) -> None:
    first, second = Stream(engine), Stream(engine, partition=1)
    second.close(plain())
    say("u", "negative", event_id="e")
    assert second.idle() == []
    assert first.idle() == []  # it is applied; who has the partition sends the session
    assert second.idle() == [["negative"]]


def test_a_session_that_gets_feedback_while_it_is_sent_is_sent_again(engine: Engine, say: Say) -> None:
    first, second = Stream(engine), Stream(engine, partition=1)
    second.close(plain())
    for word in ("negative", "positive"):
        say("u", word, event_id="e")
        first.idle()
        if word == "negative":
            list(second.task.outgoing())
    second.task.produced()  # what it was before
    assert second.idle() == [["positive"]]
    assert second.idle() == []


def test_a_turn_of_any_partition_finds_its_feedback(engine: Engine, say: Say) -> None:
    say("u", "negative", event_id="e")
    Stream(engine).idle()
    Stream(engine, partition=1).close(plain())
    assert carried(engine) == {"e": "negative"}


def test_feedback_that_is_settled_while_its_turn_is_stored_is_not_lost(engine: Engine, say: Say) -> None:
    """Two workers on PostgreSQL: one has looked for feedback, and waits for the lock that the other has."""
    with engine.begin() as connection:
        unsettled = unsettled_feedback(connection, [plain()], waiting=False)
    first = Stream(engine)
    say("u", "negative", event_id="e")
    first.idle()
    assert outcomes(engine) == ["no_turn"]
    with engine.begin() as connection:
        new = new_turns(connection, [plain()])
        store_turns(connection, new, {("planted-assistant", "u"): 1})
        leave_to_others(connection, new.turns, unsettled)
    first.idle()
    assert carried(engine) == {"e": "negative"}


def test_feedback_waits_for_its_turn(engine: Engine, say: Say) -> None:
    stream = Stream(engine)
    say("u", "negative", event_id="e")
    assert stream.idle() == []
    assert outcomes(engine) == ["no_turn"]
    stream.close(plain())
    assert carried(engine) == {"e": "negative"}
    assert outcomes(engine) == ["applied"]


def test_a_stranger_is_not_heard(engine: Engine, say: Say) -> None:
    stream = Stream(engine)
    stream.close(plain(), plain("of-eve", user_id="eve"))
    say("eve", "negative", event_id="e")
    assert stream.idle() == []
    assert carried(engine) == {"e": None, "of-eve": None}
    assert outcomes(engine) == ["other_user"]


def test_nobody_speaks_for_a_turn_that_comes_later_and_is_not_theirs(engine: Engine, say: Say) -> None:
    stream = Stream(engine)
    say("eve", "negative", event_id="e")
    stream.idle()
    stream.close(plain())
    assert carried(engine) == {"e": None}
    assert outcomes(engine) == ["other_user"]


@pytest.mark.parametrize("order", [*itertools.permutations(["turn", "account", "feedback"])])
def test_another_account_of_the_same_person_is_heard(engine: Engine, say: Say, order: Sequence[str]) -> None:
    stream = Stream(engine)
    for what in order:
        if what == "turn":
            stream.close(plain(person_id="p"))
        elif what == "account":
            stream.close(plain("of-ann", user_id="ann", person_id="p", ts_ms=START_MS + 1))
        else:
            say("ann", "negative", event_id="e")
            stream.idle()
    assert carried(engine) == {"e": "negative", "of-ann": None}
    assert outcomes(engine) == ["applied"]


def test_an_account_of_another_person_is_not_heard(engine: Engine, say: Say) -> None:
    stream = Stream(engine)
    stream.close(plain(person_id="p"), plain("of-ann", user_id="ann", person_id="q"))
    say("ann", "negative", event_id="e")
    stream.idle()
    assert carried(engine) == {"e": None, "of-ann": None}


def test_a_later_word_replaces_an_earlier_one_and_what_the_event_carried(engine: Engine, say: Say) -> None:
    stream = Stream(engine)
    stream.close(plain(signals=Signals(feedback="positive", barge_in=True)))
    for word in ("negative", "positive", "negative"):
        say("u", word, event_id="e")
        assert stream.idle() == [[word]]
    assert carried(engine) == {"e": "negative"}


def test_the_last_of_several_entries_about_one_turn_holds(engine: Engine, say: Say) -> None:
    stream = Stream(engine)
    stream.close(run("u", "e", ts_ms=START_MS))
    say("u", "positive", event_id="e", rewrite_id="r1")
    say("u", "negative", rewrite_id="r1")
    say("u", "positive", event_id="e")
    assert stream.idle() == [["positive"]]
    say("u", "negative", rewrite_id="r1")
    assert stream.idle() == [["negative"]]


def test_the_same_word_again_changes_nothing(engine: Engine, say: Say) -> None:
    stream = Stream(engine)
    stream.close(plain())
    say("u", "negative", event_id="e")
    stream.idle()
    before = everything(engine)
    say("u", "negative", event_id="e")
    assert stream.idle() == []
    assert everything(engine).replace(str(SAID_MS + 1), str(SAID_MS)) == before
    assert outcomes(engine) == ["applied"]


def test_a_replay_of_the_log_keeps_feedback(engine: Engine, say: Say, tmp_path: Path) -> None:
    stream = Stream(engine)
    stream.close(plain())
    say("u", "negative", event_id="e")
    stream.idle()
    assert stream.feed(plain()) == []
    learn_log(engine, tmp_path, [plain()])
    assert carried(engine) == {"e": "negative"}


def test_a_turn_keeps_its_feedback_when_its_session_grows(engine: Engine, say: Say) -> None:
    stream = Stream(engine)
    stream.close(plain("b", ts_ms=START_MS + 40_000))
    say("u", "negative", event_id="b")
    stream.idle()
    stream.close(plain("a"))
    assert carried(engine) == {"a": None, "b": "negative"}


# A rewrite without an event


def test_feedback_about_a_rewrite_is_about_the_users_latest_turn_with_it(engine: Engine, say: Say) -> None:
    stream = Stream(engine)
    turns = [
        run("u", "first", ts_ms=START_MS - 60_000),
        run("u", "latest", ts_ms=START_MS),
        run("u", "other", ts_ms=START_MS + 1_000, rewrite_id="r2"),
        run("u", "after", ts_ms=SAID_MS + 10**6),
        run("eve", "of-eve", ts_ms=START_MS + 1_000),
    ]
    stream.close(*turns)
    say("u", "negative", rewrite_id="r1")
    stream.idle()
    assert carried(engine) == {
        turn.event_id: "negative" if turn.event_id == "latest" else None for turn in turns
    }


def test_a_later_turn_that_comes_late_takes_the_feedback(engine: Engine, say: Say) -> None:
    stream = Stream(engine)
    stream.close(run("u", "first", ts_ms=START_MS - 60_000, signals=Signals(feedback="positive")))
    say("u", "negative", rewrite_id="r1")
    stream.idle()
    assert carried(engine) == {"first": "negative"}
    stream.close(run("u", "latest", ts_ms=START_MS))
    assert carried(engine) == {"first": "positive", "latest": "negative"}


def test_a_rewrite_of_more_than_a_day_ago_is_not_meant(engine: Engine, say: Say) -> None:
    stream = Stream(engine)
    stream.close(run("u", "e", ts_ms=SAID_MS - REWRITE_WINDOW_MS - 1))
    say("u", "negative", rewrite_id="r1")
    stream.idle()
    assert carried(engine) == {"e": None}
    assert outcomes(engine) == ["no_turn"]
    stream.close(run("u", "in-time", ts_ms=SAID_MS - REWRITE_WINDOW_MS))
    assert carried(engine) == {"e": None, "in-time": "negative"}


# Forgetting


def test_a_forgotten_user_leaves_no_feedback(engine: Engine, say: Say, tmp_path: Path) -> None:
    stream = Stream(engine)
    turns = [plain(user_id="ann", person_id="p"), plain("of-bob", user_id="bob")]
    stream.close(*turns)
    for user, event in (("ann", "e"), ("bob", "of-bob")):
        say(user, "negative", event_id=event, comment=f"said by {user}")
    stream.idle()
    forget_user(engine, now_ms, HOME, UserId("ann"))
    assert "ann" not in everything(engine)
    learn_log(engine, tmp_path, turns)
    stream.idle()
    assert "ann" not in everything(engine)
    assert carried(engine) == {"of-bob": "negative"}


@pytest.mark.parametrize("own", [None, "positive"])
def test_what_a_forgotten_user_said_of_anothers_turn_is_taken_back(
    engine: Engine, say: Say, own: Feedback | None
) -> None:
    stream = Stream(engine)
    stream.close(
        plain(person_id="p", signals=Signals(feedback=own)), plain("of-ann", user_id="ann", person_id="p")
    )
    say("ann", "negative", event_id="e")
    stream.idle()
    forget_user(engine, now_ms, HOME, UserId("ann"))
    assert stream.idle() == [[own]]
    assert carried(engine) == {"e": own}
    assert stream.idle() == []


def test_feedback_about_a_forgotten_users_turn_is_about_none(engine: Engine, say: Say) -> None:
    stream = Stream(engine)
    stream.close(plain(person_id="p"), plain("of-ann", user_id="ann", person_id="p"))
    say("ann", "negative", event_id="e")
    stream.idle()
    forget_user(engine, now_ms, HOME, UserId("u"))
    assert outcomes(engine) == ["other_user"]
    say("ann", "positive", event_id="e")
    stream.idle()
    assert outcomes(engine) == ["other_user"]


# Counting, and databases of before


def test_what_has_become_of_feedback_is_counted(engine: Engine, say: Say) -> None:
    stream = Stream(engine)
    registry = CollectorRegistry()
    registry.register(FeedbackCounts(stream.task))

    def counts() -> dict[str, float | None]:
        return {
            outcome: registry.get_sample_value(
                "rehear_feedback_total", {"assistant": HOME, "outcome": outcome}
            )
            for outcome in get_args(Outcome)
        }

    stream.close(plain())
    say("u", "negative", event_id="e")
    say("eve", "negative", event_id="e")
    say("u", "negative", event_id="late")
    say("u", "negative", rewrite_id="never-served")
    stream.idle()
    assert counts() == {"applied": 1, "no_turn": 2, "other_user": 1}
    stream.close(plain("late", ts_ms=START_MS + 1))
    stream.idle()
    assert counts() == {"applied": 2, "no_turn": 2, "other_user": 1}


def test_feedback_that_an_earlier_version_stored_is_applied(database_location: str, tmp_path: Path) -> None:
    with opened(database_location) as engine:
        learn_log(engine, tmp_path, [plain()])
        DatabaseFeedbackStore(engine).save(
            FeedbackEntry(
                assistant_id=HOME,
                user_id="u",
                event_id="e",
                rewrite_id=None,
                feedback="negative",
                comment=None,
                received_ms=SAID_MS,
            )
        )
        with engine.begin() as connection:
            without_applied_feedback(connection)
    with opened(database_location) as engine:
        learn_log(engine, tmp_path, [plain()])
        assert carried(engine) == {"e": "negative"}
