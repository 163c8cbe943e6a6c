"""Label absorbing: the labels worker's work on all stored sessions of an assistant, in one go."""

from collections.abc import Callable, Iterable
from pathlib import Path

import structlog
from msgspec import Struct
from rich.progress import Progress
from sqlalchemy import Engine

from labeling.errors import LabelInputError
from labeling.label_store import (
    SessionLabels,
    drop_labels,
    label_counts,
    labelled_sessions,
    store_labels,
)
from labeling.turn_label import LabelGenerator
from rewriting.rewrite_table import RewriteTable
from services.evidence_absorbing import EvidenceLearners
from services.label_generation import current_generators, label_sessions
from services.session_judging import judged_or_refused
from services.settings import Settings
from streams.database_schema import chunks, reading
from streams.session import SessionId
from streams.session_store import lock_sessions, read_sessions, session_ids
from streams.turn import AssistantId

log = structlog.get_logger()

SESSIONS_AT_A_TIME = 500
"""Sessions labelled and written together. Raised, more memory, and others wait longer for the lock of the
database; lowered, more transactions."""


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
    state = Path(settings.state).absolute()
    in_use = generator or current_generators(engine, state).of(assistant_id)
    if in_use is None:
        return None
    learners = EvidenceLearners(RewriteTable(engine, clock_ms), settings, clock_ms)
    with reading(engine) as connection:
        every_id = session_ids(connection, assistant_id)
    bar = progress.add_task("labels", total=len(every_id)) if progress else None
    n_labelled = n_refused = 0
    for ids in chunks(every_id, SESSIONS_AT_A_TIME):
        labelled, n_new_refused = _labelled(engine, assistant_id, ids, *in_use)
        n_labelled += len(labelled)
        n_refused += n_new_refused
        with engine.begin() as connection:
            lock_sessions(connection, alone=True)
            now = {found.session_id: found for found in read_sessions(connection, assistant_id, ids)}
            keys = {key: session.turns_key for key, session in now.items()}
            known = labelled_sessions(connection, ids)
            drop_labels(connection, [key for key, (_, turns) in known.items() if keys.get(key) != turns])
            store_labels(
                connection,
                [item for item in labelled if keys.get(item.session.session_id) == item.session.turns_key],
                clock_ms(),
            )
            learners.absorb(connection, assistant_id, list(now.values()))
        if progress and bar is not None:
            progress.advance(bar, len(ids))
    with engine.begin() as connection:
        learners.solve(connection)
    with reading(engine) as connection:
        sessions, turns = label_counts(connection, assistant_id)
    return LabelAbsorption(
        assistant_id=assistant_id,
        model=in_use[0],
        labelled=n_labelled,
        refused=n_refused,
        sessions=sessions,
        turns=turns,
    )


def _labelled(
    engine: Engine,
    assistant_id: AssistantId,
    ids: Iterable[SessionId],
    name: str,
    generator: LabelGenerator,
) -> tuple[list[SessionLabels], int]:
    """The labels of sessions that this model has not labelled as they are; and how many it cannot label."""
    with reading(engine) as connection:
        sessions = read_sessions(connection, assistant_id, ids)
        known = labelled_sessions(connection, [session.session_id for session in sessions])
    new = [x for x in sessions if known.get(x.session_id) != (name, x.turns_key)]
    labelled, n_refused = [], 0
    said = judged_or_refused(lambda some: label_sessions(generator, some), new, LabelInputError)
    for session, labels in zip(new, said, strict=True):
        if isinstance(labels, Exception):
            n_refused += 1
            log.warning("a session is not labelled", session_id=session.session_id, reason=str(labels))
        else:
            labelled.append(SessionLabels(session, name, labels))
    return labelled, n_refused
