"""Rephrase detectors as session models: how they are loaded, and sessions in which they find rephrases."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rewriting.errors import RephraseInputError
from rewriting.evidence.rephrase_link import RephraseDetector, RephraseLink
from rewriting.rephrases.store import known_links
from services.session_models.kind import SessionModelKind
from streams.session import Session


def load_detector(folder: Path) -> RephraseDetector:
    """Loads a detector from its artifact.

    Raises:
        ArtifactError: there is none in the folder, or it is damaged.
    """
    # ONNX Runtime: not before it is needed
    from rewriting.rephrases.span_detector import SpanDetector

    return SpanDetector.load(folder)


def detect(detector: RephraseDetector, sessions: Sequence[Session]) -> list[list[RephraseLink]]:
    """The links of each session.

    Raises:
        RephraseInputError: there is a session that the detector cannot take.
    """
    return detector.detect([session.turns for session in sessions])


KIND: Final = SessionModelKind[RephraseDetector, list[RephraseLink]](
    name="rephrase",
    load=load_detector,
    judge=detect,
    refusal=RephraseInputError,
    known=known_links,
    least_turns=2,
    title="rephrase detector",
    without="no rephrases are found",
    remedy="make one with `rehear learn` on its log",
)
