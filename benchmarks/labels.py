"""How fast are dialogues labelled, and label models trained, beside the transformer that they stand on?"""

import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from msgspec import Struct

from benchmarks.dialogues import draw_dialogues
from benchmarks.measured_process import in_process
from benchmarks.report import MIB, BenchmarkReport, Cell, this_machine
from labeling.label_model_generator import ModelLabelGenerator
from rewriting.rephrase_settings import RephraseSettings
from services.weak_labels import weak_labels
from streams.turn import TurnEvent

QUESTION = "how fast are dialogues labelled, and label models trained, beside the bare transformer?"
DIALOGUES = 1_024
QUICK_DIALOGUES = 48
LEARNED = 2_048
QUICK_LEARNED = 200
AT_A_TIME = 64  # dialogues that one reader has before the next one gets them

EIGHT_BITS, FULL, BARE = "labels, 8 bits", "labels, 32 bits", "bare transformer in torch"

Dialogues = Sequence[Sequence[TurnEvent]]


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


def run(quick: bool, device: str = "cpu") -> BenchmarkReport:
    """Trains and exports a model, and labels drawn dialogues with it."""
    machine = this_machine()
    dialogues = draw_dialogues(QUICK_DIALOGUES if quick else DIALOGUES)
    turns = sum(map(len, dialogues))
    with tempfile.TemporaryDirectory(prefix="rehear-benchmark-") as name:
        folder = Path(name)
        training = in_process(_make_models, folder, QUICK_LEARNED if quick else LEARNED, quick, device)
        labelling = in_process(_read, folder, dialogues)
        memory = in_process(_label, folder / EIGHT_BITS, dialogues)
    trained: _Trained = training.value
    reading: _Reading = labelling.value
    rows: list[dict[str, Cell]] = [
        {
            "work": reader,
            "turns/s": turns / seconds,
            "time": seconds / reading.seconds[BARE],
        }
        for reader, seconds in reading.seconds.items()
    ]
    rows.append(
        {
            "work": f"training on {trained.device}",
            "turns/s": trained.turns_per_s,
            "time": trained.bare_turns_per_s / trained.turns_per_s,
        }
    )
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
        figures=tuple(rows),
        notes=(
            "One thread. The readers take turns at the same dialogues, so that the ratios suffer little "
            "from other programs. `time` is that for a turn, with that of the bare transformer (the turn "
            "encoder in torch, texts of alike length together) for 1: of its forward pass for the labels, "
            "of forward and backward for the training.",
            "Labelling reads the texts of a turn once for the labels that see responses and once for those "
            "that do not; texts that came before are not read again. Hardly any text comes twice here, "
            "unlike in the logs of voice assistants.",
        ),
    )


def _make_models(folder: Path, learned: int, quick: bool, device: str) -> _Trained:
    """Trains a model for a while, and exports it twice."""
    import torch

    from labeling.encoder_base import choose_device
    from labeling.label_export import export_label_model
    from labeling.label_training import LabelTraining, train_label_model

    torch.set_num_threads(1)
    dialogues = draw_dialogues(learned, seed=2)
    began = time.perf_counter()
    weak = weak_labels(dialogues, RephraseSettings())
    weak_s = time.perf_counter() - began
    training = LabelTraining(layers=1 if quick else 3, epochs=1, most_turns=None, device=device)
    steps_at: list[float] = []
    trained = train_label_model(
        dialogues, {}, weak, training, lambda *_: steps_at.append(time.perf_counter())
    )
    # The first step also warms up, so its end is where the clock starts.
    turns_per_s = (len(steps_at) - 1) * training.batch_turns / max(steps_at[-1] - steps_at[0], 1e-9)
    for quantised, name in ((True, EIGHT_BITS), (False, FULL)):
        export_label_model(trained, folder / name, precision=0.9, quantised=quantised)
    where = choose_device(device)
    encoder = trained.model.turns.to(where).train()
    some = dialogues[:256]
    bare = _timed(partial(_bare, encoder, trained.tokenizer, some, training.batch_turns, True))
    encoder.cpu().eval()
    torch.save(encoder, folder / "encoder.pt")
    trained.tokenizer.save(folder / "tokenizer.json")
    return _Trained(weak_s, turns_per_s, sum(map(len, some)) / bare, str(where))


def _read(folder: Path, dialogues: Dialogues) -> _Reading:
    import torch

    from labeling.turn_tokenizer import TurnTokenizer

    torch.set_num_threads(1)
    tokenizer = TurnTokenizer.load(folder / "tokenizer.json")
    encoder = torch.load(folder / "encoder.pt", weights_only=False)  # written by this very benchmark
    generators = {name: ModelLabelGenerator.load(folder / name) for name in (EIGHT_BITS, FULL)}
    defects: dict[str, list[float]] = {name: [] for name in generators}

    def label(name: str, some: Dialogues) -> None:
        defects[name] += [one.defect or 0.0 for of in generators[name].label(some) for one in of]

    seconds = dict.fromkeys((*generators, BARE), 0.0)
    for start in range(0, len(dialogues), AT_A_TIME):
        some = dialogues[start : start + AT_A_TIME]
        for name in generators:
            seconds[name] += _timed(partial(label, name, some))
        seconds[BARE] += _timed(partial(_bare, encoder, tokenizer, some, AT_A_TIME, False))
    pairs = list(zip(*defects.values(), strict=True))
    return _Reading(seconds, sum(abs(one - other) for one, other in pairs) / max(len(pairs), 1))


def _label(folder: Path, dialogues: Dialogues) -> int:
    """Labelling alone, for its memory."""
    return len(ModelLabelGenerator.load(folder).label(dialogues))


def _bare(encoder, tokenizer, dialogues: Dialogues, batch: int, backward: bool) -> None:  # type: ignore[no-untyped-def]  # torch is loaded in the process that measures
    import torch

    from labeling.encoder_base import multiplies_bfloat16, padded
    from labeling.turn_texts import said_by

    device = next(encoder.parameters()).device
    texts = [tokenizer.tokens(turn.request.text, said_by(turn)) for turns in dialogues for turn in turns]
    texts.sort(key=lambda tokens: len(tokens.ids))
    for start in range(0, len(texts), batch):
        some = texts[start : start + batch]
        input_ids, mask = padded([tokens.ids for tokens in some], device)
        segments, _ = padded([tokens.segments for tokens in some], device)
        with (
            torch.set_grad_enabled(backward),
            torch.autocast(device.type, torch.bfloat16, enabled=backward and multiplies_bfloat16(device)),
        ):
            _, vectors = encoder(input_ids, segments, mask)
        if backward:
            vectors.sum().backward()


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
