"""`rehear isolate`: failure points of a log, and stored ones, by an isolator whose answers are known."""

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from databases import new_database
from letter_detector import letter_log
from letter_failures import NAME, REFUSED, LetterFailures, point_of
from streaming import store_log
from typer.testing import CliRunner

from failure_isolation.errors import FailureInputError
from failure_isolation.turn_failure import TurnFailure
from services.cli.commands import app
from services.errors import SettingsError, StateError
from services.platform.clock import now_ms
from services.platform.database import open_database
from services.session_models.failures.answers import read_failures
from services.session_models.failures.backfill import isolate_all
from services.settings import Settings
from streams.session import sessionize
from streams.stores.database_schema import reading
from streams.turn import AssistantId, TurnEvent, encode_turn

A, B = AssistantId("a"), AssistantId("b")


@pytest.fixture(autouse=True)
def _letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """All assistants but those named "quiet" have a model."""
    monkeypatch.setattr(
        "services.session_models.in_use.model_in_use",
        lambda engine, settings, kind, assistant_id: None if assistant_id == "quiet" else LetterFailures(),
    )


@pytest.fixture
def state(tmp_path: Path) -> Path:
    new_database(tmp_path / "state" / "rehear.db")
    return tmp_path / "state"


@pytest.fixture
def log() -> list[TurnEvent]:
    """Of two assistants, in no order; of some requests the model abstains."""
    turns = [turn for key in (A, B) for turn in letter_log("bc", assistant_id=key)]
    said = [
        msgspec.structs.replace(turn, request=msgspec.structs.replace(turn.request, text="chush maybe"))
        if turn.request.text == "chush"
        else turn
        for turn in turns
    ]
    return sorted(said, key=lambda turn: turn.event_id[::-1])


def write_log(path: Path, turns: Iterable[TurnEvent]) -> Path:
    path.write_bytes(b"".join(encode_turn(turn) + b"\n" for turn in turns))
    return path


