"""Rephrase detectors as session models."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rewriting.errors import RephraseInputError, RephraseTrainingError
from rewriting.evidence.rephrase_link import RephraseDetector, RephraseLink
from rewriting.rephrases.store import (
    REPHRASE_PAIR,
    REPHRASE_SESSION,
    forget_user_rephrases,
    known_links,
    outdate_links,
)
from services.session_models.kind import SessionModelKind
from services.session_models.rephrases.effect import NAME, RephraseEffect
from services.session_models.rephrases.training import train_rephrases
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
    name=NAME,
    artifact="rephrase",
    title="rephrase detector",
    judged_as="{:,} sessions searched for rephrases",
    without="no rephrases are found",
    remedy="make one with `rehear learn` on its log",
    learn_help="Train the rephrase detector too, and find all rephrases (minutes).",
    work_help="sessions to which request rephrases which",
    load=load_detector,
    judge=detect,
    refusal=RephraseInputError,
    least_turns=2,
    train=train_rephrases,
    training_error=RephraseTrainingError,
    effect=RephraseEffect,
    known=known_links,
    outdate=outdate_links,
    tables=(REPHRASE_SESSION, REPHRASE_PAIR),
    forget=lambda connection, assistant_id, user_id, _: forget_user_rephrases(
        connection, assistant_id, user_id
    ),
)
