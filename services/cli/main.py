"""The entry of the command `rehear`: it loads the commands, and answers Ctrl-C from the first moment on.

It imports next to nothing itself: loading all that the commands need takes seconds, in which people change
their minds.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 and the number of the signal, as shells have it."""


def main() -> None:
    """Runs the command; Ctrl-C ends it with exit status 130, and without a traceback."""
    try:
        with _ending_at_once():
            from services.cli.commands import run
        run()
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


@contextmanager
def _ending_at_once() -> Iterator[None]:
    """Ctrl-C ends the process without an exception: for loading, where nothing has to be put in order.

    An exception in the middle of an import may be lost in a callback, or be made another one by a module that
    cannot go on. Where Ctrl-C is not for this process, as in a job in the background, it stays so.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(INTERRUPTED)
