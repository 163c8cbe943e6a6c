"""How fast are dialogues labelled, and label models trained, beside the transformer that they stand on?"""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from benchmarks.dialogues import draw_dialogues
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
from labeling.labels.generator import ModelLabelGenerator
from rewriting.rephrases.settings import RephraseSettings
from services.session_models.labels.weak_labels import weak_labels

if TYPE_CHECKING:  # torch is loaded in the process that measures
    from labeling.turns.tokenizer import TurnTokenizer, TurnTokens

QUESTION = "how fast are dialogues labelled, and label models trained, beside the bare transformer?"
DIALOGUES = 1_024
QUICK_DIALOGUES = 48
LEARNED = 2_048
QUICK_LEARNED = 200

EIGHT_BITS, FULL = "labels, 8 bits", "labels, 32 bits"


class _Trained(Struct, frozen=True):
    """How long learning took."""

    weak_s: float  # to make weak labels
    turns_per_s: float  # of all readings, pre-training included
    bare_turns_per_s: float  # forward and backward through the turn encoder alone
    device: str


class _Reading(Struct, frozen=True):
    """What the readers did with the dialogues."""

    seconds: dict[str, float]  # by reader
    moved: float  # mean difference of the probabilities of a defect in 8 and in 32 bits


def run(quick: bool, device: str = "cpu", base: str | None = None) -> BenchmarkReport:
    """Trains and exports a model, and labels drawn dialogues with it.

    Args:
        quick: small sizes.
        device: to train on.
        base: transformer to start from; None: as `rehear learn` does.
    """
    machine = this_machine()
    dialogues = draw_dialogues(QUICK_DIALOGUES if quick else DIALOGUES)
    turns = sum(map(len, dialogues))
    with tempfile.TemporaryDirectory(prefix="rehear-benchmark-") as name:
        folder = Path(name)
        training = in_process(_make_models, folder, QUICK_LEARNED if quick else LEARNED, quick, device, base)
        labelling = in_process(_read, folder, dialogues)
        memory = in_process(_label, folder / EIGHT_BITS, dialogues)
    trained: _Trained = training.value
    reading: _Reading = labelling.value
    return BenchmarkReport(
        name="labels",
        question=QUESTION,
        machine=machine,
        quick=quick,
        sizes={
            "dialogues": len(dialogues),
            "turns": turns,
            "probabilities move with 8 bits": reading.moved,
            "dialogues learned from": QUICK_LEARNED if quick else LEARNED,
            "weak labels in s": trained.weak_s,
            "MiB in training": training.peak_bytes / MIB,
            "MiB in labelling": memory.peak_bytes / MIB,
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
            "Labelling reads the texts of a turn once for the labels that see responses and once for those "
            "that do not; texts that came before are not read again. Hardly any text comes twice here, "
            "unlike in the logs of voice assistants.",
        ),
    )


def _make_models(folder: Path, learned: int, quick: bool, device: str, base: str | None) -> _Trained:
    """Trains a model for a while, and exports it twice."""
    import torch

    from labeling.labels.export import export_label_model
    from labeling.labels.training import LabelTraining, train_label_model
    from labeling.models.encoder_base import choose_device

    torch.set_num_threads(1)
    dialogues = draw_dialogues(learned, seed=2)
    began = time.perf_counter()
    weak = weak_labels(dialogues, RephraseSettings())
    weak_s = time.perf_counter() - began
    training = LabelTraining(base=base, layers=1 if quick else 3, epochs=1, most_turns=None, device=device)
    steps_at: list[float] = []
    trained = train_label_model(
        dialogues, {}, weak, training, lambda *_: steps_at.append(time.perf_counter())
    )
    turns_per_s = steps_per_s(steps_at) * training.batch_turns
    for quantised, name in ((True, EIGHT_BITS), (False, FULL)):
        export_label_model(trained, folder / name, precision=0.9, quantised=quantised)
    where = choose_device(device)
    encoder = trained.model.turns.to(where).train()
    some = dialogues[:256]
    texts = _tokens(trained.tokenizer, some)
    bare = timed(lambda: read_bare(encoder, texts, backward=True))
    encoder.cpu().eval()
    torch.save(encoder, folder / "encoder.pt")
    trained.tokenizer.save(folder / "tokenizer.json")
    return _Trained(weak_s, turns_per_s, len(texts) / bare, str(where))


def _read(folder: Path, dialogues: Dialogues) -> _Reading:
    import torch

    from labeling.turns.tokenizer import TurnTokenizer

    torch.set_num_threads(1)
    tokenizer = TurnTokenizer.load(folder / "tokenizer.json")
    encoder = torch.load(folder / "encoder.pt", weights_only=False)  # written by this very benchmark
    generators = {name: ModelLabelGenerator.load(folder / name) for name in (EIGHT_BITS, FULL)}
    defects: dict[str, list[float]] = {name: [] for name in generators}

    def label(name: str, some: Dialogues) -> None:
        defects[name] += [one.defect or 0.0 for of in generators[name].label(some) for one in of]

    readers: dict[str, Callable[[Dialogues], None]] = {name: partial(label, name) for name in generators}
    readers[BARE] = lambda some: read_bare(encoder, _tokens(tokenizer, some), backward=False)
    seconds = seconds_of(readers, dialogues)
    pairs = list(zip(*defects.values(), strict=True))
    return _Reading(seconds, sum(abs(one - other) for one, other in pairs) / max(len(pairs), 1))


def _label(folder: Path, dialogues: Dialogues) -> int:
    """Labelling alone, for its memory."""
    return len(ModelLabelGenerator.load(folder).label(dialogues))


def _tokens(tokenizer: "TurnTokenizer", dialogues: Dialogues) -> "list[TurnTokens]":
    from labeling.turns.texts import said_by

    return [tokenizer.tokens(turn.request.text, said_by(turn)) for turns in dialogues for turn in turns]
