"""Readings of dialogues: how long models take for the turns, beside the bare transformer under them."""

import time
from collections.abc import Callable, Mapping, Sequence

from benchmarks.report import Cell
from streams.turn import TurnEvent

Dialogues = Sequence[Sequence[TurnEvent]]

BARE = "bare transformer in torch"

NOTE = (
    "One thread. The readers take turns at the same dialogues, so that the ratios suffer little from other "
    "programs. `time` is that for a turn, with that of the bare transformer (the text encoder in torch, "
    "turns of alike length together) for 1: of its forward pass for the reading, of forward and backward "
    "for the training."
)

_AT_A_TIME = 64  # dialogues that one reader has before the next one gets them


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def seconds_of(
    readers: Mapping[str, Callable[[Dialogues], object]], dialogues: Dialogues
) -> dict[str, float]:
    """How long each reader takes for all of them; they take turns."""
    seconds = dict.fromkeys(readers, 0.0)
    for start in range(0, len(dialogues), _AT_A_TIME):
        some = dialogues[start : start + _AT_A_TIME]
        for name, read in readers.items():
            seconds[name] += timed(lambda read=read, some=some: read(some))  # type: ignore[misc]
    return seconds


def steps_per_s(at: Sequence[float]) -> float:
    """Steps of a training, from when each ended; the first one also warms up, and does not count."""
    return (len(at) - 1) / max(at[-1] - at[0], 1e-9)


def read_bare(encoder, texts, *, backward: bool) -> None:  # type: ignore[no-untyped-def]  # torch is loaded in the process that measures
    """Tokens of turns through a text encoder, and back again where it is trained."""
    import torch

    from labeling.models.encoder_base import multiplies_bfloat16
    from labeling.turns.token_batch import token_batches

    device = next(encoder.parameters()).device
    for batch in token_batches(texts, device):
        with (
            torch.set_grad_enabled(backward),
            torch.autocast(device.type, torch.bfloat16, enabled=backward and multiplies_bfloat16(device)),
        ):
            read = encoder(batch.input_ids, batch.segments, batch.mask)
        if backward:
            vectors = read[-1] if isinstance(read, tuple) else read
            vectors.sum().backward()


def rate_rows(
    seconds: Mapping[str, float], turns: int, training: str, turns_per_s: float, bare_turns_per_s: float
) -> tuple[dict[str, Cell], ...]:
    """A row for each reader, and one for the training, beside the bare transformer."""
    rows: list[dict[str, Cell]] = [
        {"work": reader, "turns/s": turns / taken, "time": taken / seconds[BARE]}
        for reader, taken in seconds.items()
    ]
    rows.append({"work": training, "turns/s": turns_per_s, "time": bare_turns_per_s / turns_per_s})
    return tuple(rows)
