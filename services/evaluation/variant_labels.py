"""Labels of variants on disk: a file of each as soon as it is done, with what its making took."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from labeling.label_file import replaced_file
from labeling.turn_label import TurnLabel
from services.evaluation.errors import EvaluationFileError
from services.evaluation.label_file import read_labels
from services.evaluation.label_split import LabelSplit
from services.evaluation.label_variants import LabelVariant
from services.settings import Settings
from streams.turn import AssistantId, encode_turn


class ModelFacts(Struct, frozen=True, kw_only=True):
    """How the model of one assistant was made, and how fast it was."""

    assistant_id: AssistantId
    turns: int  # of the training log
    annotated_turns: int  # of these, whose annotations were learned from
    epochs: int
    steps: int  # of the training, pre-training included
    training_minutes: float  # export and calibration included; what the log shows is looked up once before
    training_turns_per_s: float  # about: a turn counts each time that it is read
    labelled_turns: int
    labelling_turns_per_s: float
    peak_memory_mb: float  # of the process, the logs included
    why_not: str = ""  # there is none


class VariantFacts(Struct, frozen=True, kw_only=True):
    """How a variant was made."""

    variant: str
    inputs: str  # `inputs_key`
    models: tuple[ModelFacts, ...]

    @property
    def why_not(self) -> str:
        """Why no assistant has a model; empty where one has."""
        return "" if any(not model.why_not for model in self.models) else self.models[0].why_not


class VariantLabels(Struct, frozen=True):
    """What a variant says of the test log."""

    facts: VariantFacts
    labels: Sequence[TurnLabel]


def inputs_key(split: LabelSplit, settings: Settings, variant: LabelVariant) -> str:
    """SHA-256 of all that the labels of a variant depend on, the version of Rehear left aside."""
    digest = hashlib.sha256()

    def add(part: object) -> None:
        digest.update(msgspec.json.encode(part) + b"\n")

    add([variant, settings.labels, settings.rephrases])
    for sessions in (split.train, split.test):
        add(len(sessions))
        for session in sessions:
            add(session.session_id)
            digest.update(b"\n".join(encode_turn(turn) for turn in session.turns))
    for event in sorted(split.annotations):
        add(split.annotations[event])
    return digest.hexdigest()


class LabelFolder:
    """The folder with the labels of the variants."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def labels_file(self, variant: LabelVariant) -> Path:
        """Where the labels of a variant are, as `rehear evaluate labels` reads them."""
        return self.path / f"{variant.file_name}.jsonl"

    def facts_file(self, variant: LabelVariant) -> Path:
        """Where it stands how they were made."""
        return self.path / f"{variant.file_name}.json"

    def read(self, variant: LabelVariant, inputs: str) -> VariantLabels | None:
        """The labels that were made of the same inputs, where there are any."""
        try:
            facts = msgspec.json.decode(self.facts_file(variant).read_bytes(), type=VariantFacts)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        if facts.inputs != inputs or not self.labels_file(variant).exists():
            return None
        try:
            return VariantLabels(facts, read_labels(self.labels_file(variant)))
        except EvaluationFileError:
            return None  # another version wrote it

    def write(self, variant: LabelVariant, made: VariantLabels) -> None:
        """Writes the labels, and then how they were made: what is there is whole."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.facts_file(variant).unlink(missing_ok=True)  # of earlier labels
        with replaced_file(self.labels_file(variant)) as stream:
            stream.writelines(msgspec.json.encode(label) + b"\n" for label in made.labels)
        with replaced_file(self.facts_file(variant)) as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(made.facts), indent=2) + b"\n")
