"""Learning from files: the same work as the workers', in one go."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from msgspec import Struct
from rich.progress import Progress
from sqlalchemy import Engine

from rewriting.chains.step import SessionSteps
from rewriting.evidence.session_evidence import NO_EVIDENCE
from rewriting.guards.pair_guard import PairGuard
from rewriting.requests.step import SessionRequests
from rewriting.table.rewrite_table import RewriteTable
from services.learners.chains import ChainLearner
from services.learners.rephrase_candidates import RephraseLearner
from services.learners.requests import RequestLearner
from services.learners.stored_evidence import learned_from, stored_evidence
from services.session_models.stored_turns import store_turns_with_feedback
from services.settings import Settings
from streams.stores.database_schema import reading
from streams.stores.session_store import all_sessions
from streams.turn import AssistantId, EventId, TurnEvent
from streams.turn_file import read_turns

BATCH_TURNS = 20_000
"""Turns in one transaction. Raised, more memory; lowered, more sessions are revised as they grow."""


class LearningSummary(Struct, frozen=True):
    """What was learned."""

    turns: int  # in the files
    new_turns: int  # of these, not known before
    assistants: tuple[AssistantId, ...]
    live_rewrites: int  # of these assistants, now


class TurnLearners:
    """All that learns from the turns themselves: sessions, chains with their table, requests, rephrases.

    It keeps in memory what it has made, so that turns may be given day by day.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        clock_ms: Callable[[], int],
        guard: PairGuard | None = None,
    ) -> None:
        """Makes it.

        Args:
            engine: of the database.
            settings: of sessions, chains, answers, requests and rephrases.
            clock_ms: milliseconds since 1970.
            guard: judges the pairs of chains; by default that of the settings.
        """
        self.table = RewriteTable(engine, clock_ms)
        self._engine = engine
        self._gap_ms = settings.sessions.gap_ms
        self._evidence = settings.evidence
        self._chains = ChainLearner(self.table, settings, clock_ms, guard)
        self._requests = RequestLearner(settings.online.candidates, settings.evidence)
        self._rephrases = RephraseLearner(self.table, settings.rephrases, clock_ms)

    def absorb(self, turns: Sequence[TurnEvent]) -> int:
        """Brings turns and feedback in, in one transaction; gives how many turns were not known before."""
        with self._engine.begin() as connection:
            stored = store_turns_with_feedback(connection, turns, self._gap_ms)
            changed, restated = stored.changed, stored.restated
            gone = [(one.session_id, one.assistant_id, one.user_id) for one in stored.new.change.withdrawn]
            evidence = stored_evidence(connection, restated, self._evidence)
            learned = [learned_from(session, NO_EVIDENCE) for session in changed]
            learned += [learned_from(session, evidence[session.session_id]) for session in restated]
            steps = [*(new for new, _ in learned), *(SessionSteps(*one, ()) for one in gone)]
            self._chains.absorb(connection, steps)
            self._chains.announce(connection)
            requests = [*(new for _, new in learned), *(SessionRequests(*one, ()) for one in gone)]
            self._requests.absorb(connection, requests)
            self._requests.write(connection)
            self._requests.announce(connection, (session.assistant_id for session in requests))
            # What was found in a session holds for the turns it had; the backfill judges it anew.
            ids = [session.session_id for session in (*changed, *stored.new.change.withdrawn)]
            self._rephrases.drop(connection, ids)
        return len(stored.new.turns)

    def solve(self, assistants: Iterable[AssistantId]) -> None:
        """Makes the tables of these assistants what all that was absorbed and the settings warrant."""
        with self._engine.begin() as connection:
            self._chains.refresh(connection, also=assistants)
            self._chains.solve(connection)
            self._requests.refresh(connection, also=assistants)
            self._rephrases.refresh(connection)


def learn_from_files(
    engine: Engine,
    settings: Settings,
    files: Sequence[str | Path],
    clock_ms: Callable[[], int],
    progress: Progress | None = None,
) -> LearningSummary:
    """Learns from turns files, in any order; turns that are known already teach nothing new.

    Afterwards the tables of the files' assistants are what the settings warrant.

    Where it was killed, the next call goes on: each batch is kept with what the chain made of it.

    Args:
        engine: of the database.
        settings: of sessions, chains, answers, requests and rephrases.
        files: of turn events.
        clock_ms: milliseconds since 1970.
        progress: shows how far it is.

    Raises:
        TurnFileError: a file cannot be read; batches before the bad line are learned.
    """
    learners = TurnLearners(engine, settings, clock_ms)
    n_turns = n_new = 0
    assistants: set[AssistantId] = set()
    task = progress.add_task("reading turns", total=None) if progress else None
    for batch in _batches(turn for file in files for turn in read_turns(file, clock_ms)):
        n_new += learners.absorb(batch)
        n_turns += len(batch)
        assistants.update(AssistantId(turn.assistant_id) for turn in batch)
        if progress and task is not None:
            progress.update(task, completed=n_turns, description=f"learned from {n_turns:,} turns")
    learners.absorb(())  # feedback is applied even where there is no turn
    learners.solve(assistants)
    live = sum(row.status == "live" for key in assistants for row in learners.table.read(key).rewrites)
    return LearningSummary(n_turns, n_new, tuple(sorted(assistants)), live)


def events_not_stored(
    engine: Engine, assistant_ids: Iterable[AssistantId], events: Collection[EventId]
) -> set[EventId]:
    """The events that are in no stored session of these assistants."""
    missing = set(events)
    with reading(engine) as connection:
        for assistant_id in assistant_ids:
            for session in all_sessions(connection, assistant_id):
                missing.difference_update(EventId(turn.event_id) for turn in session.turns)
    return missing


def _batches(turns: Iterable[TurnEvent]) -> Iterator[list[TurnEvent]]:
    remaining = iter(turns)
    while batch := list(islice(remaining, BATCH_TURNS)):
        yield batch
