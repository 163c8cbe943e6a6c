"""The chain learner: keeps chains and rewrite tables up with sessions, for workers and offline jobs alike.

With each chain goes what users answer to the assistant's questions: both are made of the same sessions, and
each warrants rewrites of its own.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import structlog
from sqlalchemy import Connection

from rewriting.chains.step import SessionSteps
from rewriting.chains.store import CHAIN_STORE, mark_put_off, mark_solved, put_off, unsolved
from rewriting.guards.allowed_rewrites import allowed_pairs
from rewriting.guards.judged_rewrites import (
    JudgedRewrite,
    JudgedState,
    StateReason,
    counts_by_state,
    judged_rewrites,
    keep_judged,
)
from rewriting.guards.pair_guard import PairGuard
from rewriting.guards.reason import REFUSAL_REASONS, RefusalReason
from rewriting.guards.refused_rewrites import RefusedRewrite, counts_by_reason, keep_refused, refused_rewrites
from rewriting.table.revision import STANDS, held_wishes, stored_rewrites
from rewriting.table.rewrite import Method, Rewrite, RewriteId
from rewriting.table.rewrite_table import RewriteTable
from services.learners.assistant_miners import AssistantMiners
from services.learners.current_steps import current_steps
from services.learners.failure_points import put_rewrites
from services.settings import Settings
from streams.stores.database_schema import chunks
from streams.stores.step_store import by_assistant
from streams.turn import AssistantId

log = structlog.get_logger()

REASON = "learned from the log"
BY_GUARDS = "withdrawn by guards"

SOLVING_SHARE = 0.2
"""Share of the time, 0..1, that solving may take while sessions keep coming; what is put off is solved when
its turn comes, or when nothing comes. Raised, rewrites are live sooner and sessions wait longer."""


METHODS: tuple[Method, ...] = ("chain", "answer")
"""Whose rewrites rest on the sessions alone."""


class ChainLearner:
    """Chains in memory, their sessions and rewrites in the database.

    The chains in memory follow the transaction they are changed in: where it fails, call `drop`, and they are
    rebuilt from the database when they are next needed.
    """

    def __init__(
        self,
        table: RewriteTable,
        settings: Settings,
        clock_ms: Callable[[], int],
        guard: PairGuard | None = None,
    ) -> None:
        """Makes it.

        Args:
            table: of the rewrites.
            settings: of chains, answers, guards and evidence.
            clock_ms: milliseconds since 1970.
            guard: judges the pairs of chains; by default that of the settings.
        """
        self._guard = guard
        self._table = table
        self._settings = settings
        self._clock_ms = clock_ms
        self._miners: dict[AssistantId, AssistantMiners] = {}
        self._epochs: dict[AssistantId, int] = {}
        self._unsolved: set[AssistantId] = set()
        self._solve_after_s: dict[AssistantId, float] = {}  # on the monotonic clock
        self._refused: dict[AssistantId, list[RefusedRewrite]] = {}  # as they are stored
        self._judged: dict[AssistantId, list[JudgedRewrite]] = {}  # as they are stored
        self._recovers = True  # what others have put off may be ours to solve: they may be dead

    def drop(self) -> None:
        """Forgets all chains in memory."""
        self._miners.clear()
        self._epochs.clear()
        self._unsolved.clear()
        self._solve_after_s.clear()
        self._refused.clear()
        self._judged.clear()
        self._recovers = True

    def absorb(self, connection: Connection, sessions: Iterable[SessionSteps]) -> None:
        """Brings sessions into the chains, each in the place of what was known of it.

        Args:
            connection: in a transaction that writes.
            sessions: of any assistants, each at most once; without steps: withdrawn.
        """
        for assistant_id, news in by_assistant(sessions):
            miners = self._miners_of(connection, assistant_id)
            changed = CHAIN_STORE.replace(connection, news)
            for before, after in changed:
                if before is not None:
                    miners.remove(before)
                miners.add(after)
            if changed:
                self._unsolved.add(assistant_id)
                mark_put_off(connection, assistant_id)

    def solve(self, connection: Connection, patient: bool = False) -> None:
        """Solves what has changed and puts it into the rewrite tables.

        Args:
            connection: in a transaction that writes.
            patient: put off what would take more than its share of the time.
        """
        for assistant_id in sorted(self._unsolved):
            if patient and time.monotonic() < self._solve_after_s.get(assistant_id, 0):
                continue
            started_s = time.monotonic()
            miners = self._miners_of(connection, assistant_id)
            change = miners.solve()
            self._put(connection, miners, change.rewrites, [row.rewrite_id for row in change.withdrawn])
            mark_solved(connection, assistant_id)
            ended_s = time.monotonic()
            self._solve_after_s[assistant_id] = ended_s + (ended_s - started_s) * (1 / SOLVING_SHARE - 1)
            self._unsolved.discard(assistant_id)

    @property
    def refused_counts(self) -> dict[AssistantId, Counter[RefusalReason]]:
        """What the guards of each chain in memory hold back: pairs by reason, as of its last solution."""
        return {assistant_id: counts_by_reason(pairs) for assistant_id, pairs in self._refused.copy().items()}

    @property
    def judged_counts(self) -> dict[AssistantId, Counter[tuple[JudgedState, StateReason]]]:
        """How the rows of each chain in memory fare: by state and reason, as of its last solution."""
        return {assistant_id: counts_by_state(rows) for assistant_id, rows in self._judged.copy().items()}

    @property
    def has_unsolved(self) -> bool:
        """Whether something was put off."""
        return bool(self._unsolved)

    def refresh(self, connection: Connection, also: Iterable[AssistantId] = ()) -> None:
        """Rebuilds and solves every chain that others have changed, or have left behind unsolved.

        Args:
            connection: in a transaction that writes.
            also: assistants whose chain is to be in memory after this: their tables then are what the
                settings warrant, even if nothing but the settings has changed.
        """
        for assistant_id in sorted({*self.stale(connection), *also}):
            self._miners_of(connection, assistant_id)
        self._recovers = False

    def stale(self, connection: Connection) -> list[AssistantId]:
        """The assistants whose chain in memory, or whose rewrite table, others have left behind."""
        now = CHAIN_STORE.epochs.all(connection)
        behind = {key for key, known in self._epochs.items() if key not in now or now[key].epoch != known}
        behind.update(unsolved(connection))
        if self._recovers:
            behind.update(put_off(connection))
        return sorted(behind)

    def announce(self, connection: Connection) -> None:
        """Tells others who hold the chains that we have changed, and not solved yet, to rebuild them.

        Args:
            connection: in the transaction in which they were changed.
        """
        for assistant_id in sorted(self._unsolved):
            self._epochs[assistant_id] = CHAIN_STORE.start_epoch(connection, assistant_id)

    def _miners_of(self, connection: Connection, assistant_id: AssistantId) -> AssistantMiners:
        now = CHAIN_STORE.epochs.lock(connection, assistant_id).epoch
        if self._epochs.get(assistant_id) != now:
            self._miners[assistant_id] = self._rebuild(connection, assistant_id)
            self._epochs[assistant_id] = now
            self._unsolved.discard(assistant_id)
            mark_solved(connection, assistant_id)
        return self._miners[assistant_id]

    def _rebuild(self, connection: Connection, assistant_id: AssistantId) -> AssistantMiners:
        """Builds a chain from its sessions, and makes the table what the chain and the settings warrant."""
        miners = AssistantMiners(
            assistant_id, self._settings, allowed_pairs(connection, assistant_id), self._guard
        )
        n_sessions = n_renewed = 0

        def keep(renewed: Sequence[SessionSteps]) -> None:
            nonlocal n_renewed
            CHAIN_STORE.store(connection, renewed)
            n_renewed += len(renewed)

        for steps in current_steps(connection, assistant_id, self._settings.evidence, keep):
            miners.add(steps)
            n_sessions += 1
        miners.solve()
        rewrites = miners.rewrites
        warranted = {rewrite.rewrite_id for rewrite in rewrites}
        standing = {
            key for method in METHODS for key in self._table.standing_ids(connection, assistant_id, method)
        }
        self._refused[assistant_id] = refused_rewrites(connection, assistant_id)
        self._judged[assistant_id] = judged_rewrites(connection, assistant_id)
        self._put(connection, miners, rewrites, sorted(standing - warranted), upgraded=n_renewed > 0)
        log.info(
            "chain built",
            assistant_id=assistant_id,
            sessions=n_sessions,
            rewrites=len(warranted),
            refused=len(self._refused[assistant_id]),
        )
        return miners

    def _put(
        self,
        connection: Connection,
        miners: AssistantMiners,
        rewrites: Sequence[Rewrite],
        withdrawn: Sequence[RewriteId],
        *,
        upgraded: bool = False,
    ) -> None:
        """Puts what was mined into the table, and beside it what the guards hold back, and how rows fare.

        What the guards take out of service goes in a version of its own, the last, so that a rollback by one
        version brings these rows back, and nothing else.
        """
        assistant_id = miners.chain.assistant_id
        by_guards = self._taken_back(connection, miners, withdrawn, upgraded)
        put = partial(put_rewrites, connection, self._table, assistant_id)
        put(rewrites, [key for key in withdrawn if key not in by_guards], REASON, self._clock_ms())
        if by_guards:
            counts = Counter(reason for reasons in by_guards.values() for reason in reasons)
            told = ", ".join(f"{counts[reason]:,} {reason}" for reason in REFUSAL_REASONS if counts[reason])
            own = {key: f"{BY_GUARDS}: {', '.join(reasons)}" for key, reasons in by_guards.items()}
            put((), sorted(by_guards), f"{BY_GUARDS}: {told}", self._clock_ms(), own)
        refused, now_ms = miners.refused, self._clock_ms()
        keep_refused(connection, assistant_id, self._refused.get(assistant_id, ()), refused, now_ms)
        self._refused[assistant_id] = refused
        self._judged[assistant_id] = keep_judged(
            connection, assistant_id, self._judged.get(assistant_id, ()), miners.judged, now_ms
        )

    def _taken_back(
        self,
        connection: Connection,
        miners: AssistantMiners,
        withdrawn: Sequence[RewriteId],
        upgraded: bool,
    ) -> dict[RewriteId, tuple[RefusalReason, ...]]:
        """Of the rows to be withdrawn, the live ones that the guards refuse, and why.

        Args:
            connection: in the transaction of the change.
            miners: as they are solved.
            withdrawn: ids of rows.
            upgraded: whether the rows are of an earlier version, whose targets need not be what was said.
        """
        assistant_id = miners.chain.assistant_id
        rows = []
        for ids in chunks(withdrawn):
            held = held_wishes(connection, assistant_id, ids)
            rows += [
                stored.rewrite
                for key, stored in stored_rewrites(connection, assistant_id, ids, STANDS).items()
                if stored.rewrite.status == "live" and stored.rewrite.method == "chain" and key not in held
            ]
        found = miners.refusals(rows)
        if upgraded:
            for row in rows:
                if row.rewrite_id not in found and (reasons := miners.lack_of_evidence(row)):
                    found[row.rewrite_id] = reasons
        return found
