"""A failure model that has learned a world whose failure points are known; it is trained once."""

from pathlib import Path

import pytest
from fault_world import fault_dialogues, write_fault_base

from failure_isolation.export import export_failure_model
from failure_isolation.isolator import ModelFailureIsolator
from failure_isolation.training import FailureTraining, TrainedFailures, train_failure_model


@pytest.fixture(scope="session")
def fault_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small transformer that knows the words of the world."""
    return write_fault_base(tmp_path_factory.mktemp("base") / "world")


@pytest.fixture(scope="session")
def fault_training(fault_base: Path) -> FailureTraining:
    """Settings under which a small transformer of random weights learns the world in seconds."""
    return FailureTraining(base=str(fault_base), layers=None, passes=6, learning_rate=1e-3, batch_turns=24)


@pytest.fixture(scope="session")
def trained(fault_training: FailureTraining) -> TrainedFailures:
    """Learned from all turns of 300 dialogues."""
    dialogues, annotations = fault_dialogues(300)
    return train_failure_model(dialogues, annotations, fault_training)


@pytest.fixture(scope="session")
def artifact(trained: TrainedFailures, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the exported model."""
    folder = tmp_path_factory.mktemp("artifact") / "failures"
    export_failure_model(trained, folder, coverage=0.9, quantised=False)
    return folder


@pytest.fixture(scope="session")
def isolator(artifact: Path) -> ModelFailureIsolator:
    """The exported model in use."""
    return ModelFailureIsolator.load(artifact)
