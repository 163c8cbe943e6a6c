"""Runs a function in a process of its own, so that its memory is its own."""

import logging
import multiprocessing
import resource
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import structlog
from msgspec import Struct

from services.platform.orphan_watch import end_with

R = TypeVar("R")


class Measured(Struct, frozen=True):
    """What the function returned, and the most memory that its process ever had."""

    value: Any
    peak_bytes: int


def in_process(function: Callable[..., R], *arguments: object) -> Measured:
    """Calls a function of a module in a fresh process, and waits for it.

    Raises:
        RuntimeError: the process ended without an answer; it has printed why.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, function, arguments))
    process.start()
    theirs.close()
    try:
        value, peak_bytes = ours.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"{function.__name__} ended with status {process.exitcode}") from None
    process.join()
    return Measured(value, peak_bytes)


def log_only_errors() -> None:
    """Keeps what the parts log as they go out of the figures; each process says so for itself."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


def end_with_parent() -> None:
    """From now on, ends this process once the one that started it is gone, even if that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None and parent.pid is not None:
        end_with(parent.pid)


def in_this_process(function: Callable[..., R], *arguments: object) -> Measured:
    """The same in this process: quicker, and the memory is that of everything that this process has done."""
    return Measured(function(*arguments), _peak_bytes())


def _answer(pipe: Connection, function: Callable[..., object], arguments: tuple[object, ...]) -> None:
    end_with_parent()
    log_only_errors()
    value = function(*arguments)
    pipe.send((value, _peak_bytes()))
    pipe.close()


def _peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