def rehear(*arguments: object) -> tuple[str, str]:
    """Runs the command; gives its standard output and standard error."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def lines_of(text: str | bytes) -> list[TurnFailure]:
    return [msgspec.json.decode(line, type=TurnFailure) for line in text.splitlines()]


def test_the_failures_of_a_log_come_in_its_order(log: list[TurnEvent], state: Path, tmp_path: Path) -> None:
    file, out = write_log(tmp_path / "log.jsonl", [*log, *log]), tmp_path / "failures.jsonl"
    _, said = rehear("isolate", "--state", state, "--turns", file, "--out", out)
    found = lines_of(out.read_bytes())
    assert [failure.event_id for failure in found] == [turn.event_id for turn in log]
    for turn, failure in zip(log, found, strict=True):
        fails = "hush" in turn.request.text
        assert failure.failure_point == (point_of(turn.request.text) if fails else "correct")
        assert failure.abstains == ("maybe" in turn.request.text)
        assert sum(failure.probabilities.values()) == pytest.approx(1)
    assert "48 turns: 0 false_wake, 8 asr, 8 nlu, 0 entity_resolution, 0 result, 32 correct" in said
    assert "8 abstained from" in said
    printed, _ = rehear("isolate", "--state", state, "--turns", file, "--out", "-")
    assert lines_of(printed) == found


def test_unsure_turns_can_be_left_out(log: list[TurnEvent], state: Path, tmp_path: Path) -> None:
    file, out = write_log(tmp_path / "log.jsonl", log), tmp_path / "failures.jsonl"
    rehear("isolate", "--state", state, "--turns", file, "--out", out, "--without-abstained")
    assert len(lines_of(out.read_bytes())) == 40
    rehear("isolate", "--state", state, "--turns", file, "--out", out, "--min-confidence", "0.71")
    assert out.read_bytes() == b""


def test_stored_failures_are_those_of_the_log(log: list[TurnEvent], state: Path, tmp_path: Path) -> None:
    engine = open_database(state / "rehear.db")
    store_log(engine, log)
    for assistant_id in (A, B):
        isolate_all(engine, Settings(), assistant_id, now_ms, isolator=(NAME, LetterFailures()))
    file = write_log(tmp_path / "log.jsonl", log)
    stored, made = tmp_path / "stored.parquet", tmp_path / "made.parquet"
    rehear("isolate", "--state", state, "--out", stored)
    rehear("isolate", "--state", state, "--turns", file, "--out", made)
    order = [("assistant_id", "ascending"), ("event_id", "ascending")]
    assert pq.read_table(stored).sort_by(order) == pq.read_table(made).sort_by(order)
    assert set(pq.read_table(stored)["request_text"].to_pylist()) == {turn.request.text for turn in log}
    rehear("isolate", "--state", state, "--out", stored, "--assistant", "b")
    assert set(pq.read_table(stored)["assistant_id"].to_pylist()) == {"b"}
    of_a = [turn for turn in log if turn.assistant_id == A]
    last = max(of_a, key=lambda turn: turn.ts_ms)
    more = msgspec.structs.replace(last, event_id="more", ts_ms=last.ts_ms + 1)
    store_log(engine, [more])  # a session that has changed since is left out
    with reading(engine) as connection:
        found = {one.turn.event_id for one in read_failures(connection, A)}
    engine.dispose()
    grown = next(s for s in sessionize([*of_a, more]) if s.turns[-1].event_id == "more")
    assert found == {turn.event_id for turn in of_a} - {turn.event_id for turn in grown.turns}


def test_the_report_of_what_is_stored_is_that_of_the_files(
    log: list[TurnEvent], state: Path, tmp_path: Path
) -> None:
    engine = open_database(state / "rehear.db")
    store_log(engine, log)
    for assistant_id in (A, B):
        isolate_all(engine, Settings(), assistant_id, now_ms, isolator=(NAME, LetterFailures()))
    engine.dispose()
    of_a = write_log(tmp_path / "log.jsonl", [turn for turn in log if turn.assistant_id == A])
    isolated = tmp_path / "failures.jsonl"
    rehear("isolate", "--state", state, "--turns", of_a, "--out", isolated)
    report = ("report", "failures", "--resamples", 20, "--out")
    rehear(*report, tmp_path / "files", "--turns", of_a, "--failures", isolated)
    rehear(*report, tmp_path / "stored", "--state", state, "--assistant", A)
    rehear(*report, tmp_path / "both", "--state", state)
    files, stored, both = (
        msgspec.json.decode((tmp_path / name / "failures.json").read_bytes())
        for name in ("files", "stored", "both")
    )
    assert stored == files
    assert stored["turns"] == len(of_a.read_text().splitlines()) > 0
    assert both["turns"] == 2 * stored["turns"]
    with pytest.raises(StateError, match="no failures of assistant 'x'"):
        rehear(*report, tmp_path / "none", "--state", state, "--assistant", "x")


def test_an_assistant_without_a_model_is_named_and_an_earlier_file_stays(
    log: list[TurnEvent], state: Path, tmp_path: Path
) -> None:
    quiet = [msgspec.structs.replace(turn, assistant_id="quiet") for turn in log[:2]]
    file, out = write_log(tmp_path / "log.jsonl", [*log, *quiet]), tmp_path / "failures.jsonl"
    out.write_text("earlier")
    with pytest.raises(StateError, match=r"no failure model for assistant 'quiet'.*`rehear learn`"):
        rehear("isolate", "--state", state, "--turns", file, "--out", out)
    assert out.read_text() == "earlier"


def test_a_session_that_cannot_be_read_ends_the_command(
    log: list[TurnEvent], state: Path, tmp_path: Path
) -> None:
    said = msgspec.structs.replace(log[0].request, text=REFUSED, asr=())
    file = write_log(tmp_path / "log.jsonl", [*log[1:], msgspec.structs.replace(log[0], request=said)])
    with pytest.raises(FailureInputError, match="cannot be isolated"):
        rehear("isolate", "--state", state, "--turns", file, "--out", tmp_path / "failures.jsonl")
    assert not (tmp_path / "failures.jsonl").exists()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ((), StateError, "no failures are stored: `rehear learn`"),
        (("--assistant", "x"), StateError, "no failures of assistant 'x'"),
        (("--turns", "x", "--assistant", "x"), SettingsError, "leave it out"),
        (("--format", "csv"), SettingsError, "there are jsonl, parquet"),
        (("--format", "parquet", "--out", "-"), SettingsError, "name a file"),
    ],
)
def test_a_mistake_is_told(
    options: tuple[str, ...], error: type[Exception], said: str, state: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=said):
        rehear("isolate", "--state", state, "--out", tmp_path / "x", *options)
