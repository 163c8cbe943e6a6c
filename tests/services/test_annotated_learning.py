"""Rephrases learned from annotations, through the command, where the log by itself teaches them wrong."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from annotated_world import ENCORE, annotations_of, encore_sessions, unlike_sessions
from rephrase_job import Job, f1, small_detector, sources
from rephrase_world import WorldSession, rephrase_sessions
from report_command import run_command, write_lines

from labeling.annotations.annotation import Annotation, annotation_schema
from labeling.errors import AnnotationFileError
from services.errors import SettingsError

WORLD = [*rephrase_sessions(450), *encore_sessions(250)]
UNSEEN = [*rephrase_sessions(120, seed=2), *encore_sessions(60, seed=2)]
ANNOTATED = [session for number, session in enumerate(WORLD) if number % 4]
"""Three sessions of four."""


def learn(job: Job, turns: Path, *options: object) -> str:
    without = "--no-online", "--no-labels", "--no-failures"
    return run_command("learn", "--turns", turns, *without, *options, *job.options)


def write_world(path: Path, world: Iterable[WorldSession]) -> Path:
    return write_lines(path, (turn for session in world for turn in session.turns))


def said_of_encores(found: dict[str, str | None]) -> float:
    """Share of the encores, which are no rephrases, that are said to be some."""
    encores = [
        turn.event_id
        for session in UNSEEN
        for turn in session.turns[1:]
        if session.turns[0].request.text == ENCORE
    ]
    return sum(found[event_id] is not None for event_id in encores) / len(encores)


def learned_from(printed: str) -> tuple[int, int]:
    """How many requests a detector learned from, and how many of them by annotations."""
    (found,) = re.findall(r"learned from ([\d,]+) requests, ([\d,]+) of them by annotations", printed)
    examples, annotated = (int(number.replace(",", "")) for number in found)
    return examples, annotated


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_detector(tmp_path_factory.mktemp("settings"))


@pytest.fixture
def job(settings: Path, tmp_path: Path) -> Job:
    (tmp_path / "state").mkdir()
    return Job(settings, tmp_path / "state")


def test_annotations_of_a_part_of_the_log_mend_what_it_teaches_wrong(job: Job, tmp_path: Path) -> None:
    turns = write_world(tmp_path / "turns.jsonl", WORLD)
    unseen = write_world(tmp_path / "unseen.jsonl", UNSEEN)
    printed = learn(job, turns)
    assert "by annotations" not in printed
    before = sources(job.rephrases(unseen, tmp_path / "rephrases.jsonl"))
    assert said_of_encores(before) > 0.9
    said = list(annotations_of(ANNOTATED).values())
    one = write_lines(tmp_path / "one.jsonl", said[:500])
    other = write_lines(tmp_path / "other.jsonl", said[500:])
    printed = learn(job, turns, "--annotations", one, "--annotations", other)
    assert f"\n{len(said):,} annotations\n" in printed
    examples, annotated = learned_from(printed)
    assert annotated / examples == pytest.approx(0.75, abs=0.05)
    after = sources(job.rephrases(unseen, tmp_path / "rephrases.jsonl"))
    assert said_of_encores(after) < 0.1
    assert f1(UNSEEN, after) > f1(UNSEEN, before) + 0.2


def test_where_the_log_shows_nothing_annotations_alone_teach(job: Job, tmp_path: Path) -> None:
    world, unseen = unlike_sessions(1_000), unlike_sessions(100, seed=2)
    turns = write_world(tmp_path / "turns.jsonl", world)
    assert "no new rephrase detector: the log shows no second tries" in learn(job, turns)
    annotations = write_lines(tmp_path / "people.jsonl", annotations_of(world[:900]).values())
    printed = learn(job, turns, "--annotations", annotations)
    examples, annotated = learned_from(printed)
    assert 1_500 < examples == annotated
    file = write_world(tmp_path / "unseen.jsonl", unseen)
    assert f1(unseen, sources(job.rephrases(file, tmp_path / "rephrases.jsonl"))) > 0.9


def test_too_few_annotations_teach_nothing_by_themselves(job: Job, tmp_path: Path) -> None:
    world = unlike_sessions(150)
    turns = write_world(tmp_path / "turns.jsonl", world)
    annotations = write_lines(tmp_path / "people.jsonl", annotations_of(world[:20]).values())
    printed = learn(job, turns, "--annotations", annotations)
    assert "a: no new rephrase detector: the log shows no second tries" in printed
    assert "; and annotations settle" in printed


def test_annotations_of_events_that_no_session_has_are_refused_or_counted(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REHEAR_REPHRASES__TRAIN", "false")
    world = rephrase_sessions(20)
    strangers = [Annotation(event_id=f"stranger {number}", correct=True) for number in range(3)]
    said = annotations_of(world)
    file = write_lines(tmp_path / "people.jsonl", [*said.values(), *strangers])
    turns = write_world(tmp_path / "turns.jsonl", world)
    with pytest.raises(
        AnnotationFileError,
        match=rf"people\.jsonl, line {len(said) + 1}: event 'stranger 0' is not in the stored .*, and 2 more",
    ):
        learn(job, turns, "--annotations", file)
    printed = learn(job, turns, "--annotations", file, "--pass-over-unknown")
    assert f"\n{len(said) + 3} annotations; 3 left out: no session has their events\n" in printed


def test_a_line_that_is_no_annotation_is_named_before_anything_is_learned(job: Job, tmp_path: Path) -> None:
    file = tmp_path / "people.jsonl"
    file.write_text('{"event_id": "e", "mood": "good"}\n')
    with pytest.raises(AnnotationFileError, match=r"people\.jsonl, line 1: not an annotation: .*`mood`"):
        learn(job, write_world(tmp_path / "turns.jsonl", WORLD[:1]), "--annotations", file)
    assert not (job.state / "rehear.db").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--annotations", "x", "--no-rephrases", "--no-labels", "--no-failures"),
            "leave out --no-rephrases",
        ),
        (("--annotations", "-", "--annotations", "-"), "standard input can be read once"),
    ],
)
def test_options_that_make_no_sense_together_are_refused(options: tuple[str, ...], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        run_command("learn", "--turns", "turns.jsonl", *options)


def test_the_schema_of_annotations_is_printed() -> None:
    assert json.loads(run_command("schema", "--annotations")) == annotation_schema()
    assert json.loads(run_command("schema"))["title"] == "Turn event"
