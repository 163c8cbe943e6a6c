"""Fixtures of the evaluation's tests: a small transformer."""

from pathlib import Path

import pytest
from tiny_encoder import write_tiny_base


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small transformer with random weights, to start the training of encoders from."""
    return write_tiny_base(tmp_path_factory.mktemp("base") / "tiny", ["play", "call", "jazz", "mom"])
