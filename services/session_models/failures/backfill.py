"""Failure absorbing: the failures worker's work on all stored sessions of an assistant, in one go."""

from collections.abc import Callable

from msgspec import Struct
from rich.progress import Progress
from sqlalchemy import Connection, Engine

from failure_isolation.store import FAILURE_STORE
from failure_isolation.turn_failure import FailureIsolator, TurnFailure
from services.learners.failure_points import keep_failures
from services.session_models.backfill import NewVerdicts, absorb_sessions
from services.session_models.failures.kind import KIND
from services.session_models.in_use import CurrentModels
from services.settings import Settings
from streams.stores.database_schema import reading
from streams.turn import AssistantId


class FailureAbsorption(Struct, frozen=True, kw_only=True):
    """What was isolated."""

    assistant_id: AssistantId
    model: str  # name of the one in use
    isolated: int  # sessions that this model had not read
    refused: int  # sessions that cannot be read
    sessions: int  # with failure points, in all
    turns: int  # with failure points, in all

    @property
    def in_words(self) -> str:
        """One line for people."""
        refused = f", {self.refused:,} refused" if self.refused else ""
        return (
            f"failures of {self.isolated:,} sessions isolated{refused}; {self.turns:,} turns in "
            f"{self.sessions:,} sessions have failure points"
        )


def isolate_all(
    engine: Engine,
    settings: Settings,
    assistant_id: AssistantId,
    clock_ms: Callable[[], int],
    progress: Progress | None = None,
    isolator: tuple[str, FailureIsolator] | None = None,
) -> FailureAbsorption | None:
    """Isolates the failures of all sessions of an assistant with the model in use; None where there is none.

    Sessions that this very model has read as they are now are not read again. What is stored is that which
    the worker stores, so it does not matter which of them comes first; the worker publishes it. The rewrite
    table gets the failure points that are the most frequent. Where it was killed, the next call goes on.

    Args:
        engine: of the database, with the sessions.
        settings: where the models lie.
        assistant_id: whose sessions.
        clock_ms: milliseconds since 1970.
        progress: shows how far it is.
        isolator: the name of the model in use and the model, where the caller has it; None: it is loaded.
    """
    in_use = isolator or CurrentModels(engine, settings.state_folder, KIND).of(assistant_id)
    if in_use is None:
        return None
    name = in_use[0]

    def keep(connection: Connection, new: NewVerdicts[list[TurnFailure]]) -> None:
        keep_failures(connection, new.judged, new.void, clock_ms())

    n_isolated, n_refused = absorb_sessions(engine, assistant_id, KIND, in_use, keep, progress, "failures")
    with reading(engine) as connection:
        sessions, turns = FAILURE_STORE.counts(connection, assistant_id)
    return FailureAbsorption(
        assistant_id=assistant_id,
        model=name,
        isolated=n_isolated,
        refused=n_refused,
        sessions=sessions,
        turns=turns,
    )
