"""Turns as the tokens that the turn encoder reads: request, response and what came before, in one sequence.

As RoBERTa does with two texts: `<s> request </s></s> response </s>`. What the assistant had said before the
request, and further texts follow, each after another `</s>`.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

from msgspec import Struct
from tokenizers import Tokenizer

from labeling.models.byte_pair_tokenizer import as_it_is

REQUEST_TOKENS: Final = 64
"""Of a request; what is longer is cut. A spoken request has about 9, a long typed one 60."""

RESPONSE_TOKENS: Final = 48
"""Of a response, from its start. Raised, labelling takes longer, and long answers tell little more."""

PROMPT_TOKENS: Final = 24
"""Of what the assistant had said before, from its end: there is its question."""

FURTHER_TOKENS: Final = 12
"""Of each further text: a second guess of the recogniser, a name and its value."""

_MOST_CHARACTERS: Final = 2_000  # of a text; more than its tokens hold
_TEXTS_KEPT: Final = 20_000

SPECIAL: Final = 0
IN_REQUEST: Final = 1
IN_RESPONSE: Final = 2
IN_PROMPT: Final = 3
"""What a token belongs to; the first of the further texts is `IN_PROMPT + 1`."""


class TurnTokens(Struct, frozen=True):
    """One turn as a sequence."""

    ids: tuple[int, ...]
    segments: tuple[int, ...]  # SPECIAL, IN_REQUEST, ... or that of a further text
    offsets: tuple[tuple[int, int], ...]  # of the request's tokens: characters of its text

    @property
    def request(self) -> slice:
        """Where the tokens of the request are."""
        return slice(1, 1 + len(self.offsets))


class TurnTokenizer:
    """Cuts turns into tokens. Safe to share between threads."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Takes a tokenizer over, whose post-processor sets its special tokens around a single text."""
        self._tokenizer = as_it_is(tokenizer)
        around = tokenizer.encode("").ids
        self._first, self._last = around[0], around[-1]
        self._cut = lru_cache(_TEXTS_KEPT)(self._cut_anew)
        self._cut_end = lru_cache(_TEXTS_KEPT)(self._cut_end_anew)

    @classmethod
    def load(cls, path: Path) -> "TurnTokenizer":
        """Reads what `save` has written; a file that is damaged raises a plain `Exception`."""
        return cls(Tokenizer.from_file(str(path)))

    def save(self, path: Path) -> None:
        """Writes a `tokenizer.json`."""
        self._tokenizer.save(str(path))

    def tokens(
        self,
        request: str,
        response: str | None,
        prompt: str | None = None,
        further: Sequence[str | None] = (),
    ) -> TurnTokens:
        """A turn.

        Args:
            request: may be empty.
            response: None is not read.
            prompt: what the assistant had said before; None is not read.
            further: texts in an order that the reader knows; one of None keeps its number, and is not read.
        """
        asked, offsets = self._cut(request[:_MOST_CHARACTERS])
        asked, offsets = asked[:REQUEST_TOKENS], offsets[:REQUEST_TOKENS]
        ids = [self._first, *asked, self._last]
        segments = [SPECIAL] + [IN_REQUEST] * len(asked) + [SPECIAL]
        if response is not None:
            said = self._cut(response[:_MOST_CHARACTERS])[0][:RESPONSE_TOKENS]
            ids += [self._last, *said, self._last]
            segments += [SPECIAL] + [IN_RESPONSE] * len(said) + [SPECIAL]
        if prompt is not None:
            before = self._cut_end(prompt[-_MOST_CHARACTERS:])
            ids += [self._last, *before]
            segments += [SPECIAL] + [IN_PROMPT] * len(before)
        for number, text in enumerate(further, start=IN_PROMPT + 1):
            if text:
                read = self._cut(text[:_MOST_CHARACTERS])[0][:FURTHER_TOKENS]
                ids += [self._last, *read]
                segments += [SPECIAL] + [number] * len(read)
        return TurnTokens(tuple(ids), tuple(segments), offsets)

    def _cut_anew(self, text: str) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        most = max(REQUEST_TOKENS, RESPONSE_TOKENS)
        return tuple(encoding.ids[:most]), tuple(encoding.offsets[:most])

    def _cut_end_anew(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text, add_special_tokens=False).ids[-PROMPT_TOKENS:])


MOST_TOKENS: Final = REQUEST_TOKENS + RESPONSE_TOKENS + PROMPT_TOKENS + 5
"""Of a turn, special ones included; further texts come on top."""
