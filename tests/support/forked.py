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
from subprocess import CompletedProcess
from typing import Any, Final

_HANGS_AFTER_S: Final = 900.0
"""For hangs alone: many times what any command here takes on a machine that is busy."""

_IMPORTED: Final = [
    "services.worker",
    "services.cli.main",
    "services.learning",
    "services.online_learning",
    "services.rewrite_replay",
    "services.evaluation.rewrite_evaluation",
    "services.evaluation.report",
    "services.simulator",
    "rewriting.encoder_training",
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


def rehear(
    arguments: Sequence[object],
    folder: Path,
    environment: Mapping[str, str | None] = {},
    input: bytes = b"",
) -> CompletedProcess[str]:
    """Runs the command `rehear` with these arguments, as its entry point does.

    Args:
        arguments: after the name of the command.
        folder: of this call alone, for what is printed.
        environment: variables to set; None takes one away.
        input: what can be read from standard input.
    """
    out, errors, given = folder / "stdout", folder / "stderr", folder / "stdin"
    given.write_bytes(input)
    words = [str(argument) for argument in arguments]
    process = _server.Process(
        target=_call, args=(out, errors, _run_command, (words, dict(environment), given)), daemon=True
    )
    process.start()
    process.join(_HANGS_AFTER_S)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise TimeoutError(f"rehear {' '.join(words)} hangs:\n{errors.read_text()}")
    done = CompletedProcess(["rehear", *words], process.exitcode, out.read_text(), errors.read_text())
    process.close()
    return done


def _run_command(words: list[str], environment: dict[str, str | None], given: Path) -> None:
    for name, value in environment.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    os.dup2(os.open(given, os.O_RDONLY), 0)
    sys.stdin = open(0, encoding="utf-8", closefd=False)
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
