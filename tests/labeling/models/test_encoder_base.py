"""Bases of encoders: what is loaded, and what is refused."""

from pathlib import Path

import pytest

from labeling.errors import EncoderBaseError, EncoderTrainingError
from labeling.models.encoder_base import load_base


def test_a_base_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EncoderBaseError, match="no-such-model"):
        load_base(tmp_path / "no-such-model")


@pytest.mark.parametrize(("layers", "max_tokens"), [(0, 64), (3, 64), (None, 2), (None, 500)])
def test_what_a_base_does_not_have_is_refused(tiny_base: Path, layers: int | None, max_tokens: int) -> None:
    with pytest.raises(EncoderTrainingError, match=r"layers|max_tokens"):
        load_base(tiny_base, layers=layers, max_tokens=max_tokens)
