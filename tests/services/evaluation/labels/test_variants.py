"""Variants of the label model: what each is told, and all of them through the command."""

import json
from pathlib import Path
from typing import Any

import pytest
from html_page import report_page
from report_command import run_command
from request_world import (
    WORDS,
    annotation_of,
    request_log,
    true_intent,
    write_annotations,
    write_intents,
    write_log,
)
from tiny_encoder import write_tiny_base

from labeling.labels.settings import LabelSettings
from labeling.labels.targets import WeakLabels, WeakTurn
from labeling.labels.training import LabelTraining
from services.errors import SettingsError
from services.evaluation.common.log_split import LogSplit, read_split
from services.evaluation.common.variant_output import (
    VariantFacts,
    VariantFolder,
    VariantOutput,
    hash_of_inputs,
)
from services.evaluation.common.variant_run import named_variants
from services.evaluation.labels.ablations import LabelVariants
from services.evaluation.labels.evaluation import LabelEvaluation
from services.evaluation.labels.file import read_labels
from services.evaluation.labels.gold import LABEL_GOLD, GoldLabel
from services.evaluation.labels.variant_training import Lesson, SilentGenerator, variant_training
from services.evaluation.labels.variants import (
    ALL_OF_IT,
    LEAST_STEPS,
    VARIANTS,
    LabelVariant,
)
from services.settings import Settings
from streams.session import sessionize
from streams.turn import AssistantId, EventId

LOG = request_log(range(200))
SESSIONS = sessionize(LOG)
SAID = {EventId(turn.event_id): annotation_of(turn) for turn in LOG}
UNSEEN = sessionize(request_log(range(500, 505)))


def variant(name: str) -> LabelVariant:
    (found,) = named_variants(VARIANTS, [name])
    return found


def split(**changes: Any) -> LogSplit[GoldLabel]:
    known: dict[str, Any] = {
        "train": SESSIONS, "test": UNSEEN, "annotations": SAID, "strangers": 0, "gold": [],
    }  # fmt: skip
    return LogSplit(**known | changes)


def test_a_twentieth_is_told_of_whole_dialogues() -> None:
    told = variant("a twentieth of the annotations").annotations(SESSIONS, SAID)
    assert len(told) == 20  # both turns of 10 of the 200 dialogues
    assert len({event.split("-")[1] for event in told}) == 10
    assert variant("a twentieth, without pre-training").annotations(SESSIONS[::-1], SAID) == told
    one = {event: SAID[event] for event in list(SAID)[:1]}
    assert variant("a twentieth of the annotations").annotations(SESSIONS, one) == one
    assert variant("log alone").annotations(SESSIONS, SAID) == {}
    assert variant(ALL_OF_IT).annotations(SESSIONS, SAID) == SAID


def lesson(weak: WeakTurn) -> Lesson:
    shown = WeakLabels([[weak] * len(session.turns) for session in SESSIONS], {})
    return Lesson(assistant_id=AssistantId("a"), sessions=SESSIONS, annotations=SAID, weak=shown)


def test_few_annotations_are_read_more_often() -> None:
    few = variant("a twentieth of the annotations")
    told = dict(list(SAID.items())[:80])
    training = variant_training(few, lesson(WeakTurn()), told, LabelSettings())
    steps = training.epochs * 80 * 0.75 / training.batch_turns  # a quarter of a small log is held back
    assert LEAST_STEPS * 0.6 < steps < LEAST_STEPS * 1.1
    assert training.pretraining_epochs == 1
    taught_by_log = variant_training(few, lesson(WeakTurn(defect=0.1)), told, LabelSettings())
    usual = LabelTraining.of(LabelSettings())
    assert usual.epochs < taught_by_log.epochs < training.epochs
    for name in (ALL_OF_IT, "log alone", "plain encoder"):
        assert variant_training(variant(name), lesson(WeakTurn()), told, LabelSettings()) == usual


def test_settings_of_variants() -> None:
    for one in VARIANTS:
        changed = one.settings(LabelSettings())
        assert changed.context == (one.name != "without context")
        assert changed.pretrain == ("without pre-training" not in one.name)
    assert not variant(ALL_OF_IT).settings(LabelSettings(context=False)).context
    assert len({one.file_name for one in VARIANTS}) == len(VARIANTS)
    assert variant("a twentieth, without pre-training").file_name == "a-twentieth-without-pre-training"


@pytest.mark.parametrize(
    ("name", "changes", "reason"),
    [
        (ALL_OF_IT, {}, None),
        ("without context", {}, None),
        ("without pre-training", {}, None),
        ("log alone", {}, None),
        ("plain encoder", {}, None),
        ("log alone", {"annotations": {}}, "there are no annotations"),
        ("a twentieth of the annotations", {"annotations": {}}, "there are no annotations"),
        ("plain encoder", {"annotations": {}}, "no annotation names a domain, an intent or slots"),
    ],
)
def test_variants_that_are_nothing_of_their_own(
    name: str, changes: dict[str, Any], reason: str | None
) -> None:
    assert variant(name).why_not(split(**changes), LabelSettings()) == reason


def test_single_requests_without_responses_have_fewer_variants(tmp_path: Path) -> None:
    lines = [(f"{word} {number}", word) for number in range(20) for word in ("play", "stop")]
    read = read_split(LABEL_GOLD, turns=[write_intents(tmp_path / "x.jsonl", *lines)], gap_ms=1)
    made = [one.name for one in VARIANTS if one.why_not(read, LabelSettings()) is None]
    assert made == [ALL_OF_IT, "a twentieth of the annotations", "log alone", "plain encoder"]


