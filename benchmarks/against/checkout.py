"""A checkout of Rehear, used by its commands alone: which interpreter, which code, which commit."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from msgspec import Struct

from benchmarks.against.errors import CheckoutError

OURS = Path(__file__).parents[2]
"""The checkout that this module is part of."""

QUERY_TIMEOUT_S = 300.0
"""For an interpreter to say what it would run, or for git. Only what hangs takes so long."""

_WHERE_AND_WHICH = """
import importlib.util, platform
found = importlib.util.find_spec("services")
print(found.origin if found else "")
print(platform.python_version())
"""


class Checkout(Struct, frozen=True, kw_only=True):
    """A checkout and the interpreter of its environment."""

    root: Path
    python: Path
    commit: str | None  # with "+" where tracked files have changed; None: not in git
    python_version: str

    @classmethod
    def ours(cls) -> Self:
        """This checkout, with the interpreter that runs now."""
        return cls.at(OURS, Path(sys.executable))

    @classmethod
    def at(cls, root: Path, python: Path | None = None) -> Self:
        """The checkout in a folder.

        Args:
            root: its folder.
            python: the interpreter; by default that of the folder's `.venv`.

        Raises:
            CheckoutError: there is no such folder, environment or command, or the environment would run
                the code of another folder.
        """
        root = root.absolute()
        if not (root / "services").is_dir():
            raise CheckoutError(f"{root} is no checkout of Rehear: it has no folder `services`")
        python = python or root / ".venv" / "bin" / "python"
        if not python.exists():
            raise CheckoutError(f"{python} does not exist: run `make install` in {root}")
        if not (python.parent / "rehear").exists():
            raise CheckoutError(f"{python.parent} has no command `rehear`: run `make install` in {root}")
        origin, version = _what_runs(root, python)
        if Path(origin).parent.resolve() != (root / "services").resolve():
            raise CheckoutError(
                f"{python} would run {origin or 'no code at all'} and not that of {root}: "
                f"run `make install` in {root}"
            )
        return cls(root=root, python=python, commit=_commit(root), python_version=version)

    def command(self, *arguments: str) -> list[str]:
        """The command line of `rehear` with these arguments."""
        return [str(self.python), str(self.python.parent / "rehear"), *arguments]

    def environment(self, threads: int, settings: Mapping[str, str]) -> dict[str, str]:
        """The environment of its commands: nothing of Rehear or Python that the caller has set, but this.

        Args:
            threads: that numerical libraries may use.
            settings: variables `REHEAR_...`.
        """
        return environment_of(self.root) | dict(settings) | dict.fromkeys(_THREADS, str(threads))


_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def environment_of(root: Path) -> dict[str, str]:
    """The caller's environment without settings of Rehear and Python; the code is that of `root`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("REHEAR_", "PYTHON"))}
    return kept | {"PYTHONPATH": str(root), "PYTHONNOUSERSITE": "1"}


def _what_runs(root: Path, python: Path) -> tuple[str, str]:
    """Where the environment finds `services`, and the version of its Python; nothing is imported."""
    command = [str(python), "-P", "-c", _WHERE_AND_WHICH]
    try:
        done = subprocess.run(
            command,
            env=environment_of(root),
            capture_output=True,
            text=True,
            timeout=QUERY_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise CheckoutError(f"{python} does not run: {error}") from error
    origin, version = done.stdout.splitlines()
    return origin, version


def _commit(root: Path) -> str | None:
    git = ["git", "--no-optional-locks", "-C", str(root)]
    commit = _output([*git, "rev-parse", "--short=12", "HEAD"])
    if not commit:
        return None
    return commit + ("+" if _output([*git, "status", "--porcelain", "--untracked-files=no"]) else "")


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=QUERY_TIMEOUT_S, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
