"""Looks at the database again and again, in a thread, and goes on where a look fails."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

import structlog

log = structlog.get_logger()

_LONGEST_PAUSE_S: Final = 1.0  # between tries while the database is away: back within a second of its return


class DatabaseFollower(ABC):
    """Keeps something in memory as it is in the database, by a look at it a few times a second.

    Args:
        name: of what is followed, for the log and the thread.
        poll_interval_s: from one look to the next.
        clock_s: for the age of what is in memory.
    """

    def __init__(
        self, name: str, poll_interval_s: float = 0.25, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._poll_interval_s = poll_interval_s
        self._clock_s = clock_s
        self._looked_s: float | None = None
        self._failures = 0  # in a row
        self._last_failure = ""
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def age_s(self) -> float | None:
        """Seconds since the database was last seen to agree with memory; None before the first time."""
        return None if self._looked_s is None else self._clock_s() - self._looked_s

    @property
    def last_failure(self) -> str:
        """What the last look at the database failed with; empty when it went well."""
        return self._last_failure

    def start(self) -> None:
        """Begins to follow, in a thread of its own."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._follow, name=f"{self._name}-follower", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Ends it; a look that hangs in the database for longer is left behind."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None

    def look(self) -> None:
        """Looks at the database once and takes over what has changed; errors of the database get out."""
        looked_s = self._clock_s()
        self._take_over()
        self._looked_s = looked_s

    @abstractmethod
    def _take_over(self) -> None:
        """Brings memory to what the database has."""

    def _follow(self) -> None:
        while not self._stopping.is_set():
            pause_s = self._poll_interval_s
            try:
                self.look()
            except Exception as error:  # whatever it is, requests go on from memory, and we try again
                self._failures += 1
                self._last_failure = f"{type(error).__name__}: {error}"
                if self._failures == 1:
                    log.warning(f"{self._name} not followed", error=self._last_failure, age_s=self.age_s)
                pause_s = min(self._poll_interval_s * 2**self._failures, _LONGEST_PAUSE_S)
            else:
                if self._failures:
                    log.info(f"{self._name} followed again", failures=self._failures)
                self._failures = 0
                self._last_failure = ""
            self._stopping.wait(pause_s)