def inputs_key(parted: LogSplit[GoldLabel], settings: Settings, variant: LabelVariant) -> str:
    kind = LabelVariants(settings=settings, evaluation=LabelEvaluation())
    return hash_of_inputs(kind.settings_of(variant), [parted.train, parted.test], parted.annotations)


def test_labels_are_taken_again_only_if_nothing_changed(tmp_path: Path) -> None:
    every, plain = variant(ALL_OF_IT), variant("plain encoder")
    settings = Settings()
    key = inputs_key(split(), settings, every)
    assert key == inputs_key(split(), settings, every)
    others = [
        inputs_key(split(), settings, plain),
        inputs_key(split(annotations={}), settings, every),
        inputs_key(split(train=SESSIONS[1:]), settings, every),
        inputs_key(split(train=SESSIONS[1:], test=[*SESSIONS[:1], *UNSEEN]), settings, every),
        inputs_key(split(), Settings(labels=LabelSettings(seed=2)), every),
    ]
    assert len({key, *others}) == len(others) + 1
    folder = VariantFolder(tmp_path / "labels", read_labels)
    labels = [label for some in SilentGenerator().label([UNSEEN[0].turns]) for label in some]
    made = VariantOutput(VariantFacts(variant=every.name, inputs=key, models=()), labels)
    assert folder.read(every, key) is None
    folder.write(every, made)
    assert folder.read(every, key) == made
    assert folder.read(every, others[0]) is None
    assert folder.read(plain, key) is None
    with folder.lines_file(every).open("a") as stream:
        stream.write("damaged")
    assert folder.read(every, key) is None


@pytest.fixture(scope="module")
def settings_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("settings")
    base = write_tiny_base(folder / "base", WORDS, positions=200)
    file = folder / "rehear.toml"
    file.write_text(f'[labels]\nbase = {json.dumps(str(base))}\npreset = "full"\n')
    return file


def run(*options: object) -> str:
    return run_command("evaluate", "label-variants", *options, "--resamples", 5)


def test_the_command_trains_and_scores_and_takes_up_what_is_done(settings_file: Path, tmp_path: Path) -> None:
    """Assistant b has no log to learn from, so nothing is said of it, whatever a's log teaches."""
    out = tmp_path / "out"
    unseen = [*request_log(range(500, 520)), *request_log(range(3), "b")]
    options = (
        "--turns", write_log(tmp_path / "turns.jsonl", LOG[:160]),
        "--annotations", write_annotations(tmp_path / "said.jsonl", LOG[:120]),
        "--test-turns", write_log(tmp_path / "test.jsonl", unseen),
        "--gold", write_annotations(tmp_path / "gold.jsonl", unseen),
        "--settings", settings_file, "--out", out,
        "--variant", "plain encoder", "--variant", "log alone", "--variant", ALL_OF_IT,
    )  # fmt: skip
    printed = run(*options)
    assert "Left out: log alone (nothing teaches any label" in printed
    assert "all of it says nothing of b: " in printed
    report_page((out / "report.html").read_text())
    tasks = {one["task"]: one for one in json.loads((out / "evaluation.json").read_text())["tasks"]}
    assert set(tasks) == {"intent", "slots", "slot values"}
    systems = [one["name"] for one in tasks["intent"]["systems"]]
    assert systems[:3] == [ALL_OF_IT, "plain encoder", "bag of words"]
    facts = json.loads((out / "variants.json").read_text())
    assert (facts["train_turns"], facts["test_turns"], facts["annotated_turns"]) == (160, 46, 120)
    for made in facts["variants"]:
        known, unknown = made["models"]
        assert known["annotated_turns"] == 120
        assert known["training_minutes"] > 0
        assert min(known["training_turns_per_s"], known["labelling_turns_per_s"]) > 0
        assert 50 < known["peak_memory_mb"] < 50_000
        assert unknown["why_not"]
    labels = {label.event_id: label for label in read_labels(out / "labels/all-of-it.jsonl")}
    assert labels.keys() == {turn.event_id for turn in unseen}
    assert all(labels[EventId(turn.event_id)].intent is None for turn in unseen[40:])
    right = sum(labels[EventId(turn.event_id)].intent == true_intent(turn) for turn in unseen[:40])
    (accuracy,) = [
        one["measures"]["accuracy"]["value"] for one in tasks["intent"]["systems"] if one["name"] == ALL_OF_IT
    ]
    assert accuracy == pytest.approx(right / 46)

    files = [
        out / "labels" / f"{name}.{kind}"
        for name in ("all-of-it", "plain-encoder")
        for kind in ("json", "jsonl")
    ]
    before = [(file.stat().st_mtime_ns, file.read_bytes()) for file in files]
    report = (out / "evaluation.json").read_bytes()
    run(*options, "--resume")
    assert [(file.stat().st_mtime_ns, file.read_bytes()) for file in files] == before
    assert (out / "evaluation.json").read_bytes() == report


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--variant", "all"), "no variant 'all': there are 'all of it', 'without context'"),
        (("--preset", "huge"), "no preset 'huge': there are small, full"),
        (("--fold", 5), "--fold 5: folds are numbered from 0, so 5 of them end at 4"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: tuple[object, ...], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        run("--turns", "missing.jsonl", "--out", "nowhere", *options)
