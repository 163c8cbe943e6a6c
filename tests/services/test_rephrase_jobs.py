"""Rephrases through the command, from a log to a detector, its answers and their score, on a known world."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import pytest
from databases import opened
from rephrase_job import Job, f1, small_detector, sources, truth_of
from rephrase_world import WISHES, WorldSession, rephrase_sessions
from report_command import run_command, write_lines
from turns import START_MS, turn_event
from waiting import HANGS_AFTER_S

from labeling.models.in_use import current_models, model_folder
from labeling.turns import dialogue_model
from labeling.turns.dialogue_model import MOST_TURNS
from rewriting.table.rewrite import Rewrite
from rewriting.table.rewrite_table import RewriteTable
from services.platform.clock import now_ms
from streams.errors import TurnFileError
from streams.stores.database_schema import reading
from streams.turn import AssistantId, NluHypothesis, Response, Signals, Slot, TurnEvent
from streams.turn_time import EARLIEST_MS

A = AssistantId("a")

WITHOUT_TORCH = """
import sys
sys.modules.update(torch=None, transformers=None)
from services.cli.main import main
main()
"""


def rehear_without_torch(*arguments: object, code: int = 0) -> str:
    """Runs the command as a user does who has no torch; gives standard output, or the error it ends with."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER_S,
        env=os.environ | {"COLUMNS": "160", "TERM": "dumb"},
        check=False,
    )
    assert done.returncode == code, f"{done.returncode}: {done.stdout}\n{done.stderr}"
    return done.stdout if code == 0 else done.stderr


def log_of(world: Sequence[WorldSession]) -> list[TurnEvent]:
    """The turns of all sessions, as they came."""
    return sorted((turn for session in world for turn in session.turns), key=lambda turn: turn.ts_ms)


def rewrites(job: Job) -> list[Rewrite]:
    with opened(job.state / "rehear.db") as engine:
        return list(RewriteTable(engine, now_ms).read(A).rewrites)


def kept(job: Job) -> tuple[object, ...]:
    """What the state knows: the models in use and on disk, and every row of the table with its version."""
    with opened(job.state / "rehear.db") as engine:
        table = RewriteTable(engine, now_ms).read(A)
        with reading(engine) as connection:
            models = current_models(connection, A)
    folders = sorted(path.name for path in model_folder(job.state, A).iterdir())
    return models, folders, table


WORLD = rephrase_sessions(1_200)
UNSEEN = rephrase_sessions(200, seed=2)
SAID = {wish.replace("'", "") for wish in WISHES}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_detector(tmp_path_factory.mktemp("settings"))


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_lines(tmp_path_factory.mktemp("train") / "turns.jsonl", log_of(WORLD))


@pytest.fixture(scope="module")
def learned(settings: Path, train: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, str]:
    """The job whose state holds what the world teaches, and what learning printed."""
    job = Job(settings, tmp_path_factory.mktemp("state"))
    return job, run_command("learn", "--turns", train, "--no-online", "--no-labels", *job.options)


@pytest.fixture
def unseen(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "unseen.jsonl", log_of(UNSEEN))


def test_learning_says_what_it_learned_from_and_what_it_found(learned: tuple[Job, str]) -> None:
    _, printed = learned
    line = next(line for line in printed.splitlines() if line.startswith("a: "))
    assert re.search(r"a rephrase detector learned from \d,\d{3} requests; ", line)
    assert "; 1,200 sessions searched for rephrases" in line
    assert "candidates in the rewrite table" in line


def test_second_tries_of_an_unseen_log_are_found_without_torch(
    learned: tuple[Job, str], unseen: Path, tmp_path: Path
) -> None:
    job, _ = learned
    out = tmp_path / "rephrases.jsonl"
    rehear_without_torch("rephrases", "--turns", unseen, "--out", out, *job.options)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["event_id"] for line in lines] == [turn.event_id for turn in log_of(UNSEEN)]
    assert f1(UNSEEN, sources(lines)) > 0.9
    assert all((line["rephrase_of"] is not None) == (line["score"] >= 0.5) for line in lines)


