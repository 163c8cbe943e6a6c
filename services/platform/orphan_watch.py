"""Orphan watch: a process that was started for another ends when that one is gone, however it went."""

import os
import signal
import threading
import time

CHECK_S = 1.0
"""How long an orphan may go on. A killed parent cannot tell; an orphan would hold ports and partitions."""


def end_with(parent_pid: int) -> None:
    """From now on, sends this process a SIGTERM once `parent_pid` is no longer its parent."""
    threading.Thread(target=_watch, args=(parent_pid,), name="orphan-watch", daemon=True).start()


def _watch(parent_pid: int) -> None:
    while os.getppid() == parent_pid:
        time.sleep(CHECK_S)
    os.kill(os.getpid(), signal.SIGTERM)
