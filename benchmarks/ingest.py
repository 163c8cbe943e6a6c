"""At what share of a bare poll loop does the sessions worker read turns, and where does the time go?"""

import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import BrokenBarrierError
from typing import Any

import msgspec
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from msgspec import Struct
from prometheus_client import CollectorRegistry

from benchmarks.machine import this_machine
from benchmarks.measured_process import end_with_parent, log_only_errors
from benchmarks.report import BenchmarkReport, Cell
from services.jobs.log_folder import find_logs
from services.platform.clock import now_ms
from services.platform.database import open_database
from services.processes.worker import WORKERS, worker_loop
from services.settings import Settings
from services.simulator import generate_turns
from services.tasks.session import TASK
from streams.broker import DevelopmentBroker
from streams.consumer_loop import Step
from streams.kafka_settings import KafkaSettings
from streams.topics import ensure_topics
from streams.turn import TurnEvent, encode_turn
from streams.turn_file import read_turns

QUESTION = "at what share of a bare poll loop does the sessions worker read, and where does the time go?"
TURNS = 200_000
QUICK_TURNS = 4_000
PARTITIONS = 4
PROCESSES = (1, 2)

ANSWER_TIMEOUT_S = 900.0
"""How long the slowest process may take."""

FIRST_BATCH_TIMEOUT_S = 30.0
"""How long one worker waits for the first batches of the others."""

_STEP_SUM = "rehear_stream_step_seconds_sum"
_RECORDS = "rehear_stream_records_total"


class Reading(Struct, frozen=True):
    """What one process has read."""

    records: int
    started_s: float  # on the clock that all processes of a machine share
    ended_s: float
    cpu_s: float  # of all threads of the process, over the same time
    step_s: dict[str, float]  # seconds by step of the loop; empty for a bare loop


def run(quick: bool, logs: Path | None = None) -> BenchmarkReport:
    """Reads one topic with bare loops and with workers, one process and two.

    Args:
        quick: few turns.
        logs: folder of logs to read in the place of generated turns.
    """
    machine = this_machine()
    with tempfile.TemporaryDirectory(prefix="rehear-benchmark-") as name:
        folder = Path(name)
        with DevelopmentBroker(folder / "broker") as broker:
            kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
            ensure_topics(kafka, PARTITIONS)
            n_turns, n_bytes = produce_turns(kafka, _turns(quick, logs))
            rows: list[dict[str, Cell]] = []
            for processes in PROCESSES:
                bare = in_processes(processes, read_bare, kafka)
                rows.append({"reader": "bare loop", "processes": processes, **_figures(bare, None)})
                settings = Settings(state=str(folder / f"state-{processes}"), kafka=kafka)
                settings = msgspec.structs.replace(
                    settings,
                    kafka=msgspec.structs.replace(kafka, group_prefix=f"benchmark-{processes}."),
                    database=str(folder / f"sessions-{processes}.db"),
                )
                open_database(settings.database_location).dispose()
                worked = in_processes(processes, read_sessions, settings)
                rows.append({"reader": "sessions worker", "processes": processes, **_figures(worked, bare)})
    return BenchmarkReport(
        name="ingest",
        question=QUESTION,
        machine=machine,
        quick=quick,
        sizes={
            "turns": n_turns,
            "bytes per turn": n_bytes // max(n_turns, 1),
            "partitions": PARTITIONS,
            "log": "generated" if logs is None else logs.name,
        },
        figures=tuple(rows),
        notes=(
            "A bare loop polls and counts: it decodes nothing. Times are microseconds for each record: CPU "
            "of the readers alone, without the broker's; steps by the clock on the wall, waiting for "
            "the broker, for a lock and for other programs included.",
            "The share by CPU is what the share would be with cores to spare for the broker.",
        ),
    )


def _turns(quick: bool, logs: Path | None) -> Iterable[TurnEvent]:
    if logs is None:
        return generate_turns(QUICK_TURNS if quick else TURNS)
    return (turn for path in find_logs(logs).train for turn in read_turns(path, now_ms))


def produce_turns(kafka: KafkaSettings, turns: Iterable[TurnEvent]) -> tuple[int, int]:
    """Writes turns to their topic; gives how many, and the bytes of their values."""
    producer = KafkaProducer(**kafka.producer_options())
    count = size = 0
    for turn in turns:
        value = encode_turn(turn)
        producer.send(kafka.topics.turns, value=value, key=turn.key.encode(), timestamp_ms=turn.ts_ms)
        count += 1
        size += len(value)
    producer.flush()
    producer.close()
    return count, size


