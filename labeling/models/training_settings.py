"""What every training of a model over a transformer can be set to, and which values are in range."""

import math

from msgspec import Struct


class ModelTraining(Struct, frozen=True, kw_only=True):
    """Settings that all trainings have."""

    base: str | None = None
    """Folder or name on the model hub; None: the weights that need no network."""

    weight_decay: float = 0.01
    seed: int = 1
    device: str = "cpu"
    """`cpu`, `cuda`, or `auto`: the GPU where there is one."""


class DialogueTraining(ModelTraining, frozen=True, kw_only=True):
    """Settings of the trainings of models that read dialogues, over an encoder of their texts."""

    layers: int | None = 3
    learning_rate: float = 1e-4
    """Of the encoder, at its highest."""

    head_rate: float = 1e-3
    """Of everything above it, which starts from nothing."""

    hidden_share: float = 0.1
    """Probability that a part that may be read is hidden from a dialogue."""


def require_at_least(settings: ModelTraining, error: type[Exception], **least: int) -> None:
    """Refuses settings that are too small.

    Args:
        settings: of a training.
        error: that is raised.
        least: the smallest value of each setting, by its name.
    """
    for name, value in least.items():
        if getattr(settings, name) < value:
            raise error(f"{name} is {getattr(settings, name)}: it must be {value} or more")


def require_positive(settings: ModelTraining, error: type[Exception], *names: str) -> None:
    """Refuses settings that are not above 0, or not finite."""
    for name in names:
        if not 0 < getattr(settings, name) < math.inf:
            raise error(f"{name} is {getattr(settings, name)}: it must be above 0 and finite")
