"""Everything on one machine: broker for development, workers and lookup API, started and stopped together."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

import msgspec
import structlog
from msgspec import Struct

from services.lookup_api.server import BackgroundServer
from services.settings import Settings
from services.worker import WorkerKind
from streams.broker import DevelopmentBroker
from streams.kafka_settings import KafkaSettings
from streams.topics import ensure_topics

log = structlog.get_logger()

PARTITIONS = 4
"""Of topics that do not exist yet: that many workers of a kind can share the work."""

CHECK_EVERY_S = 1.0
STOP_TIMEOUT_S = 30.0


class RunningRehear(Struct, frozen=True):
    """Where the parts are."""

    kafka: KafkaSettings
    api_url: str


class _WorkerProcess:
    """A worker that is started again when it dies."""

    def __init__(self, kind: WorkerKind, settings: Settings, log_file: Path) -> None:
        self._kind = kind
        self._settings = settings
        self._log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None

    def keep_running(self) -> None:
        """Starts the worker if it does not run."""
        if self._process is not None:
            if self._process.poll() is None:
                return
            log.warning("worker died, starts again", kind=self._kind.value, status=self._process.returncode)
        with self._log_file.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
                [sys.executable, "-m", "services.worker_process", self._kind.value, str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C goes to the supervisor alone, which then stops the worker
            )
        if self._process.stdin is not None:
            self._process.stdin.write(msgspec.json.encode(self._settings))
            self._process.stdin.close()

    def stop(self) -> None:
        """Lets the worker finish its batch, and waits for its end."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            log.warning("worker killed", kind=self._kind.value)
            self._process.kill()
            self._process.wait()


@contextmanager
def running_rehear(settings: Settings) -> Iterator[RunningRehear]:
    """Runs all parts while the context lasts; none of them outlives it.

    Logs of the parts go to the folder `logs` in the state folder.
    """
    state = Path(settings.state)
    logs = state / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        kafka = settings.kafka
        if kafka is None:
            broker = stack.enter_context(DevelopmentBroker(state / "broker"))
            kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        ensure_topics(kafka, PARTITIONS)
        settings = msgspec.structs.replace(settings, kafka=kafka)
        api = stack.enter_context(
            BackgroundServer(settings.api, settings.database_location, logs / "lookup-api.log")
        )
        workers = [_WorkerProcess(kind, settings, logs / f"{kind.value}.log") for kind in WorkerKind]
        ended = threading.Event()

        def supervise() -> None:
            while not ended.wait(CHECK_EVERY_S):
                for worker in workers:
                    worker.keep_running()

        supervision = threading.Thread(target=supervise, name="supervision", daemon=True)
        try:
            for worker in workers:
                worker.keep_running()
            supervision.start()
            yield RunningRehear(kafka, api.url)
        finally:
            ended.set()
            if supervision.is_alive():
                supervision.join()
            for worker in workers:
                worker.stop()


def wait_for_signal() -> None:
    """Waits for SIGTERM or SIGINT; in the main thread."""
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    stopped.wait()
