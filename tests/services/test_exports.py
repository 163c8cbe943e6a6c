"""`rehear label` and `rehear isolate`, by models whose answers are known."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from databases import new_database, opened
from letter_detector import letter_log
from letter_failures import point_of
from letter_model import REFUSED
from letter_models import CASES, ModelCase
from report_command import invoke, write_lines
from streaming import store_log

from failure_isolation.turn_failure import TurnFailure
from labeling.labels.turn_label import TurnLabel
from services.errors import SettingsError, StateError
from services.session_models.answers import stored_verdicts
from services.session_models.kind import SessionModelKind
from services.session_models.registry import SESSION_MODELS
from streams.session import sessionize
from streams.stores.database_schema import reading
from streams.turn import AssistantId, TurnEvent

A, B = AssistantId("a"), AssistantId("b")
COMMANDS = {"labels": "label", "failures": "isolate"}
LABELS, FAILURES = EXPORTED = [
    case for case in CASES if case.kind.turns is not None and case.kind in SESSION_MODELS
]

of_each_kind = pytest.mark.parametrize("case", EXPORTED, ids=lambda case: case.kind.name)


@pytest.fixture(autouse=True)
def _letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """All assistants but those named "quiet" have a model."""

    def model(engine: Any, settings: Any, kind: SessionModelKind[Any, Any], assistant_id: str) -> Any:
        (case,) = (case for case in EXPORTED if case.kind is kind)
        return None if assistant_id == "quiet" else case.new()

    monkeypatch.setattr("services.session_models.in_use.model_in_use", model)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    new_database(tmp_path / "state" / "rehear.db")
    return tmp_path / "state"


@pytest.fixture
def log() -> list[TurnEvent]:
    """Of two assistants, in no order; of some requests the models abstain."""
    turns = [turn for key in (A, B) for turn in letter_log("bc", assistant_id=key)]
    said = [
        msgspec.structs.replace(turn, request=msgspec.structs.replace(turn.request, text="chush maybe"))
        if turn.request.text == "chush"
        else turn
        for turn in turns
    ]
    return sorted(said, key=lambda turn: turn.event_id[::-1])


def export(case: ModelCase, state: Path, *options: object) -> tuple[str, str]:
    done = invoke(COMMANDS[case.kind.name], "--state", state, *options)
    return done.stdout, done.stderr


def lines_of(text: str | bytes, verdict: type[Any]) -> list[Any]:
    return [msgspec.json.decode(line, type=verdict) for line in text.splitlines()]


def store_judged(case: ModelCase, state: Path, turns: Sequence[TurnEvent], *assistants: AssistantId) -> None:
    with opened(state / "rehear.db") as engine:
        store_log(engine, turns)
        for assistant_id in assistants:
            case.fill(engine, assistant_id)


def test_the_labels_of_a_log_come_in_its_order(log: list[TurnEvent], state: Path, tmp_path: Path) -> None:
    file, out = write_lines(tmp_path / "log.jsonl", log), tmp_path / "labels.jsonl"
    _, said = export(LABELS, state, "--turns", file, "--out", out)
    labels = lines_of(out.read_bytes(), TurnLabel)
    assert [label.event_id for label in labels] == [turn.event_id for turn in log]
    assert {label.defect for label in labels} == {0.0, 0.3333}
    assert f"{len(log):,} turns labelled" in said
    assert "taught them: satisfaction, dialogue_satisfaction, domain" in said


def test_the_failures_of_a_log_come_in_its_order(log: list[TurnEvent], state: Path, tmp_path: Path) -> None:
    file, out = write_lines(tmp_path / "log.jsonl", [*log, *log]), tmp_path / "failures.jsonl"
    _, said = export(FAILURES, state, "--turns", file, "--out", out)
    found = lines_of(out.read_bytes(), TurnFailure)
    assert [failure.event_id for failure in found] == [turn.event_id for turn in log]
    for turn, failure in zip(log, found, strict=True):
        fails = "hush" in turn.request.text
        assert failure.failure_point == (point_of(turn.request.text) if fails else "correct")
        assert failure.abstains == ("maybe" in turn.request.text)
        assert sum(failure.probabilities.values()) == pytest.approx(1)
    assert "48 turns: 0 false_wake, 8 asr, 8 nlu, 0 entity_resolution, 0 result, 32 correct" in said
    assert "8 abstained from" in said


@of_each_kind
def test_standard_output_gets_the_same_lines(
    case: ModelCase, log: list[TurnEvent], state: Path, tmp_path: Path
) -> None:
    file, out = write_lines(tmp_path / "log.jsonl", log), tmp_path / "x.jsonl"
    export(case, state, "--turns", file, "--out", out)
    printed, _ = export(case, state, "--turns", file, "--out", "-")
    assert printed.encode() == out.read_bytes()
    assert len(printed.splitlines()) == len(log)


@of_each_kind
def test_parquet_goes_by_the_name_or_by_wish(
    case: ModelCase, log: list[TurnEvent], state: Path, tmp_path: Path
) -> None:
    log[0] = msgspec.structs.replace(log[0], executed_text="what was run")
    file = write_lines(tmp_path / "log.jsonl", log)
    for out, options in ((tmp_path / "x.parquet", ()), (tmp_path / "y.data", ("--format", "parquet"))):
        export(case, state, "--turns", file, "--out", out, *options)
        read = pq.read_table(out)
        assert read["event_id"].to_pylist() == [turn.event_id for turn in log]
        assert read["request_text"].to_pylist() == [turn.request.text for turn in log]
        assert read["executed_text"].to_pylist() == [turn.executed_text for turn in log]


def test_labels_that_are_not_confident_can_be_left_out(
    log: list[TurnEvent], state: Path, tmp_path: Path
) -> None:
    file, out = write_lines(tmp_path / "log.jsonl", log), tmp_path / "labels.jsonl"
    export(LABELS, state, "--turns", file, "--out", out, "--without-abstained")
    labels = lines_of(out.read_bytes(), TurnLabel)
    assert {label.intent is None for label in labels} == {True, False}
    assert all((label.intent is None) == ("intent" in label.abstained) for label in labels)
    export(LABELS, state, "--turns", file, "--out", out, "--min-confidence", "0.9")
    assert all(label.defect is None for label in lines_of(out.read_bytes(), TurnLabel))


def test_turns_whose_failure_is_not_confident_can_be_left_out(
    log: list[TurnEvent], state: Path, tmp_path: Path
) -> None:
    file, out = write_lines(tmp_path / "log.jsonl", log), tmp_path / "failures.jsonl"
    export(FAILURES, state, "--turns", file, "--out", out, "--without-abstained")
    assert len(lines_of(out.read_bytes(), TurnFailure)) == 40
    export(FAILURES, state, "--turns", file, "--out", out, "--min-confidence", "0.71")
    assert out.read_bytes() == b""


@of_each_kind
def test_stored_turns_are_those_of_the_log(
    case: ModelCase, log: list[TurnEvent], state: Path, tmp_path: Path
) -> None:
    store_judged(case, state, log, A, B)
    file = write_lines(tmp_path / "log.jsonl", log)
    stored, made = tmp_path / "stored.parquet", tmp_path / "made.parquet"
    export(case, state, "--out", stored)
    export(case, state, "--turns", file, "--out", made)
    order = [("assistant_id", "ascending"), ("event_id", "ascending")]
    assert pq.read_table(stored).sort_by(order) == pq.read_table(made).sort_by(order)
    export(case, state, "--out", stored, "--assistant", "b")
    assert set(pq.read_table(stored)["assistant_id"].to_pylist()) == {"b"}


@of_each_kind
def test_a_session_that_has_changed_since_is_not_exported(
    case: ModelCase, log: list[TurnEvent], state: Path
) -> None:
    store_judged(case, state, log, A)
    of_a = [turn for turn in log if turn.assistant_id == A]
    last = max(of_a, key=lambda turn: turn.ts_ms)
    more = msgspec.structs.replace(last, event_id="more", ts_ms=last.ts_ms + 1)
    with opened(state / "rehear.db") as engine:
        store_log(engine, [more])
        told: list[int] = []
        assert case.kind.turns is not None
        with reading(engine) as connection:
            verdicts = stored_verdicts(connection, A, case.kind.turns, told.append)
            found = {one.turn.event_id for one in verdicts}
    grown = next(s for s in sessionize([*of_a, more]) if s.turns[-1].event_id == "more")
    assert found == {turn.event_id for turn in of_a} - {turn.event_id for turn in grown.turns}
    assert sum(told) == len(sessionize(of_a))


def test_the_report_of_what_is_stored_is_that_of_the_files(
    log: list[TurnEvent], state: Path, tmp_path: Path
) -> None:
    store_judged(FAILURES, state, log, A, B)
    of_a = write_lines(tmp_path / "log.jsonl", [turn for turn in log if turn.assistant_id == A])
    isolated = tmp_path / "failures.jsonl"
    export(FAILURES, state, "--turns", of_a, "--out", isolated)
    report = ("report", "failures", "--resamples", 20, "--out")
    invoke(*report, tmp_path / "files", "--turns", of_a, "--failures", isolated)
    invoke(*report, tmp_path / "stored", "--state", state, "--assistant", A)
    invoke(*report, tmp_path / "both", "--state", state)
    files, stored, both = (
        msgspec.json.decode((tmp_path / name / "failures.json").read_bytes())
        for name in ("files", "stored", "both")
    )
    assert stored == files
    assert stored["turns"] == len(of_a.read_text().splitlines()) > 0
    assert both["turns"] == 2 * stored["turns"]
    with pytest.raises(StateError, match="no failures of assistant 'x'"):
        invoke(*report, tmp_path / "none", "--state", state, "--assistant", "x")


@of_each_kind
def test_an_assistant_without_a_model_is_named_and_an_earlier_file_stays(
    case: ModelCase, log: list[TurnEvent], state: Path, tmp_path: Path
) -> None:
    quiet = [msgspec.structs.replace(turn, assistant_id="quiet") for turn in log[:2]]
    file, out = write_lines(tmp_path / "log.jsonl", [*log, *quiet]), tmp_path / "x.jsonl"
    out.write_text("earlier")
    with pytest.raises(StateError, match=rf"no {case.kind.title} for assistant 'quiet'.*`rehear learn`"):
        export(case, state, "--turns", file, "--out", out)
    assert out.read_text() == "earlier"


@of_each_kind
def test_a_session_that_cannot_be_judged_ends_the_command(
    case: ModelCase, log: list[TurnEvent], state: Path, tmp_path: Path
) -> None:
    said = msgspec.structs.replace(log[0].request, text=REFUSED, asr=())
    file = write_lines(tmp_path / "log.jsonl", [*log[1:], msgspec.structs.replace(log[0], request=said)])
    with pytest.raises(case.kind.refusal, match="cannot be"):
        export(case, state, "--turns", file, "--out", tmp_path / "x.jsonl")
    assert not (tmp_path / "x.jsonl").exists()


@of_each_kind
@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ((), StateError, "no KIND are stored: `rehear learn`"),
        (("--assistant", "x"), StateError, "no KIND of assistant 'x'"),
        (("--turns", "x", "--assistant", "x"), SettingsError, "leave it out"),
        (("--format", "csv"), SettingsError, "there are jsonl, parquet"),
        (("--format", "parquet", "--out", "-"), SettingsError, "name a file"),
    ],
)
def test_a_mistake_is_told(
    case: ModelCase,
    options: tuple[str, ...],
    error: type[Exception],
    said: str,
    state: Path,
    tmp_path: Path,
) -> None:
    with pytest.raises(error, match=said.replace("KIND", case.kind.name)):
        export(case, state, "--out", tmp_path / "x", *options)
