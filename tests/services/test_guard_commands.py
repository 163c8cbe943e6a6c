"""`rehear table check`, `allow` and `disallow`, in process, on a log whose harmful pairs are known."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from databases import new_database
from msgspec.structs import replace
from rewrites import live, put, rewrite_row
from sqlalchemy import Engine
from typer.testing import CliRunner

from rewriting.errors import RewriteTableError, UnknownRewriteError
from rewriting.guards.allowed_rewrites import ALLOWED_REWRITES
from rewriting.table.rewrite import GLOBAL, TableVersion, rewrite_id, user_scope
from rewriting.table.rewrite_table import RewriteTable
from services.cli.commands import app
from services.jobs.turn_logs import learn_from_files
from services.learners.chains import ChainLearner
from services.platform.database import open_database
from services.settings import Settings
from services.simulator import PlantedPair, planted_log
from streams.stores.database_schema import reading
from streams.turn import AssistantId, TurnEvent, encode_turn

HOME = AssistantId("home")
DAY_MS = 86_400_000
GOOD, TIMER, CAR = "play sonk", "set a timer for five minutes", "lock the car"
PAIRS = {GOOD: "play song", TIMER: "set a timer for nine minutes", CAR: "unlock the car"}
TIMER_ID = rewrite_id(HOME, GLOBAL, TIMER)


@pytest.fixture(scope="module")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pairs = [PlantedPair(source=source, target=target, users=5) for source, target in PAIRS.items()]
    seldom = PlantedPair(source="play sonk for ann", target="play song for ann", users=2)
    file = tmp_path_factory.mktemp("log") / "turns.jsonl"
    turns = planted_log([*pairs, seldom], assistant_id=HOME)
    file.write_bytes(b"".join(encode_turn(turn) + b"\n" for turn in turns))
    return file


@pytest.fixture
def state(tmp_path: Path, log_file: Path) -> Path:
    engine = open_database(new_database(tmp_path / "rehear.db"))
    learn_from_files(engine, Settings(), [log_file], lambda: 1_800_000_000_000)
    engine.dispose()
    return tmp_path


@pytest.fixture
def engine(state: Path) -> Iterator[Engine]:
    engine = open_database(state / "rehear.db")
    yield engine
    engine.dispose()


def rehear(*arguments: object, status: int = 0, stdin: str | None = None) -> Result:
    done = CliRunner().invoke(
        app, [str(one) for one in arguments], env={"COLUMNS": "120", "TERM": "dumb"}, input=stdin
    )
    assert done.exit_code == status, done.output + repr(done.exception)
    return done


def checked(*arguments: object, status: int = 0) -> dict[str, dict[str, object]]:
    """The pairs of `rehear table check`, by source."""
    printed = rehear("table", "check", "--json", *arguments, status=status).stdout
    lines = [line for line in printed.splitlines() if line.startswith("{")]
    return {pair["source"]: pair for pair in map(json.loads, lines)}


def follow(engine: Engine) -> dict[str, str]:
    """What a worker does that looks for changes of others; gives what is live after that."""
    table = RewriteTable(engine, lambda: 2)
    with engine.begin() as connection:
        ChainLearner(table, Settings(), lambda: 2).refresh(connection)
    return live(table.read(HOME))


# check


def test_a_log_is_checked_without_a_state(log_file: Path, tmp_path: Path) -> None:
    pairs = checked("--turns", log_file, "--state", tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    assert set(pairs) == set(PAIRS)  # what two users say is in none
    assert {source for source, pair in pairs.items() if pair["refused"]} == {TIMER, CAR}
    for source, reason in ((TIMER, "number"), (CAR, "opposite")):
        assert reason in pairs[source]["reasons"]  # type: ignore[operator]  # a list
        assert pairs[source]["target"] == PAIRS[source]
    assert pairs[GOOD] == {
        "rewrite_id": rewrite_id(HOME, GLOBAL, GOOD),
        "assistant_id": HOME,
        "source": GOOD,
        "target": PAIRS[GOOD],
        "scope": "global",
        "locale": "",
        "question": "",
        "status": "live",
        "refused": False,
        "allowed": False,
        "reasons": [],
    }
    again = rehear("table", "check", "--json", "--turns", "-", stdin=log_file.read_text()).stdout
    assert [json.loads(line)["source"] for line in again.splitlines()] == list(pairs)


def test_a_state_shows_its_live_rows_and_what_its_guards_hold_back(state: Path) -> None:
    pairs = checked("--state", state)
    assert {source: (pair["status"], pair["refused"]) for source, pair in pairs.items()} == {
        GOOD: ("live", False),
        TIMER: ("refused", True),
        CAR: ("refused", True),
    }
    shown = rehear("table", "check", "--state", state).stdout
    assert "3 pairs, 2 refused" in shown
    for words in (TIMER_ID, f"-> {PAIRS[TIMER]}", "number", "fine"):
        assert words in shown


def test_a_live_row_that_is_refused_ends_with_status_1_and_a_summary(state: Path, engine: Engine) -> None:
    table = RewriteTable(engine, lambda: 1)
    rows = [
        rewrite_row(TIMER, PAIRS[TIMER]),
        rewrite_row(GOOD, "play polka"),
        rewrite_row("play sonk for ann", "play song at nine"),
        rewrite_row(CAR, "lock the cart", scope=user_scope("u00001")),
        rewrite_row("play song", "play songs", method="answer", question="play what"),
    ]
    put(table, engine, rows)
    before = table.version(HOME)
    done = rehear("table", "check", "--json", "--state", state, status=1)
    pairs = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    refused = [pair for pair in pairs if pair["status"] == "live" and pair["refused"]]
    faults = {pair["source"]: pair["reasons"] for pair in refused}
    assert set(faults) == {TIMER, GOOD}
    assert pairs[0]["source"] in faults
    assert pairs[1]["source"] in faults
    assert "number" in faults[TIMER]
    assert "not_said_by_these_users" in faults[GOOD]
    assert "not_said_by_these_users" not in faults[TIMER]
    assert "3 live rows are refused: 2 not_said_by_these_users, 2 number" in done.stderr
    assert "1 of them not shown" in done.stderr
    assert "for ann" not in done.output
    assert table.version(HOME) == before


def test_a_row_that_holds_in_more_locales_than_its_evidence_says_so(tmp_path: Path) -> None:
    engine = open_database(new_database(tmp_path / "rehear.db"))
    table = RewriteTable(engine, lambda: 1)
    pair = [PlantedPair(source="play sonk", target="play song", users=5)]
    log = planted_log(pair, assistant_id=HOME)
    german = planted_log([], successes={"play sonk": 5}, assistant_id=HOME, start_ms=1_746_121_600_000)
    file = tmp_path / "turns.jsonl"
    turns = [replace(turn, locale="en-GB") for turn in log] + [
        replace(turn, locale="de-DE", event_id=f"de-{turn.event_id}") for turn in german
    ]
    file.write_bytes(b"".join(encode_turn(turn) + b"\n" for turn in turns))
    learn_from_files(engine, Settings(), [file], lambda: 1_800_000_000_000)
    assert {row.locale for row in table.read(HOME, status="live").rewrites} == {"en-gb"}
    put(table, engine, [rewrite_row("play sonk", "play song")])
    engine.dispose()
    printed = rehear("table", "check", "--json", "--state", tmp_path, status=1).stdout
    pairs = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert {pair["locale"]: pair["reasons"] for pair in pairs} == {"": ["locale"], "en-gb": []}


def test_a_row_whose_evidence_is_from_another_locale_says_so(tmp_path: Path) -> None:
    engine = open_database(new_database(tmp_path / "rehear.db"))
    pair = [PlantedPair(source=TIMER, target=PAIRS[TIMER], users=5)]
    log = planted_log(pair, assistant_id=HOME)
    file = tmp_path / "turns.jsonl"
    turns = [replace(turn, locale="en-GB") for turn in log]
    file.write_bytes(b"".join(encode_turn(turn) + b"\n" for turn in turns))
    learn_from_files(engine, Settings(), [file], lambda: 1_800_000_000_000)
    rows = [rewrite_row(TIMER, PAIRS[TIMER], locale=locale) for locale in ("de-DE", "en-GB")]
    put(RewriteTable(engine, lambda: 1), engine, rows)
    engine.dispose()
    printed = rehear("table", "check", "--json", "--state", tmp_path, status=1).stdout
    pairs = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert {pair["locale"]: pair["reasons"] for pair in pairs} == {
        "de-DE": ["locale"],
        "en-GB": ["number", "other_name", "new_accounts"],
    }


def test_what_was_said_at_one_time_has_no_order_and_says_so(tmp_path: Path) -> None:
    def at_one_time(source: str, target: str, users: int) -> list[TurnEvent]:
        pair = PlantedPair(source=source, target=target, users=users, source_status="ok")
        log = planted_log([pair], assistant_id=HOME)
        return [replace(turn, ts_ms=turn.ts_ms // DAY_MS * DAY_MS) for turn in log]

    file = tmp_path / "turns.jsonl"
    turns = [
        *at_one_time("play the beatles", "play the beetles", 8),
        *at_one_time("play sonk", "play song", 2),
    ]
    file.write_bytes(b"".join(encode_turn(turn) + b"\n" for turn in turns))
    printed = rehear("table", "check", "--json", "--turns", file).stdout
    pairs = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    assert {(pair["source"], pair["target"]): pair["reasons"] for pair in pairs} == {
        ("play the beatles", "play the beetles"): ["no_order"],
        ("play the beetles", "play the beatles"): ["no_order"],
    }
    engine = open_database(new_database(tmp_path / "rehear.db"))
    learn_from_files(engine, Settings(), [file], lambda: 1_800_000_000_000)
    put(RewriteTable(engine, lambda: 1), engine, [rewrite_row("play the beatles", "play the beetles")])
    engine.dispose()
    refused = rehear("table", "check", "--state", tmp_path, status=1)
    assert "1 live rows are refused: 1 no_order" in refused.stderr


def test_an_exported_table_is_judged_by_its_texts(state: Path, engine: Engine, tmp_path: Path) -> None:
    table = RewriteTable(engine, lambda: 1)
    gone = rewrite_row("wake me at six", "wake me at ten")
    put(table, engine, [gone, rewrite_row("lock the car", "unlock the car")])
    put(table, engine, [], [gone.rewrite_id])
    exported = tmp_path / "table.jsonl"
    exported.write_text(rehear("table", "show", "--json", "--state", state).stdout)
    pairs = checked("--table", exported, status=1)
    assert set(pairs) == {GOOD, CAR}  # a row that was withdrawn does no harm
    assert "opposite" in pairs[CAR]["reasons"]  # type: ignore[operator]
    assert not pairs[GOOD]["refused"]
    exported.write_text('{"source_text": "lock the car"}\n')
    done = CliRunner().invoke(app, ["table", "check", "--table", str(exported)])
    assert "table.jsonl, line 1: not a row of a rewrite table" in str(done.exception)


def test_turns_and_a_table_are_not_checked_together(log_file: Path) -> None:
    done = CliRunner().invoke(app, ["table", "check", "--turns", str(log_file), "--table", "x"])
    assert "not both" in str(done.exception)


# allow, disallow


def test_an_allowed_pair_is_live_from_the_next_solution_and_gone_when_that_is_undone(
    state: Path, engine: Engine
) -> None:
    said = ("--by", "mia", "--reason", "we sell nines", "--state", state)
    assert "[allowed by mia]" in rehear("table", "allow", TIMER_ID, *said).stdout
    assert follow(engine) == {GOOD: PAIRS[GOOD], TIMER: PAIRS[TIMER]}
    pair = checked("--state", state)[TIMER]
    assert (pair["refused"], pair["allowed"], pair["status"]) == (False, True, "live")
    assert "number" in pair["reasons"]  # type: ignore[operator]
    rehear("table", "allow", TIMER_ID, *said)  # changes nothing
    assert "[no longer allowed]" in rehear("table", "disallow", TIMER_ID, *said).stdout
    assert follow(engine) == {GOOD: PAIRS[GOOD]}
    newest = RewriteTable(engine, lambda: 3).log(HOME, 1)[0]
    assert newest.reason.startswith("withdrawn by guards: 1 number")
    with reading(engine) as connection:
        (record,) = connection.execute(ALLOWED_REWRITES.select()).all()
    assert (record.source_text, record.target_text, record.locale) == (TIMER, PAIRS[TIMER], "")
    assert (record.actor, record.reason) == ("mia", "we sell nines")
    assert (record.end_actor, record.end_reason) == ("mia", "we sell nines")
    assert record.ended_ms >= record.allowed_ms > 0


def test_a_row_that_was_withdrawn_is_allowed_by_its_id(state: Path, engine: Engine) -> None:
    table = RewriteTable(engine, lambda: 1)
    row = rewrite_row("play sonk please", "play it again")
    put(table, engine, [row])
    put(table, engine, [], [row.rewrite_id])
    allowed = rehear("table", "allow", row.rewrite_id, "--by", "mia", "--reason", "r", "--state", state)
    assert "'play sonk please' -> 'play it again'" in allowed.stdout
    assert follow(engine) == {GOOD: PAIRS[GOOD]}  # the log does not warrant it


def test_what_is_not_refused_cannot_be_allowed(state: Path, engine: Engine) -> None:
    table = RewriteTable(engine, lambda: 1)
    answer = rewrite_row("no", "south", question="what area")
    put(table, engine, [answer])
    said = ["--by", "mia", "--reason", "r", "--state", str(state)]
    for wrong, error, told in (
        (["unknown"], UnknownRewriteError, "`rehear table check` lists them"),
        ([TIMER_ID, "--target", "else"], UnknownRewriteError, "has the target 'else'"),
        ([answer.rewrite_id], RewriteTableError, "the guards do not judge"),
    ):
        with pytest.raises(error, match=told):
            CliRunner().invoke(app, ["table", "allow", *wrong, *said], catch_exceptions=False)
    with pytest.raises(UnknownRewriteError, match="nothing is allowed"):
        CliRunner().invoke(app, ["table", "disallow", TIMER_ID, *said], catch_exceptions=False)


def test_a_block_stays_whatever_is_allowed(state: Path, engine: Engine) -> None:
    said = ("--by", "mia", "--reason", "r", "--state", state)
    rehear("table", "allow", TIMER_ID, *said)
    follow(engine)
    rehear("table", "block", TIMER_ID, "--reason", "no", "--state", state)
    assert follow(engine) == {GOOD: PAIRS[GOOD]}
    table = RewriteTable(engine, lambda: 1)
    assert table.find(HOME, TIMER_ID).status == "blocked"
    assert TableVersion(0) < table.version(HOME)
