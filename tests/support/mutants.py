"""Runs the mutations: puts each fault into a copy of the code, and reports whether its tests notice.

For each mutation it prints: caught (a test failed), time limit (no end within the limit, which
counts as caught), survived (all tests passed), or unusable (it does not apply, or its tests did not run).
The tests first run on the code as it is: a test that fails anyway catches nothing. The exit status is 0 where
every mutation was caught, 1 otherwise. Only the copy is ever changed.
"""

import argparse
import ctypes
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from shutil import copy2
from typing import Final, Literal

from msgspec import Struct
from mutation import Mutation, MutationError, mutated, read_mutations

Verdict = Literal["caught", "time limit", "survived", "unusable"]

LIMIT_S: Final = 900.0
"""For the tests of one mutation. Those of a fault that hangs would never end; lowered, a loaded machine is
taken for a hang."""

_TESTS_FAILED, _INTERRUPTED = 1, 2  # exit statuses of pytest; the second: a module could not be imported
_CRASHES: Final = frozenset({-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE})
_NO_PLUGINS: Final = "PYTEST_DISABLE_PLUGIN_AUTOLOAD"
_SET_CHILD_SUBREAPER: Final = 36  # of `prctl`
_OUTPUT_SHOWN: Final = 2_000  # characters


class Run(Struct, frozen=True):
    """How a run of tests ended."""

    status: int | None  # None: it was ended at the limit
    output: str
    wall_s: float


class CopiedTree:
    """A copy of a working tree to put faults into, and to run tests on.

    Args:
        root: a folder in a git repository; what git does not ignore is copied.
        folder: to copy to; it must be empty.

    Raises:
        MutationError: git cannot list the files.
    """

    def __init__(self, root: Path, folder: Path) -> None:
        self.path = (folder / "tree").resolve()
        self._folder = folder
        for name in _files(root):
            target = self.path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            copy2(root / name, target)
        # By default Python takes a compiled file for current where the time and size of its source are the
        # same, as they are if two faults follow each other within a second.
        self._python("-m", "compileall", "-q", "--invalidation-mode", "checked-hash", ".")

    def check_imports(self, packages: Iterable[str]) -> None:
        """Makes sure that tests and processes that they start import the copy, and not an installed package.

        Raises:
            MutationError: some package would come from somewhere else.
        """
        probe = "import sys, importlib.util as u; print(u.find_spec(sys.argv[1]).origin)"
        child = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]], cwd='/')"
        for package in sorted(set(packages)):
            for command in (["-c", probe, package], ["-c", child, probe, package]):
                origin = Path(self._python(*command).strip())
                if not origin.is_relative_to(self.path):
                    raise MutationError(f"the tests would import {package} from {origin}, not from the copy")

    def run(self, tests: Sequence[str], limit_s: float, *options: str) -> Run:
        """Runs tests on the copy, and ends whatever they leave running."""
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
        command.append(f"--basetemp={self._folder / 'pytest'}")
        if importlib.util.find_spec("xdist") is not None and not os.environ.get(_NO_PLUGINS):
            command += ["-n", "0"]  # many starts of workers would cost more than they save
        others = _descendants()
        started = time.monotonic()
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                [*command, *tests],
                cwd=self.path,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,  # a pipe would stay open as long as any child
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                status = process.wait(limit_s)
            except subprocess.TimeoutExpired:
                status = None
            finally:
                if process.returncode is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                _end_descendants(others)
            output.seek(0)
            text = output.read().decode(errors="replace")
        return Run(status, text, time.monotonic() - started)

    def judge(self, mutation: Mutation, limit_s: float) -> tuple[Verdict, Run]:
        """Runs the tests of a mutation with it in place; the copy is then as before."""
        target = self.path / mutation.path
        try:
            source = target.read_text()
            target.write_text(mutated(mutation, source))
        except (MutationError, OSError) as error:
            return "unusable", Run(None, str(error), 0.0)
        try:
            run = self.run(mutation.tests, limit_s, "-x")
        finally:
            target.write_text(source)
        if run.status is None:
            return "time limit", run
        if run.status in {_TESTS_FAILED, _INTERRUPTED} or run.status in _CRASHES:
            return "caught", run
        return ("survived" if run.status == 0 else "unusable"), run

    def _python(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.path,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise MutationError(f"python {' '.join(arguments)} failed in the copy: {done.stderr.strip()}")
        return done.stdout

    def _environment(self) -> dict[str, str]:
        ours = {name for name in os.environ if name.startswith("PYTEST_") and name != _NO_PLUGINS}
        kept = {name: value for name, value in os.environ.items() if name not in ours}
        paths = [str(self.path), *filter(None, [kept.get("PYTHONPATH")])]
        return kept | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}


