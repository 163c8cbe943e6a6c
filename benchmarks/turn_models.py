"""How fast a model says something of turns, and is trained, beside the transformer that it stands on."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct

from benchmarks.machine import this_machine
from benchmarks.measured_process import in_process
from benchmarks.report import MIB, BenchmarkReport, Cell
from benchmarks.turn_reading import (
    BARE,
    NOTE,
    Dialogues,
    rate_rows,
    read_bare,
    seconds_of,
    timed,
)

EIGHT_BITS, FULL = "8 bits", "32 bits"

Numbers = Callable[[Dialogues], list[float]]
"""What a model says of turns: a probability of each."""


class Learned(Struct, frozen=True):
    """A model, and how it was learned. Torch is loaded in the process that measures alone."""

    trained: Any
    export: Callable[..., object]  # to a folder, `quantised` or not
    dialogues: Dialogues  # that were learned from
    turns_per_s: float  # of all readings
    facts: dict[str, Cell] = {}  # what else is told of it


class TurnModel(Struct, frozen=True, kw_only=True):
    """A model that is measured. Its functions are called in processes of their own."""

    name: str  # of what it says
    question: str
    work: str  # what it does
    numbers: str  # what it says of turns
    learned_from: str  # `dialogues`, or `turns`
    learn: Callable[[int, bool, str, str | None], Learned]  # of how many, quick, device, base
    encoder: str  # the part of the model that reads texts, a transformer
    tokens: Callable[[Any, Any, Dialogues], Any]  # by a model and its tokenizer, of each turn
    load: Callable[[Path], Numbers]
    note: str


class _Trained(Struct, frozen=True):
    turns_per_s: float
    bare_turns_per_s: float  # forward and backward through the text encoder alone
    device: str
    facts: dict[str, Cell]


class _Reading(Struct, frozen=True):
    seconds: dict[str, float]  # by reader
    moved: float  # mean difference of the numbers in 8 and in 32 bits


def measure(
    model: TurnModel, dialogues: Dialogues, learned: int, quick: bool, device: str, base: str | None
) -> BenchmarkReport:
    """Trains and exports a model, and reads dialogues with it.

    Args:
        model: is measured.
        dialogues: to read.
        learned: how many dialogues or turns to learn from.
        quick: small sizes.
        device: to train on.
        base: transformer to start from; None: as `rehear learn` does.
    """
    machine = this_machine()
    turns = sum(map(len, dialogues))
    with tempfile.TemporaryDirectory(prefix="rehear-benchmark-") as name:
        folder = Path(name)
        training = in_process(_make_models, model, folder, learned, quick, device, base)
        working = in_process(_read, model, folder, dialogues)
        memory = in_process(_work, model, folder / EIGHT_BITS, dialogues)
    trained: _Trained = training.value
    reading: _Reading = working.value
    return BenchmarkReport(
        name=model.name,
        question=model.question,
        machine=machine,
        quick=quick,
        sizes={
            "dialogues": len(dialogues),
            "turns": turns,
            f"{model.numbers} move with 8 bits": reading.moved,
            f"{model.learned_from} learned from": learned,
            **trained.facts,
            "MiB in training": training.peak_bytes / MIB,
            f"MiB in {model.work}": memory.peak_bytes / MIB,
        },
        figures=rate_rows(
            reading.seconds,
            turns,
            f"training on {trained.device}",
            trained.turns_per_s,
            trained.bare_turns_per_s,
        ),
        notes=(NOTE, model.note),
    )


def _make_models(
    model: TurnModel, folder: Path, learned: int, quick: bool, device: str, base: str | None
) -> _Trained:
    """Trains a model for a while, and exports it twice."""
    import torch

    from labeling.models.encoder_base import choose_device

    torch.set_num_threads(1)
    made = model.learn(learned, quick, device, base)
    trained = made.trained
    for name in (EIGHT_BITS, FULL):
        made.export(folder / name, quantised=name == EIGHT_BITS)
    where = choose_device(device)
    encoder = getattr(trained.model, model.encoder).to(where).train()
    texts = model.tokens(trained.model, trained.tokenizer, made.dialogues[:256])
    bare = timed(lambda: read_bare(encoder, texts, backward=True))
    torch.save(trained.model.cpu().eval(), folder / "model.pt")
    trained.tokenizer.save(folder / "tokenizer.json")
    return _Trained(made.turns_per_s, len(texts) / bare, str(where), made.facts)


def _read(model: TurnModel, folder: Path, dialogues: Dialogues) -> _Reading:
    import torch

    from labeling.turns.tokenizer import TurnTokenizer

    torch.set_num_threads(1)
    tokenizer = TurnTokenizer.load(folder / "tokenizer.json")
    bare = torch.load(folder / "model.pt", weights_only=False)  # written by this very benchmark
    loaded = {name: model.load(folder / name) for name in (EIGHT_BITS, FULL)}
    found: dict[str, list[float]] = {name: [] for name in loaded}

    def read(name: str, some: Dialogues) -> None:
        found[name] += loaded[name](some)

    readers: dict[str, Callable[[Dialogues], None]] = {
        f"{model.name}, {name}": partial(read, name) for name in loaded
    }
    encoder = getattr(bare, model.encoder)
    readers[BARE] = lambda some: read_bare(encoder, model.tokens(bare, tokenizer, some), backward=False)
    seconds = seconds_of(readers, dialogues)
    pairs = list(zip(*found.values(), strict=True))
    return _Reading(seconds, sum(abs(one - other) for one, other in pairs) / max(len(pairs), 1))


def _work(model: TurnModel, folder: Path, dialogues: Dialogues) -> int:
    """The work alone, for its memory."""
    return len(model.load(folder)(dialogues))
