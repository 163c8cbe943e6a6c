"""The database, and the assistant, that a command on the rewrite table is about."""

from typing import TYPE_CHECKING

from services.cli.options import require_state
from services.errors import StateError
from streams.turn import AssistantId

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from services.settings import Settings

NOTHING_READ = "nothing has been learned yet"


class OpenedTable:
    """The tables of a state, and the assistant whose table is meant."""

    def __init__(self, settings: "Settings", assistant: str | None) -> None:
        from rewriting.table.rewrite_table import RewriteTable
        from services.jobs.learned_state import known_assistants
        from services.platform.clock import now_ms
        from services.platform.database import open_database

        require_state(settings)
        self.engine: Engine = open_database(settings.database_location)
        self.rewrites: RewriteTable = RewriteTable(self.engine, now_ms)
        self._settings = settings
        if assistant is None:
            known = known_assistants(self.engine, self.rewrites)
            if not known:
                raise StateError(f"{NOTHING_READ}: `rehear learn` or `rehear up` does")
            if len(known) > 1:
                raise StateError(f"say whose table with --assistant: there are {', '.join(known)}")
            assistant = known[0]
        self.assistant = AssistantId(assistant)

    def why_empty(self, version: int) -> str:
        """Why a version of the table has no row, and what to do.

        Raises:
            StateError: nothing is known of the assistant.
        """
        from services.jobs.learned_state import known_assistants, read_sessions_of, why_no_rewrites

        newest = self.rewrites.version(self.assistant)
        if newest:
            empty = "is the empty table before all others" if version == 0 else "holds no rewrite"
            return f"{self.assistant}: version {version} {empty}; the newest is {newest}"
        read = read_sessions_of(self.engine, self.assistant)
        if not read.sessions:
            known = known_assistants(self.engine, self.rewrites)
            there = f"there are {', '.join(known)}" if known else "`rehear learn` or `rehear up` does"
            raise StateError(f"{NOTHING_READ} of assistant {self.assistant!r}: {there}")
        learned = self.assistant in self.rewrites.assistants_without_rewrites()
        return why_no_rewrites(self.assistant, read, self._settings, learned)
