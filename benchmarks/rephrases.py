"""How fast does the span model find rephrases, beside a cross-encoder that reads every pair of requests?"""

import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path

from msgspec import Struct

from benchmarks.dialogues import LENGTHS, draw_dialogues
from benchmarks.machine import this_machine
from benchmarks.measured_process import in_process
from benchmarks.report import MIB, BenchmarkReport, Cell
from benchmarks.turn_reading import Dialogues, steps_per_s
from rewriting.encoders.text_encoder import PairEncoder
from rewriting.evidence.rephrase_link import RephraseDetector, RephraseLink, resolve
from rewriting.rephrases.settings import RephraseSettings
from rewriting.rephrases.span_detector import SpanDetector
from rewriting.rephrases.turn_pair import candidate_pairs
from rewriting.rephrases.weak_rephrases import WeakRephrases
from services.evaluation.rephrases.baselines import TextPairDetector

QUESTION = "how fast are rephrases found, beside a cross-encoder that reads every candidate pair?"
DIALOGUES = 2_048
QUICK_DIALOGUES = 64
LABELLED = 20_000
QUICK_LABELLED = 300
EXAMPLES = 1_280
QUICK_EXAMPLES = 64
PROCESSES = (1, 2)
AT_A_TIME = 256  # dialogues that one reader has before the next one gets them
WAIT_S = 600.0  # for another process: more than the slowest reader takes for so many

SPAN, SPAN_8 = "span model", "span model, 8 bits"
PAIRS, PAIRS_8 = "cross-encoder", "cross-encoder, 8 bits"
READERS = (SPAN, SPAN_8, PAIRS, PAIRS_8)


class _Trained(Struct, frozen=True):
    """How long learning took."""

    labels_s: float  # to learn weak labels, and to give them
    examples_per_s: float  # of the span model
    threads: int


class _Reading(Struct, frozen=True):
    """What the readers of one process did with its dialogues."""

    dialogues: int
    turns: int
    seconds: dict[str, float]  # by reader
    moved: float  # mean difference between the scores of the span model in 8 and in 32 bits
    changed: float  # share of the links of either that the other does not have


def run(quick: bool, base: str | None = None) -> BenchmarkReport:
    """Trains and exports models, and reads drawn dialogues with them.

    Args:
        quick: small sizes.
        base: transformer to start from; None: as `rehear learn` does.
    """
    machine = this_machine()
    settings = RephraseSettings(base=base, layers=1) if quick else RephraseSettings(base=base)
    dialogues = draw_dialogues(QUICK_DIALOGUES if quick else DIALOGUES)
    labelled = QUICK_LABELLED if quick else LABELLED
    examples = QUICK_EXAMPLES if quick else EXAMPLES
    rows: list[dict[str, Cell]] = []
    alone: list[_Reading] = []
    with tempfile.TemporaryDirectory(prefix="rehear-benchmark-") as name:
        folder = Path(name)
        training = in_process(_make_models, folder, labelled, examples, settings)
        for processes in PROCESSES:
            readings = _read_together(folder, dialogues, settings, processes)
            rows += _rows(readings)
            alone = alone or readings
    trained: _Trained = training.value
    pairs = [list(candidate_pairs(turns, settings.window_turns, settings.window_s)) for turns in dialogues]
    return BenchmarkReport(
        name="rephrases",
        question=QUESTION,
        machine=machine,
        quick=quick,
        sizes={
            "dialogues": len(dialogues),
            "turns": sum(map(len, dialogues)),
            "requests with candidates": sum(len({source for source, _ in of_one}) for of_one in pairs),
            "pairs": sum(map(len, pairs)),
            "layers": settings.layers,
            "scores move with 8 bits": alone[0].moved,
            "links change with 8 bits": alone[0].changed,
            "dialogues learned from": labelled,
            "labelled in s": trained.labels_s,
            "examples/s in training": trained.examples_per_s,
            "threads in training": trained.threads,
            "MiB in training": training.peak_bytes / MIB,
        },
        figures=tuple(rows),
        notes=(
            "Each process reads on one thread. The readers take turns at the same dialogues, so that the "
            "ratios suffer little from other programs. `time` is that for a dialogue, with the span model's "
            "in 32 bits, and as many processes, for 1.",
            f"Dialogues have 1 to {len(LENGTHS)} turns, and requests up to {settings.window_turns} "
            "candidates. All models have as many layers; a pair encoder is exported with 8 bits by default, "
            "a span model with 32.",
            f"The span model has learned from {examples:,} requests alone, the cross-encoder from nothing: "
            "speed does not depend on it, but how far scores move (on average) and links change (of those "
            "of either, the share that the other has not) does.",
        ),
    )


