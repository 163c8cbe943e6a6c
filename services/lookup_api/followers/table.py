"""Keeps lookup tables in memory at the version of the rewrite table in the database."""

import time
from collections.abc import Callable, Collection, Mapping

import structlog

from rewriting.table.lookup import LookupTable
from rewriting.table.rewrite_table import RewriteTable
from rewriting.verdicts.row_verdicts import RowVerdicts
from services.lookup_api.followers.database import DatabaseFollower
from services.lookup_api.followers.switch_memory import SwitchMemory
from services.lookup_api.followers.verdict_memory import VerdictMemory
from streams.turn import AssistantId

log = structlog.get_logger()


class TableFollower(DatabaseFollower):
    """Looks at the table's versions a few times a second, in a thread, and takes over what has changed.

    A look costs some small queries; a change costs its delta. The tables are swapped as a whole, so whoever
    reads `tables` sees one version of each. While the database is away the last tables stay in use.

    Args:
        table: asked for versions and changes.
        load: reads the whole table of an assistant (`load_lookup_table`).
        poll_interval_s: from one look to the next.
        clock_s: for the age of the tables.
        read_assistants: those of which something is stored, with a table or without one yet.
        verdicts: what the ranker has said of the rows, which is there before the rows are; None: nothing.
        switches: whether serving is off, which is known before the rows are; None: it never is.
    """

    def __init__(
        self,
        table: RewriteTable,
        load: Callable[[AssistantId], LookupTable],
        poll_interval_s: float = 0.25,
        clock_s: Callable[[], float] = time.monotonic,
        read_assistants: Callable[[], Collection[AssistantId]] = frozenset,
        verdicts: VerdictMemory | None = None,
        switches: SwitchMemory | None = None,
    ) -> None:
        super().__init__("table", poll_interval_s, clock_s)
        self._read_assistants = read_assistants
        self._assistants: frozenset[AssistantId] = frozenset()
        self._table = table
        self._load = load
        self._verdicts = verdicts
        self._switches = switches
        self._tables: Mapping[AssistantId, LookupTable] = {}

    @property
    def tables(self) -> Mapping[AssistantId, LookupTable]:
        """The tables that lookups are answered from."""
        return self._tables

    @property
    def assistants(self) -> frozenset[AssistantId]:
        """All assistants of which something is stored, with a table or without one yet."""
        return self._assistants

    def table_of(self, assistant_id: str) -> LookupTable:
        """The table of an assistant; an empty one where nothing was learned for it."""
        table = self._tables.get(AssistantId(assistant_id))
        return LookupTable.empty(AssistantId(assistant_id)) if table is None else table

    def verdicts_of(self, assistant_id: AssistantId) -> RowVerdicts | None:
        """What the ranker has said of the rows of an assistant; None where none was trained for it."""
        return None if self._verdicts is None else self._verdicts.of(assistant_id)

    def is_off(self, assistant_id: AssistantId) -> bool:
        """Whether all requests of an assistant are left as they are."""
        return self._switches is not None and self._switches.is_off(assistant_id)

    def _take_over(self) -> None:
        if self._switches is not None:
            self._switches.look()
        if self._verdicts is not None:
            self._verdicts.look()
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
        self._assistants = frozenset(tables).union(self._read_assistants())

    def _update(self, table: LookupTable) -> LookupTable:
        delta = self._table.changes(table.assistant_id, table.version)
        table = table.with_changes(delta.version, delta.rewrites, delta.forgotten)
        log.info("table followed", assistant_id=table.assistant_id, version=table.version, live=len(table))
        return table
