"""What is seen of how served rows fare, learned by the real chain from a small world."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from databases import new_database
from earlier_schema import without_judged_rewrites
from guarded_world import (
    ASSISTANT,
    EVERYBODY,
    ITS_TARGET,
    JUDGES,
    REFUSED,
    REFUSED_ID,
    ROW_ID,
    SOURCE,
    TARGET,
    learn,
    made,
    served,
    target_gone,
)
from learning_tasks import chain_task, rest
from rewrites import live
from sqlalchemy import Engine
from streaming import feed, record_of, store_log
from typer.testing import CliRunner, Result

from rewriting.errors import UnknownRewriteError
from rewriting.guards.judged_rewrites import JUDGED_REWRITES
from rewriting.table.rewrite_table import RewriteTable
from services.cli.commands import app
from services.learners.chains import ChainLearner
from services.platform.database import open_database
from services.privacy.forgetting import forget_user
from services.settings import Settings
from streams.session import Session
from streams.stores.database_schema import reading
from streams.turn import UserId

MADE_MS, SERVED_MS, GONE_MS = 1_800_000_000_000, 1_800_086_400_000, 1_800_172_800_000
KEYS = {
    "rewrite_id",
    "source",
    "target",
    "locale",
    "state",
    "since_ms",
    "said_success",
    "said_requests",
    "run_success",
    "run_requests",
    "judges",
    "makers",
    "p_better",
    "reason",
}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(new_database(tmp_path / "rehear.db"))
    yield engine
    engine.dispose()


def rehear(*arguments: object) -> Result:
    done = CliRunner().invoke(
        app,
        [str(one) for one in arguments],
        env={"COLUMNS": "120", "TERM": "dumb"},
        catch_exceptions=False,
    )
    assert done.exit_code == 0, done.output
    return done


def guarded(state: Path, *arguments: object) -> dict[str, dict[str, Any]]:
    """The pairs of `rehear table guard --json`, by source."""
    printed = rehear("table", "guard", "--json", "--state", state, *arguments).stdout
    return {one["source"]: one for one in map(json.loads, printed.splitlines())}


def rebuild(engine: Engine) -> None:
    """What a worker does that has just started; it is of another time."""
    with engine.begin() as connection:
        ChainLearner(RewriteTable(engine, lambda: 9), Settings(), lambda: 9).refresh(connection, [ASSISTANT])


def test_a_row_proves_itself_and_goes_when_its_target_is_gone(tmp_path: Path, engine: Engine) -> None:
    learn(engine, tmp_path, made(), MADE_MS)
    pairs = guarded(tmp_path)
    assert set(pairs) == {SOURCE, REFUSED}
    assert all(set(pair) == KEYS for pair in pairs.values())
    assert pairs[SOURCE] == {
        "rewrite_id": ROW_ID,
        "source": SOURCE,
        "target": TARGET,
        "locale": "",
        "state": "live",
        "since_ms": MADE_MS,
        "said_success": 0,
        "said_requests": 0,
        "run_success": 0,
        "run_requests": 0,
        "judges": 0,
        "makers": 5,
        "p_better": 0.5,
        "reason": "not_judged",
    }
    refused = {"rewrite_id": REFUSED_ID, "target": ITS_TARGET, "state": "candidate", "reason": "number"}
    assert refused.items() <= pairs[REFUSED].items()
    assert (pairs[REFUSED]["since_ms"], pairs[REFUSED]["run_requests"]) == (MADE_MS, 0)

    learn(engine, tmp_path, [*served(7), *served(8)], SERVED_MS)
    proven = guarded(tmp_path)[SOURCE]
    assert (proven["state"], proven["reason"], proven["since_ms"]) == ("live", "proven", MADE_MS)
    assert (proven["run_success"], proven["run_requests"], proven["judges"]) == (18, 18, len(JUDGES))
    assert (proven["said_success"], proven["said_requests"]) == (0, 6)
    assert 0.99 < proven["p_better"] <= 1
    assert live(RewriteTable(engine, lambda: 1).read(ASSISTANT)) == {SOURCE: TARGET}

    learn(engine, tmp_path, target_gone(range(9, 14)), GONE_MS)
    blocked = guarded(tmp_path)[SOURCE]
    assert (blocked["state"], blocked["reason"], blocked["since_ms"]) == ("blocked", "target_ceased", GONE_MS)
    assert (blocked["target"], blocked["run_requests"]) == (TARGET, 18)
    assert guarded(tmp_path)[REFUSED] == pairs[REFUSED]
    assert live(RewriteTable(engine, lambda: 1).read(ASSISTANT)) == {}


def test_what_is_shown_is_what_is_stored_and_a_rebuild_changes_none_of_it(
    tmp_path: Path, engine: Engine
) -> None:
    learn(engine, tmp_path, [*made(), *served(7), *served(8)], SERVED_MS)
    before = guarded(tmp_path)
    assert before[SOURCE]["state"] == "live"
    rebuild(engine)
    assert guarded(tmp_path) == before


def test_a_stream_shows_what_a_file_shows(tmp_path: Path, engine: Engine) -> None:
    days = [made(), served(7), served(8), target_gone(range(9, 12)), target_gone(range(12, 14))]
    task, place = chain_task(engine), None
    for sessions in days:
        store_log(engine, [turn for session in sessions for turn in session.turns])
        place = feed(task, [record_of(session) for session in sessions], place)
        rest(task)
    streamed = guarded(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    from_file = open_database(new_database(other / "rehear.db"))
    learn(from_file, other, [session for sessions in days for session in sessions], MADE_MS)
    from_file.dispose()
    learned = guarded(other)
    assert learned[SOURCE]["state"] == "blocked"
    for pairs in (streamed, learned):
        for pair in pairs.values():
            assert pair.pop("since_ms") > 0
    assert streamed == learned


def test_pairs_are_chosen_by_state_and_by_id(tmp_path: Path, engine: Engine) -> None:
    learn(engine, tmp_path, made(), MADE_MS)
    assert set(guarded(tmp_path, "--only", "live")) == {SOURCE}
    assert set(guarded(tmp_path, "--only", "candidate")) == {REFUSED}
    assert guarded(tmp_path, "--only", "blocked") == {}
    assert "a: no such pairs" in rehear("table", "guard", "--only", "blocked", "--state", tmp_path).stdout
    assert set(guarded(tmp_path, ROW_ID)) == {SOURCE}
    assert len(guarded(tmp_path, "--limit", 1)) == 1
    with pytest.raises(UnknownRewriteError, match="no pair with the id 'unknown'"):
        rehear("table", "guard", "unknown", "--state", tmp_path)


def test_people_see_a_table_and_the_words_of_one_row(tmp_path: Path, engine: Engine) -> None:
    learn(engine, tmp_path, [*made(), *served(7), *served(8)], SERVED_MS)
    shown = rehear("table", "guard", "--state", tmp_path).stdout
    for words in (
        "1 candidate, 1 live",
        ROW_ID,
        SOURCE,
        f"-> {TARGET}",
        "proven",
        "run  18 of 18",
        "said 0 of 6",
    ):
        assert words in shown
    explained = rehear("explain", ROW_ID, "--state", tmp_path).stdout
    assert "The guards let it serve since 2027-01-16 08:00 UTC: proven." in explained
    assert (
        "served 18 times for 9 users who did not make it, 18 of them were met; as it was said 0 of 6; "
        "better with probability 1.00." in explained
    )


def test_a_forgotten_user_judges_no_more(tmp_path: Path, engine: Engine) -> None:
    learn(engine, tmp_path, [*made(), *served(7), *served(8)], SERVED_MS)
    forget_user(engine, lambda: 9, ASSISTANT, UserId(JUDGES[0]))
    rebuild(engine)
    row = guarded(tmp_path)[SOURCE]
    assert (row["judges"], row["run_requests"], row["since_ms"]) == (8, 16, SERVED_MS)
    for user in EVERYBODY:
        forget_user(engine, lambda: 9, ASSISTANT, UserId(user))
    rebuild(engine)
    assert guarded(tmp_path) == {}


def test_no_user_is_named_in_what_is_stored(tmp_path: Path, engine: Engine) -> None:
    learn(engine, tmp_path, [*made(), *served(7), *served(8)], SERVED_MS)
    with reading(engine) as connection:
        stored = [str(row) for row in connection.execute(JUDGED_REWRITES.select())]
    assert len(stored) == 1
    assert not [user for user in EVERYBODY if user in stored[0]]


def test_a_row_that_holds_in_several_locales_is_one(tmp_path: Path, engine: Engine) -> None:
    def spoken(sessions: list[Session], locale: str, users: str) -> list[Session]:
        return [
            msgspec.structs.replace(
                session,
                turns=tuple(
                    msgspec.structs.replace(
                        turn,
                        locale=locale,
                        user_id=f"{users}-{turn.user_id}",
                        event_id=f"{users}-{turn.event_id}",
                    )
                    for turn in session.turns
                ),
            )
            for session in sessions
        ]

    log = [
        *spoken([*made(), *served(7), *served(8)], "en-GB", "b"),
        *spoken([*made(), *served(7)], "en-US", "a"),
    ]
    learn(engine, tmp_path, log, MADE_MS)
    row = guarded(tmp_path)[SOURCE]
    assert (row["rewrite_id"], row["locale"], row["state"]) == (ROW_ID, "", "live")
    assert row["run_requests"] == 18  # as in the locale with more requests
    assert len(guarded(tmp_path, ROW_ID)) == 1


def test_a_database_from_before_is_filled_by_the_next_solution(tmp_path: Path, engine: Engine) -> None:
    learn(engine, tmp_path, made(), MADE_MS)
    with engine.begin() as connection:
        without_judged_rewrites(connection)
    engine.dispose()
    open_database(tmp_path / "rehear.db").dispose()
    pairs = guarded(tmp_path)
    assert set(pairs) == {REFUSED}
    assert pairs[REFUSED]["since_ms"] is None
    learn(engine, tmp_path, served(7), SERVED_MS)
    assert {source: pair["since_ms"] for source, pair in guarded(tmp_path).items()} == {
        SOURCE: SERVED_MS,
        REFUSED: None,
    }
