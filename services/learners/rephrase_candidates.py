"""The rephrase learner: keeps links, pairs and candidates up with judged sessions, for workers and jobs."""

from collections.abc import Callable, Collection, Iterable

from msgspec import Struct
from sqlalchemy import Connection

from rewriting.evidence.session_evidence import SessionEvidence
from rewriting.rephrases.miner import mine_candidate
from rewriting.rephrases.pair import pairs_of
from rewriting.rephrases.settings import RephraseSettings
from rewriting.rephrases.store import (
    SessionLinks,
    StoredLinks,
    all_candidates,
    drop_sessions,
    mark_fresh,
    pairs_of_candidates,
    stale_candidates,
    store_links,
    store_pairs,
    stored_links,
)
from rewriting.table.rewrite import RewriteId
from rewriting.table.rewrite_table import RewriteTable
from services.learners.failure_points import put_rewrites
from services.learners.stored_evidence import learned_from
from streams.session import Session, SessionId
from streams.turn import AssistantId

REASON = "rephrases were found in the log"


class JudgedSession(Struct, frozen=True):
    """A session, and what a detector has found in it."""

    session: Session
    found: SessionLinks


class RephraseLearner(Struct, frozen=True):
    """Links, pairs and candidates in the database; it keeps nothing in memory."""

    table: RewriteTable
    settings: RephraseSettings
    clock_ms: Callable[[], int]

    def store(self, connection: Connection, judged: Iterable[JudgedSession]) -> list[Session]:
        """Stores what was found in sessions, and makes their candidates anew; the same again changes nothing.

        Args:
            connection: in a transaction that writes.
            judged: sessions as they are now, each at most once.

        Returns:
            The sessions of which chains and requests are other than before.
        """
        changed = []
        by_assistant: dict[AssistantId, list[JudgedSession]] = {}
        for item in judged:
            by_assistant.setdefault(item.session.assistant_id, []).append(item)
        for assistant_id, items in sorted(by_assistant.items()):
            before = stored_links(connection, [item.found.session_id for item in items])
            rows = []
            for item in items:
                known = before.get(item.found.session_id)
                if self._is_changed(item, known):
                    changed.append(item.session)
                if known is None or _other(known, item.found):
                    rows.append(item.found)
            store_links(connection, rows)
            pairs = [
                pair for item in items for pair in pairs_of(item.session, item.found.links, self.settings)
            ]
            touched = store_pairs(connection, assistant_id, [item.found.session_id for item in items], pairs)
            self._make(connection, assistant_id, touched)
        return changed

    def drop(self, connection: Connection, session_ids: Collection[SessionId]) -> None:
        """Drops what was found in sessions that are no more, or have other turns now.

        Args:
            connection: in a transaction that writes.
            session_ids: of these sessions.
        """
        drop_sessions(connection, session_ids)
        self.refresh(connection)

    def is_stale(self, connection: Connection) -> bool:
        """Whether there are candidates that others have left behind."""
        return bool(stale_candidates(connection))

    def refresh(self, connection: Connection, also: Iterable[AssistantId] = ()) -> None:
        """Makes all candidates anew that others have left behind.

        Args:
            connection: in a transaction that writes.
            also: assistants whose candidates are made anew in any case: the settings may be others.
        """
        stale = stale_candidates(connection)
        for assistant_id in sorted({*stale, *also}):
            candidates = stale.get(assistant_id, set())
            if assistant_id in also:
                candidates |= all_candidates(connection, assistant_id)
                candidates.update(self.table.standing_ids(connection, assistant_id, "rephrase"))
            self._make(connection, assistant_id, candidates)

    def _is_changed(self, item: JudgedSession, known: StoredLinks | None) -> bool:
        if not self.settings.in_chains:
            return False
        before = None if known is None or known.turns_key != item.found.turns_key else known.links
        if before == item.found.links:
            return False
        # Without defects: they split what links leave open, so where this is the same, so is that.
        rule = self.settings.rule
        return learned_from(item.session, SessionEvidence(before, rule)) != learned_from(
            item.session, SessionEvidence(item.found.links, rule)
        )

    def _make(
        self, connection: Connection, assistant_id: AssistantId, candidates: Collection[RewriteId]
    ) -> None:
        if not candidates:
            return
        pairs = pairs_of_candidates(connection, assistant_id, candidates)
        mined = [mine_candidate(assistant_id, some, self.settings) for some in pairs.values()]
        rows = [row for row in mined if row is not None]
        withdrawn = set(candidates).difference(row.rewrite_id for row in rows)
        put_rewrites(connection, self.table, assistant_id, rows, withdrawn, REASON, self.clock_ms())
        mark_fresh(connection, assistant_id, candidates)


def _other(known: StoredLinks, found: SessionLinks) -> bool:
    return (known.model, known.turns_key, known.links) != (found.model, found.turns_key, found.links)
