"""Failure models as session models."""

from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import Final

import msgspec

from failure_isolation.columns import FAILURE_COLUMNS
from failure_isolation.errors import FailureInputError, FailureTrainingError
from failure_isolation.store import FAILURE_STORE
from failure_isolation.turn_failure import FailureIsolator, TurnFailure
from services.session_models.failures.effect import FailureEffect, forget_failures
from services.session_models.failures.training import train_failures
from services.session_models.kind import SessionModelKind, TurnVerdicts
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


TURNS: Final = TurnVerdicts(
    store=FAILURE_STORE,
    topic=attrgetter("failures"),
    verdict=TurnFailure,
    columns=FAILURE_COLUMNS,
    missing="`rehear learn` with --annotations that name failure points trains a failure model and reads "
    "what is stored",
)
"""Failure points are stored, published and exported by turn."""

KIND: Final = SessionModelKind[FailureIsolator, list[TurnFailure]](
    name="failures",
    artifact="failures",
    title="failure model",
    judged_as="failures of {:,} sessions isolated",
    without="no failures are isolated",
    remedy="make one with `rehear learn` on its log, with --annotations that name failure points",
    learn_help="Train the failure model too, where failure points are annotated, and isolate all failures "
    "(minutes).",
    work_help="sessions to where their turns failed",
    load=load_isolator,
    judge=isolate_sessions,
    refusal=FailureInputError,
    train=train_failures,
    training_error=FailureTrainingError,
    effect=FailureEffect,
    known=FAILURE_STORE.known,
    outdate=FAILURE_STORE.outdate,
    turns=TURNS,
    tables=(FAILURE_STORE.table,),
    forget=forget_failures,
)
