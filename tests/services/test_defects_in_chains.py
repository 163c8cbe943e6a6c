"""Chains and online rewriting go by the probability of a defect, in a stream as in a file."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from databases import new_database, opened
from earlier_schema import without_guards
from jobs import work_on
from letter_detector import NAME as DETECTOR
from letter_detector import LetterDetector, letter_log
from letter_labels import NAME, LetterLabels
from sqlalchemy import select
from streaming import drain, learn_log, requests, rewrites, row_count, send_turns, stream_settings
from worker_faults import run_and_kill
from worker_pool import WorkerPool

from labeling.labels.settings import LabelSettings
from labeling.models.in_use import ModelKind, set_models
from rewriting.chains.store import CHAIN_SESSION
from rewriting.rephrases.settings import RephraseSettings
from rewriting.table.rewrite_table import RewriteTable
from services.learners.chains import ChainLearner
from services.platform.clock import now_ms
from services.platform.database import open_database
from services.session_models.backfill import backfill
from services.session_models.labels.kind import KIND as LABELS
from services.session_models.rephrases.kind import KIND as REPHRASES
from services.settings import Settings
from streams.consumer_loop import Step
from streams.kafka_settings import KafkaSettings
from streams.stores.database_schema import reading
from streams.stores.session_notice import SESSION_NOTICE
from streams.topics import end_offsets
from streams.turn import AssistantId, TurnEvent

LETTERS = AssistantId("letters")
LEARNERS = "chains", "index"
DEFECTS = LabelSettings(in_chains=True)


@pytest.fixture(scope="module")
def log() -> list[TurnEvent]:
    return letter_log("abcd")  # sixteen sessions that labels change, and four that they do not


def use_model(location: str, kind: ModelKind, name: str) -> None:
    with opened(location) as engine, engine.begin() as connection:
        set_models(connection, LETTERS, {kind: name}, 1)


def learn(settings: Settings, turns: list[TurnEvent], folder: Path) -> None:
    """What `rehear learn` does, with models that are trained already."""
    with opened(settings.database_location) as engine:
        learn_log(engine, folder, turns, settings)
        work = work_on(engine, LETTERS, settings)
        if settings.rephrases.in_chains:
            backfill(REPHRASES, work, (DETECTOR, LetterDetector()))
        backfill(LABELS, work, (NAME, LetterLabels()))


def known(location: str) -> dict[str, Any]:
    """All that chains and online rewriting have learned, and which sessions wait for being announced."""
    with opened(location) as engine:
        with reading(engine) as connection:
            steps = sorted(tuple(row) for row in connection.execute(select(CHAIN_SESSION)))
        waiting = row_count(engine, SESSION_NOTICE)
    return {
        "steps": steps,
        "rewrites": rewrites(location),
        "requests": requests(location),
        "waiting": waiting,
    }


def learned_by_files(log: list[TurnEvent], folder: Path, **sections: Any) -> dict[str, Any]:
    settings = Settings(database=str(folder / "files.db"), **sections)
    learn(settings, log, folder)
    return known(settings.database_location)


@pytest.fixture(scope="module")
def plain(log: list[TurnEvent], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the log teaches without the labels."""
    return learned_by_files(log, tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def expected(log: list[TurnEvent], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What it teaches with them."""
    return learned_by_files(log, tmp_path_factory.mktemp("expected"), labels=DEFECTS)


@pytest.fixture
def settings(kafka: KafkaSettings, tmp_path: Path) -> Settings:
    made = msgspec.structs.replace(
        stream_settings(new_database(tmp_path / "rehear.db"), kafka), labels=DEFECTS
    )
    use_model(made.database_location, "labels", NAME)
    return made


def produced(kafka: KafkaSettings) -> int:
    return sum(end_offsets(kafka, kafka.topics.sessions).values())


def test_labels_change_what_is_left_open_and_nothing_else(
    plain: dict[str, Any], expected: dict[str, Any]
) -> None:
    changed = [
        (before, after)
        for before, after in zip(plain["steps"], expected["steps"], strict=True)
        if before != after
    ]
    assert len(plain["steps"]) == 20
    assert len(changed) == 16
    assert plain["requests"]["sessions"] != expected["requests"]["sessions"]
    assert plain["waiting"] == expected["waiting"] == 0


def test_learning_again_with_the_setting_on_or_off_makes_all_anew(
    log: list[TurnEvent], plain: dict[str, Any], expected: dict[str, Any], tmp_path: Path
) -> None:
    on = Settings(database=new_database(tmp_path / "rehear.db"), labels=DEFECTS)
    off = Settings(database=on.database)
    for settings, found in ((off, plain), (on, expected), (off, plain)):
        learn(settings, log, tmp_path)
        assert known(settings.database_location) == found


@pytest.mark.parametrize("chains_first", [True, False])
def test_a_stream_teaches_what_a_file_does(
    chains_first: bool,
    log: list[TurnEvent],
    plain: dict[str, Any],
    expected: dict[str, Any],
    settings: Settings,
    kafka: KafkaSettings,
) -> None:
    send_turns(kafka, log)
    drain(settings, "sessions")
    if chains_first:
        drain(settings, *LEARNERS)
        assert known(settings.database_location) == plain
    drain(settings, "labels", *LEARNERS)
    assert known(settings.database_location) == expected
    assert produced(kafka) == 20 + 16  # those that labels change come once more
    drain(settings)
    assert produced(kafka) == 20 + 16
    assert known(settings.database_location) == expected


@pytest.mark.parametrize("step", [Step.WRITE, Step.PRODUCE, Step.COMMIT])
def test_a_worker_killed_before_a_step(
    step: Step,
    log: list[TurnEvent],
    expected: dict[str, Any],
    settings: Settings,
    kafka: KafkaSettings,
    workers: WorkerPool,
) -> None:
    send_turns(kafka, log)
    drain(settings, "sessions", *LEARNERS)
    run_and_kill(workers, "labels", settings, step, time=1)
    drain(settings, *LEARNERS)
    assert known(settings.database_location) == expected


@pytest.mark.parametrize("labels_first", [True, False])
def test_links_and_defects_together(
    labels_first: bool,
    log: list[TurnEvent],
    expected: dict[str, Any],
    settings: Settings,
    kafka: KafkaSettings,
    tmp_path: Path,
) -> None:
    both = msgspec.structs.replace(settings, rephrases=RephraseSettings(in_chains=True))
    use_model(both.database_location, "rephrase", DETECTOR)
    by_files = learned_by_files(log, tmp_path, labels=DEFECTS, rephrases=both.rephrases)
    assert by_files["steps"] != expected["steps"]
    send_turns(kafka, log)
    drain(both, "sessions", *LEARNERS)
    for worker in ("labels", "rephrases") if labels_first else ("rephrases", "labels"):
        drain(both, worker, *LEARNERS)
    assert known(both.database_location) == by_files


def test_nothing_is_announced_where_chains_do_not_go_by_defects(
    log: list[TurnEvent], plain: dict[str, Any], settings: Settings, kafka: KafkaSettings
) -> None:
    off = msgspec.structs.replace(settings, labels=LabelSettings())
    send_turns(kafka, log)
    drain(off, "sessions", "labels", *LEARNERS)
    assert produced(kafka) == 20
    assert known(off.database_location) == plain


def test_chains_of_an_earlier_version_are_made_anew_with_what_models_have_said(
    tmp_path: Path, log: list[TurnEvent]
) -> None:
    settings = Settings(database=new_database(tmp_path / "rehear.db"), labels=DEFECTS)
    use_model(settings.database_location, "labels", NAME)
    learn(settings, log, tmp_path)
    learned = known(settings.database_location)["steps"]
    for went_by, is_same in ((Settings(), False), (settings, True)):
        engine = open_database(settings.database_location)
        with engine.begin() as connection:
            without_guards(connection)
        engine.dispose()
        opened = open_database(settings.database_location)
        with opened.begin() as connection:
            ChainLearner(RewriteTable(opened, now_ms), went_by, now_ms).refresh(connection)
        opened.dispose()
        assert (known(settings.database_location)["steps"] == learned) is is_same
