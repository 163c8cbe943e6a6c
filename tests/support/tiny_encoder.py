"""A transformer that is small enough to train in a test."""

import string
from collections.abc import Iterable
from pathlib import Path


def write_tiny_base(folder: Path, words: Iterable[str], positions: int = 80) -> Path:
    """Writes a BERT with 2 layers, 32 wide, of random weights, that knows some words and all letters."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, BertTokenizer

    letters = string.ascii_lowercase + string.digits
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted({*words, *letters})]
    tokens += [f"##{letter}" for letter in letters]
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = BertModel(
            BertConfig(
                vocab_size=len(tokens),
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=64,
                max_position_embeddings=positions,
            )
        )
    model.save_pretrained(folder)
    vocabulary = {token: number for number, token in enumerate(tokens)}
    BertWordPieceTokenizer(vocabulary).save(str(folder / "tokenizer.json"))
    BertTokenizer(tokenizer_file=str(folder / "tokenizer.json")).save_pretrained(folder)
    return folder
