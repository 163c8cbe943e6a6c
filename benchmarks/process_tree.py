"""The processes that a process has started, and those that they have: their ids and CPU time, on Linux."""

import ctypes
import os
import time
from collections.abc import Iterable
from pathlib import Path

_CPU_CLOCK_LIBRARY = ctypes.CDLL(None, use_errno=True)


def descendants(pid: int) -> list[int]:
    """Ids of all processes below this one, itself not included."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        parent = _parent(folder)
        if parent is not None:
            children.setdefault(parent, []).append(int(folder.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def cpu_ns(pids: Iterable[int]) -> dict[int, int]:
    """CPU time of processes so far, user and system, with that of threads that have ended; gone ones are out.

    It is read from each process's own clock: those of /proc count in hundredths of a second.
    """
    found: dict[int, int] = {}
    for pid in pids:
        clock = ctypes.c_int()
        if _CPU_CLOCK_LIBRARY.clock_getcpuclockid(pid, ctypes.byref(clock)) == 0:
            try:
                found[pid] = time.clock_gettime_ns(clock.value)
            except OSError:
                continue  # it ended in between
    return found


def is_running(pid: int) -> bool:
    """Whether there is such a process; one that has ended and is not yet waited for does not run."""
    try:
        os.kill(pid, 0)
        return _fields(Path(f"/proc/{pid}"))[0] not in ("Z", "X")
    except (OSError, IndexError):
        return False


def _parent(folder: Path) -> int | None:
    try:
        return int(_fields(folder)[1])
    except (OSError, IndexError, ValueError):
        return None  # it ended in between


def _fields(folder: Path) -> list[str]:
    """State, parent and so on: what follows the name, which may hold anything, in its brackets."""
    return (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
