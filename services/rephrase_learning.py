"""Learning to find rephrases: from an assistant's stored sessions to a detector in use.

The labels are made of the log itself (`WeakRephrases`). Without the packages of the `train` extra, and where
the log shows too few second tries, the detector in use stays.
"""

import importlib.util
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from rich.progress import Progress
from sqlalchemy import Engine

from rewriting.dialogue_tokenizer import Part
from rewriting.errors import RephraseTrainingError
from rewriting.online_model_store import model_folder
from rewriting.rephrase_settings import RephraseSettings
from rewriting.span_detector import SpanDetector
from rewriting.weak_rephrases import WeakRephrases
from services.model_files import put_model
from services.settings import Settings
from streams.database_schema import reading
from streams.session_store import all_sessions
from streams.turn import AssistantId, TurnEvent

if TYPE_CHECKING:  # torch is imported only where something is trained
    from rewriting.span_training import TrainedSpans


class RephraseLearning(Struct, frozen=True, kw_only=True):
    """What was learned for one assistant."""

    assistant_id: AssistantId
    name: str | None  # of the new detector; None: none could be trained
    examples: int = 0  # requests that it learned from
    why_not: str = ""  # where none could be trained

    @property
    def in_words(self) -> str:
        """One line for people."""
        if self.name is None:
            return f"no rephrase detector: {self.why_not}"
        return f"a rephrase detector learned from {self.examples:,} requests"


def learn_detector(
    engine: Engine, settings: Settings, assistant_id: AssistantId, progress: Progress | None = None
) -> RephraseLearning:
    """Trains the detector of one assistant on all of its sessions, and lays it beside the one in use.

    Args:
        engine: of the database, with the sessions.
        settings: of the detector, and the folder of models.
        assistant_id: whose.
        progress: shows how far it is.
    """
    if not settings.rephrases.train:
        return RephraseLearning(assistant_id=assistant_id, name=None, why_not="[rephrases] train is false")
    if importlib.util.find_spec("torch") is None:
        why_not = "install rehear with the extra `train`"
        return RephraseLearning(assistant_id=assistant_id, name=None, why_not=why_not)
    from rewriting.span_export import export_span_model

    with reading(engine) as connection:
        sessions = [
            session.turns for session in all_sessions(connection, assistant_id) if len(session.turns) > 1
        ]
    try:
        trained = _trained(sessions, settings.rephrases, frozenset(), progress)
    except RephraseTrainingError as error:
        return RephraseLearning(assistant_id=assistant_id, name=None, why_not=str(error))
    folder = model_folder(Path(settings.state).absolute(), assistant_id)
    name = put_model(folder, "rephrase", lambda path: export_span_model(trained, path))
    return RephraseLearning(assistant_id=assistant_id, name=name, examples=trained.examples)


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
    from rewriting.span_export import export_span_model

    trained = _trained(sessions, settings, hidden, progress)
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "detector"
        export_span_model(trained, folder)
        return SpanDetector.load(folder)


def _trained(
    sessions: Sequence[Sequence[TurnEvent]],
    settings: RephraseSettings,
    hidden: frozenset[Part],
    progress: Progress | None,
) -> "TrainedSpans":
    from rewriting.span_training import SpanTraining, train_span_model

    bar = progress.add_task("rephrase detector", total=None) if progress else None

    def show(stage: str, done: int, total: int) -> None:
        if progress and bar is not None:
            progress.update(bar, description=f"rephrase detector: {stage}", completed=done, total=total)

    links = WeakRephrases.fit(sessions, settings).detect(sessions)
    return train_span_model(sessions, links, SpanTraining.of(settings, hidden), show)
