"""Labels in Parquet and JSON Lines, read by those who train on them."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from letter_labels import FULL_LABEL, LetterLabels
from turns import turn_event

from labeling.labels.columns import LABEL_COLUMNS
from labeling.labels.given_labels import FIELDS_OF, given_labels, without_unsure
from labeling.labels.turn_label import TurnLabel
from labeling.turns import export as turn_export
from labeling.turns.export import format_of, write_turns
from streams.replaced_file import replaced_file
from streams.session import SessionId
from streams.turn import Response, TurnEvent
from streams.verdict import JudgedTurn

SESSION = SessionId("0" * 24)


def labelled(turns: Sequence[TurnEvent]) -> list[JudgedTurn[TurnLabel]]:
    (labels,) = LetterLabels(0.25).label([turns])
    return [JudgedTurn(turn, SESSION, label) for turn, label in zip(turns, labels, strict=True)]


@pytest.fixture
def rows() -> list[JudgedTurn[TurnLabel]]:
    answer = Response(text="Here is “é” \x00 𝄞.")
    turns = [
        turn_event("ahush", event_id="1", ts_ms=5, response=answer),
        turn_event("aquiet please", event_id="2", ts_ms=6),
        turn_event("", event_id="3", ts_ms=7, response=Response()),
    ]
    return labelled(turns)


def parquet(path: Path, rows: Iterable[JudgedTurn[TurnLabel]]) -> Path:
    with replaced_file(path) as stream:
        write_turns(stream, "parquet", rows, LABEL_COLUMNS)
    return path


def test_datasets_reads_the_parquet_file_as_it_is(
    rows: list[JudgedTurn[TurnLabel]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    file = parquet(tmp_path / "labels.parquet", rows)
    found = datasets.load_dataset(
        "parquet", data_files=str(file), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert found.num_rows == 3
    first = found[0]
    assert first["slots"] == [{"name": "rest", "value": "hush", "start": 1, "end": 5}]
    assert first["request_text"][slice(1, 5)] == "hush"
    assert first["response_text"] == "Here is “é” \x00 𝄞."
    assert (first["intent"], first["domain"], first["satisfaction"]) == ("letter a", None, None)
    assert first["abstained"] == ["intent"]
    assert first["confidence"]["intent"] == 0.5
    assert first["confidence"]["slots"] is None
    assert (first["session_id"], first["assistant_id"], first["user_id"], first["ts_ms"]) == (
        SESSION,
        "a",
        "u",
        5,
    )
    sure = found.filter(lambda row: row["intent"] is not None and "intent" not in row["abstained"])
    assert sure["event_id"] == ["2"]


def test_every_label_has_a_typed_column(rows: list[JudgedTurn[TurnLabel]], tmp_path: Path) -> None:
    read = pq.read_table(parquet(tmp_path / "x.parquet", rows))
    types = {name: str(read.schema.field(name).type) for name in read.column_names}
    assert types.keys() >= set(TurnLabel.__struct_fields__)
    assert types["satisfaction"] == "int8"
    assert types["goal_start"] == "bool"
    assert types["ts_ms"] == "int64"
    assert types["slots"] == "list<element: struct<name: string, value: string, start: int32, end: int32>>"
    empty = pq.read_table(parquet(tmp_path / "empty.parquet", []))
    assert empty.schema == read.schema
    assert empty.num_rows == 0


def test_parquet_and_json_lines_say_the_same(rows: list[JudgedTurn[TurnLabel]], tmp_path: Path) -> None:
    table = pq.read_table(parquet(tmp_path / "x.parquet", rows)).to_pylist()
    with replaced_file(tmp_path / "x.jsonl") as stream:
        write_turns(stream, "jsonl", rows, LABEL_COLUMNS)
    lines = (tmp_path / "x.jsonl").read_bytes().splitlines()
    labels = [msgspec.json.decode(line, type=TurnLabel) for line in lines]
    assert labels == [row.verdict for row in rows]
    for row, label in zip(table, labels, strict=True):
        confidence = {name: value for name, value in row["confidence"].items() if value is not None}
        fields = {name: row[name] for name in TurnLabel.__struct_fields__} | {"confidence": confidence}
        assert msgspec.convert(fields, TurnLabel) == label


def test_rows_are_written_a_part_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn_export, "ROWS_AT_A_TIME", 10)
    rows = labelled([turn_event(f"a{i}", event_id=str(i), ts_ms=i) for i in range(25)])
    file = parquet(tmp_path / "x.parquet", iter(rows))
    assert pq.ParquetFile(file).num_row_groups == 3
    assert pq.read_table(file)["event_id"].to_pylist() == [str(i) for i in range(25)]


def test_an_error_leaves_an_earlier_file_as_it_was(rows: list[JudgedTurn[TurnLabel]], tmp_path: Path) -> None:
    file = parquet(tmp_path / "x.parquet", rows)
    before = file.read_bytes()

    def broken() -> Iterator[JudgedTurn[TurnLabel]]:
        yield rows[0]
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        parquet(file, broken())
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x.parquet", "parquet"),
        ("x.PQ", "parquet"),
        ("x.jsonl", "jsonl"),
        ("parquet", "jsonl"),
        ("-", "jsonl"),
    ],
)
def test_the_name_tells_the_format(name: str, expected: str) -> None:
    assert format_of(Path(name)) == expected


# Labels that are sure enough


def test_all_labels_stay_unless_asked_otherwise() -> None:
    assert without_unsure(FULL_LABEL) == FULL_LABEL


def test_labels_below_the_wanted_precision_are_left_out() -> None:
    kept = without_unsure(FULL_LABEL, abstained_too=False)
    assert (kept.satisfaction, kept.dissatisfaction, kept.intent) == (None, None, None)
    assert (kept.goal_id, kept.goal_start) == ("e", True)
    assert (kept.goal_success, kept.dialogue_satisfaction) == (0.1, 1)
    assert kept.abstained == FULL_LABEL.abstained  # why they are null
    assert given_labels(kept) == FIELDS_OF.keys() - {"satisfaction", "intent"}


def test_labels_below_a_confidence_are_left_out() -> None:
    kept = without_unsure(FULL_LABEL, min_confidence=0.81)
    assert (kept.defect, kept.satisfaction, kept.dissatisfaction, kept.intent) == (None, None, None, "i")
    assert (kept.domain, kept.slots, kept.goal_success) == ("d", (), 0.1)  # which have no confidence
    assert without_unsure(FULL_LABEL, min_confidence=0.8).defect == 0.0
