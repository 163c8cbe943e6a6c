"""Stretches of dialogue as the tokens that the rephrase detector reads: in training and in use the same.

    [CLS] source, its signals, [answer] response [SEP]
    gap, likeness, request, its signals, [answer] response, gap ... [SEP]

Gaps, signals and likeness (how far words and interpretation of a request are those of the source) are special
tokens of their own. A following request is a span, from its first to its last
token; the span of "none of them" is [CLS].
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct
from tokenizers import AddedToken, Tokenizer

from labeling.models.request_tokenizer import MOST_CHARACTERS, RequestTokenizer, spoken
from labeling.turns.features import seconds_between
from rewriting.rephrases.turn_pair import (
    EQUAL,
    NOTHING,
    UNDERSTANDINGS,
    confidence_bands,
    time_bucket,
    understood_alike,
    words_alike,
)
from streams.turn import TurnEvent

Part = Literal["time", "signals", "responses", "likeness", "words"]
"""A part of what can be read of a dialogue; `words` are those of the source."""

REQUEST_TOKENS: Final = 24
"""Of a request; what is longer is cut. Spoken requests have about 9."""

RESPONSE_TOKENS: Final = 14
"""Of a response: whether it answers shows at its beginning. Raised, sequences grow with each turn."""

_MOST_CUT: Final = max(REQUEST_TOKENS, RESPONSE_TOKENS)
_TEXTS_KEPT: Final = 4_096  # each turn is read as a source and as a candidate of several; 4 MB

_GAPS: Final = 30  # the last stands for everything longer: time_bucket(1000 s)
_ANSWER: Final = "[answer]"
_EMPTY: Final = "[empty]"
_HIDDEN: Final = "[hidden]"
_UNKNOWN_GAP: Final = "[gap unknown]"
_STATUSES: Final = ("ok", "error", "no_result", "unsupported", "cancelled", "none")
_BARGE_IN: Final = "[barge-in]"
_TERMINATED: Final = "[terminated]"
_FEEDBACK: Final = {"positive": "[praised]", "negative": "[rejected]"}
_BANDS: Final = range(4)

_SPECIAL: Final = (
    _ANSWER,
    _EMPTY,
    _HIDDEN,
    _UNKNOWN_GAP,
    *(f"[gap {bucket}]" for bucket in range(_GAPS + 1)),
    *(f"[status {status}]" for status in _STATUSES),
    _BARGE_IN,
    _TERMINATED,
    *_FEEDBACK.values(),
    *(f"[heard {band}]" for band in _BANDS),
    *(f"[understood {band}]" for band in _BANDS),
    *(f"[words {tenths}]" for tenths in range(NOTHING, EQUAL + 1)),
    *(f"[meaning: {shared}]" for shared in UNDERSTANDINGS),
)


class SpanInput(Struct, frozen=True):
    """A source request and the turns that follow, as one sequence."""

    ids: list[int]
    types: list[int]  # 0 up to the first [SEP], 1 after it
    spans: list[tuple[int, int]]  # first and last token of none, and of each candidate
    targets: tuple[int, ...]  # positions of the candidates among the turns; spans has one more


class DialogueTokenizer:
    """Turns stretches of dialogue into sequences. Safe to share between threads."""

    def __init__(self, tokenizer: Tokenizer, max_tokens: int) -> None:
        """Takes a tokenizer over that has the special tokens.

        Args:
            tokenizer: of the base.
            max_tokens: of a sequence; candidates beyond are left out.
        """
        tokenizer.no_padding()
        tokenizer.no_truncation()
        self._tokenizer = tokenizer
        self.max_tokens = max_tokens
        around = tokenizer.encode("").ids
        self._first, self._last = around[0], around[-1]
        self._cut = lru_cache(_TEXTS_KEPT)(self._cut_anew)
        self._special: dict[str, int] = {
            token: number for token in _SPECIAL if (number := tokenizer.token_to_id(token)) is not None
        }

    @classmethod
    def of(cls, tokenizer: RequestTokenizer, max_tokens: int) -> "DialogueTokenizer":
        """A copy of the tokenizer of a base, with the special tokens."""
        copied = Tokenizer.from_str(tokenizer.to_json())
        copied.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in _SPECIAL])
        return cls(copied, max_tokens)

    @classmethod
    def load(cls, path: Path, max_tokens: int) -> "DialogueTokenizer":
        """Reads what `save` has written; a file that is damaged raises a plain `Exception`."""
        return cls(Tokenizer.from_file(str(path)), max_tokens)

    def save(self, path: Path) -> None:
        """Writes a `tokenizer.json`."""
        self._tokenizer.save(str(path))

    @property
    def size(self) -> int:
        """Tokens it knows, special ones included."""
        return int(self._tokenizer.get_vocab_size(with_added_tokens=True))

    def sequence(
        self,
        turns: Sequence[TurnEvent],
        source: int,
        targets: Sequence[int],
        hidden: frozenset[Part] = frozenset(),
    ) -> SpanInput:
        """A source and its candidates.

        Args:
            turns: of the session, in order.
            source: position of the earlier request.
            targets: positions of the later ones, ascending.
            hidden: parts that are not shown.
        """
        words = [self._special[_HIDDEN]] if "words" in hidden else self._request(turns[source])
        ids = [self._first, *words, *self._reaction(turns[source], hidden), self._last]
        n_source = len(ids)
        spans = [(0, 0)]
        kept = []
        before = turns[source]
        for target in targets:
            turn = turns[target]
            request = self._request(turn)
            ahead = [self._gap(before, turn, hidden), *self._likeness(turns[source], turn, hidden)]
            added = [*ahead, *request, *self._reaction(turn, hidden)]
            if len(ids) + len(added) >= self.max_tokens:
                break
            first = len(ids) + len(ahead)
            spans.append((first, first + len(request) - 1))
            kept.append(target)
            ids += added
            before = turn
        ids.append(self._last)
        types = [0] * n_source + [1] * (len(ids) - n_source)
        return SpanInput(ids, types, spans, tuple(kept))

    def _request(self, turn: TurnEvent) -> list[int]:
        return self._words(turn.request.text, REQUEST_TOKENS) or [self._special[_EMPTY]]

    def _reaction(self, turn: TurnEvent, hidden: frozenset[Part]) -> list[int]:
        """Signals and response of a turn."""
        ids = [] if "signals" in hidden else [self._special[token] for token in _signals(turn)]
        if "responses" not in hidden:
            said = turn.response.text if turn.response else None
            ids += [self._special[_ANSWER], *self._words(said or "", RESPONSE_TOKENS)]
        return ids

    def _gap(self, before: TurnEvent, turn: TurnEvent, hidden: frozenset[Part]) -> int:
        bucket = NOTHING if "time" in hidden else time_bucket(seconds_between(before, turn))
        return self._special[_UNKNOWN_GAP if bucket == NOTHING else f"[gap {min(bucket, _GAPS)}]"]

    def _likeness(self, source: TurnEvent, turn: TurnEvent, hidden: frozenset[Part]) -> list[int]:
        if "likeness" in hidden:
            return []
        words, shared = words_alike(source, turn), understood_alike(source, turn)
        return [self._special[f"[words {words}]"], self._special[f"[meaning: {shared}]"]]

    def _words(self, text: str, most: int) -> list[int]:
        return list(self._cut(text[:MOST_CHARACTERS])[:most])

    def _cut_anew(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(spoken(text), add_special_tokens=False).ids[:_MOST_CUT])


def _signals(turn: TurnEvent) -> list[str]:
    status = (turn.response.status if turn.response else None) or "none"
    heard, understood = confidence_bands(turn)
    tokens = [f"[status {status}]"]
    if turn.signals.barge_in:
        tokens.append(_BARGE_IN)
    if turn.signals.terminated:
        tokens.append(_TERMINATED)
    if turn.signals.feedback:
        tokens.append(_FEEDBACK[turn.signals.feedback])
    if heard != NOTHING:
        tokens.append(f"[heard {heard}]")
    if understood != NOTHING:
        tokens.append(f"[understood {understood}]")
    return tokens
