"""A trained label model at work: the same labels from a file, from the job, and through Kafka."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from databases import opened
from jobs import work_on
from letter_detector import letter_log
from streaming import compacted, send_turns, store_log, stream_settings
from tiny_encoder import write_tiny_base
from typer.testing import CliRunner

from labeling.annotations.annotation import Annotation
from labeling.labels.export import export_label_model
from labeling.labels.training import LabelTraining, train_label_model
from labeling.labels.turn_label import TurnLabel
from labeling.models.in_use import model_folder, set_models
from services.cli.commands import app
from services.processes.worker import WORKERS, worker_loop
from services.session_models.backfill import backfill
from services.session_models.labels.kind import KIND
from services.session_models.model_files import put_model
from services.settings import Settings
from streams.kafka_settings import KafkaSettings
from streams.session import sessionize
from streams.turn import AssistantId, EventId, TurnEvent, encode_turn

LETTERS = AssistantId("letters")


@pytest.fixture(scope="module")
def log() -> list[TurnEvent]:
    return letter_log("abcd", users=6)


@pytest.fixture(scope="module")
def state(log: list[TurnEvent], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a model that has learned intents and defects, and the model's name."""
    folder = tmp_path_factory.mktemp("state")
    annotations = {
        EventId(turn.event_id): Annotation(
            event_id=turn.event_id,
            correct="quiet" in turn.request.text,
            intent=f"letter {turn.request.text[0]}",
        )
        for turn in log
    }
    words = {word for turn in log for word in turn.request.text.split()}
    base = write_tiny_base(tmp_path_factory.mktemp("base"), words, positions=200)
    trained = train_label_model(
        [session.turns for session in sessionize(log)],
        annotations,
        training=LabelTraining(base=str(base), layers=2, epochs=2, pretraining_epochs=0),
    )
    name = put_model(
        model_folder(folder, LETTERS), "labels", lambda path: export_label_model(trained, path, precision=0.9)
    )
    return folder, name


def made_settings(state: Path, name: str, kafka: KafkaSettings, database: Path) -> Settings:
    settings = msgspec.structs.replace(stream_settings(str(database), kafka), state=str(state))
    with opened(settings.database_location) as engine, engine.begin() as connection:
        set_models(connection, LETTERS, {"labels": name}, 1)
    return settings


def rehear_label(settings: Settings, folder: Path, *turns: object) -> dict[str, TurnLabel]:
    """What the command says of each event."""
    (folder / "rehear.toml").write_text(f'database = "{settings.database_location}"\n')
    out = folder / "labels.jsonl"
    given = ("--settings", folder / "rehear.toml", "--state", settings.state, "--out", out, *turns)
    result = CliRunner().invoke(app, ["label", *map(str, given)])
    assert result.exit_code == 0, result.output
    assert "satisfaction" in result.stderr  # that nothing has taught
    labels = [msgspec.json.decode(line, type=TurnLabel) for line in out.read_bytes().splitlines()]
    return {label.event_id: label for label in labels}


def test_files_the_job_and_the_stream_give_the_same_labels(
    log: list[TurnEvent], state: tuple[Path, str], kafka: KafkaSettings, tmp_path: Path
) -> None:
    file = tmp_path / "turns.jsonl"
    file.write_bytes(b"".join(encode_turn(turn) + b"\n" for turn in log))
    streamed = made_settings(*state, kafka, tmp_path / "streamed.db")
    by_file = rehear_label(streamed, tmp_path, "--turns", file)
    assert by_file.keys() == {turn.event_id for turn in log}
    assert all(label.intent is not None and label.defect is not None for label in by_file.values())
    assert len({label.intent for label in by_file.values()}) > 1

    send_turns(kafka, log)
    with opened(streamed.database_location) as engine:
        for kind in ("sessions", "labels"):
            worker_loop(WORKERS[kind], engine, kafka, streamed).run(until_idle=True)
    topic = compacted(kafka, kafka.topics.labels)
    records: list[dict[str, Any]] = [msgspec.json.decode(value) for value in topic.values()]
    assert {record["model"] for record in records} == {state[1]}
    fields = TurnLabel.__struct_fields__
    assert {
        record["event_id"]: msgspec.convert({name: record[name] for name in fields}, TurnLabel)
        for record in records
    } == by_file
    assert rehear_label(streamed, tmp_path) == by_file  # what is stored

    by_job = made_settings(*state, kafka, tmp_path / "job.db")
    with opened(by_job.database_location) as engine:
        store_log(engine, log)
        work = work_on(engine, LETTERS, by_job)
        done = backfill(KIND, work)
    assert done is not None
    assert (done.model, done.refused) == (state[1], 0)
    assert f"; {len(log)} turns in " in done.in_words
    assert rehear_label(by_job, tmp_path) == by_file