def in_processes(
    processes: int, read: Callable[[Any, int, int, Barrier], Reading], settings: Any
) -> list[Reading]:
    """What each of some processes has read, that began together."""
    context = multiprocessing.get_context("spawn")
    answers: Queue[Reading] = context.Queue()
    barrier = context.Barrier(processes)
    children = [
        context.Process(target=_answer, args=(answers, read, settings, number, processes, barrier))
        for number in range(processes)
    ]
    for child in children:
        child.start()
    try:
        return [answers.get(timeout=ANSWER_TIMEOUT_S) for _ in children]
    finally:
        for child in children:
            child.join(10)
            child.terminate()


def _answer(
    answers: "Queue[Reading]",
    read: Callable[[Any, int, int, Barrier], Reading],
    settings: Any,
    number: int,
    processes: int,
    barrier: Barrier,
) -> None:
    end_with_parent()
    log_only_errors()
    answers.put(read(settings, number, processes, barrier))


def read_bare(kafka: KafkaSettings, number: int, processes: int, barrier: Barrier) -> Reading:
    """Polls a share of the partitions to their end, with the options of a worker."""
    consumer = KafkaConsumer(**kafka.consumer_options())
    partitions = [
        TopicPartition(kafka.topics.turns, partition) for partition in range(number, PARTITIONS, processes)
    ]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    total = sum(consumer.end_offsets(partitions).values())
    barrier.wait(ANSWER_TIMEOUT_S)
    started, cpu_before = time.monotonic(), time.process_time()
    count = 0
    while count < total:
        count += sum(len(records) for records in consumer.poll(200).values())
    ended, cpu_after = time.monotonic(), time.process_time()
    consumer.close()
    return Reading(count, started, ended, cpu_after - cpu_before, {})


def read_sessions(settings: Settings, number: int, processes: int, barrier: Barrier) -> Reading:
    """Runs a sessions worker until all is read; the clock starts when every worker has its first batch.

    A worker that joins the group late, on a busy machine, owns no partition and ends at once, or gets one
    only when the others poll again: they do not wait for its first batch for ever.
    """
    registry = CollectorRegistry()
    began: _Moment | None = None
    saved: _Moment | None = None

    def on_step(step: Step) -> None:
        nonlocal began, saved
        if step is Step.DECODE and processes == 1 and began is None:
            began = _now(registry)
        elif step is Step.PROCESS and began is None:
            with suppress(BrokenBarrierError):  # else each of them has partitions, and none has written
                barrier.wait(FIRST_BATCH_TIMEOUT_S)
            began = _now(registry)
        elif step is Step.COMMIT:
            saved = _now(registry)

    if settings.kafka is None:
        raise ValueError("a worker needs a Kafka")
    engine = open_database(settings.database_location)
    barrier.wait(ANSWER_TIMEOUT_S)  # they join the group together
    try:
        worker_loop(WORKERS["sessions"], engine, settings.kafka, settings, registry, on_step).run(
            until_idle=True
        )
    except BaseException:
        barrier.abort()  # the others would wait for this one's first batch
        raise
    finally:
        engine.dispose()
    if began is None:
        barrier.abort()
    if began is None or saved is None:
        return Reading(0, 0.0, 0.0, 0.0, {step.value: 0.0 for step in Step})
    records = registry.get_sample_value(_RECORDS, {"task": TASK, "topic": settings.kafka.topics.turns})
    step_s = {name: seconds - began.step_s[name] for name, seconds in saved.step_s.items()}
    return Reading(int(records or 0), began.at_s, saved.at_s, saved.cpu_s - began.cpu_s, step_s)


class _Moment(Struct, frozen=True):
    """How far a worker is."""

    at_s: float
    cpu_s: float
    step_s: dict[str, float]


def _now(registry: CollectorRegistry) -> _Moment:
    step_s = {
        step.value: registry.get_sample_value(_STEP_SUM, {"task": TASK, "step": step.value}) or 0.0
        for step in Step
    }
    return _Moment(time.monotonic(), time.process_time(), step_s)


def _figures(readings: list[Reading], bare: list[Reading] | None) -> dict[str, Cell]:
    records = sum(reading.records for reading in readings)
    row: dict[str, Cell] = {
        "readers": sum(reading.records > 0 for reading in readings),
        "records": records,
        "records/s": _rate(readings),
        "CPU us": _cpu_us(readings),
    }
    if bare is not None:
        row["share of bare"] = _rate(readings) / _rate(bare)
        row["share by CPU"] = _cpu_us(bare) / _cpu_us(readings)
        for step in Step:
            seconds = sum(reading.step_s[step.value] for reading in readings)
            row[f"{step.value} us"] = seconds / records * 1e6
    return row


def _cpu_us(readings: list[Reading]) -> float:
    seconds = sum(reading.cpu_s for reading in readings)
    return seconds / sum(reading.records for reading in readings) * 1e6


def _rate(readings: list[Reading]) -> float:
    readings = [reading for reading in readings if reading.records]
    seconds = max(reading.ended_s for reading in readings) - min(reading.started_s for reading in readings)
    return sum(reading.records for reading in readings) / max(seconds, 1e-9)