def test_candidates_stand_in_the_table_with_their_evidence(learned: tuple[Job, str]) -> None:
    candidates = [row for row in rewrites(learned[0]) if row.method == "rephrase"]
    assert {row.source_text for row in candidates} & SAID
    for row in candidates:
        assert row.status == "candidate"
        assert row.users >= 2
        assert row.evidence
        assert row.source_text != row.target_text


def test_candidates_are_not_served(learned: tuple[Job, str], unseen: Path, tmp_path: Path) -> None:
    job, _ = learned
    sources = {row.source_text for row in rewrites(job) if row.method == "rephrase"}
    out = tmp_path / "answers.jsonl"
    rehear_without_torch("rewrite", "--turns", unseen, "--out", out, *job.options)
    answers = [json.loads(line) for line in out.read_text().splitlines()]
    asked = {turn.event_id for turn in log_of(UNSEEN) if turn.request.text in sources}
    assert len(asked) > 100
    assert not any(answer["rewrite"] for answer in answers if answer["event_id"] in asked)


def test_rephrases_can_be_left_out_of_learning(settings: Path, train: Path, tmp_path: Path) -> None:
    job = Job(settings, tmp_path / "state")
    printed = rehear_without_torch(
        "learn",
        "--turns",
        train,
        "--no-online",
        "--no-rephrases",
        "--no-labels",
        "--no-failures",
        *job.options,
    )
    assert not any(line.startswith("a:") for line in printed.splitlines())
    assert not any(row.method == "rephrase" for row in rewrites(job))


def test_learning_twice_changes_nothing(learned: tuple[Job, str], train: Path, tmp_path: Path) -> None:
    job, _ = learned
    before = kept(job), job.rephrases(train, tmp_path / "before.jsonl")
    printed = run_command("learn", "--turns", train, "--no-online", "--no-labels", *job.options)
    assert "(0 new)" in printed
    assert "; 0 sessions searched for rephrases" in printed
    assert (kept(job), job.rephrases(train, tmp_path / "after.jsonl")) == before


def test_the_detector_is_scored_beside_baselines_that_learn_from_a_log(
    learned: tuple[Job, str], unseen: Path, tmp_path: Path
) -> None:
    job, _ = learned
    train = write_lines(tmp_path / "train.jsonl", log_of(WORLD[:300]))
    truth = truth_of(UNSEEN).items()
    gold = write_lines(
        tmp_path / "gold.jsonl", ({"event_id": key, "rephrase_of": source} for key, source in truth)
    )
    run_command(
        *("evaluate", "rephrases", "--turns", unseen, "--gold", gold, "--train", train),
        *("--out", tmp_path / "report", "--resamples", 20, *job.options),
    )
    report = json.loads((tmp_path / "report" / "evaluation.json").read_text())
    f1 = {system["name"]: system["overall"]["f1"]["value"] for system in report["systems"]}
    assert f1["rehear"] > 0.9
    assert f1["weak labels"] > 0.9
    baselines = [system["name"] for system in report["systems"] if system["baseline"]]
    assert len(baselines) == 4
    assert all(f1["rehear"] > f1[name] for name in baselines)
    assert (tmp_path / "report" / "report.html").stat().st_size > 10_000


def test_a_log_without_second_tries_teaches_everything_else(settings: Path, tmp_path: Path) -> None:
    asked = [
        turn_event(
            WISHES[(user + number) % len(WISHES)],
            event_id=f"{user}-{number}",
            user_id=f"u{user}",
            ts_ms=1_700_000_000_000 + 20_000 * number,
        )
        for user in range(150)
        for number in range(3)
    ]
    job = Job(settings, tmp_path / "state")
    log = write_lines(tmp_path / "turns.jsonl", asked)
    printed = run_command("learn", "--turns", log, "--no-online", "--no-labels", *job.options)
    assert "450 turns (450 new)" in printed
    assert "a: no new rephrase detector: the log shows no second tries: " in printed
    error = rehear_without_torch("rephrases", "--turns", log, "--out", "-", *job.options, code=1)
    assert "there is no rephrase detector for assistant 'a': make one with `rehear learn`" in error
    assert "Traceback" not in error


