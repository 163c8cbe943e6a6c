"""Rephrase detection: the detector in use of each assistant, and sessions judged by it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from sqlalchemy import Engine

from rewriting.errors import RephraseInputError
from rewriting.evidence.rephrase_link import RephraseDetector, RephraseLink
from services.session_models.in_use import CurrentModels, LoadableKind
from services.session_models.judging import judged_or_refused
from services.settings import Settings
from streams.session import Session
from streams.turn import AssistantId

LoadDetector = Callable[[Path], RephraseDetector]


def load_detector(folder: Path) -> RephraseDetector:
    """Loads a detector from its artifact.

    Raises:
        ArtifactError: there is none in the folder, or it is damaged.
    """
    from rewriting.rephrases.span_detector import (
        SpanDetector,  # ONNX Runtime: not before there is something to load
    )

    return SpanDetector.load(folder)


def current_detectors(
    engine: Engine, state: Path, load: LoadDetector = load_detector
) -> CurrentModels[RephraseDetector]:
    """The detectors that are in use."""
    return CurrentModels(engine, state, LoadableKind("rephrase", load, "no rephrases are found"))


def current_detector(
    engine: Engine, settings: Settings, assistant_id: AssistantId
) -> RephraseDetector | None:
    """The detector of an assistant, for one job; None where there is none, or none that can be used."""
    found = current_detectors(engine, Path(settings.state).absolute()).of(assistant_id)
    return None if found is None else found[1]


def detect(detector: RephraseDetector, sessions: Sequence[Session]) -> list[list[RephraseLink]]:
    """The links of each session.

    Raises:
        RephraseInputError: there is a session that the detector cannot take.
    """
    return detector.detect([session.turns for session in sessions])


def detect_sessions(
    detector: RephraseDetector, sessions: Sequence[Session]
) -> list[list[RephraseLink] | Exception]:
    """The links of each session, or why the detector cannot take it."""
    return judged_or_refused(lambda some: detect(detector, some), sessions, RephraseInputError)
