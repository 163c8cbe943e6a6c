"""Keeps lookup tables in memory at the version of the rewrite table in the database."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from rewriting.lookup_table import LookupTable
from rewriting.rewrite_table import RewriteTable
from streams.turn import AssistantId

log = structlog.get_logger()

_LONGEST_PAUSE_S: Final = 1.0  # between tries while the database is away: back within a second of its return


class TableFollower:
    """Looks at the table's versions a few times a second, in a thread, and takes over what has changed.

    A look costs one small query; a change costs its delta. The tables are swapped as a whole, so whoever
    reads `tables` sees one version of each. While the database is away the last tables stay in use.

    Args:
        table: asked for versions and changes.
        load: reads the whole table of an assistant (`load_lookup_table`).
        poll_interval_s: from one look to the next.
        clock_s: for the age of the tables.
    """

    def __init__(
        self,
        table: RewriteTable,
        load: Callable[[AssistantId], LookupTable],
        poll_interval_s: float = 0.25,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = table
        self._load = load
        self._poll_interval_s = poll_interval_s
        self._clock_s = clock_s
        self._tables: Mapping[AssistantId, LookupTable] = {}
        self._looked_s: float | None = None
        self._failures = 0  # in a row
        self._last_failure = ""
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def tables(self) -> Mapping[AssistantId, LookupTable]:
        """The tables that lookups are answered from."""
        return self._tables

    @property
    def age_s(self) -> float | None:
        """Seconds since the database was last seen to agree with `tables`; None before the first time."""
        return None if self._looked_s is None else self._clock_s() - self._looked_s

    @property
    def last_failure(self) -> str:
        """What the last look at the database failed with; empty when it went well."""
        return self._last_failure

    def table_of(self, assistant_id: str) -> LookupTable:
        """The table of an assistant; an empty one where nothing was learned for it."""
        table = self._tables.get(AssistantId(assistant_id))
        return LookupTable.empty(AssistantId(assistant_id)) if table is None else table

    def start(self) -> None:
        """Begins to follow, in a thread of its own."""
        self._stopping.clear()
        self._thread = threading.Thread(target=self._follow, name="table-follower", daemon=True)
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
        versions = self._table.versions()
        tables = {}
        for assistant_id, version in versions.items():
            held = self._tables.get(assistant_id)
            if held is None or version < held.version:  # new here, or the database was restored from a copy
                held = self._load(assistant_id)
                log.info("table loaded", assistant_id=assistant_id, version=held.version, live=len(held))
            if version > held.version:
                held = self._update(held)
            tables[assistant_id] = held
        self._tables = tables
        self._looked_s = looked_s

    def _update(self, table: LookupTable) -> LookupTable:
        delta = self._table.changes(table.assistant_id, table.version)
        table = table.with_changes(delta.version, delta.rewrites, delta.forgotten)
        log.info("table followed", assistant_id=table.assistant_id, version=table.version, live=len(table))
        return table

    def _follow(self) -> None:
        while not self._stopping.is_set():
            pause_s = self._poll_interval_s
            try:
                self.look()
            except Exception as error:  # whatever it is, lookups go on from the last table, and we try again
                self._failures += 1
                self._last_failure = f"{type(error).__name__}: {error}"
                if self._failures == 1:
                    log.warning("table not followed", error=self._last_failure, age_s=self.age_s)
                pause_s = min(self._poll_interval_s * 2**self._failures, _LONGEST_PAUSE_S)
            else:
                if self._failures:
                    log.info("table followed again", failures=self._failures)
                self._failures = 0
                self._last_failure = ""
            self._stopping.wait(pause_s)
