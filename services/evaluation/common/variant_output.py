"""What variants of a model say of a log, on disk: a file of each as soon as it is done, with what it took."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from labeling.annotations.annotation import Annotation
from services.evaluation.errors import EvaluationFileError
from streams.replaced_file import replaced_file
from streams.session import Session
from streams.turn import AssistantId, EventId, encode_turn

Line = TypeVar("Line")


class ModelVariant(Struct, frozen=True, kw_only=True):
    """A model that lacks something."""

    name: str  # as people read it

    @property
    def file_name(self) -> str:
        """Its name in file names."""
        return self.name.replace(",", "").replace(" ", "-")


class ModelFacts(Struct, frozen=True, kw_only=True):
    """How the model of one assistant was made, and how fast it was."""

    assistant_id: AssistantId
    turns: int  # of the training log
    annotated_turns: int  # of these, whose annotations were learned from
    epochs: int  # 0: it was made for another variant, and only used for this one
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
    inputs: str  # a hash of all that its output depends on
    models: tuple[ModelFacts, ...]

    @property
    def why_not(self) -> str:
        """Why no assistant has a model; empty where one has."""
        return "" if any(not model.why_not for model in self.models) else self.models[0].why_not


class VariantOutput(Struct, Generic[Line], frozen=True):
    """What a variant says of the test log."""

    facts: VariantFacts
    lines: Sequence[Line]


def hash_of_inputs(
    settings: Sequence[object],
    logs: Sequence[Sequence[Session]],
    annotations: Mapping[EventId, Annotation],
) -> str:
    """SHA-256 of all that the output of a variant depends on, the version of Rehear left aside.

    Args:
        settings: of the variant; whatever can be JSON.
        logs: that are learned from and that it speaks of.
        annotations: that it is told.
    """
    digest = hashlib.sha256()

    def add(part: object) -> None:
        digest.update(msgspec.json.encode(part) + b"\n")

    add(settings)
    for sessions in logs:
        add(len(sessions))
        for session in sessions:
            add(session.session_id)
            digest.update(b"\n".join(encode_turn(turn) for turn in session.turns))
    for event in sorted(annotations):
        add(annotations[event])
    return digest.hexdigest()


class VariantFolder(Struct, Generic[Line], frozen=True):
    """The folder with what variants say."""

    path: Path  # made where there is none
    read_lines: Callable[[Path], Iterable[Line]]  # of a file; raises EvaluationFileError

    def lines_file(self, variant: ModelVariant) -> Path:
        """Where it stands what a variant says, JSON Lines."""
        return self.path / f"{variant.file_name}.jsonl"

    def facts_file(self, variant: ModelVariant) -> Path:
        """Where it stands how that was made."""
        return self.path / f"{variant.file_name}.json"

    def read(self, variant: ModelVariant, inputs: str) -> VariantOutput[Line] | None:
        """What was made of the same inputs, where there is anything."""
        try:
            facts = msgspec.json.decode(self.facts_file(variant).read_bytes(), type=VariantFacts)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        if facts.inputs != inputs or not self.lines_file(variant).exists():
            return None
        try:
            return VariantOutput(facts, list(self.read_lines(self.lines_file(variant))))
        except EvaluationFileError:
            return None  # another version wrote it

    def write(self, variant: ModelVariant, made: VariantOutput[Line]) -> None:
        """Writes what a variant says, and then how it was made: what is there is whole."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.facts_file(variant).unlink(missing_ok=True)  # of an earlier one
        with replaced_file(self.lines_file(variant)) as stream:
            stream.writelines(msgspec.json.encode(line) + b"\n" for line in made.lines)
        with replaced_file(self.facts_file(variant)) as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(made.facts), indent=2) + b"\n")
