"""Everything on one machine: broker for development, workers and lookup API, started and stopped together."""

import hashlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from services.lookup_api.operator_key import operator_key
from services.lookup_api.server import BackgroundServer
from services.processes.worker import WORKERS, call_at_end
from services.settings import Settings
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
    operator_key: Path | None = None  # file of the key for operators' routes; None: the settings have one


class _WorkerProcess:
    """A worker that is started again when it dies."""

    def __init__(self, name: str, settings: Settings, log_file: Path) -> None:
        self._name = name
        self._settings = settings
        self._log_file = log_file
        self._process: subprocess.Popen[bytes] | None = None

    def keep_running(self) -> None:
        """Starts the worker if it does not run; where that fails, the next call tries again."""
        try:
            self._start_if_it_does_not_run()
        except OSError as error:
            log.error("worker does not start", kind=self._name, reason=str(error))

    def _start_if_it_does_not_run(self) -> None:
        if self._process is not None:
            if self._process.poll() is None:
                return
            log.warning("worker died, starts again", kind=self._name, status=self._process.returncode)
        with self._log_file.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 (our own interpreter and module)
                [
                    sys.executable,
                    "-m",
                    "services.processes.worker_process",
                    self._name,
                    str(os.getpid()),
                ],
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
            log.warning("worker killed", kind=self._name)
            self._process.kill()
            self._process.wait()


def worker_settings(settings: Settings, number: int) -> Settings:
    """The settings of one of the workers, which are numbered from 0.

    Each serves its metrics on a port of its own: the one that is set, or those that follow. Each has a name
    in its consumer group, so that after a crash it has its partitions back at once: else the group would
    wait for the dead one, and the development broker does so for ever.
    """
    metrics, kafka = settings.metrics, settings.kafka
    if metrics.port:
        metrics = msgspec.structs.replace(metrics, port=metrics.port + number)
    if kafka is not None and kafka.group_instance_id is None:
        place = f"{socket.gethostname()}:{Path(settings.state).absolute()}"
        name = "rehear-up-" + hashlib.blake2b(place.encode(), digest_size=12).hexdigest()
        kafka = msgspec.structs.replace(kafka, group_instance_id=name)
    return msgspec.structs.replace(settings, metrics=metrics, kafka=kafka)


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
            broker = stack.enter_context(DevelopmentBroker(state / "broker", settings.broker_port or None))
            kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        ensure_topics(kafka, PARTITIONS)
        settings = msgspec.structs.replace(settings, kafka=kafka)
        key = operator_key(settings.api, state)
        api = stack.enter_context(
            BackgroundServer(
                settings.api,
                settings.database_location,
                logs / "lookup-api.log",
                online=settings.online_task,
                serving=settings.serving,
                operator_key_sha256=None if key is None else key.sha256,
            )
        )
        workers = [
            _WorkerProcess(name, worker_settings(settings, number), logs / f"{name}.log")
            for number, name in enumerate(WORKERS)
        ]
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
            yield RunningRehear(kafka, api.url, None if key is None else key.path)
        finally:
            ended.set()
            if supervision.is_alive():
                supervision.join()
            for worker in workers:
                worker.stop()


def wait_for_signal() -> None:
    """Waits for SIGTERM or SIGINT; in the main thread."""
    stopped = threading.Event()
    call_at_end(stopped.set)
    stopped.wait()
