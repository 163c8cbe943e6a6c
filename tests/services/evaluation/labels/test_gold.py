"""Gold and labels, read from files of several makes."""

import gzip
from pathlib import Path
from typing import Any

import msgspec
import pytest

from labeling.annotations.annotation import AnnotatedSlot
from services.evaluation.errors import EvaluationFileError
from services.evaluation.labels.file import read_labels
from services.evaluation.labels.gold import GoldLabel, read_gold_labels
from streams.turn import EventId

E = EventId("e")


def write(path: Path, *lines: Any) -> Path:
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return path


@pytest.mark.parametrize(
    ("line", "gold"),
    [
        (
            {
                "goal_id": "g",
                "correct": False,
                "failure_point": "asr",
                "goal_success": True,
                "satisfaction": [1, 2],
                "dialogue_satisfaction": [3],
                "domain": "d",
                "intent": "i",
                "slots": [{"name": "s", "value": "v"}],
            },
            GoldLabel(
                event_id=E,
                goal_id="g",
                correct=False,
                goal_success=True,
                ratings=(1, 2),
                dialogue_ratings=(3,),
                domain="d",
                intent="i",
                slots=(AnnotatedSlot(name="s", value="v"),),
            ),
        ),
        (
            {
                "goal_id": "g",
                "correct": True,
                "attempt": 0,
                "reference_nlu": {"domain": "d", "intent": "i", "slots": [{"name": "s", "value": "v"}]},
            },
            GoldLabel(
                event_id=E,
                goal_id="g",
                correct=True,
                domain="d",
                intent="i",
                intent_within_domain=True,
                slots=(AnnotatedSlot(name="s", value="v"),),
            ),
        ),
        (
            {
                "services": ["Events", "Hotels"],
                "intents": ["NONE", "SearchHotel"],
                "notify": "NOTIFY_FAILURE",
                "slots": [{"service": "Hotels", "name": "city", "start": 3, "end": 9}],
                "acts": [["INFORM", "city", ["Davis"]]],
            },
            GoldLabel(
                event_id=E,
                goal_id="Events",
                goal_success=False,
                domain="Events",
                intent="SearchHotel",
                slots=(AnnotatedSlot(name="city", start=3, end=9),),
            ),
        ),
        (
            {"services": ["Events"], "intents": ["NONE"], "notify": None, "slots": []},
            GoldLabel(event_id=E, goal_id="Events", domain="Events", slots=()),
        ),
        (
            {
                "user_act": "inform",
                "satisfaction_ratings": [3, 2, 3],
                "dialogue": {"overall_ratings": [1, 2], "other": 1},
            },
            GoldLabel(event_id=E, intent="inform", ratings=(3, 2, 3), dialogue_ratings=(1, 2)),
        ),
        (
            {"correct": True, "satisfaction": [], "dialogue": None, "intent": None},
            GoldLabel(event_id=E, correct=True),
        ),
    ],
)
def test_each_make_is_read(tmp_path: Path, line: dict[str, Any], gold: GoldLabel) -> None:
    assert read_gold_labels(write(tmp_path / "gold.jsonl", {"event_id": "e"} | line)) == [gold]


def test_gzipped_gold_is_read(tmp_path: Path) -> None:
    path = tmp_path / "gold.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"event_id": "e", "correct": true}\n'))
    assert read_gold_labels(path) == [GoldLabel(event_id=E, correct=True)]


GOOD = {"event_id": "e", "correct": True}


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([GOOD, {"event_id": "f", "satisfaction": [6]}], "line 2: not gold of a turn: .*<= 5"),
        ([GOOD, {"correct": True}], "line 2: not gold of a turn: .*event_id"),
        ([GOOD, {"event_id": "f"}, GOOD], "line 3: event 'e' has a line already, line 1"),
        ([{"event_id": "e", "request": {"text": "x"}}], "no line says anything that a label could be"),
    ],
)
def test_what_is_no_gold_is_named(tmp_path: Path, lines: list[Any], problem: str) -> None:
    with pytest.raises(EvaluationFileError, match=f"gold.jsonl(, |: ){problem}"):
        read_gold_labels(write(tmp_path / "gold.jsonl", *lines))


LABEL = {"event_id": "e", "goal_id": "e", "goal_start": True, "defect": 0.5}


def test_labels_are_read(tmp_path: Path) -> None:
    (label,) = read_labels(write(tmp_path / "labels.jsonl", LABEL))
    assert (label.event_id, label.defect, label.intent) == ("e", 0.5, None)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"event_id": "e"}, "event 'e' has a line already, line 1: keep one for each event"),
        ({"defect": 1.5}, "not a line of `rehear label`: defect is 1.5: it must be 0 to 1"),
        ({"satisfaction": 0}, "not a line of `rehear label`: satisfaction is 0: it must be 1 to 5"),
        ({"rephrase_of": None}, "not a line of `rehear label`: Object contains unknown field"),
        ({"goal_start": None}, "not a line of `rehear label`: Expected `bool`"),
    ],
)
def test_what_is_no_label_is_named(tmp_path: Path, change: dict[str, Any], problem: str) -> None:
    path = write(tmp_path / "labels.jsonl", LABEL, LABEL | {"event_id": "f"} | change)
    with pytest.raises(EvaluationFileError, match=f"labels.jsonl, line 2: {problem}"):
        read_labels(path)


def test_what_is_no_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_bytes(msgspec.json.encode(LABEL) + b"\n\n\xff\n")
    with pytest.raises(EvaluationFileError, match=r"labels.jsonl, line 3: "):
        read_labels(path)
