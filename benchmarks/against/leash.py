"""Runs a command on a leash, so that it ends, with all it has started, when its owner lets go or dies.

The first line of standard input is the `LeashedCommand`; then the pipe is the leash. When its other end
closes, the command gets a SIGTERM, and after a while a SIGKILL; what it leaves behind is killed. On Linux
this process is made the parent of whatever the command leaves behind, so that none of that is missed.

When all has ended, one line on standard output is the `Ended` of the command.
"""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import threading
import time

import msgspec
from msgspec import Struct

from benchmarks.process_tree import descendants

STOP_TIMEOUT_S = 60.0
"""For the command to end in good order: more than a server or a worker takes for what is in flight."""

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_STDIN = 0


class LeashedCommand(Struct, frozen=True, kw_only=True):
    """What to run."""

    command: list[str]
    environment: dict[str, str]
    folder: str  # to run in
    log_file: str  # gets what the command prints


class Ended(Struct, frozen=True, kw_only=True):
    """How the command ended."""

    status: int  # as that of Popen: negative for a signal
    cpu_s: float  # user and system, of the command and of all that it has started
    seconds: float  # from start to end


def main() -> None:
    """Runs the command, and waits for its end and for that of all that it started."""
    task = msgspec.json.decode(_first_line(), type=LeashedCommand)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    started = time.monotonic()
    with open(task.log_file, "wb") as log:
        child = subprocess.Popen(
            task.command,
            env=task.environment,
            cwd=task.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            # No thread runs yet. Should this process be killed, the command itself gets a SIGTERM.
            preexec_fn=lambda: _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM),
        )
    threading.Thread(target=_end_when_let_go, args=(child,), daemon=True).start()
    status = child.wait()
    seconds = time.monotonic() - started
    _end_what_is_left()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = Ended(status=status, cpu_s=used.ru_utime + used.ru_stime, seconds=seconds)
    sys.stdout.buffer.write(msgspec.json.encode(ended) + b"\n")


def _first_line() -> bytes:
    """Read byte by byte: a buffer would keep the end of the pipe from the thread that waits for it."""
    line = b""
    while not line.endswith(b"\n") and (byte := os.read(_STDIN, 1)):
        line += byte
    return line


def _end_when_let_go(child: "subprocess.Popen[bytes]") -> None:
    while os.read(_STDIN, 1):
        pass
    child.terminate()
    time.sleep(STOP_TIMEOUT_S)  # the program ends before, if the command does
    child.kill()


def _end_what_is_left() -> None:
    while True:
        for pid in descendants(os.getpid()):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
