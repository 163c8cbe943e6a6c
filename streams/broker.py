"""A Kafka broker for development, demonstrations and tests: one process, on this machine, no set-up.

It is `noida-db`, a small server that speaks Kafka's protocol (`pip install rehear[broker]`). It is not for
production: a hard kill can lose records that it had acknowledged, so it is always stopped by SIGTERM; it
answers a fetch with all that it has, so a log of gigabytes takes as much memory; and it does not notice the
death of a group's member, so that a worker which may be killed needs a `group_instance_id`.
"""

import atexit
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

import structlog
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from streams.errors import BrokerError

log = structlog.get_logger()

HOST = "127.0.0.1"

START_TIMEOUT_S = 60.0
"""It answers within a second, but reads its whole log first: gigabytes take longer."""

STOP_TIMEOUT_S = 60.0
"""It saves its whole log first, 100 MB in seconds; when this is over it is killed, and may lose records."""

_OUTPUT_SHOWN_BYTES = 4_000

# The child asks the kernel to be sent SIGTERM when we die, even by SIGKILL, and only then becomes the broker.
# (It cannot be done between fork and exec in this process, which may have threads.)
_LAUNCHER = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    if os.getppid() != int(sys.argv[1]):
        sys.exit("the parent has gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


class DevelopmentBroker:
    """One broker process; use it as a context manager, or call `start` and `stop`.

    On Linux it also ends when this process is killed. Start it from a thread that lives as long as the
    broker shall: the kernel takes the end of that thread for the end of the parent.

    Args:
        data_dir: where records are kept; made if it is missing. One broker at a time may use it.
        port: to listen on, on this machine only; None takes a free one, and keeps it over restarts.

    Raises:
        BrokerError: from `start`: it is not installed, or does not answer; with what it printed.
    """

    def __init__(self, data_dir: str | Path, port: int | None = None) -> None:
        self.data_dir = Path(data_dir)
        self._port = port
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = f"pid {self.pid}" if self.pid is not None else "stopped"
        return f"DevelopmentBroker({str(self.data_dir)!r}, port={self._port}, {state})"

    @property
    def bootstrap_servers(self) -> str:
        """Where clients find it, `host:port`.

        Raises:
            BrokerError: it has never been started, and chooses its port then.
        """
        if self._port is None:
            raise BrokerError("the broker has no port yet: start it first")
        return f"{HOST}:{self._port}"

    @property
    def pid(self) -> int | None:
        """Of the running process; None when there is none."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def log_file(self) -> Path:
        """What it prints."""
        return self.data_dir / "broker.log"

    def start(self) -> None:
        """Starts it, on the port it had before, and waits until it answers; does nothing when it runs."""
        if self.pid is not None:
            return
        binary = _binary()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        if self._port is None:
            self._port = _free_port()
        elif _listening(self._port):
            raise BrokerError(
                f"port {self._port} is taken: stop what listens there, or choose another port (broker_port "
                "in the settings, --port of `rehear broker`)"
            )
        command = [str(binary), "start", "--only", "kafka", "--host", HOST]
        command += ["--kafka-port", str(self._port), "--data-dir", str(self.data_dir)]
        with self.log_file.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - our own binary, no shell
                [sys.executable, "-c", _LAUNCHER, str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us: we stop it when we have done with it
            )
        atexit.register(self.stop)
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.stop()
            raise
        log.info("broker started", bootstrap_servers=self.bootstrap_servers, data_dir=str(self.data_dir))

    def stop(self) -> None:
        """Stops it and keeps its data; does nothing when it does not run."""
        process, self._process = self._process, None
        atexit.unregister(self.stop)
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            log.warning("broker killed: it did not stop by itself", timeout_s=STOP_TIMEOUT_S)
            process.kill()
            process.wait()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.pid is None:
                raise BrokerError(f"the broker ended while starting; it printed:\n{self._output()}")
            if self._port is not None and _listening(self._port) and _answers(self.bootstrap_servers):
                return
            time.sleep(0.05)
        raise BrokerError(
            f"the broker does not answer at {self.bootstrap_servers} after {START_TIMEOUT_S:.0f} s; "
            f"it printed:\n{self._output()}"
        )

    def _output(self) -> str:
        lines = self.log_file.read_bytes()[-_OUTPUT_SHOWN_BYTES:].decode(errors="replace").splitlines()
        # The loader's remark on a weak symbol is printed on every start and explains nothing.
        return "\n".join(line for line in lines if "weak version" not in line) or "(nothing)"


def _binary() -> Path:
    spec = importlib.util.find_spec("noida_db")
    if spec is None or spec.origin is None:
        raise BrokerError("the development broker is not installed: pip install 'rehear[broker]'")
    binary = Path(spec.origin).with_name("noida-db")
    if not binary.is_file():
        raise BrokerError(f"noida-db has no program for this machine ({binary} is missing)")
    if not os.access(binary, os.X_OK):  # wheels lose the bit
        try:
            binary.chmod(0o755)
        except OSError as error:
            raise BrokerError(f"{binary} cannot be made executable: {error}") from error
    return binary


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _listening(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def _answers(bootstrap_servers: str) -> bool:
    try:
        admin = KafkaAdminClient(bootstrap_servers=bootstrap_servers, bootstrap_timeout_ms=2_000)
    except KafkaError:
        return False
    try:
        admin.list_topics()
    except KafkaError:
        return False
    finally:
        admin.close()
    return True
