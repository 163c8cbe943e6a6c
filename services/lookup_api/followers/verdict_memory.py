"""Verdict memory: what the ranker has said of the rows of all tables, for when it cannot be asked."""

import time
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from sqlalchemy import Engine

from rewriting.verdicts.row_verdicts import RowVerdicts
from rewriting.verdicts.store import VerdictRevision, add_verdicts, verdict_revisions, verdicts_since
from services.lookup_api.followers.database import DatabaseFollower
from streams.stores.database_schema import reading
from streams.turn import AssistantId

log = structlog.get_logger()

WRITE_EVERY_S: Final = 1.0
"""Between writes of what was noted. Raised, a killed process loses more of it; lowered, more transactions."""


class VerdictMemory:
    """The verdicts in memory, as the database has them, and what this process has noted beside.

    Args:
        engine: of the database.
        writing_engine: the same, whose statements do not wait long; by default `engine`.
    """

    def __init__(self, engine: Engine, writing_engine: Engine | None = None) -> None:
        self._engine = engine
        self._writing_engine = writing_engine or engine
        self._verdicts: Mapping[AssistantId, RowVerdicts] = {}
        self._revisions: dict[AssistantId, VerdictRevision] = {}

    def of(self, assistant_id: AssistantId) -> RowVerdicts | None:
        """The verdicts on the rows of an assistant; None where no ranker was trained for it."""
        return self._verdicts.get(assistant_id)

    @property
    def all(self) -> Mapping[AssistantId, RowVerdicts]:
        """The verdicts of each assistant for which a ranker was trained."""
        return self._verdicts

    def look(self) -> None:
        """Takes over what has changed in the database; a look at which nothing has costs one small query."""
        with reading(self._engine) as connection:
            revisions = verdict_revisions(connection)
            held = {key: one for key, one in self._verdicts.items() if key in revisions}
            for assistant_id, now in revisions.items():
                before = self._revisions.get(assistant_id)
                if assistant_id not in held or before is None:
                    held[assistant_id] = RowVerdicts(assistant_id, verdicts_since(connection, assistant_id))
                elif now.revision < before.revision or now.whole_revision != before.whole_revision:
                    held[assistant_id].replace(verdicts_since(connection, assistant_id))
                elif now.revision != before.revision:
                    held[assistant_id].join(verdicts_since(connection, assistant_id, before.revision))
        self._verdicts, self._revisions = held, revisions

    def write(self) -> None:
        """Stores what was noted since the last time; errors of the database get out, and nothing is lost."""
        for assistant_id, verdicts in self._verdicts.items():
            known = self._revisions.get(assistant_id, VerdictRevision())
            noted = verdicts.drain()
            if not noted:
                continue
            try:
                with self._writing_engine.begin() as connection:
                    add_verdicts(connection, assistant_id, noted, known.whole_revision)
            except BaseException:
                verdicts.give_back(noted)
                raise


class VerdictWriter(DatabaseFollower):
    """Stores what was noted, away from the requests, every second and at the end.

    Args:
        memory: that notes.
        write_every_s: from one write to the next.
        clock_s: monotonic.
    """

    def __init__(
        self,
        memory: VerdictMemory,
        write_every_s: float = WRITE_EVERY_S,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("row verdicts", write_every_s, clock_s)
        self._memory = memory

    def stop(self, timeout_s: float = 5.0) -> None:
        """Ends it, after a last write."""
        super().stop(timeout_s)
        try:
            self.look()
        except Exception as error:  # the next process learns it anew
            log.warning("what the ranker said last of rows is not stored", error=str(error))

    def _take_over(self) -> None:
        self._memory.write()
