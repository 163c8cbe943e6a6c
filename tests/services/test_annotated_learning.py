"""Rephrases learned from annotations, through the command, where the log by itself teaches them wrong."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import pytest
from annotated_world import ENCORE, annotations_of, encore_sessions, unlike_sessions
from msgspec import Struct
from rephrase_world import WISHES, WorldSession, rephrase_sessions
from tiny_encoder import write_tiny_base
from typer.testing import CliRunner

from labeling.annotations.annotation import Annotation, annotation_schema
from labeling.errors import AnnotationFileError
from services.cli.commands import app
from services.errors import SettingsError
from streams.turn import encode_turn

WORLD = [*rephrase_sessions(450), *encore_sessions(250)]
UNSEEN = [*rephrase_sessions(120, seed=2), *encore_sessions(60, seed=2)]
ANNOTATED = [session for number, session in enumerate(WORLD) if number % 4]
"""Three sessions of four."""


class Job(Struct, frozen=True):
    """Where a command finds its settings, and keeps what it learns."""

    settings: Path
    state: Path

    def learn(self, turns: Path, *options: object) -> str:
        return rehear(
            "learn", "--turns", turns, "--no-online", "--no-labels", "--no-failures", *options, *self._places
        )

    def rephrases(self, turns: Path) -> dict[str, str | None]:
        """By event id the one that it is said to rephrase."""
        out = self.state / "rephrases.jsonl"
        rehear("rephrases", "--turns", turns, "--out", out, *self._places)
        lines = [json.loads(line) for line in out.read_text().splitlines()]
        return {line["event_id"]: line["rephrase_of"] for line in lines}

    @property
    def _places(self) -> tuple[str, ...]:
        return ("--settings", str(self.settings), "--state", str(self.state))


def rehear(*arguments: object) -> str:
    """Runs the command; gives its standard output."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception:
        raise result.exception
    return result.stdout


def write_turns(path: Path, world: Iterable[WorldSession]) -> Path:
    path.write_bytes(b"".join(encode_turn(turn) + b"\n" for session in world for turn in session.turns))
    return path


def write_annotations(path: Path, annotations: Iterable[Annotation]) -> Path:
    path.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in annotations))
    return path


def f1(world: Sequence[WorldSession], found: dict[str, str | None]) -> float:
    truth = {
        turn.event_id: None if source is None else session.turns[source].event_id
        for session in world
        for turn, source in zip(session.turns, session.tries_again, strict=True)
    }
    right = sum(source is not None and found[event_id] == source for event_id, source in truth.items())
    told = sum(source is not None for source in found.values())
    return 2 * right / (told + sum(source is not None for source in truth.values()))


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
    """Settings for a transformer that learns the world in seconds."""
    folder = tmp_path_factory.mktemp("settings")
    words = {word for wish in WISHES for word in wish.split()} | {"please", "okay", "sorry", "another", "one"}
    base = write_tiny_base(folder / "base", words)
    file = folder / "rehear.toml"
    file.write_text(
        f"[rephrases]\nbase = {json.dumps(str(base))}\nlayers = 1\nwindow_turns = 2\nlearning_rate = 6e-3\n"
    )
    return file


@pytest.fixture
def job(settings: Path, tmp_path: Path) -> Job:
    (tmp_path / "state").mkdir()
    return Job(settings, tmp_path / "state")


def test_annotations_of_a_part_of_the_log_mend_what_it_teaches_wrong(job: Job, tmp_path: Path) -> None:
    turns = write_turns(tmp_path / "turns.jsonl", WORLD)
    unseen = write_turns(tmp_path / "unseen.jsonl", UNSEEN)
    printed = job.learn(turns)
    assert "by annotations" not in printed
    before = job.rephrases(unseen)
    assert said_of_encores(before) > 0.9
    said = list(annotations_of(ANNOTATED).values())
    one = write_annotations(tmp_path / "one.jsonl", said[:500])
    other = write_annotations(tmp_path / "other.jsonl", said[500:])
    printed = job.learn(turns, "--annotations", one, "--annotations", other)
    assert f"\n{len(said):,} annotations\n" in printed
    examples, annotated = learned_from(printed)
    assert annotated / examples == pytest.approx(0.75, abs=0.05)
    after = job.rephrases(unseen)
    assert said_of_encores(after) < 0.1
    assert f1(UNSEEN, after) > f1(UNSEEN, before) + 0.2


def test_where_the_log_shows_nothing_annotations_alone_teach(job: Job, tmp_path: Path) -> None:
    world, unseen = unlike_sessions(1_000), unlike_sessions(100, seed=2)
    turns = write_turns(tmp_path / "turns.jsonl", world)
    assert "no new rephrase detector: the log shows no second tries" in job.learn(turns)
    annotations = write_annotations(tmp_path / "people.jsonl", annotations_of(world[:900]).values())
    printed = job.learn(turns, "--annotations", annotations)
    examples, annotated = learned_from(printed)
    assert 1_500 < examples == annotated
    found = job.rephrases(write_turns(tmp_path / "unseen.jsonl", unseen))
    assert f1(unseen, found) > 0.9


def test_too_few_annotations_teach_nothing_by_themselves(job: Job, tmp_path: Path) -> None:
    world = unlike_sessions(150)
    turns = write_turns(tmp_path / "turns.jsonl", world)
    annotations = write_annotations(tmp_path / "people.jsonl", annotations_of(world[:20]).values())
    printed = job.learn(turns, "--annotations", annotations)
    assert "a: no new rephrase detector: the log shows no second tries" in printed
    assert "; and annotations settle" in printed


def test_annotations_of_events_that_no_session_has_are_refused_or_counted(
    job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REHEAR_REPHRASES__TRAIN", "false")
    world = rephrase_sessions(20)
    strangers = [Annotation(event_id=f"stranger {number}", correct=True) for number in range(3)]
    said = annotations_of(world)
    file = write_annotations(tmp_path / "people.jsonl", [*said.values(), *strangers])
    turns = write_turns(tmp_path / "turns.jsonl", world)
    with pytest.raises(
        AnnotationFileError,
        match=rf"people\.jsonl, line {len(said) + 1}: event 'stranger 0' is not in the stored .*, and 2 more",
    ):
        job.learn(turns, "--annotations", file)
    printed = job.learn(turns, "--annotations", file, "--pass-over-unknown")
    assert f"\n{len(said) + 3} annotations; 3 left out: no session has their events\n" in printed


def test_a_line_that_is_no_annotation_is_named_before_anything_is_learned(job: Job, tmp_path: Path) -> None:
    file = tmp_path / "people.jsonl"
    file.write_text('{"event_id": "e", "mood": "good"}\n')
    with pytest.raises(AnnotationFileError, match=r"people\.jsonl, line 1: not an annotation: .*`mood`"):
        job.learn(write_turns(tmp_path / "turns.jsonl", WORLD[:1]), "--annotations", file)
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
        rehear("learn", "--turns", "turns.jsonl", *options)


def test_the_schema_of_annotations_is_printed() -> None:
    assert json.loads(rehear("schema", "--annotations")) == annotation_schema()
    assert json.loads(rehear("schema"))["title"] == "Turn event"
