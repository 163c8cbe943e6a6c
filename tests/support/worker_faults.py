"""What goes wrong with workers in the tests, and what they then still have to do."""

import sqlite3
import threading

import msgspec
from letter_models import TEST_WORKERS
from prometheus_client import CollectorRegistry
from waiting import HANGS_AFTER_S, eventually
from worker_pool import WorkerPool

from services.platform.database import open_database
from services.processes.worker import Loaders, worker_loop
from services.settings import Settings
from streams.consumer_loop import Step


def lasting(settings: Settings) -> Settings:
    """With a place in the group that outlives the worker, as those have that a supervisor starts again."""
    assert settings.kafka is not None
    kafka = msgspec.structs.replace(settings.kafka, group_instance_id="the-only-one")
    return msgspec.structs.replace(settings, kafka=kafka)


def run_and_kill(workers: WorkerPool, kind: str, settings: Settings, step: Step, time: int = 3) -> None:
    """A worker is killed before it takes a step for the `time`-th time; another then reads all."""
    killed = workers.start(kind, lasting(settings), until_idle=True, killed_at=(step, time))
    assert killed.wait() == -9, killed.log.read_text()
    workers.run(kind, lasting(settings))


def run_while_locked(kind: str, settings: Settings, loaders: Loaders) -> None:
    """A worker reads all; at its first write another program locks its SQLite database for two retries."""
    assert settings.kafka is not None
    engine = open_database(settings.database_location)
    registry = CollectorRegistry()
    program = sqlite3.connect(settings.database_location, isolation_level=None)
    steps: list[Step] = []

    def lock(step: Step) -> None:
        steps.append(step)
        if steps.count(Step.WRITE) == 1 and step is Step.WRITE:
            program_locks.set()
            is_locked.wait()

    program_locks, is_locked = threading.Event(), threading.Event()
    loop = worker_loop(TEST_WORKERS[kind], engine, settings.kafka, settings, registry, lock, loaders)
    thread = threading.Thread(target=loop.run, kwargs={"until_idle": True})
    thread.start()
    try:
        eventually(program_locks.is_set, "the first write")
        program.execute("BEGIN EXCLUSIVE")
        is_locked.set()
        eventually(lambda: steps.count(Step.WRITE) >= 3, "two retries")
    finally:
        is_locked.set()
        program.close()
        thread.join(HANGS_AFTER_S)
        loop.stop()
        thread.join(HANGS_AFTER_S)
        engine.dispose()
