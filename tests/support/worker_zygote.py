"""Starts workers for tests by forking, so that only the first one pays for the imports.

Reads one command a line, as JSON, and answers each with a line: `start` gives a process id, `poll` an exit
code as of `subprocess`, or null while the worker runs.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

import msgspec
from letter_models import LETTER_MODELS

from services.settings import Settings
from services.worker import WorkerKind, run_worker
from streams.consumer_loop import Step


def main() -> None:
    for line in sys.stdin.buffer:
        command = json.loads(line)
        if "poll" in command:
            answer = _poll(command["poll"])
        else:
            answer = _start(command["start"])
        print(json.dumps(answer), flush=True)


def _poll(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _start(command: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    try:
        log = os.open(command["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        settings = msgspec.convert(command["settings"], Settings)
        assert settings.kafka is not None
        run_worker(
            WorkerKind(command["kind"]),
            settings.kafka,
            settings,
            until_idle=command["until_idle"],
            on_step=_killer(Step(command["step"]), command["time"]) if command["step"] else _nothing,
            loaders=LETTER_MODELS,
        )
        sys.stdout.flush()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


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


if __name__ == "__main__":
    main()