def run_mutations(
    root: Path, mutations: Sequence[tuple[int, Mutation]], limit_s: float = LIMIT_S
) -> list[Verdict]:
    """Runs numbered mutations of the code in a folder, with a line of progress each.

    Raises:
        MutationError: the copy cannot be made or used, or tests fail without any mutation.
    """
    _adopt_orphans()
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="rehear-mutants-") as folder:
        tree = CopiedTree(root, Path(folder))
        tree.check_imports(mutation.package for _, mutation in mutations)
        tests = list(dict.fromkeys(test for _, mutation in mutations for test in mutation.tests))
        run = tree.run(tests, max(limit_s, LIMIT_S) * len(mutations))
        if run.status:
            raise MutationError(f"tests fail without any mutation:\n{run.output[-_OUTPUT_SHOWN:]}")
        if run.status is None:
            raise MutationError(f"without any mutation, tests do not end within {run.wall_s:.0f} s")
        print(f"{'unchanged':>10} {run.wall_s:6.1f} s  all tests pass", flush=True)
        for number, mutation in mutations:
            verdict, run = tree.judge(mutation, limit_s)
            verdicts.append(verdict)
            change = f"{mutation.path}: {mutation.change}"
            print(f"{verdict:>10} {run.wall_s:6.1f} s  {number:3} {change}", flush=True)
            if verdict == "caught":
                print(f"{'':25}by {_first_failure(run.output)}", flush=True)
            elif verdict == "survived":
                print(f"{'':25}no test of {' '.join(mutation.tests)} fails, though {mutation.breaks}")
            elif verdict == "unusable":
                print(f"{'':25}{run.output[-_OUTPUT_SHOWN:]}")
    return verdicts


def chosen(mutations: Sequence[Mutation], wanted: Sequence[str]) -> list[tuple[int, Mutation]]:
    """Mutations with their numbers from 1: all, or those that a number or a part of a path names.

    Raises:
        MutationError: a name stands for none.
    """
    numbered = list(enumerate(mutations, start=1))
    found: set[int] = set()
    for name in wanted:
        named = {
            number
            for number, mutation in numbered
            if (int(name) == number if name.isdecimal() else name in mutation.path)
        }
        if not named:
            raise MutationError(f"no mutation is called {name!r}; --list shows all, with their numbers")
        found |= named
    return [(number, mutation) for number, mutation in numbered if number in found or not wanted]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; gives the exit status."""
    default_root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(prog="mutants", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="number of a mutation or part of its path; default: all"
    )
    parser.add_argument("--list", action="store_true", help="show the mutations and run nothing")
    parser.add_argument(
        "--root", type=Path, default=default_root, help="repository that is copied; default: this one"
    )
    parser.add_argument(
        "--file", type=Path, help="TOML file of mutations; default: tests/mutations.toml there"
    )
    parser.add_argument(
        "--limit-s",
        type=float,
        default=LIMIT_S,
        metavar="SECONDS",
        help="time limit for the tests of one mutation, after which they are ended; default: %(default)g",
    )
    given = parser.parse_args(arguments)
    try:
        mutations = chosen(read_mutations(given.file or given.root / "tests" / "mutations.toml"), given.names)
        if given.list:
            for number, mutation in mutations:
                print(f"{number:3} {mutation.kind:<17} {mutation.path}: {mutation.change}")
            return 0
        verdicts = run_mutations(given.root, mutations, given.limit_s)
    except MutationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    n_caught = sum(verdict in {"caught", "time limit"} for verdict in verdicts)
    print(f"{n_caught} of {len(verdicts)} mutations caught")
    return 0 if n_caught == len(verdicts) else 1


def _first_failure(output: str) -> str:
    """The test that failed, and why, as pytest sums it up."""
    lines = output.splitlines()
    failed = (line.partition(" ")[2] for line in lines if line.startswith(("FAILED ", "ERROR ")))
    return next(failed, lines[-1] if lines else "an end without a word")


def _files(root: Path) -> list[str]:
    """What git does not ignore, from the root."""
    done = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - as installed
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MutationError(f"git cannot list the files of {root}: {done.stderr.strip()}")
    return [name for name in done.stdout.split("\0") if name and (root / name).is_file()]


def _adopt_orphans() -> None:
    """On Linux, makes this process the parent of processes whose own has gone, so that it can end them."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1)


def _end_descendants(others: frozenset[int]) -> None:
    """Kills the processes below this one but for some others, and waits until they are gone."""
    while below := _descendants() - others:
        for pid in below:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):  # it is a child of another that has yet to be ended
                os.waitpid(pid, os.WNOHANG)
        time.sleep(0.01)


def _descendants() -> frozenset[int]:
    """The processes below this one, where there is a `/proc`."""
    parents: dict[int, int] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended since
            after_name = status.read_text(errors="replace").rpartition(")")[2].split()
            parents[int(status.parent.name)] = int(after_name[1])
    below = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in below} - below:
        below |= more
    return frozenset(below - {os.getpid()})


if __name__ == "__main__":
    sys.exit(main())
