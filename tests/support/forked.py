"""Processes that have everything imported when they begin: forked from one server, which pays for it once.

The server belongs to this process, starts with the first call, and ends with it; so do the processes.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from waiting import HANGS_AFTER_S

_IMPORTED: Final = [
    "services.processes.worker",
    "services.cli.commands",
    "services.jobs.turn_logs",
    "services.jobs.online_models",
    "services.jobs.rewrite_replay",
    "services.evaluation.rewrites.evaluation",
    "services.evaluation.rewrites.report",
    "services.simulator",
    "rewriting.encoders.training",
    "lightgbm",
    "faiss",
    "onnxruntime",
    "networkx",
    "matplotlib.figure",
    "sentence_transformers",
]

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(_IMPORTED)


def start(output: Path, function: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Calls a function in a process of its own.

    Args:
        output: gets what it prints, and the traceback of an error, with which it ends with status 1.
        function: of a module, as are the types of its arguments: it is found by its name.
        arguments: that can be pickled.
    """
    process = _server.Process(target=_call, args=(output, output, function, arguments), daemon=True)
    process.start()
    return process


def rehear(*arguments: object, code: int = 0, environment: Mapping[str, str] = {}) -> str:
    """Runs the command `rehear`, as its entry point does; sees that it ends with this status.

    Args:
        arguments: after the name of the command.
        code: expected.
        environment: variables to set.

    Returns:
        What it printed to standard output, or to standard error where it must fail.
    """
    words = [str(argument) for argument in arguments]
    with TemporaryDirectory() as folder:
        out, errors = Path(folder) / "out", Path(folder) / "errors"
        process = _server.Process(
            target=_call, args=(out, errors, _run_command, (words, dict(environment))), daemon=True
        )
        process.start()
        process.join(HANGS_AFTER_S)
        process.kill()
        process.join()
        printed, complained = out.read_text(), errors.read_text()
    assert process.exitcode == code, f"{process.exitcode}: {printed}\n{complained}"
    return printed if code == 0 else complained


def _run_command(words: list[str], environment: dict[str, str]) -> None:
    os.environ.update({"COLUMNS": "160", "TERM": "dumb", "REHEAR_RANKER__THREADS": "1"}, **environment)
    sys.argv = ["rehear", *words]
    from services.cli import main

    main()


def _call(out: Path, errors: Path, function: Callable[..., None], arguments: Sequence[Any]) -> None:
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: it ends with the server
    for number, path in ((1, out), (2, errors)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    try:
        function(*arguments)
    except SystemExit:
        raise
    except BaseException:
        traceback.print_exc()
        sys.exit(1)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
