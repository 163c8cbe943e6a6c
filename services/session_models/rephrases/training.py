"""Training of a rephrase detector on the stored sessions of an assistant.

Its labels are made of the log itself (`WeakRephrases`), and of annotations where somebody has them.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from labeling.annotations.annotation import Annotations
from rewriting.errors import RephraseTrainingError
from rewriting.evidence.rephrase_link import RephraseLink
from rewriting.rephrases.annotated_rephrases import annotated_links, settled_labels, told_sources
from rewriting.rephrases.dialogue_tokenizer import Part
from rewriting.rephrases.settings import RephraseSettings
from rewriting.rephrases.weak_rephrases import WeakRephrases
from services.assistant_work import AssistantWork, shown_steps
from services.session_models.kind import Trained
from services.session_models.model_files import put_model
from services.session_models.trainability import why_not_trained
from streams.turn import TurnEvent

if TYPE_CHECKING:  # torch and ONNX Runtime are imported only where something is trained
    from rewriting.rephrases.span_detector import SpanDetector
    from rewriting.rephrases.span_training import TrainedSpans

TITLE: Final = "rephrase detector"

log = structlog.get_logger()


def train_rephrases(work: AssistantWork, annotations: Annotations) -> Trained:
    """Trains a rephrase detector.

    Raises:
        RephraseTrainingError: the settings forbid it, the `train` extra is missing, or log and annotations
            show too few second tries.
    """
    settings = work.settings.rephrases
    if why_not := why_not_trained("rephrases", train=settings.train):
        raise RephraseTrainingError(why_not)
    from rewriting.rephrases.span_export import export_span_model

    sessions = [session.turns for session in work.sessions() if len(session.turns) > 1]
    trained = _trained(sessions, settings, frozenset(), shown_steps(work.progress, TITLE), annotations)
    name = put_model(work.models, "rephrase", lambda path: export_span_model(trained, path))
    said = f"a rephrase detector learned from {trained.examples:,} requests"
    if annotations:
        told = {
            turns[source].event_id
            for turns in sessions
            for source in told_sources(turns, annotations, settings)
        }
        said += f", {sum(event_id in told for event_id in trained.sources):,} of them by annotations"
    return Trained(name=name, examples=trained.examples, in_words=said)


def train_detector(
    sessions: Sequence[Sequence[TurnEvent]],
    settings: RephraseSettings,
    hidden: frozenset[Part] = frozenset(),
) -> "SpanDetector":
    """A detector that is not put in use.

    Args:
        sessions: turns of each, in order.
        settings: of the detector.
        hidden: parts that it never reads.

    Raises:
        RephraseTrainingError: the sessions show too few second tries.
    """
    from rewriting.rephrases.span_detector import SpanDetector
    from rewriting.rephrases.span_export import export_span_model

    trained = _trained(sessions, settings, hidden, shown_steps(None, TITLE), {})
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "detector"
        export_span_model(trained, folder)
        return SpanDetector.load(folder)


def _trained(
    sessions: Sequence[Sequence[TurnEvent]],
    settings: RephraseSettings,
    hidden: frozenset[Part],
    show: Callable[[str, int, int], None],
    annotations: Annotations,
) -> "TrainedSpans":
    from rewriting.rephrases.span_training import SpanTraining, train_span_model

    links, sources = _labels(sessions, settings, annotations)
    return train_span_model(sessions, links, SpanTraining.of(settings, hidden), show, sources)


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
