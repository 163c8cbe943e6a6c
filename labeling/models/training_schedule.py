"""How a training goes on: the learning rate of each step, and who is told of it."""

from collections.abc import Callable

import numpy as np

Progress = Callable[[str, int, int], None]
"""Called after each step with the name of the stage, the steps that are done, and all steps of the stage."""


def rise_and_fall(steps: int) -> Callable[[int], float]:
    """The share of the learning rate at each step: up over the first tenth, then down to 0, both linear."""
    rising = max(1, steps // 10)
    return lambda step: min((step + 1) / rising, max(0.0, (steps - step) / max(1, steps - rising)))


def drawn_batches(
    n_examples: int, *, epochs: int, batch_size: int, most_batches: int, seed: int
) -> list[list[int]]:
    """The numbers of the examples of each batch: every epoch in an order of its own, until it is enough."""
    generator = np.random.default_rng(seed)
    order = [number for _ in range(epochs) for number in generator.permutation(n_examples).tolist()]
    order = order[: most_batches * batch_size]
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
