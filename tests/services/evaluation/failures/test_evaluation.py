"""The report on failure points, the files that go into it, and the baselines beside them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from failure_world import (
    KINDS,
    WORDS,
    WordIsolator,
    annotations_of,
    failure_log,
    gold_of,
    said,
    true_point,
)
from html_page import report_page
from report_command import assert_same_twice, run_command, write_lines
from tiny_encoder import write_tiny_base

from failure_isolation.rule import FAILURE_POINTS
from failure_isolation.settings import FailureSettings
from failure_isolation.training import LEAST_PASSES, MOST_PASSES
from services.errors import SettingsError
from services.evaluation.common.group_file import read_groups
from services.evaluation.errors import BaselineError, EvaluationError, EvaluationFileError, MismatchError
from services.evaluation.failures.baselines import (
    FailureLesson,
    MajorityIsolator,
    MetadataIsolator,
    encoder_training,
    train_encoder_isolator,
)
from services.evaluation.failures.file import read_failures
from services.evaluation.failures.gold import read_gold_failures
from streams.session import sessionize
from streams.turn import EventId

TRAIN, TEST = failure_log(range(60)), failure_log(range(100, 124))
UNSEEN = [session.turns for session in sessionize(TEST)]


def lesson(turns: list[Any] = TRAIN) -> FailureLesson:
    return FailureLesson(
        dialogues=[session.turns for session in sessionize(turns)],
        failure_points={EventId(turn.event_id): true_point(turn) for turn in turns},
    )


def accuracy(isolator: Any) -> float:
    found = [one for of_session in isolator.isolate(UNSEEN) for one in of_session]
    assert all(sum(one.probabilities.values()) == pytest.approx(1) for one in found)
    points = {EventId(turn.event_id): true_point(turn) for turn in TEST}
    assert {one.event_id for one in found} == set(points)
    return sum(points[one.event_id] == one.failure_point for one in found) / len(found)


def test_majority_says_what_is_true_of_most() -> None:
    log = failure_log(range(4), ("correct", "correct", "asr"))
    said_of = MajorityIsolator(lesson(log)).isolate(UNSEEN)[0][0]
    assert said_of.failure_point == "correct"
    assert said_of.probabilities["asr"] == pytest.approx(1 / 3)


def test_metadata_knows_status_and_place_but_no_words() -> None:
    """Kinds stand at places by chance, so the status alone tells: of the result, and of others nothing."""
    log = [
        turn
        for number in range(80)
        for turn in failure_log([number], KINDS[number % 4 :] + KINDS[: number % 4])
    ]
    isolator = MetadataIsolator(lesson(log))
    shuffled = failure_log([200, 201], ("result", "asr", "nlu", "correct"))
    found = isolator.isolate([session.turns for session in sessionize(shuffled)])
    for of_session in found:
        assert of_session[0].failure_point == "result"
        assert of_session[0].confidence > 0.9
        assert all(one.probabilities["result"] < 0.1 for one in of_session[1:])


def test_the_encoder_learns_words_and_says_all_classes(tmp_path: Path) -> None:
    base = write_tiny_base(tmp_path / "tiny", [*WORDS.values(), "play", "done"], positions=400)
    settings = FailureSettings(base=str(base), layers=1, passes=60)
    steps: list[tuple[str, int, int]] = []
    isolator = train_encoder_isolator(lesson(), settings, lambda *step: steps.append(step))
    assert steps[-1][1:] == (300, 300)  # 60 passes over 240 turns, 48 at a time
    assert accuracy(isolator) > 0.9
    one = isolator.isolate(UNSEEN)[0][0]
    assert list(one.probabilities) == list(FAILURE_POINTS)
    assert one.probabilities["false_wake"] == 0  # nobody has named it


def test_the_encoder_reads_as_often_as_the_failure_model() -> None:
    settings = FailureSettings(layers=2, seed=5)
    passes = [encoder_training(settings, n).epochs for n in (0, 100, 9_000, 90_000)]
    assert passes == [MOST_PASSES, MOST_PASSES, 5, LEAST_PASSES]
    assert (encoder_training(settings, 1).layers, encoder_training(settings, 1).seed) == (2, 5)
    assert encoder_training(FailureSettings(passes=3), 10).epochs == 3


def test_one_class_teaches_nothing() -> None:
    one = lesson(failure_log(range(3), ("asr",)))
    for make in (MetadataIsolator, lambda some: train_encoder_isolator(some, FailureSettings())):
        with pytest.raises(BaselineError, match="know one class alone"):
            make(one)
    with pytest.raises(BaselineError, match="no annotation of the training log names a failure point"):
        MajorityIsolator(FailureLesson(dialogues=one.dialogues, failure_points={}))


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    failures = [one for of_session in WordIsolator().isolate(UNSEEN) for one in of_session]
    lines = {
        "--turns": TEST,
        "--gold": annotations_of(TEST),
        "--failures": failures,
        "--train-turns": TRAIN,
        "--train-annotations": annotations_of(TRAIN),
    }
    named = {
        option: str(write_lines(tmp_path / f"{option[2:]}.jsonl", some)) for option, some in lines.items()
    }
    return named | {"--out": str(tmp_path / "report")}


def run(files: Mapping[str, object], *more: object) -> str:
    options = [part for option in files.items() for part in option]
    return run_command("evaluate", "failures", *options, "--resamples", 20, "--no-encoder", *more)


def test_the_command_writes_a_report(files: dict[str, str], tmp_path: Path) -> None:
    printed = run(files)
    assert "96 turns of 12 users, 4 classes" in printed
    report = json.loads((tmp_path / "report/evaluation.json").read_text())
    assert [one["name"] for one in report["systems"]] == ["rehear", "metadata", "majority"]
    assert [one["baseline"] for one in report["systems"]] == [False, True, True]
    assert report["systems"][0]["measures"]["macro_f1"]["value"] == 1
    assert report["systems"][2]["measures"]["accuracy"]["value"] == 0.25
    assert [one["other"] for one in report["differences"]] == ["metadata", "majority"]
    page = report_page((tmp_path / "report/report.html").read_text())
    assert len(page.sources) == 4
    words = " ".join(page.words.split())
    for shown in ("speech recognition, understanding, result, correct", "macro F1", "examples to read"):
        assert shown in words
    assert "derived" not in words


def test_the_same_files_give_the_same_bytes(files: dict[str, str], tmp_path: Path) -> None:
    assert_same_twice(lambda out: run(files | {"--out": str(out)}), tmp_path)


def test_derived_gold_without_baselines(files: dict[str, str], tmp_path: Path) -> None:
    gold = [
        {"event_id": line.event_id, "derived": {"failure_point": line.failure_point}, "more": 1}
        for line in gold_of(TEST)
    ]
    alone = {option: files[option] for option in ("--turns", "--failures", "--out")}
    printed = run(alone | {"--gold": str(write_lines(tmp_path / "derived.jsonl", gold))})
    assert "The gold is derived" in printed
    assert "There are no baselines" in printed
    assert "The gold is derived" in report_page((tmp_path / "report/report.html").read_text()).words


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ({"event_id": "x", "failure_point": "ars", "probabilities": {}}, "Invalid enum value 'ars'"),
        (
            {"event_id": "x", "failure_point": "asr", "probabilities": {"asr": 1}},
            "probabilities lack false_wake",
        ),
        (said(TEST[0], "asr", 1.5), "the probability of false_wake is -0.1"),
        (
            {"event_id": "x", "failure_point": "asr", "probabilities": dict.fromkeys(FAILURE_POINTS, 0.5)},
            "the probabilities sum to 3.000",
        ),
    ],
)
def test_a_line_that_is_no_failure_is_named(tmp_path: Path, line: Any, problem: str) -> None:
    file = write_lines(tmp_path / "f.jsonl", [said(TEST[1], "asr"), line])
    with pytest.raises(EvaluationFileError, match=f"f.jsonl, line 2: .*{problem}"):
        read_failures(file)


def test_gold_that_is_wrong_is_named(tmp_path: Path) -> None:
    wrong = write_lines(tmp_path / "g.jsonl", [{"event_id": "x"}, {"event_id": "y", "failure_point": "tts"}])
    with pytest.raises(EvaluationFileError, match=r"g.jsonl, line 2: .*Invalid enum value 'tts'"):
        read_gold_failures(wrong)
    with pytest.raises(EvaluationFileError, match="no line names a failure point"):
        read_gold_failures(write_lines(wrong, [{"event_id": "x", "correct": True}]))


def test_files_that_do_not_belong_together_are_refused(files: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(MismatchError, match="turns of the test log are in the training log"):
        run(files | {"--train-turns": files["--turns"]})
    with pytest.raises(MismatchError, match="96 annotations are of no turn of the training log"):
        run(files | {"--train-annotations": files["--gold"]})
    with pytest.raises(SettingsError, match="the baselines need both"):
        run({option: path for option, path in files.items() if option != "--train-turns"})


def test_groups_of_a_file(files: dict[str, str], tmp_path: Path) -> None:
    lines = [{"event_id": turn.event_id, "sentence": number // 8} for number, turn in enumerate(TEST)]
    file = write_lines(tmp_path / "groups.jsonl", [*lines, {"event_id": "other"}])
    assert len(set(read_groups(file, "sentence").values())) == 12
    with pytest.raises(EvaluationError, match="no line has a text or a whole number in the field 'text'"):
        read_groups(file, "text")
    run(files, "--groups", str(file), "sentence")
