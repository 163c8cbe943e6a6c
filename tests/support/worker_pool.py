"""Worker processes of a test: started, killed before a step, stopped, and ended with the test."""

import itertools
import os
import signal
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path

import forked
from letter_models import LETTER_MODELS, TEST_WORKERS
from waiting import eventually

from services.processes.worker import run_worker
from services.settings import Settings
from streams.consumer_loop import Step


class RunningWorker:
    """A worker process."""

    def __init__(self, process: BaseProcess, log: Path) -> None:
        self._process = process
        self.log = log

    @property
    def status(self) -> int | None:
        """Its exit code, negative where a signal ended it; None while it runs."""
        return self._process.exitcode

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Asks it to stop, and sees that it does so in good order."""
        # Before it says that it starts, SIGTERM ends it as it ends any process: no handler is there yet.
        eventually(
            lambda: self.status is not None or "worker starts" in self.log.read_text(),
            "the start of the worker",
        )
        self._end(signal.SIGTERM)
        assert self.status == 0, self.log.read_text()

    def wait(self) -> int:
        eventually(
            lambda: self.status is not None, f"the end of the worker; its log:\n{self.log.read_text()}"
        )
        assert self.status is not None
        return self.status

    def _end(self, number: signal.Signals) -> None:
        if self.status is None:
            assert self._process.pid is not None
            os.kill(self._process.pid, number)
        self.wait()


class WorkerPool:
    """Starts worker processes, and ends those that are left."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()  # of the logs: no worker writes to that of another
        self._workers: list[RunningWorker] = []

    def start(
        self,
        kind: str,
        settings: Settings,
        *,
        until_idle: bool = False,
        killed_at: tuple[Step, int] | None = None,
    ) -> RunningWorker:
        """Starts a worker.

        Args:
            kind: of the worker.
            settings: of it.
            until_idle: whether it ends when all is read.
            killed_at: before which step it is killed, and at the how manieth time, from 1.
        """
        log = self._folder / f"{kind}-{next(self._numbers)}.log"
        log.touch()
        process = forked.start(log, _run, kind, settings, until_idle, killed_at)
        worker = RunningWorker(process, log)
        self._workers.append(worker)
        return worker

    def run(self, kind: str, settings: Settings) -> None:
        """Runs a worker until all is read."""
        worker = self.start(kind, settings, until_idle=True)
        assert worker.wait() == 0, worker.log.read_text()

    def end_workers(self) -> None:
        for worker in self._workers:
            worker.kill()
        self._workers.clear()


def _run(kind: str, settings: Settings, until_idle: bool, killed_at: tuple[Step, int] | None) -> None:
    assert settings.kafka is not None
    run_worker(
        TEST_WORKERS[kind],
        settings.kafka,
        settings,
        until_idle=until_idle,
        on_step=_nothing if killed_at is None else _killer(*killed_at),
        loaders=LETTER_MODELS,
    )


def _nothing(step: Step) -> None:
    pass


def _killer(fatal: Step, time: int) -> Callable[[Step], None]:
    """Kills the process, without warning, when it comes to a step for the `time`-th time."""
    left = time

    def on_step(step: Step) -> None:
        nonlocal left
        left -= step is fatal
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    return on_step
