"""Failure models as session models: how they are loaded, and sessions whose failures they isolate."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from failure_isolation.errors import FailureInputError
from failure_isolation.store import FAILURE_STORE
from failure_isolation.turn_failure import FailureIsolator, TurnFailure
from services.session_models.kind import SessionModelKind
from streams.session import Session

FAILURE_DIGITS = 4
"""Decimals of a probability that are kept; more would differ with what a session is read together with."""


def load_isolator(folder: Path) -> FailureIsolator:
    """Loads a failure model from its artifact.

    Raises:
        ArtifactError: there is none in the folder, or it is damaged.
    """
    # ONNX Runtime: not before it is needed
    from failure_isolation.isolator import ModelFailureIsolator

    return ModelFailureIsolator.load(folder)


def isolate_sessions(isolator: FailureIsolator, sessions: Sequence[Session]) -> list[list[TurnFailure]]:
    """The failure point of each turn of each session, its probabilities rounded.

    Raises:
        FailureInputError: there is a session of which this cannot be said.
    """
    isolated = isolator.isolate([session.turns for session in sessions])
    return [[_rounded(failure) for failure in failures] for failures in isolated]


def _rounded(failure: TurnFailure) -> TurnFailure:
    rounded = {point: round(float(value), FAILURE_DIGITS) for point, value in failure.probabilities.items()}
    return msgspec.structs.replace(failure, probabilities=rounded)


KIND: Final = SessionModelKind[FailureIsolator, list[TurnFailure]](
    name="failures",
    load=load_isolator,
    judge=isolate_sessions,
    refusal=FailureInputError,
    known=FAILURE_STORE.known,
    title="failure model",
    without="no failures are isolated",
    remedy="make one with `rehear learn` on its log, with --annotations that name failure points",
)
