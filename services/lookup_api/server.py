"""The server process of the lookup API: in the foreground, or in the background of a program.

Granian runs the application in worker processes, each with its own copy of the tables that it keeps up to
date by itself. SIGTERM or SIGINT stops taking requests, answers those in flight, and ends.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from functools import partial
from pathlib import Path
from typing import IO, Final, Self

import msgspec
import structlog
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.mp import MPServer
from litestar import Litestar
from msgspec import Struct

from rewriting.serving.settings import SERVE_ALL, ServingSettings
from services.lookup_api.app import open_app
from services.lookup_api.errors import ServerStartError
from services.lookup_api.messages import Readiness
from services.platform.api_settings import LookupApiSettings, OnlineTask
from services.platform.log_output import configure_log
from services.platform.orphan_watch import end_with

log = structlog.get_logger()

START_TIMEOUT_S: Final = 180.0
"""For a server that hangs while it loads; one that ends is noticed at once. Lowered, a busy machine, or
tables of millions of rows, are taken for a fault."""

_STDIN: Final = 0
_READY_POLL_S: Final = 0.05
_STOP_MARGIN_S: Final = 5.0  # over what the server gives its workers, before it is killed itself
_OUTPUT_SHOWN_BYTES: Final = 4_000


class ServerTask(Struct, frozen=True, kw_only=True):
    """What a server process needs to know."""

    settings: LookupApiSettings
    database_url: str
    online: OnlineTask | None = None  # None: requests are answered from the table alone
    operator_key_sha256: str | None = None  # of a key that opens operators' routes, beside the settings'
    serving: ServingSettings = SERVE_ALL


def serve(task: ServerTask) -> None:
    """Serves until SIGTERM or SIGINT; call it in the main thread of the process.

    Raises:
        UnsafeBindingError: there are no API keys, and the address is not a loopback address.
        ServerStartError: the address cannot be bound.
    """
    settings = task.settings
    settings.check_binding()
    _check_address(settings.host, settings.port)
    with tempfile.TemporaryDirectory(prefix="rehear-metrics-") as folder:
        load = partial(
            _load_in_worker,
            task,
            os.getpid(),
            Path(folder) if settings.workers > 1 else None,
        )
        server = MPServer(
            "rehear lookup API",
            address="127.0.0.1" if settings.host == "localhost" else settings.host,
            port=settings.port,
            interface=Interfaces.ASGI,
            workers=settings.workers,
            log_level=LogLevels.warning,
            websockets=False,
            respawn_failed_workers=True,
            workers_kill_timeout=settings.stop_timeout_s,
        )
        log.info("lookup API starts", host=settings.host, port=settings.port, workers=settings.workers)
        server.serve(target_loader=load, wrap_loader=False)
    log.info("lookup API stopped")


def _load_in_worker(task: ServerTask, server_pid: int, metrics_folder: Path | None) -> Litestar:
    configure_log()
    end_with(server_pid)  # a worker that outlived its server would hold the port for ever
    return open_app(
        task.settings,
        task.database_url,
        metrics_folder,
        task.online,
        task.operator_key_sha256,
        task.serving,
    )


def _check_address(host: str, port: int) -> None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise ServerStartError(
            f"the lookup API cannot listen on {host}:{port} ({error.strerror or error}): "
            "stop what listens there, or choose another address in the settings"
        ) from error


class BackgroundServer:
    """The lookup API in a process of its own; use it as a context manager, or call `start` and `stop`.

    The server also ends when this process dies, in whatever way: it holds the other end of a pipe.

    Args:
        settings: port 0 takes a free one.
        database_url: of the rewrite table.
        log_file: gets what the server prints; by default a temporary file.
        start_timeout_s: how long it may take until the tables are loaded, and models and indexes.
        online: where models and indexes lie; None: requests are answered from the table alone.
        operator_key_sha256: hash of a key that opens operators' routes, beside those in the settings.
        serving: who is served rewrites; by default everybody.

    Raises:
        UnsafeBindingError: there are no API keys, and the address is not a loopback address.
    """

    def __init__(
        self,
        settings: LookupApiSettings,
        database_url: str,
        log_file: Path | None = None,
        start_timeout_s: float = START_TIMEOUT_S,
        online: OnlineTask | None = None,
        operator_key_sha256: str | None = None,
        serving: ServingSettings = SERVE_ALL,
    ) -> None:
        settings.check_binding()
        if settings.port == 0:
            settings = msgspec.structs.replace(settings, port=free_port(settings.host))
        self._task = ServerTask(
            settings=settings,
            database_url=database_url,
            online=online,
            operator_key_sha256=operator_key_sha256,
            serving=serving,
        )
        self._log_file = log_file
        self._start_timeout_s = start_timeout_s
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it answers on this machine, without a slash at the end."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._task.settings.host, self._task.settings.host)  # noqa: S104 (compared, not bound)
        return f"http://[{host}]:{self._port}" if ":" in host else f"http://{host}:{self._port}"

    @property
    def pid(self) -> int | None:
        """Process id of the server; None while there is none."""
        return None if self._process is None else self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the server and waits until it answers from loaded tables.

        Raises:
            ServerStartError: it ends at once, or is not ready in time; with what it printed.
        """
        _check_address(self._task.settings.host, self._port)
        with self._open_log() as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services.lookup_api"],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C goes to this program alone, which then stops the server
            )
            try:
                self._hand_over_task(self._process)
                self._wait_until_ready(self._process)
            except (OSError, ServerStartError) as error:
                self.stop()
                output.seek(0)
                printed = output.read()[-_OUTPUT_SHOWN_BYTES:].decode(errors="replace").strip()
                raise ServerStartError(f"the lookup API does not start: {error}\n{printed}") from error

    def stop(self) -> None:
        """Stops the server, after it has answered the requests in flight."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(self._task.settings.stop_timeout_s + _STOP_MARGIN_S)
        except subprocess.TimeoutExpired:
            log.warning("lookup API killed", pid=process.pid)
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()

    @property
    def _port(self) -> int:
        return self._task.settings.port

    def _open_log(self) -> IO[bytes]:
        if self._log_file is None:
            return tempfile.TemporaryFile()
        return self._log_file.open("w+b")

    def _hand_over_task(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdin is None:
            raise ServerStartError("its standard input is closed")
        process.stdin.write(msgspec.json.encode(self._task) + b"\n")
        process.stdin.flush()

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        message = "it does not answer"
        deadline_s = time.monotonic() + self._start_timeout_s
        while time.monotonic() < deadline_s:
            if process.poll() is not None:
                raise ServerStartError(f"it ended with status {process.returncode}")
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=1):  # noqa: S310 (our own server)
                    return
            except urllib.error.HTTPError as error:
                with error:
                    message = msgspec.json.decode(error.read(), type=Readiness).message
            except OSError as error:
                message = str(error)
            time.sleep(_READY_POLL_S)
        raise ServerStartError(f"it is not ready after {self._start_timeout_s:g} s: {message}")


def run_background_server() -> None:
    """What the process of a `BackgroundServer` does: reads its task from the pipe, and serves."""
    configure_log()
    # Not through sys.stdin: workers are forked while a thread waits in it, and would inherit its lock.
    with os.fdopen(os.dup(_STDIN), "rb", buffering=0) as pipe:
        task = msgspec.json.decode(pipe.readline(), type=ServerTask)
    threading.Thread(target=_end_with_pipe, name="parent-watch", daemon=True).start()
    serve(task)


def _end_with_pipe() -> None:
    while os.read(_STDIN, 1):  # nothing comes; it ends when the other end is closed, at the latest by death
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def free_port(host: str) -> int:
    """A port of this address that nobody listens on now."""
    with socket.create_server((host, 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
