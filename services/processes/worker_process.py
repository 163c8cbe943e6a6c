"""A worker that a supervisor starts: `python -m services.processes.worker_process NAME PARENT`.

Its settings come on standard input.
"""

import sys

import msgspec

from services.errors import SettingsError
from services.platform.log_output import configure_log
from services.platform.orphan_watch import end_with
from services.processes.worker import WORKERS, run_worker
from services.settings import Settings


def main(arguments: list[str]) -> None:
    """Runs the worker, and ends it when the supervisor is gone."""
    configure_log()
    worker, parent = WORKERS[arguments[0]], int(arguments[1])
    settings = msgspec.json.decode(sys.stdin.buffer.read(), type=Settings)
    if settings.kafka is None:
        raise SettingsError("a worker needs [kafka] bootstrap_servers")
    end_with(parent)
    run_worker(worker, settings.kafka, settings)


if __name__ == "__main__":
    main(sys.argv[1:])
