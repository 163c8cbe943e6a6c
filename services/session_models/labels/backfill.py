"""Label absorbing: the labels worker's work on all stored sessions of an assistant, in one go."""

from collections.abc import Callable

from msgspec import Struct
from rich.progress import Progress
from sqlalchemy import Connection, Engine

from labeling.labels.store import LABEL_STORE, SessionLabels, store_labels
from labeling.labels.turn_label import LabelGenerator, TurnLabel
from rewriting.table.rewrite_table import RewriteTable
from services.learners.evidence import EvidenceLearners
from services.session_models.backfill import NewVerdicts, absorb_sessions
from services.session_models.in_use import CurrentModels
from services.session_models.labels.kind import KIND
from services.settings import Settings
from streams.stores.database_schema import reading
from streams.turn import AssistantId


class LabelAbsorption(Struct, frozen=True, kw_only=True):
    """What was labelled."""

    assistant_id: AssistantId
    model: str  # name of the one in use
    labelled: int  # sessions that this model had not labelled
    refused: int  # sessions that cannot be labelled
    sessions: int  # with labels, in all
    turns: int  # with labels, in all

    @property
    def in_words(self) -> str:
        """One line for people."""
        refused = f", {self.refused:,} refused" if self.refused else ""
        return (
            f"{self.labelled:,} sessions labelled{refused}; {self.turns:,} turns in {self.sessions:,} "
            "sessions have labels"
        )


def label_all(
    engine: Engine,
    settings: Settings,
    assistant_id: AssistantId,
    clock_ms: Callable[[], int],
    progress: Progress | None = None,
    generator: tuple[str, LabelGenerator] | None = None,
) -> LabelAbsorption | None:
    """Labels all sessions of an assistant with the model in use, and brings what learns from them up to date.

    None where there is no model.

    Sessions that this very model has labelled as they are now are not labelled again. What is stored is that
    which the worker stores, so it does not matter which of them comes first; the worker publishes it. Chains
    and requests become what the settings make of the labels. Where it was killed, the next call goes on. A
    part of the sessions is in memory at a time.

    Args:
        engine: of the database, with the sessions.
        settings: of labels, chains and requests, and where the models lie.
        assistant_id: whose sessions.
        clock_ms: milliseconds since 1970.
        progress: shows how far it is.
        generator: the model in use and its name, where the caller has it; None: it is loaded.
    """
    in_use = generator or CurrentModels(engine, settings.state_folder, KIND).of(assistant_id)
    if in_use is None:
        return None
    name = in_use[0]
    learners = EvidenceLearners(RewriteTable(engine, clock_ms), settings, clock_ms)

    def keep(connection: Connection, new: NewVerdicts[list[TurnLabel]]) -> None:
        LABEL_STORE.drop(connection, new.void)
        labelled = [SessionLabels(item.session, name, item.verdict) for item in new.judged]
        store_labels(connection, labelled, clock_ms())
        learners.absorb(connection, assistant_id, new.sessions)

    n_labelled, n_refused = absorb_sessions(engine, assistant_id, KIND, in_use, keep, progress, "labels")
    with engine.begin() as connection:
        learners.solve(connection)
    with reading(engine) as connection:
        sessions, turns = LABEL_STORE.counts(connection, assistant_id)
    return LabelAbsorption(
        assistant_id=assistant_id,
        model=name,
        labelled=n_labelled,
        refused=n_refused,
        sessions=sessions,
        turns=turns,
    )
