"""`rehear label`: labels of a log, and stored ones, by a generator whose answers are known."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from databases import new_database
from letter_detector import letter_log
from letter_labels import NAME, REFUSED, LetterLabels
from streaming import store_log
from typer.testing import CliRunner

from labeling.errors import LabelInputError
from labeling.labels.turn_label import LabelGenerator, TurnLabel
from services.cli.commands import app
from services.errors import SettingsError, StateError
from services.platform.clock import now_ms
from services.platform.database import open_database
from services.session_models.labels.answers import find_labels, read_labels
from services.session_models.labels.backfill import label_all
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
        lambda engine, settings, kind, assistant_id: None if assistant_id == "quiet" else LetterLabels(),
    )


@pytest.fixture
def state(tmp_path: Path) -> Path:
    new_database(tmp_path / "state" / "rehear.db")
    return tmp_path / "state"


@pytest.fixture
def log() -> list[TurnEvent]:
    """Of two assistants, in no order."""
    turns = [turn for key in (A, B) for turn in letter_log("ab", assistant_id=key)]
    return sorted(turns, key=lambda turn: turn.event_id[::-1])


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


def lines_of(path: Path) -> list[TurnLabel]:
    return [msgspec.json.decode(line, type=TurnLabel) for line in path.read_bytes().splitlines()]


def label_stored(state: Path, turns: Sequence[TurnEvent], *assistants: AssistantId) -> None:
    engine = open_database(state / "rehear.db")
    store_log(engine, turns)
    for assistant_id in assistants:
        label_all(engine, Settings(state=str(state)), assistant_id, now_ms, generator=(NAME, LetterLabels()))
    engine.dispose()


def test_a_log_is_labelled_in_its_order(log: list[TurnEvent], state: Path, tmp_path: Path) -> None:
    file, out = write_log(tmp_path / "log.jsonl", log), tmp_path / "labels.jsonl"
    _, said = rehear("label", "--state", state, "--turns", file, "--out", out)
    labels = lines_of(out)
    assert [label.event_id for label in labels] == [turn.event_id for turn in log]
    assert {label.defect for label in labels} == {0.0, 0.3333}
    assert f"{len(log):,} turns labelled" in said
    assert "taught them: satisfaction, dialogue_satisfaction, domain" in said


def test_parquet_goes_by_the_name_or_by_wish(log: list[TurnEvent], state: Path, tmp_path: Path) -> None:
    file = write_log(tmp_path / "log.jsonl", log)
    for out, options in ((tmp_path / "x.parquet", ()), (tmp_path / "y.data", ("--format", "parquet"))):
        rehear("label", "--state", state, "--turns", file, "--out", out, *options)
        read = pq.read_table(out)
        assert read["event_id"].to_pylist() == [turn.event_id for turn in log]
        assert read["request_text"].to_pylist() == [turn.request.text for turn in log]


def test_unsure_labels_can_be_left_out(log: list[TurnEvent], state: Path, tmp_path: Path) -> None:
    file, out = write_log(tmp_path / "log.jsonl", log), tmp_path / "labels.jsonl"
    rehear("label", "--state", state, "--turns", file, "--out", out, "--without-abstained")
    assert {label.intent is None for label in lines_of(out)} == {True, False}
    assert all((label.intent is None) == ("intent" in label.abstained) for label in lines_of(out))
    rehear("label", "--state", state, "--turns", file, "--out", out, "--min-confidence", "0.9")
    assert all(label.defect is None for label in lines_of(out))


def test_labels_go_to_standard_output(log: list[TurnEvent], state: Path, tmp_path: Path) -> None:
    file = write_log(tmp_path / "log.jsonl", log)
    printed, _ = rehear("label", "--state", state, "--turns", file, "--out", "-")
    assert len(printed.splitlines()) == len(log)


def test_stored_labels_are_those_of_the_log(log: list[TurnEvent], state: Path, tmp_path: Path) -> None:
    label_stored(state, log, A, B)
    file, stored, made = (
        write_log(tmp_path / "log.jsonl", log),
        tmp_path / "s.parquet",
        tmp_path / "m.parquet",
    )
    rehear("label", "--state", state, "--out", stored)
    rehear("label", "--state", state, "--turns", file, "--out", made)
    order = [("assistant_id", "ascending"), ("event_id", "ascending")]
    assert pq.read_table(stored).sort_by(order) == pq.read_table(made).sort_by(order)
    rehear("label", "--state", state, "--out", stored, "--assistant", "b")
    assert set(pq.read_table(stored)["assistant_id"].to_pylist()) == {"b"}


def test_a_session_that_has_changed_since_is_not_exported(log: list[TurnEvent], state: Path) -> None:
    label_stored(state, log, A)
    of_a = [turn for turn in log if turn.assistant_id == A]
    last = max(of_a, key=lambda turn: turn.ts_ms)
    more = msgspec.structs.replace(last, event_id="more", ts_ms=last.ts_ms + 1)
    engine = open_database(state / "rehear.db")
    store_log(engine, [more])
    told: list[int] = []
    with reading(engine) as connection:
        found = {one.turn.event_id for one in read_labels(connection, A, told.append)}
    engine.dispose()
    grown = next(s for s in sessionize([*of_a, more]) if s.turns[-1].event_id == "more")
    assert found == {turn.event_id for turn in of_a} - {turn.event_id for turn in grown.turns}
    assert sum(told) == len(sessionize(of_a))


def test_an_assistant_without_a_model_is_named_and_an_earlier_file_stays(
    log: list[TurnEvent], state: Path, tmp_path: Path
) -> None:
    quiet = [msgspec.structs.replace(turn, assistant_id="quiet") for turn in log[:2]]
    file, out = write_log(tmp_path / "log.jsonl", [*log, *quiet]), tmp_path / "labels.jsonl"
    out.write_text("earlier")
    with pytest.raises(StateError, match=r"assistant 'quiet'.*`rehear learn`"):
        rehear("label", "--state", state, "--turns", file, "--out", out)
    assert out.read_text() == "earlier"


def test_a_session_that_cannot_be_labelled_ends_the_command(
    log: list[TurnEvent], state: Path, tmp_path: Path
) -> None:
    said = msgspec.structs.replace(log[0].request, text=REFUSED, asr=())
    file = write_log(tmp_path / "log.jsonl", [*log[1:], msgspec.structs.replace(log[0], request=said)])
    with pytest.raises(LabelInputError, match="cannot be labelled"):
        rehear("label", "--state", state, "--turns", file, "--out", tmp_path / "labels.jsonl")
    assert not (tmp_path / "labels.jsonl").exists()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ((), StateError, "no labels are stored: `rehear learn`"),
        (("--assistant", "x"), StateError, "no labels of assistant 'x'"),
        (("--turns", "x", "--assistant", "x"), SettingsError, "leave it out"),
        (("--format", "csv"), SettingsError, "there are jsonl, parquet"),
        (("--format", "parquet", "--out", "-"), SettingsError, "name a file"),
    ],
)
def test_a_mistake_is_told(
    options: tuple[str, ...], error: type[Exception], said: str, state: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=said):
        rehear("label", "--state", state, "--out", tmp_path / "x", *options)


def test_progress_counts_all_sessions_and_a_turn_that_comes_twice_is_labelled_once(
    log: list[TurnEvent],
) -> None:
    generator: LabelGenerator = LetterLabels()
    sessions, told = sessionize(log), list[int]()
    found = list(find_labels([*log, *log], sessions, lambda key: generator, told.append))
    assert [one.turn.event_id for one in found] == [turn.event_id for turn in log]
    assert sum(told) == len(sessions)
    assert {one.session_id for one in found} == {session.session_id for session in sessions}