def test_where_nothing_can_be_trained_the_detector_in_use_stays(
    learned: tuple[Job, str], train: Path
) -> None:
    job, _ = learned
    before = kept(job)
    printed = rehear_without_torch("learn", "--turns", train, "--no-online", "--no-labels", *job.options)
    assert "no new rephrase detector: install rehear with the extra `train`; 0 sessions searched" in printed
    assert kept(job) == before


def test_a_state_without_anything_is_named(settings: Path, unseen: Path, tmp_path: Path) -> None:
    job = Job(settings, tmp_path / "nowhere")
    error = rehear_without_torch("rephrases", "--turns", unseen, "--out", "-", *job.options, code=1)
    assert "nowhere/rehear.db does not exist: make it with `rehear learn`" in error


def dialogue(*texts: str, step_ms: int = 6_000, start_ms: int = 1_700_000_000_000) -> list[TurnEvent]:
    """Requests of one user, of which nothing else is known."""
    return [
        turn_event(text, event_id=f"e{number}", ts_ms=start_ms + step_ms * number)
        for number, text in enumerate(texts)
    ]


def known(turns: Iterable[TurnEvent]) -> list[TurnEvent]:
    """The same, failed and interrupted, with an interpretation."""
    return [
        msgspec.structs.replace(
            turn,
            nlu=(
                NluHypothesis(intent="?", confidence=1e308, slots=(Slot(name=""), Slot(name="", value=""))),
            ),
            response=Response(text="", status="error"),
            signals=Signals(barge_in=True, terminated=True, feedback="negative"),
        )
        for turn in turns
    ]


ODD_LOGS = {
    "one turn": dialogue("play jazz"),
    "500 turns": dialogue(*(WISHES[number % 7] for number in range(500))),
    "500 turns at one moment": dialogue(*["play jazz"] * 500, step_ms=0),
    "empty requests": dialogue("", "", "play jazz", ""),
    "requests without a word": dialogue("?!", " \t ", "...", "\u0000\u200b"),
    "10,000 characters": dialogue("x" * 10_000, "play jazz " * 1_000, "é" * 10_000),
    "one time for all": dialogue("tell me a joke", "tell me a joke please", step_ms=0),
    "the first times": dialogue("play jazz", "play jazz", start_ms=EARLIEST_MS),
    "times of tomorrow": dialogue("play jazz", "play jazz", start_ms=now_ms() + 80_000_000),
    "signals, and slots of nothing": known(dialogue("play jazz", "play some jazz")),
    "other scripts": dialogue("播放爵士乐", "播放 爵士乐", "شغل موسيقى الجاز", "שיר", "джаз", "เล่นเพลงแจ๊ส"),
    "emoji": dialogue("🎷🎷", "🎷", "👩‍👩‍👧‍👦 play 🎷"),
    "marks of the model": dialogue("[SEP] [CLS] [gap 3]", "[status error] [answer] [PAD] ##a [MASK] [UNK]"),
    "an event id twice": [*dialogue("play jazz", "play some jazz"), *dialogue("stop")],
    "one event id of two users": [
        *dialogue("play jazz", "play some jazz"),
        *(msgspec.structs.replace(turn, user_id="v") for turn in dialogue("stop", "stop it")),
    ],
    "backwards": dialogue("play jazz", "play some jazz", "stop")[::-1],
}


@pytest.mark.parametrize("log", ODD_LOGS.values(), ids=ODD_LOGS)
def test_every_event_of_an_odd_log_has_one_line(
    learned: tuple[Job, str], log: list[TurnEvent], tmp_path: Path
) -> None:
    lines = learned[0].rephrases(write_lines(tmp_path / "odd.jsonl", log), tmp_path / "out.jsonl")
    events = list(dict.fromkeys(turn.event_id for turn in log))
    assert [line["event_id"] for line in lines] == events
    at = {turn.event_id: turn.ts_ms for turn in reversed(log)}
    for line in lines:
        assert 0 <= line["score"] <= 1
        source = line["rephrase_of"]
        assert source is None or (at[source], source) < (at[line["event_id"]], line["event_id"])


