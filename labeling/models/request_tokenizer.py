"""Requests as the tokens that the encoders read: in training and in serving by the same code."""

from pathlib import Path
from typing import Final

from tokenizers import Tokenizer

from labeling.text.normalisation import normalise

MOST_CHARACTERS: Final = 1_000
"""Of a text; the rest is not read. More than `max_tokens` of any sensible setting hold, and 10,000 characters
would take milliseconds to normalise."""


class RequestTokenizer:
    """Cuts normalised texts into token ids. Safe to share between threads; starts none."""

    def __init__(self, tokenizer: Tokenizer, max_tokens: int) -> None:
        """Takes a tokenizer over, which must not be used elsewhere.

        Args:
            tokenizer: with a post-processor that knows single texts and pairs.
            max_tokens: of a text or a pair, special tokens included; what is longer is cut.
        """
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_tokens)
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, path: Path, max_tokens: int) -> "RequestTokenizer":
        """Reads a `tokenizer.json`; one that is damaged raises a plain `Exception`."""
        return cls(Tokenizer.from_file(str(path)), max_tokens)

    def save(self, path: Path) -> None:
        """Writes a `tokenizer.json`."""
        self._tokenizer.save(str(path))

    def to_json(self) -> str:
        """The tokenizer as `save` writes it."""
        return str(self._tokenizer.to_str())

    def ids(self, text: str) -> list[int]:
        """Token ids of any text; at least the special tokens."""
        return self._tokenizer.encode(spoken(text)).ids

    def pair_ids(self, query: str, candidate: str) -> tuple[list[int], list[int]]:
        """Token ids of both texts in one sequence, and to which of the two each belongs (0 or 1)."""
        encoding = self._tokenizer.encode(spoken(query), spoken(candidate))
        return encoding.ids, encoding.type_ids


def spoken(text: str) -> str:
    """The part of a text that encoders read, normalised."""
    return normalise(text[:MOST_CHARACTERS])
