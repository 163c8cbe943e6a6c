"""Failure isolating: the failure model in use of each assistant, and sessions read by it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from sqlalchemy import Engine

from failure_isolation.turn_failure import FailureIsolator, TurnFailure
from services.session_models.in_use import CurrentModels, LoadableKind
from services.settings import Settings
from streams.session import Session
from streams.turn import AssistantId

FAILURE_DIGITS = 4
"""Decimals of a probability that are kept; more would differ with what a session is read together with."""

LoadIsolator = Callable[[Path], FailureIsolator]


def load_isolator(folder: Path) -> FailureIsolator:
    """Loads a failure model from its artifact.

    Raises:
        ArtifactError: there is none in the folder, or it is damaged.
    """
    # ONNX Runtime: not before it is needed
    from failure_isolation.isolator import ModelFailureIsolator

    return ModelFailureIsolator.load(folder)


def current_isolators(
    engine: Engine, state: Path, load: LoadIsolator = load_isolator
) -> CurrentModels[FailureIsolator]:
    """The failure models that are in use."""
    return CurrentModels(engine, state, LoadableKind("failures", load, "no failures are isolated"))


def current_isolator(engine: Engine, settings: Settings, assistant_id: AssistantId) -> FailureIsolator | None:
    """The failure model of an assistant, for one job; None where there is none, or none that can be used."""
    found = current_isolators(engine, Path(settings.state).absolute()).of(assistant_id)
    return None if found is None else found[1]


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
