"""Label models that have learned a world whose labels are known; each is trained once."""

from pathlib import Path

import pytest
from label_world import annotations_of, label_dialogues, turns_of, weak_labels_of, write_world_base

from labeling.labels.export import export_label_model
from labeling.labels.generator import ModelLabelGenerator
from labeling.labels.training import LabelTraining, TrainedLabels, train_label_model

LEARNED = label_dialogues(400)


def world_training(base: Path, **changes: object) -> LabelTraining:
    """Settings under which a small transformer of random weights learns the world in seconds."""
    known: dict[str, object] = {
        "base": str(base),
        "layers": None,
        "epochs": 6,
        "pretraining_epochs": 0,
        "learning_rate": 3e-3,
        "batch_turns": 24,
    }
    return LabelTraining(**{**known, **changes})  # type: ignore[arg-type]  # names and types of its fields


@pytest.fixture(scope="session")
def world_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small transformer that knows the words of the world."""
    return write_world_base(tmp_path_factory.mktemp("base") / "world")


@pytest.fixture(scope="session")
def trained(world_base: Path) -> TrainedLabels:
    """Learned from all annotations, and from the defects that the log shows."""
    return train_label_model(
        turns_of(LEARNED), annotations_of(LEARNED), weak_labels_of(LEARNED), world_training(world_base)
    )


@pytest.fixture(scope="session")
def trained_without_context(world_base: Path) -> TrainedLabels:
    """Learned from the intents alone, each turn by itself."""
    return train_label_model(
        turns_of(LEARNED[:200]),
        annotations_of(LEARNED[:200], "intent"),
        training=world_training(world_base, context=False, epochs=4),
    )


@pytest.fixture(scope="session")
def artifact(trained: TrainedLabels, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the exported model."""
    folder = tmp_path_factory.mktemp("artifact") / "labels"
    export_label_model(trained, folder, precision=0.9, quantised=False)
    return folder


@pytest.fixture(scope="session")
def generator(artifact: Path) -> ModelLabelGenerator:
    """The exported model in use."""
    return ModelLabelGenerator.load(artifact)


@pytest.fixture(scope="session")
def generator_without_context(
    trained_without_context: TrainedLabels, tmp_path_factory: pytest.TempPathFactory
) -> ModelLabelGenerator:
    """Likewise, of the one without context."""
    folder = tmp_path_factory.mktemp("artifact") / "labels"
    export_label_model(trained_without_context, folder, precision=0.9, quantised=False)
    return ModelLabelGenerator.load(folder)
