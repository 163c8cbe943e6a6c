"""Gradient steps: how a model over a pretrained encoder learns from batches."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from msgspec import Struct
from torch import Tensor, nn

from labeling.models.encoder_base import multiplies_bfloat16
from labeling.models.training_schedule import rise_and_fall

Batch = TypeVar("Batch")


class LearningRates(Struct, frozen=True, kw_only=True):
    """How far weights move in one step."""

    of_encoder: float  # at its highest; of what was pretrained
    of_others: float  # of what starts from nothing
    weight_decay: float


def take_steps(
    model: nn.Module,
    encoder: nn.Module,
    batches: Sequence[Batch],
    loss_of: Callable[[Batch], Tensor | None],
    rates: LearningRates,
    device: torch.device,
    on_step: Callable[[int, int], None] = lambda step, steps: None,
) -> None:
    """Takes one step for each batch; rates rise over the first tenth of them and fall to 0.

    Args:
        model: all of it, on the device.
        encoder: its pretrained part.
        batches: in order.
        loss_of: of one batch; None: it teaches nothing.
        rates: at their highest.
        device: of the model.
        on_step: is told how many steps are done, of how many.
    """
    known = {id(one) for one in encoder.parameters()}
    optimizer = torch.optim.AdamW(
        [
            {"params": [one for one in encoder.parameters() if one.requires_grad], "lr": rates.of_encoder},
            {"params": [one for one in model.parameters() if id(one) not in known], "lr": rates.of_others},
        ],
        weight_decay=rates.weight_decay,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rise_and_fall(len(batches)))
    model.train()
    for step, batch in enumerate(batches, start=1):
        with torch.autocast(device.type, torch.bfloat16, enabled=multiplies_bfloat16(device)):
            loss = loss_of(batch)
        if loss is not None:
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch does not type it
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        schedule.step()
        on_step(step, len(batches))
