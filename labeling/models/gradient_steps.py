"""Gradient steps: how a model over a pretrained encoder learns from batches."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from labeling.models.encoder_base import multiplies_bfloat16
from labeling.models.training_schedule import Progress, rise_and_fall
from labeling.models.training_settings import DialogueTraining

Batch = TypeVar("Batch")


def optimizer_of(model: nn.Module, rate: float, weight_decay: float) -> AdamW:
    """Moves all weights at one rate, given at its highest."""
    return AdamW(model.parameters(), lr=rate, weight_decay=weight_decay, fused=True)


def optimizer_over_encoder(model: nn.Module, encoder: nn.Module, training: DialogueTraining) -> AdamW:
    """Moves the weights of a pretrained part at another rate than the others.

    Args:
        model: all of it, on its device.
        encoder: its pretrained part.
        training: tells the rates.
    """
    known = {id(one) for one in encoder.parameters()}
    return AdamW(
        [
            {
                "params": [one for one in encoder.parameters() if one.requires_grad],
                "lr": training.learning_rate,
            },
            {"params": [one for one in model.parameters() if id(one) not in known], "lr": training.head_rate},
        ],
        weight_decay=training.weight_decay,
        fused=True,
    )


def mixed_precision(device: torch.device) -> torch.autocast:
    """A context that multiplies in bfloat16 where the device is faster so."""
    return torch.autocast(device.type, torch.bfloat16, enabled=multiplies_bfloat16(device))


def take_steps(
    model: nn.Module,
    optimizer: AdamW,
    batches: Iterable[Batch],
    n_batches: int,
    loss_of: Callable[[Batch], Tensor | None],
    stage: str,
    progress: Progress | None = None,
) -> None:
    """Takes one step for each batch; rates rise over the first tenth of them and fall to 0.

    Args:
        model: on its device.
        optimizer: of its weights.
        batches: in order.
        n_batches: how many there are.
        loss_of: of one batch; None: it teaches nothing.
        stage: name of what is learned, for `progress`.
        progress: is told of each step.
    """
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rise_and_fall(n_batches))
    model.train()
    for step, batch in enumerate(batches, start=1):
        loss = loss_of(batch)
        if loss is not None:
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch does not type it
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        schedule.step()
        if progress:
            progress(stage, step, n_batches)
