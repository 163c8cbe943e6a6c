"""How fast are failures isolated, and failure models trained, beside the transformer that they stand on?"""

import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.report import BenchmarkReport
from benchmarks.turn_models import Learned, Numbers, TurnModel, measure
from benchmarks.turn_reading import Dialogues, steps_per_s
from failure_isolation.isolator import ModelFailureIsolator
from services.session_models.failures.planted import planted_failures

TURNS = 3_000
QUICK_TURNS = 150
LEARNED = 6_000
QUICK_LEARNED = 600


def run(quick: bool, device: str = "cpu", base: str | None = None) -> BenchmarkReport:
    """Trains and exports a model on planted failures, and isolates others; arguments as for `measure`."""
    failures = TurnModel(
        name="failures",
        question="how fast are failures isolated, and failure models trained, beside the bare transformer?",
        work="isolating",
        numbers="confidences",
        learned_from="turns",
        learn=_learn,
        encoder="texts",
        tokens=_tokens,
        load=_load,
        note="Simulated turns, with three recognitions, competing interpretations and candidates of "
        "entities: of a log without them there is less to read.",
    )
    dialogues = planted_failures(QUICK_TURNS if quick else TURNS, seed=2).dialogues
    return measure(failures, dialogues, QUICK_LEARNED if quick else LEARNED, quick, device, base)


def _learn(learned: int, quick: bool, device: str, base: str | None) -> Learned:
    from failure_isolation.export import export_failure_model
    from failure_isolation.training import FailureTraining, train_failure_model

    planted = planted_failures(learned, seed=1)
    training = FailureTraining(base=base, layers=1 if quick else 3, passes=1, device=device)
    steps_at: list[float] = []
    trained = train_failure_model(
        planted.dialogues, planted.annotations, training, lambda *_: steps_at.append(time.perf_counter())
    )
    return Learned(
        trained,
        partial(export_failure_model, trained),
        planted.dialogues,
        turns_per_s=trained.turns / len(steps_at) * steps_per_s(steps_at),
    )


def _tokens(model: Any, tokenizer: Any, dialogues: Dialogues) -> list[Any]:
    from failure_isolation.view import dialogue_view

    return [
        tokens
        for turns in dialogues
        for tokens in dialogue_view(turns, frozenset(), model.features, tokenizer).tokens
    ]


def _load(folder: Path) -> Numbers:
    """The confidences of failure points."""
    isolator = ModelFailureIsolator.load(folder)
    return lambda some: [one.confidence for of_dialogue in isolator.isolate(some) for one in of_dialogue]