def _make_models(folder: Path, labelled: int, examples: int, settings: RephraseSettings) -> _Trained:
    """Trains the span model for a while, and exports all four."""
    import torch

    from labeling.models.encoder_base import load_base
    from rewriting.encoders.export import export_pair_encoder
    from rewriting.encoders.model import PairEncoderModel
    from rewriting.rephrases.span_export import export_span_model
    from rewriting.rephrases.span_training import SpanTraining, train_span_model

    dialogues = draw_dialogues(labelled, seed=2)
    began = time.perf_counter()
    links = WeakRephrases.fit(dialogues, settings).detect(dialogues)
    labels_s = time.perf_counter() - began
    training = SpanTraining(base=settings.base, layers=settings.layers, epochs=1, most_examples=examples)
    steps_at: list[float] = []
    trained = train_span_model(dialogues, links, training, lambda *_: steps_at.append(time.perf_counter()))
    reader = PairEncoderModel(load_base(settings.base, layers=settings.layers))
    for quantised, span_name, pair_name in ((False, SPAN, PAIRS), (True, SPAN_8, PAIRS_8)):
        export_span_model(trained, folder / span_name, quantised=quantised)
        export_pair_encoder(reader, folder / pair_name, quantised=quantised)
    return _Trained(labels_s, steps_per_s(steps_at) * training.batch_size, torch.get_num_threads())


def _read_together(
    folder: Path, dialogues: Dialogues, settings: RephraseSettings, processes: int
) -> list[_Reading]:
    """Gives each process its share of the dialogues; they begin together, with each reader."""
    barrier = get_context("spawn").Barrier(processes)
    with ThreadPoolExecutor(processes) as threads:
        waiting = [
            threads.submit(in_process, _read, folder, dialogues[number::processes], settings, barrier)
            for number in range(processes)
        ]
        return [one.result().value for one in waiting]


def _read(folder: Path, dialogues: Dialogues, settings: RephraseSettings, barrier: Barrier) -> _Reading:
    readers = {name: _load(folder / name, settings) for name in READERS}
    seconds = dict.fromkeys(readers, 0.0)
    found: dict[str, list[list[RephraseLink]]] = {name: [] for name in readers}
    for reader in readers.values():
        reader.detect(dialogues[:8])
    for start in range(0, len(dialogues), AT_A_TIME):
        some = dialogues[start : start + AT_A_TIME]
        for name, reader in readers.items():
            barrier.wait(WAIT_S)
            began = time.perf_counter()
            found[name] += reader.detect(some)
            seconds[name] += time.perf_counter() - began
    return _Reading(
        len(dialogues),
        sum(map(len, dialogues)),
        seconds,
        _moved(found[SPAN], found[SPAN_8]),
        _changed(found[SPAN], found[SPAN_8], settings.threshold),
    )


def _load(folder: Path, settings: RephraseSettings) -> RephraseDetector:
    if folder.name in (SPAN, SPAN_8):
        return SpanDetector.load(folder)
    from services.evaluation.rephrases.cross_encoder import TextPairReader  # loads torch, which takes seconds

    return TextPairDetector(TextPairReader(PairEncoder.load(folder)), settings)


def _moved(links: Sequence[Sequence[RephraseLink]], others: Sequence[Sequence[RephraseLink]]) -> float:
    """Mean difference of the scores; a link that one of them leaves out has 0."""
    scores, other_scores = ({key: link.score for key, link in _numbered(of)} for of in (links, others))
    keys = scores.keys() | other_scores.keys()
    moved = [abs(scores.get(key, 0.0) - other_scores.get(key, 0.0)) for key in sorted(keys)]
    return sum(moved) / max(len(moved), 1)


def _changed(
    links: Sequence[Sequence[RephraseLink]], others: Sequence[Sequence[RephraseLink]], threshold: float
) -> float:
    kept, other_kept = (
        {key for key, link in _numbered([resolve(one) for one in of]) if link.score >= threshold}
        for of in (links, others)
    )
    return len(kept ^ other_kept) / max(len(kept | other_kept), 1)


def _numbered(
    links: Sequence[Sequence[RephraseLink]],
) -> list[tuple[tuple[int, int, int], RephraseLink]]:
    return [
        ((number, link.source, link.target), link)
        for number, of_dialogue in enumerate(links)
        for link in of_dialogue
    ]


def _rows(readings: Sequence[_Reading]) -> list[dict[str, Cell]]:
    rows: list[dict[str, Cell]] = []
    of_span = _per_s(readings, SPAN, lambda one: one.dialogues)
    for name in READERS:
        dialogues_per_s = _per_s(readings, name, lambda one: one.dialogues)
        rows.append(
            {
                "reader": name,
                "processes": len(readings),
                "dialogues/s": dialogues_per_s,
                "turns/s": _per_s(readings, name, lambda one: one.turns),
                "time": of_span / dialogues_per_s,
            }
        )
    return rows


def _per_s(readings: Sequence[_Reading], reader: str, count: Callable[[_Reading], int]) -> float:
    """Of all processes together."""
    return sum(count(one) / max(one.seconds[reader], 1e-9) for one in readings)
