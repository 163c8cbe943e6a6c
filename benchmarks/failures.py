"""How fast are failures isolated, and failure models trained, beside the transformer that they stand on?"""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from benchmarks.machine import this_machine
from benchmarks.measured_process import in_process
from benchmarks.report import MIB, BenchmarkReport
from benchmarks.turn_reading import (
    BARE,
    NOTE,
    Dialogues,
    rate_rows,
    read_bare,
    seconds_of,
    steps_per_s,
    timed,
)
from failure_isolation.isolator import ModelFailureIsolator
from services.session_models.failures.planted import planted_failures

if TYPE_CHECKING:  # torch is loaded in the process that measures
    from failure_isolation.model import FailureModel
    from labeling.turns.tokenizer import TurnTokenizer, TurnTokens

QUESTION = "how fast are failures isolated, and failure models trained, beside the bare transformer?"
TURNS = 3_000
QUICK_TURNS = 150
LEARNED = 6_000
QUICK_LEARNED = 600

EIGHT_BITS, FULL = "failures, 8 bits", "failures, 32 bits"


class _Trained(Struct, frozen=True):
    """How long learning took."""

    turns_per_s: float
    bare_turns_per_s: float  # forward and backward through the text encoder alone
    device: str


class _Reading(Struct, frozen=True):
    """What the readers did with the dialogues."""

    seconds: dict[str, float]  # by reader
    moved: float  # mean difference of the confidences in 8 and in 32 bits


def run(quick: bool, device: str = "cpu", base: str | None = None) -> BenchmarkReport:
    """Trains and exports a model on planted failures, and isolates others with it.

    Args:
        quick: small sizes.
        device: to train on.
        base: transformer to start from; None: as `rehear learn` does.
    """
    machine = this_machine()
    dialogues = planted_failures(QUICK_TURNS if quick else TURNS, seed=2).dialogues
    turns = sum(map(len, dialogues))
    learned = QUICK_LEARNED if quick else LEARNED
    with tempfile.TemporaryDirectory(prefix="rehear-benchmark-") as name:
        folder = Path(name)
        training = in_process(_make_models, folder, learned, quick, device, base)
        isolating = in_process(_read, folder, dialogues)
        memory = in_process(_isolate, folder / EIGHT_BITS, dialogues)
    trained: _Trained = training.value
    reading: _Reading = isolating.value
    return BenchmarkReport(
        name="failures",
        question=QUESTION,
        machine=machine,
        quick=quick,
        sizes={
            "dialogues": len(dialogues),
            "turns": turns,
            "confidences move with 8 bits": reading.moved,
            "turns learned from": learned,
            "MiB in training": training.peak_bytes / MIB,
            "MiB in isolating": memory.peak_bytes / MIB,
        },
        figures=rate_rows(
            reading.seconds,
            turns,
            f"training on {trained.device}",
            trained.turns_per_s,
            trained.bare_turns_per_s,
        ),
        notes=(
            NOTE,
            "Simulated turns, with three recognitions, competing interpretations and candidates of entities: "
            "of a log without them there is less to read.",
        ),
    )


def _make_models(folder: Path, learned: int, quick: bool, device: str, base: str | None) -> _Trained:
    """Trains a model for one pass, and exports it twice."""
    import torch

    from failure_isolation.export import export_failure_model
    from failure_isolation.training import FailureTraining, train_failure_model
    from labeling.models.encoder_base import choose_device

    torch.set_num_threads(1)
    planted = planted_failures(learned, seed=1)
    training = FailureTraining(base=base, layers=1 if quick else 3, passes=1, device=device)
    steps_at: list[float] = []
    trained = train_failure_model(
        planted.dialogues, planted.annotations, training, lambda *_: steps_at.append(time.perf_counter())
    )
    for quantised, name in ((True, EIGHT_BITS), (False, FULL)):
        export_failure_model(trained, folder / name, quantised=quantised)
    where = choose_device(device)
    encoder = trained.model.texts.to(where).train()
    texts = _tokens(trained.model, trained.tokenizer, planted.dialogues[:256])
    bare = timed(lambda: read_bare(encoder, texts, backward=True))
    torch.save(trained.model.cpu().eval(), folder / "model.pt")
    trained.tokenizer.save(folder / "tokenizer.json")
    return _Trained(trained.turns / len(steps_at) * steps_per_s(steps_at), len(texts) / bare, str(where))


def _read(folder: Path, dialogues: Dialogues) -> _Reading:
    import torch

    from labeling.turns.tokenizer import TurnTokenizer

    torch.set_num_threads(1)
    tokenizer = TurnTokenizer.load(folder / "tokenizer.json")
    model = torch.load(folder / "model.pt", weights_only=False)  # written by this very benchmark
    isolators = {name: ModelFailureIsolator.load(folder / name) for name in (EIGHT_BITS, FULL)}
    confidences: dict[str, list[float]] = {name: [] for name in isolators}

    def isolate(name: str, some: Dialogues) -> None:
        found = isolators[name].isolate(some)
        confidences[name] += [one.confidence for of_dialogue in found for one in of_dialogue]

    readers: dict[str, Callable[[Dialogues], None]] = {name: partial(isolate, name) for name in isolators}
    readers[BARE] = lambda some: read_bare(model.texts, _tokens(model, tokenizer, some), backward=False)
    seconds = seconds_of(readers, dialogues)
    pairs = list(zip(*confidences.values(), strict=True))
    return _Reading(seconds, sum(abs(one - other) for one, other in pairs) / max(len(pairs), 1))


def _isolate(folder: Path, dialogues: Dialogues) -> int:
    """Isolating alone, for its memory."""
    return len(ModelFailureIsolator.load(folder).isolate(dialogues))


def _tokens(model: "FailureModel", tokenizer: "TurnTokenizer", dialogues: Dialogues) -> "list[TurnTokens]":
    from failure_isolation.view import dialogue_view

    return [
        tokens
        for turns in dialogues
        for tokens in dialogue_view(turns, frozenset(), model.features, tokenizer).tokens
    ]
