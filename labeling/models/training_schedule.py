"""How a training goes on: the learning rate of each step, and who is told of it."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called after each step with the name of the stage, the steps that are done, and all steps of the stage."""


def rise_and_fall(steps: int) -> Callable[[int], float]:
    """The share of the learning rate at each step: up over the first tenth, then down to 0, both linear."""
    rising = max(1, steps // 10)
    return lambda step: min((step + 1) / rising, max(0.0, (steps - step) / max(1, steps - rising)))
