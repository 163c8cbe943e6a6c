"""What the failure task makes of sessions: failure points in the table, on the topic, and of rewrites."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jobs import work_on
from letter_detector import LetterDetector, letter_log
from letter_failures import NAME, LetterFailures
from letter_models import CASE_OF
from rewrites import rewrite_row
from sqlalchemy import Engine
from streaming import everything, feed, records_of, rewrites_in, row_count, store_log

from failure_isolation.store import FAILURE_CHANGE, FAILURES
from failure_isolation.turn_failure import FailureIsolator
from rewriting.table.rewrite import GLOBAL, Rewrite, user_scope
from rewriting.table.rewrite_table import RewriteTable
from services.jobs.turn_logs import learn_from_files
from services.learners.chains import ChainLearner
from services.learners.failure_points import put_rewrites
from services.platform.clock import now_ms
from services.privacy.forgetting import forget_user
from services.session_models.backfill import backfill
from services.session_models.failures.kind import KIND
from services.session_models.rephrases.kind import KIND as REPHRASES
from services.settings import Settings
from services.simulator import PlantedPair, planted_log
from streams.session import sessionize
from streams.turn import AssistantId, TurnEvent, UserId, encode_turn

LETTERS = AssistantId("letters")
CASE = CASE_OF["failures"]


@pytest.fixture
def log() -> list[TurnEvent]:
    """Ten sessions of two turns: "play sonk" fails at the first stage, "call mop" at the third."""
    pairs = [
        PlantedPair(source="play sonk", target="play song", users=4),
        PlantedPair(source="call mop", target="call mom", users=6),
    ]
    return planted_log(pairs, assistant_id=LETTERS)


def learn(engine: Engine, log: Sequence[TurnEvent], folder: Path) -> None:
    file = folder / "log.jsonl"
    file.write_bytes(b"\n".join(map(encode_turn, log)))
    learn_from_files(engine, Settings(), [file], now_ms)


def isolate(engine: Engine, name: str = NAME, isolator: FailureIsolator | None = None) -> None:
    backfill(KIND, work_on(engine, LETTERS), (name, isolator or LetterFailures()))


def points(engine: Engine) -> dict[str, str | None]:
    """By source text and user, what the rows of the rewrite table say of failures."""
    return {
        row.source_text if row.scope == GLOBAL else f"{row.source_text} ({row.scope})": row.failure_point
        for row in rewrites_in(engine)
    }


def version(engine: Engine) -> int:
    return RewriteTable(engine, now_ms).version(LETTERS)


def put(engine: Engine, *rows: Rewrite) -> None:
    with engine.begin() as connection:
        put_rewrites(connection, RewriteTable(engine, now_ms), LETTERS, rows, [], "taught", now_ms())


def with_text(turn: TurnEvent, text: str) -> TurnEvent:
    return msgspec.structs.replace(turn, request=msgspec.structs.replace(turn.request, text=text, asr=()))


def test_failures_are_stored_and_announced(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    CASE.use(engine, LETTERS)
    task = CASE.task(engine)
    feed(task, records_of(log))
    told = CASE.told(task)
    assert told.keys() == {f"letters/{turn.event_id}" for turn in log}
    assert len(told) == row_count(engine, FAILURES) == 20
    session = next(s for s in sessionize(log) if s.turns[0].request.text == "call mop")
    first, second = (told[f"letters/{turn.event_id}"] for turn in session.turns)
    assert (first["failure_point"], second["failure_point"]) == ("nlu", "correct")
    assert [first[name] for name in ("session_id", "user_id", "model")] == [
        session.session_id, session.user_id, NAME,
    ]  # fmt: skip
    assert (first["probabilities"]["nlu"], first["probabilities"]["asr"]) == (0.7, 0.06)  # rounded
    assert CASE.told(task) == {}
    assert task.idle(now_ms()) is None


def test_rewrites_get_the_dominant_failure_point_whichever_comes_first(
    engine: Engine, log: list[TurnEvent], tmp_path: Path
) -> None:
    learn(engine, log, tmp_path)
    assert points(engine) == {"play sonk": None, "call mop": None}
    isolate(engine)
    rewrites_first = rewrites_in(engine)
    assert points(engine) == {"play sonk": "false_wake", "call mop": "nlu"}
    now = version(engine)
    learn(engine, log, tmp_path)
    isolate(engine)
    isolate(engine, "another")  # which says the same
    assert version(engine) == now  # nothing changed
    with engine.begin() as connection:  # and a chain that is built anew leaves it
        ChainLearner(RewriteTable(engine, now_ms), Settings(), now_ms).refresh(connection, [LETTERS])
    assert version(engine) == now
    assert rewrites_in(engine) == rewrites_first


def test_failures_that_are_known_before_the_rewrite(
    engine: Engine, log: list[TurnEvent], tmp_path: Path
) -> None:
    store_log(engine, log)
    isolate(engine)
    assert points(engine) == {}
    put(engine, rewrite_row("play sonk", "play song", assistant_id=LETTERS))
    assert points(engine) == {"play sonk": "false_wake"}
    assert version(engine) == 1  # row and failure point in one


def test_a_task_gives_the_points_that_the_job_gives(
    engine: Engine, log: list[TurnEvent], tmp_path: Path
) -> None:
    learn(engine, log, tmp_path)
    CASE.use(engine, LETTERS)
    task = CASE.task(engine)
    records = records_of(log)
    place = feed(task, records[:2])
    assert set(points(engine).values()) == {None}  # of too few turns
    for record in records[2:]:
        place = feed(task, [record], place)
    assert points(engine) == {"play sonk": "false_wake", "call mop": "nlu"}


def test_a_point_that_changes_makes_a_version_and_one_that_is_no_more_goes(
    engine: Engine, log: list[TurnEvent], tmp_path: Path
) -> None:
    learn(engine, log, tmp_path)
    isolate(engine)
    before = version(engine)

    class Otherwise(LetterFailures):
        def isolate(self, sessions: Sequence[Sequence[TurnEvent]]) -> Any:
            return [
                [
                    msgspec.structs.replace(
                        x, failure_point="correct" if turns[0].request.text == "play sonk" else "asr"
                    )
                    for x in said
                ]
                for turns, said in zip(sessions, super().isolate(sessions), strict=True)
            ]

    isolate(engine, "other", Otherwise())
    assert points(engine) == {"play sonk": None, "call mop": "asr"}
    assert version(engine) == before + 1
    (last, *_) = RewriteTable(engine, now_ms).log(LETTERS)
    assert (last.changes, last.actor) == (2, "learner")
    assert "fails most often" in last.reason


def test_personal_rows_go_by_their_users_turns_and_rows_after_questions_by_those_after_them(
    engine: Engine, log: list[TurnEvent]
) -> None:
    first = log[0]
    said = [("bell", None), ("boss", None), ("bell", None), ("bell", "Which one?"), ("boss", None)]
    own = [
        msgspec.structs.replace(
            with_text(first, text),
            event_id=f"own-{i}",
            user_id="alone",
            ts_ms=10**12 + i * 10_000,
            prompt=asked,
        )
        for i, (text, asked) in enumerate(said)
    ]
    store_log(engine, [*log, *own])
    isolate(engine)
    row = rewrite_row("bell", "boss", assistant_id=LETTERS)
    put(
        engine,
        row,
        rewrite_row("bell", "boss", assistant_id=LETTERS, scope=user_scope("alone")),
        rewrite_row("bell", "boss", assistant_id=LETTERS, scope=user_scope("u00001")),
        rewrite_row("bell", "boss", assistant_id=LETTERS, scope=user_scope("alone"), question="which one"),
    )
    found = [(x.scope, x.question, x.failure_point) for x in rewrites_in(engine)]
    assert sorted(found, key=str) == sorted(
        [
            (GLOBAL, "", None),  # one user alone has failed
            (user_scope("alone"), "", "asr"),
            (user_scope("u00001"), "", None),
            (user_scope("alone"), "which one", None),  # one turn
        ],
        key=str,
    )


def test_rows_of_one_locale_or_kind_of_turn_go_by_all_requests_and_follow_what_is_isolated(
    engine: Engine, log: list[TurnEvent]
) -> None:
    rows = [
        rewrite_row("call mop", "call mum", assistant_id=LETTERS, locale="en-GB"),
        rewrite_row("call mop", "call me", assistant_id=LETTERS, turn_kind="system"),
        rewrite_row("call mop", "call us", assistant_id=LETTERS, locale="en-GB", turn_kind="answer"),
    ]
    store_log(engine, log)
    put(engine, *rows)
    assert {row.failure_point for row in rewrites_in(engine)} == {None}
    isolate(engine)
    assert {row.failure_point for row in rewrites_in(engine)} == {"nlu"}


def test_retired_rows_keep_what_was_and_blocked_and_held_ones_follow(
    engine: Engine, log: list[TurnEvent], tmp_path: Path
) -> None:
    learn(engine, log, tmp_path)
    table = RewriteTable(engine, now_ms)
    put(engine, rewrite_row("gone", "went", assistant_id=LETTERS))
    call, play = sorted(
        (row for row in rewrites_in(engine) if row.source_text != "gone"), key=lambda row: row.source_text
    )
    with engine.begin() as connection:
        gone = next(row.rewrite_id for row in rewrites_in(engine) if row.source_text == "gone")
        table.put(connection, LETTERS, [], [gone], "withdrawn", now_ms())
    table.rollback(LETTERS, table.version(LETTERS), "to hold them", "operator")
    table.block(LETTERS, play.rewrite_id, "wrong", "operator")
    isolate(engine)
    assert table.find(LETTERS, call.rewrite_id).failure_point == "nlu"
    blocked = table.find(LETTERS, play.rewrite_id)
    assert (blocked.status, blocked.failure_point) == ("blocked", "false_wake")
    assert table.find(LETTERS, gone).failure_point is None
    now = table.version(LETTERS)
    table.release(LETTERS, "enough", "operator")
    assert table.find(LETTERS, call.rewrite_id).failure_point == "nlu"
    assert table.version(LETTERS) == now


def test_a_forgotten_user_leaves_table_topic_and_failure_points(
    engine: Engine, log: list[TurnEvent], tmp_path: Path
) -> None:
    learn(engine, log, tmp_path)
    CASE.use(engine, LETTERS)
    task = CASE.task(engine)
    records = records_of(log)
    place = feed(task, records)
    CASE.told(task)
    theirs: dict[str, list[str]] = {}
    for turn in log:
        if turn.request.text == "play sonk":
            theirs.setdefault(turn.user_id, []).append(turn.event_id)
    assert len(theirs) == 4
    for left, user in zip((3, 2), sorted(theirs), strict=False):
        keys = {f"letters/{turn.event_id}" for turn in log if turn.user_id == user}
        forget_user(engine, now_ms, LETTERS, UserId(user))
        idle = task.idle(now_ms())
        assert idle is not None
        task.write(idle, {})
        assert CASE.told(task) == dict.fromkeys(keys)  # tombstones
        assert points(engine)["play sonk"] == ("false_wake" if left >= 3 else None)
        assert user not in everything(engine)
    feed(task, records, place)
    assert CASE.told(task) == {}
    assert row_count(engine, FAILURE_CHANGE) == 0


def test_candidates_of_rephrases_have_failure_points_too(engine: Engine) -> None:
    log = letter_log("bc")
    store_log(engine, log)
    isolate(engine)
    backfill(REPHRASES, work_on(engine, LETTERS), ("letters", LetterDetector()))
    assert points(engine) == {"bhush": "asr", "chush": "nlu"}
    assert {row.status for row in rewrites_in(engine)} == {"candidate"}
