"""Simulations as files: logs to learn from and to test on, the gold, the assistant's understanding."""

import gzip
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
from msgspec import Struct

from labeling.annotations.annotation import Annotation
from services.simulator.simulation import simulate, world_of
from services.simulator.world.chance import stream
from services.simulator.world.settings import SimulationSettings
from streams.turn import Slot, encode_turn

COMPRESSION = 6
"""gzip's usual level: 9 takes three times as long for 2 % less."""


class Understood(Struct, frozen=True):
    """The assistant's understanding of a text; one line of `nlu.jsonl.gz`."""

    text: str
    domain: str
    intent: str
    slots: tuple[Slot, ...]


class SimulationFiles(Struct, frozen=True, kw_only=True):
    """What was written where."""

    turns_train: Path
    turns_test: Path
    gold_test: Path
    nlu: Path
    train_count: int  # turns
    test_count: int  # turns
    text_count: int  # distinct texts, heard or said
    gold_train: Path | None = None  # of stage faults, as are the annotations
    annotations: Path | None = None
    annotation_count: int = 0  # turns


def write_simulation(settings: SimulationSettings, folder: str | Path) -> SimulationFiles:
    """Writes a simulation into a folder, which is made if need be; files of the same names are replaced.

    `turns.train.jsonl.gz` and `turns.test.jsonl.gz` hold the turn events in time order, `gold.test.jsonl.gz`
    a `GoldTurn` for each test turn in the same order, `nlu.jsonl.gz` how the assistant understands each text
    that is heard or said in them, sorted by text. Where stages can fail one by one, `gold.train.jsonl.gz` has
    the gold of the other turns, and `annotations.train.jsonl.gz` the failure points of a sample of them. The
    same settings give the same content.

    Raises:
        OSError: the folder cannot be written.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = ("turns.train", "turns.test", "gold.test", "nlu")
    train_path, test_path, gold_path, nlu_path = (folder / f"{name}.jsonl.gz" for name in names)
    gold_train_path = annotations_path = None
    if settings.stage_faults:
        gold_train_path, annotations_path = (
            folder / f"{name}.jsonl.gz" for name in ("gold.train", "annotations.train")
        )
    texts: set[str] = set()
    train_count = test_count = annotation_count = 0
    with ExitStack() as files:
        train, test, gold = (
            files.enter_context(_gzip_writer(path)) for path in (train_path, test_path, gold_path)
        )
        gold_train, annotations = (
            files.enter_context(_gzip_writer(path)) if path else None
            for path in (gold_train_path, annotations_path)
        )
        for turn in simulate(settings):
            texts.update((turn.event.request.text, turn.gold.reference_text))
            if turn.event.ts_ms < settings.test_start_ms:
                train_count += 1
                train.write(encode_turn(turn.event) + b"\n")
                if gold_train is not None:
                    gold_train.write(msgspec.json.encode(turn.gold) + b"\n")
                chance = stream(settings.seed, "annotated", turn.event.event_id)
                if annotations is not None and chance.random() < settings.annotated_share:
                    annotation_count += 1
                    said = Annotation(event_id=turn.event.event_id, failure_point=turn.gold.failure_point)
                    annotations.write(msgspec.json.encode(said) + b"\n")
            else:
                test_count += 1
                test.write(encode_turn(turn.event) + b"\n")
                gold.write(msgspec.json.encode(turn.gold) + b"\n")
    understanding = world_of(settings).understanding
    with _gzip_writer(nlu_path) as nlu:
        for text in sorted(texts):
            meaning = understanding.understand(text)
            answer = Understood(text, meaning.domain, meaning.intent, meaning.slots)
            nlu.write(msgspec.json.encode(answer) + b"\n")
    return SimulationFiles(
        turns_train=train_path,
        turns_test=test_path,
        gold_test=gold_path,
        nlu=nlu_path,
        train_count=train_count,
        test_count=test_count,
        text_count=len(texts),
        gold_train=gold_train_path,
        annotations=annotations_path,
        annotation_count=annotation_count,
    )


@contextmanager
def _gzip_writer(path: Path) -> Iterator[BinaryIO]:
    # Neither name nor time goes into the file, so that equal content gives equal files.
    with (
        path.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=COMPRESSION) as zipped,
    ):
        yield cast("BinaryIO", zipped)
