"""How fast are dialogues labelled, and label models trained, beside the transformer that they stand on?"""

import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.dialogues import draw_dialogues
from benchmarks.report import BenchmarkReport
from benchmarks.turn_models import Learned, Numbers, TurnModel, measure
from benchmarks.turn_reading import Dialogues, steps_per_s
from labeling.labels.generator import ModelLabelGenerator
from rewriting.rephrases.settings import RephraseSettings
from services.session_models.labels.weak_labels import weak_labels

DIALOGUES = 1_024
QUICK_DIALOGUES = 48
LEARNED = 2_048
QUICK_LEARNED = 200


def run(quick: bool, device: str = "cpu", base: str | None = None) -> BenchmarkReport:
    """Trains and exports a model, and labels drawn dialogues with it; arguments as for `measure`."""
    labels = TurnModel(
        name="labels",
        question="how fast are dialogues labelled, and label models trained, beside the bare transformer?",
        work="labelling",
        numbers="probabilities",
        learned_from="dialogues",
        learn=_learn,
        encoder="turns",
        tokens=_tokens,
        load=_load,
        note="Labelling reads the texts of a turn once for the labels that see responses and once for those "
        "that do not; texts that came before are not read again. Hardly any text comes twice here, "
        "unlike in the logs of voice assistants.",
    )
    dialogues = draw_dialogues(QUICK_DIALOGUES if quick else DIALOGUES)
    return measure(labels, dialogues, QUICK_LEARNED if quick else LEARNED, quick, device, base)


def _learn(learned: int, quick: bool, device: str, base: str | None) -> Learned:
    from labeling.labels.export import export_label_model
    from labeling.labels.training import LabelTraining, train_label_model

    dialogues = draw_dialogues(learned, seed=2)
    began = time.perf_counter()
    weak = weak_labels(dialogues, RephraseSettings())
    weak_s = time.perf_counter() - began
    training = LabelTraining(base=base, layers=1 if quick else 3, epochs=1, most_turns=None, device=device)
    steps_at: list[float] = []
    trained = train_label_model(
        dialogues, {}, weak, training, lambda *_: steps_at.append(time.perf_counter())
    )
    return Learned(
        trained,
        partial(export_label_model, trained, precision=0.9),
        dialogues,
        turns_per_s=steps_per_s(steps_at) * training.batch_turns,
        facts={"weak labels in s": weak_s},
    )


def _tokens(model: Any, tokenizer: Any, dialogues: Dialogues) -> list[Any]:
    from labeling.turns.texts import said_by

    return [tokenizer.tokens(turn.request.text, said_by(turn)) for turns in dialogues for turn in turns]


def _load(folder: Path) -> Numbers:
    """The probabilities of a defect."""
    generator = ModelLabelGenerator.load(folder)
    return lambda some: [one.defect or 0.0 for of_dialogue in generator.label(some) for one in of_dialogue]
