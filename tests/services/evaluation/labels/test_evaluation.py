"""The report on labels, and the way from files to it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from html_page import report_page
from report_command import assert_same_twice, run_command, write_lines
from turns import START_MS, turn_event

from labeling.labels.turn_label import TurnLabel
from services.cli.options import named_files
from services.errors import SettingsError
from services.evaluation.errors import EvaluationFileError
from services.evaluation.labels.gold import GoldLabel
from services.evaluation.labels.report import MEASURES, TASK_WORDS, label_report
from services.evaluation.labels.score import LabelScores, score_labels
from services.evaluation.labels.scored_task import TASKS
from streams.turn import EventId, Response, TurnEvent

HOSTILE = "<script>alert('x')</script> & co"

LOG = [
    turn_event(
        f"play {HOSTILE}",
        event_id=f"u{user}-{number}",
        user_id=f"u{user}",
        ts_ms=START_MS + 1_000_000 * user + 10_000 * number,
        response=Response(text="sorry", status="error" if number == 0 else "ok"),
    )
    for user in range(6)
    for number in range(3)
]


def gold_lines(log: Sequence[TurnEvent] = LOG) -> list[dict[str, Any]]:
    """The first turn of each user fails, the second is its second try, the third is another goal."""
    return [
        {
            "event_id": turn.event_id,
            "goal_id": "second" if turn.event_id.endswith("2") else "first",
            "correct": not turn.event_id.endswith("0"),
            "goal_success": not turn.event_id.endswith("0"),
            "satisfaction": [1, 2, 2] if turn.event_id.endswith("0") else [4, 4, 2],
            "dialogue_satisfaction": [2, 1] if turn.event_id == "u0-2" else [5, 4],
            "domain": HOSTILE,
            "intent": "play",
            "slots": [{"name": "song", "start": 5, "end": 9}],
        }
        for turn in log
    ]


def labels() -> list[TurnLabel]:
    """Right about all defects, of which four of six are said; every turn is a goal."""
    return [
        TurnLabel(
            event_id=EventId(turn.event_id),
            goal_id=turn.event_id,
            goal_start=True,
            goal_success=0.8,
            defect=(0.9 if int(turn.event_id[1]) < 4 else 0.4) if turn.event_id.endswith("0") else 0.1,
            satisfaction=2 if turn.event_id.endswith("0") else 4,
            dissatisfaction=0.7 if turn.event_id.endswith("0") else 0.1,
            dialogue_dissatisfaction=0.4,
            domain="music",
            intent="play",
            slots=(),
        )
        for turn in LOG
    ]


@pytest.fixture
def scores() -> LabelScores:
    gold = [
        GoldLabel(event_id=EventId(turn.event_id), correct=not turn.event_id.endswith("0")) for turn in LOG
    ]
    return score_labels(LOG, gold, {HOSTILE: labels(), "other": labels()}, resamples=20)


def test_the_page_shows_figures_and_runs_nothing(scores: LabelScores) -> None:
    page = report_page(label_report(scores).html)
    assert len(page.sources) == 3 + 2  # defects; and, without a curve, those without signals: there are none
    assert HOSTILE in page.words
    assert "66.7 %" in page.words  # four of the six defects
    assert "18 turns of 6 users, 6 defects" in " ".join(page.words.split())
    for words in ("signals", "prevalence", "ROC-AUC", "minus the others", "Not scored", "Satisfaction"):
        assert words in page.words


def test_a_log_without_gold_has_a_report() -> None:
    page = report_page(label_report(score_labels([], [], {"idle": []}, resamples=5)).html)
    assert "Not scored" in page.words


def test_every_task_and_measure_has_words() -> None:
    assert set(TASK_WORDS) == set(TASKS)
    assert {words.headline for words in TASK_WORDS.values()} <= set(MEASURES)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, object]:
    return {
        "--turns": write_lines(tmp_path / "turns.jsonl", LOG),
        "--gold": write_lines(tmp_path / "gold.jsonl", gold_lines()),
        "--labels": write_lines(tmp_path / "labels.jsonl", labels()),
        "--out": tmp_path / "report",
    }


def run(files: Mapping[str, object], *more: object) -> str:
    options = [part for option in files.items() for part in option]
    return run_command("evaluate", "labels", *options, "--resamples", 20, *more)


def test_the_command_writes_a_report(files: dict[str, object], tmp_path: Path) -> None:
    printed = run(files)
    for words in ("Goals: 12 pairs of turns of 6 users, 6 new goals", "66.7 %", "report: "):
        assert words in printed
    report = json.loads((tmp_path / "report/evaluation.json").read_text())
    tasks = {one["task"]: one for one in report["tasks"]}
    assert set(tasks) == set(TASKS)
    defect = {one["name"]: one for one in tasks["defect"]["systems"]}
    assert defect["rehear"]["measures"]["recall"]["value"] == pytest.approx(2 / 3)
    assert defect["rehear"]["measures"]["average_precision"]["value"] == 1
    assert tasks["domain"]["systems"][0]["measures"]["accuracy"]["value"] == 0
    for one in report["tasks"]:
        assert {name for system in one["systems"] for name in system["measures"]} <= set(MEASURES)
    report_page((tmp_path / "report/report.html").read_text())


def test_the_same_files_give_the_same_bytes(files: dict[str, object], tmp_path: Path) -> None:
    assert_same_twice(lambda out: run(files | {"--out": out}), tmp_path)


def test_several_systems_and_a_training_log(files: dict[str, object], tmp_path: Path) -> None:
    past = [
        msgspec.structs.replace(turn, event_id=f"old-{turn.event_id}", user_id=f"old-{turn.user_id}")
        for turn in LOG
    ]
    annotated = [
        line | {"event_id": turn.event_id, "intent": ("play", "stop")[number % 2]}
        for number, (turn, line) in enumerate(zip(past, gold_lines(), strict=True))
    ]
    turns = write_lines(tmp_path / "past.jsonl", past)
    annotations = write_lines(tmp_path / "annotations.jsonl", annotated)
    more = ["--labels", f"second={files['--labels']}"]
    first = files | {"--labels": f"first={files['--labels']}"}
    run(first, *more, "--train-turns", turns, "--train-annotations", annotations)
    report = json.loads((tmp_path / "report/evaluation.json").read_text())
    tasks = {one["task"]: one for one in report["tasks"]}
    for task in ("satisfaction", "dialogue satisfaction", "intent"):
        names = [one["name"] for one in tasks[task]["systems"]]
        assert names[:2] == ["first", "second"]
        assert "bag of words" in names
    assert "seen_accuracy" in tasks["intent"]["systems"][0]["measures"]
    with pytest.raises(SettingsError, match="give these with --train-annotations"):
        run(first, "--train-turns", turns)


def test_a_line_that_is_no_label_is_named_and_nothing_is_written(
    files: dict[str, object], tmp_path: Path
) -> None:
    write_lines(Path(str(files["--labels"])), [*labels(), {"event_id": "x", "defect": 2}])
    problem = f"labels.jsonl, line {len(LOG) + 1}: not a line of `rehear label`"
    with pytest.raises(EvaluationFileError, match=problem):
        run(files)
    assert not (tmp_path / "report").exists()


def test_names_of_files(tmp_path: Path) -> None:
    odd = tmp_path / "a=b.jsonl"
    odd.touch()
    assert named_files(["x/labels.jsonl"], "--labels") == {"rehear": Path("x/labels.jsonl")}
    assert named_files([str(odd)], "--labels") == {"rehear": odd}
    assert named_files(["a=x", "y/b.jsonl.gz"], "--labels") == {"a": Path("x"), "b": Path("y/b.jsonl.gz")}
    for options, problem in ((["a=x", "a=y"], "two are called 'a'"), (["=x"], "give NAME=FILE")):
        with pytest.raises(SettingsError, match=problem):
            named_files(options, "--labels")
