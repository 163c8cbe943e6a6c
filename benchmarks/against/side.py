"""One side of a comparison: a checkout, a folder for its state, and its commands as processes on a leash."""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, Self

import msgspec
from msgspec import Struct

from benchmarks.against.checkout import OURS, Checkout, environment_of
from benchmarks.against.errors import CommandError
from benchmarks.against.leash import Ended, LeashedCommand
from benchmarks.process_tree import cpu_ns, descendants

SideName = Literal["ours", "theirs"]

COMMAND_TIMEOUT_S = 7_200.0
"""For a command to end, or a server to be ready. Only what hangs takes so long."""

POLL_S = 0.02
_PRINTED_SHOWN_BYTES = 4_000


class Side(Struct, frozen=True, kw_only=True):
    """A checkout, and where what its commands keep and print goes."""

    name: SideName
    checkout: Checkout
    folder: Path  # of this side alone
    threads: int = 1

    def run(self, *arguments: str, settings: Mapping[str, str] | None = None) -> Ended:
        """Runs `rehear` with these arguments to its end.

        Args:
            arguments: of the command.
            settings: variables `REHEAR_...`.

        Raises:
            CommandError: it fails, or does not end.
        """
        with self.start(*arguments, settings=settings) as running:
            ended = running.wait()
        if ended.status != 0:
            raise CommandError(f"{running} ended with status {ended.status}:\n{running.printed}")
        return ended

    def start(self, *arguments: str, settings: Mapping[str, str] | None = None) -> "RunningCommand":
        """Starts `rehear` with these arguments; use what it gives as a context manager."""
        return RunningCommand(
            f"{self.name}: rehear {' '.join(arguments)}",
            LeashedCommand(
                command=self.checkout.command(*arguments),
                environment=self.checkout.environment(self.threads, settings or {}),
                folder=str(self.folder),
                log_file=str(self.folder / f"{arguments[0].strip('-')}.log"),
            ),
        )


class RunningCommand:
    """A command that runs until it ends by itself, or until this context or this process ends.

    Args:
        title: what it is, for messages.
        command: to run.
    """

    def __init__(self, title: str, command: LeashedCommand) -> None:
        self._title = title
        self._log_file = Path(command.log_file)
        self._leash = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.against.leash"],
            env=environment_of(OURS),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C goes to this program alone, which then lets go
        )
        if self._leash.stdin is not None:
            self._leash.stdin.write(msgspec.json.encode(command) + b"\n")
            self._leash.stdin.flush()

    def __str__(self) -> str:
        return self._title

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def printed(self) -> str:
        """The end of what it has printed."""
        try:
            return self._log_file.read_bytes()[-_PRINTED_SHOWN_BYTES:].decode(errors="replace").strip()
        except OSError:
            return ""

    def cpu_ns(self) -> dict[int, int]:
        """CPU time so far of each of its processes that run, by process id."""
        return cpu_ns(descendants(self._leash.pid))

    def cpu_since_s(self, before: Mapping[int, int]) -> float:
        """CPU seconds that its processes have used since `before`, a result of `cpu_ns`.

        Raises:
            CommandError: a process of then has ended, and its time is lost.
        """
        now = self.cpu_ns()
        if gone := before.keys() - now.keys():
            raise CommandError(
                f"{self}: {len(gone)} of its processes ended while it was measured:\n{self.printed}"
            )
        return sum(used - before.get(pid, 0) for pid, used in now.items()) / 1e9

    def wait_until(self, ready: Callable[[], bool], timeout_s: float = COMMAND_TIMEOUT_S) -> None:
        """Waits until a condition holds.

        Raises:
            CommandError: the command ends before, or time is over.
        """
        deadline_s = time.monotonic() + timeout_s
        while not ready():
            if self._leash.poll() is not None:
                raise CommandError(f"{self} ended before it was ready:\n{self.printed}")
            if time.monotonic() > deadline_s:
                raise CommandError(f"{self} is not ready after {timeout_s:g} s:\n{self.printed}")
            time.sleep(POLL_S)

    def wait(self, timeout_s: float = COMMAND_TIMEOUT_S) -> Ended:
        """Waits until it ends by itself.

        Raises:
            CommandError: it does not.
        """
        try:
            self._leash.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.stop()
            raise CommandError(f"{self} has not ended after {timeout_s:g} s:\n{self.printed}") from None
        return self._ended()

    def stop(self) -> None:
        """Ends it, with all that it has started, and waits for that."""
        if self._leash.stdin is not None:
            self._leash.stdin.close()
        self._leash.wait()
        if self._leash.stdout is not None:
            self._leash.stdout.close()

    def _ended(self) -> Ended:
        line = self._leash.stdout.readline() if self._leash.stdout is not None else b""
        try:
            return msgspec.json.decode(line, type=Ended)
        except msgspec.DecodeError:
            raise CommandError(
                f"{self} did not start (status {self._leash.returncode} of the leash):\n{self.printed}"
            ) from None
