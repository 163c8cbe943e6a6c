"""A worker that a supervisor starts: `python -m services.worker_process KIND PARENT`, settings on stdin."""

import os
import signal
import sys
import threading
import time

import msgspec

from services.errors import SettingsError
from services.settings import Settings
from services.worker import WorkerKind, run_worker

PARENT_CHECK_S = 1.0


def main(arguments: list[str]) -> None:
    """Runs the worker, and ends it when the supervisor is gone."""
    kind, parent = WorkerKind(arguments[0]), int(arguments[1])
    settings = msgspec.json.decode(sys.stdin.buffer.read(), type=Settings)
    if settings.kafka is None:
        raise SettingsError("a worker needs [kafka] bootstrap_servers")
    threading.Thread(target=_end_with, args=(parent,), name="orphan-watch", daemon=True).start()
    run_worker(kind, settings.kafka, settings)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_S)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main(sys.argv[1:])
