"""Learning to find rephrases: from an assistant's stored sessions to a detector in use.

The labels are made of the log itself (`WeakRephrases`), and of annotations where somebody has them. Without
the packages of the `train` extra, and where log and annotations show too few second tries, the detector in
use stays.
"""

import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from msgspec import Struct
from rich.progress import Progress
from sqlalchemy import Engine

from labeling.models.in_use import model_folder
from rewriting.errors import RephraseTrainingError
from rewriting.evidence.rephrase_link import RephraseLink
from rewriting.rephrases.annotated_rephrases import Annotations, annotated_links, settled_labels, told_sources
from rewriting.rephrases.dialogue_tokenizer import Part
from rewriting.rephrases.settings import RephraseSettings
from rewriting.rephrases.span_detector import SpanDetector
from rewriting.rephrases.weak_rephrases import WeakRephrases
from rewriting.table.rewrite_table import RewriteTable
from services.session_models.in_use import CurrentModels
from services.session_models.model_files import put_model
from services.session_models.rephrases.backfill import RephraseAbsorption, absorb_rephrases
from services.session_models.rephrases.kind import KIND
from services.session_models.training import put_in_use, shown_steps, why_not_trained
from services.settings import Settings
from streams.stores.database_schema import reading
from streams.stores.session_store import all_sessions
from streams.turn import AssistantId, EventId, TurnEvent

if TYPE_CHECKING:  # torch is imported only where something is trained
    from rewriting.rephrases.span_training import TrainedSpans

log = structlog.get_logger()


class RephraseLearning(Struct, frozen=True, kw_only=True):
    """What was learned for one assistant."""

    assistant_id: AssistantId
    examples: int  # requests that a new detector learned from; 0: none was trained
    annotated: int | None  # of these, requests of which annotations say something; None: there are none
    why_not: str  # where none was trained
    absorbed: RephraseAbsorption | None  # what the detector in use has found; None: there is none

    @property
    def in_words(self) -> str:
        """One line for people."""
        trained = f"a rephrase detector learned from {self.examples:,} requests"
        if self.annotated is not None:
            trained += f", {self.annotated:,} of them by annotations"
        if not self.examples:
            trained = f"no new rephrase detector: {self.why_not}"
        return trained if self.absorbed is None else f"{trained}; {self.absorbed.in_words}"


def learn_rephrases(
    engine: Engine,
    table: RewriteTable,
    settings: Settings,
    assistant_id: AssistantId,
    clock_ms: Callable[[], int],
    progress: Progress | None = None,
    annotations: Annotations | None = None,
) -> RephraseLearning:
    """Trains the detector of one assistant, puts it in use, and finds the rephrases in all of its sessions.

    Args:
        engine: of the database, with the sessions.
        table: of the rewrites, for the candidates.
        settings: of the detector and of what learns from it, and the folder of models.
        assistant_id: whose.
        clock_ms: milliseconds since 1970.
        progress: shows how far it is.
        annotations: by event, where somebody has them; of other assistants too.
    """
    state = settings.state_folder
    examples, annotated, why_not = 0, None, ""
    try:
        name, examples, annotated = _learn_detector(
            engine, settings, assistant_id, progress, annotations or {}
        )
    except RephraseTrainingError as error:
        why_not = str(error)
    else:
        put_in_use(engine, state, assistant_id, "rephrase", name, clock_ms())
    absorbed = None
    in_use = CurrentModels(engine, state, KIND).of(assistant_id)
    if in_use is not None:
        absorbed = absorb_rephrases(engine, table, settings, assistant_id, in_use, clock_ms, progress)
    return RephraseLearning(
        assistant_id=assistant_id,
        examples=examples,
        annotated=annotated,
        why_not=why_not,
        absorbed=absorbed,
    )


def events_not_stored(
    engine: Engine, assistant_ids: Iterable[AssistantId], annotations: Annotations
) -> set[EventId]:
    """The events with an annotation that are in no stored session of these assistants."""
    missing = set(annotations)
    with reading(engine) as connection:
        for assistant_id in assistant_ids:
            for session in all_sessions(connection, assistant_id):
                missing.difference_update(EventId(turn.event_id) for turn in session.turns)
    return missing


def _learn_detector(
    engine: Engine,
    settings: Settings,
    assistant_id: AssistantId,
    progress: Progress | None,
    annotations: Annotations,
) -> tuple[str, int, int | None]:
    """Trains a detector on all sessions.

    Returns:
        The name of its artifact, how many requests it learned from, and how many of them by annotations.
    """
    if why_not := why_not_trained("rephrases", train=settings.rephrases.train):
        raise RephraseTrainingError(why_not)
    from rewriting.rephrases.span_export import export_span_model

    with reading(engine) as connection:
        sessions = [
            session.turns for session in all_sessions(connection, assistant_id) if len(session.turns) > 1
        ]
    trained = _trained(sessions, settings.rephrases, frozenset(), progress, annotations)
    folder = model_folder(settings.state_folder, assistant_id)
    name = put_model(folder, "rephrase", lambda path: export_span_model(trained, path))
    if not annotations:
        return name, trained.examples, None
    told = {
        turns[source].event_id
        for turns in sessions
        for source in told_sources(turns, annotations, settings.rephrases)
    }
    return name, trained.examples, sum(event_id in told for event_id in trained.sources)


def train_detector(
    sessions: Sequence[Sequence[TurnEvent]],
    settings: RephraseSettings,
    hidden: frozenset[Part] = frozenset(),
    progress: Progress | None = None,
) -> SpanDetector:
    """A detector that is not put in use.

    Args:
        sessions: turns of each, in order.
        settings: of the detector.
        hidden: parts that it never reads.
        progress: shows how far it is.

    Raises:
        RephraseTrainingError: the sessions show too few second tries.
    """
    from rewriting.rephrases.span_export import export_span_model

    trained = _trained(sessions, settings, hidden, progress, {})
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "detector"
        export_span_model(trained, folder)
        return SpanDetector.load(folder)


def _trained(
    sessions: Sequence[Sequence[TurnEvent]],
    settings: RephraseSettings,
    hidden: frozenset[Part],
    progress: Progress | None,
    annotations: Annotations,
) -> "TrainedSpans":
    from rewriting.rephrases.span_training import SpanTraining, train_span_model

    links, sources = _labels(sessions, settings, annotations)
    return train_span_model(
        sessions,
        links,
        SpanTraining.of(settings, hidden),
        shown_steps(progress, "rephrase detector"),
        sources,
    )


def _labels(
    sessions: Sequence[Sequence[TurnEvent]], settings: RephraseSettings, annotations: Annotations
) -> tuple[list[list[RephraseLink]], list[frozenset[int]] | None]:
    """The links of each session, and the requests to learn from; None: all."""
    try:
        weak = WeakRephrases.fit(sessions, settings).detect(sessions)
    except RephraseTrainingError as error:
        if not annotations:
            raise
        labels = settled_labels(sessions, annotations, settings, why=str(error))
        log.warning("a rephrase detector learns from annotations alone", reason=str(error))
        return labels
    links = [
        annotated_links(turns, annotations, of_session, settings)
        for turns, of_session in zip(sessions, weak, strict=True)
    ]
    return links, None