def test_a_request_alone_in_its_session_rephrases_nothing(learned: tuple[Job, str], tmp_path: Path) -> None:
    alone = dialogue("play jazz", "play jazz", step_ms=3_600_000)  # hours apart: two sessions
    lines = learned[0].rephrases(write_lines(tmp_path / "log.jsonl", alone), tmp_path / "out.jsonl")
    assert [(line["rephrase_of"], line["score"]) for line in lines] == [(None, 0.0)] * 2


def test_second_tries_are_found_where_all_turns_have_one_time(
    learned: tuple[Job, str], tmp_path: Path
) -> None:
    failed = [session for session in UNSEEN if session.tries_again[:2] == (None, 0)][:50]
    turns = [
        msgspec.structs.replace(turn, ts_ms=START_MS, dialogue_id=turn.event_id.split("-")[0])
        for session in failed
        for turn in session.turns[:2]
    ]
    lines = learned[0].rephrases(write_lines(tmp_path / "log.jsonl", turns), tmp_path / "out.jsonl")
    found = sum(line["rephrase_of"] is not None for line in lines)
    assert found > 0.8 * len(failed)


def test_a_session_that_is_too_long_is_named(learned: tuple[Job, str], tmp_path: Path) -> None:
    job, _ = learned
    log = write_lines(tmp_path / "long.jsonl", dialogue(*["play jazz"] * (MOST_TURNS + 1), step_ms=1))
    error = rehear_without_torch("rephrases", "--turns", log, "--out", tmp_path / "out", *job.options, code=1)
    assert "a session of user 'u' has 10,001 turns, from event 'e0' on" in error
    assert "Traceback" not in error


def test_learning_goes_on_without_a_session_that_is_too_long(
    learned: tuple[Job, str], settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialogue_model, "MOST_TURNS", 20)  # of 10,000, chains take some seconds
    monkeypatch.setenv("REHEAR_REPHRASES__TRAIN", "false")
    job = Job(settings, tmp_path / "state")
    shutil.copytree(learned[0].state, job.state)
    short = (
        msgspec.structs.replace(turn, event_id=f"v{turn.event_id}", user_id="v")
        for turn in dialogue("play jazz", "play some jazz")
    )
    log = write_lines(tmp_path / "long.jsonl", [*dialogue(*["play jazz"] * 21), *short])
    printed = run_command("learn", "--turns", log, "--no-online", "--no-labels", *job.options)
    assert "[rephrases] train is false; 1 sessions searched for rephrases, 1 refused; " in printed


def test_odd_dialogues_among_others_do_not_keep_a_detector_from_being_learned(
    settings: Path, tmp_path: Path
) -> None:
    odd = [
        msgspec.structs.replace(turn, event_id=f"{name} {turn.event_id}", user_id=f"{name} {turn.user_id}")
        for name, log in ODD_LOGS.items()
        for turn in log
    ]
    job = Job(settings, tmp_path / "state")
    log = write_lines(tmp_path / "turns.jsonl", [*odd, *log_of(WORLD[:150])])
    printed = run_command("learn", "--turns", log, "--no-online", "--no-labels", *job.options)
    assert "a: a rephrase detector learned from " in printed
    lines = job.rephrases(log, tmp_path / "out.jsonl")
    assert len(lines) == len({turn.event_id for turn in odd}) + sum(len(one.turns) for one in WORLD[:150])


@pytest.mark.parametrize(
    "line",
    ["{}", "not JSON", '{"event_id": "e"}', "[]", '"\\ud800"', "\x00"],
)
def test_a_line_that_is_no_turn_is_named(learned: tuple[Job, str], line: str, tmp_path: Path) -> None:
    log = write_lines(tmp_path / "turns.jsonl", dialogue("play jazz"))
    log.write_text(log.read_text() + line + "\n")
    with pytest.raises(TurnFileError, match=r"turns\.jsonl, line 2: "):
        run_command("rephrases", "--turns", log, "--out", tmp_path / "out.jsonl", *learned[0].options)
    assert not (tmp_path / "out.jsonl").exists()
