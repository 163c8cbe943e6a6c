"""Rephrase detection: the detector in use of each assistant, and sessions judged by it."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from sqlalchemy import Engine

from labeling.errors import ArtifactError
from rewriting.errors import RephraseInputError
from rewriting.online_model_store import current_models, model_folder
from rewriting.rephrase_link import RephraseDetector, RephraseLink
from services.settings import Settings
from streams.database_schema import reading
from streams.session import Session
from streams.turn import AssistantId

log = structlog.get_logger()

MOST_DETECTORS = 4
"""In memory, 25 to 90 MB each. Lowered, they are loaded again where there are many assistants."""

LoadDetector = Callable[[Path], RephraseDetector]


def load_detector(folder: Path) -> RephraseDetector:
    """Loads a detector from its artifact.

    Raises:
        ArtifactError: there is none in the folder, or it is damaged.
    """
    from rewriting.span_detector import SpanDetector  # ONNX Runtime: not before there is something to load

    return SpanDetector.load(folder)


class CurrentDetectors:
    """The detectors that are in use, loaded when they are first asked for."""

    def __init__(self, engine: Engine, state: Path, load: LoadDetector | None = None) -> None:
        """Makes it; nothing is loaded yet.

        Args:
            engine: of the database, which names the detectors.
            state: the folder that they lie in, by assistant.
            load: loads a detector from its folder; None: `load_detector`.
        """
        self._engine = engine
        self._state = state
        self._load = load or load_detector
        self._loaded: OrderedDict[Path, RephraseDetector] = OrderedDict()  # the one used last at the end
        self._said: set[Path] = set()  # detectors of which the log tells already that they are no use

    def of(self, assistant_id: AssistantId) -> tuple[str, RephraseDetector] | None:
        """The detector of an assistant, with its name; None where there is none, or none that can be used."""
        with reading(self._engine) as connection:
            name = current_models(connection, assistant_id).get("rephrase")
        if name is None:
            return None
        folder = model_folder(self._state, assistant_id) / name
        if folder in self._loaded:
            self._loaded.move_to_end(folder)
            return name, self._loaded[folder]
        try:
            detector = self._load(folder)
        except (ArtifactError, OSError) as error:
            if folder not in self._said:
                log.error(
                    "the detector cannot be used: no rephrases are found until it can",
                    assistant_id=assistant_id,
                    error=str(error),
                )
            self._said.add(folder)
            return None
        self._said.discard(folder)
        self._loaded[folder] = detector
        if len(self._loaded) > MOST_DETECTORS:
            self._loaded.popitem(last=False)
        return name, detector


def current_detector(
    engine: Engine, settings: Settings, assistant_id: AssistantId
) -> RephraseDetector | None:
    """The detector of an assistant, for one job; None where there is none, or none that can be used."""
    found = CurrentDetectors(engine, Path(settings.state).absolute()).of(assistant_id)
    return None if found is None else found[1]


def detect_sessions(
    detector: RephraseDetector, sessions: Sequence[Session]
) -> list[list[RephraseLink] | RephraseInputError]:
    """The links of each session, or why the detector cannot take it.

    A session that it cannot take costs the others nothing but time: they are tried again in halves.
    """
    if not sessions:
        return []
    try:
        return list(detector.detect([session.turns for session in sessions]))
    except RephraseInputError as error:
        if len(sessions) == 1:
            return [error]
    middle = len(sessions) // 2
    return detect_sessions(detector, sessions[:middle]) + detect_sessions(detector, sessions[middle:])
