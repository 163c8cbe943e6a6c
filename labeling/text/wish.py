"""The wish in a text: its numbers, what it negates, and its other words, so far as they can be told by form.

Nothing here understands a request. It tells apart what must not be mixed up: -18 is not 18, two is not
twelve, five kilometres are not five miles.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from msgspec import Struct

from labeling.text.language import Language, exclusive_terms, spoken_numbers

# Scripts without spaces: of these each character stands for a word, but a run of katakana is one.
_UNSPACED: Final = r"\u3040-\u309f\u3400-\u9fff\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_KATAKANA: Final = r"\u30a0-\u30ff"
_PARTS: Final = re.compile(rf"\d[\d.,]*|[{_UNSPACED}]|[{_KATAKANA}]+|[^\W\d{_UNSPACED}{_KATAKANA}]+|\++|\S")
_THOUSANDS: Final = re.compile(r"\d{1,3}([.,])\d{3}(?:\1\d{3})*")
_OPERATORS: Final = frozenset("-+*/:^=<>")
_MASKS: Final = frozenset("*#@$%&")

LONGEST_TERM: Final = 5
"""Words of a number, a term or an opposite that are read together."""


class Wish(Struct, frozen=True):
    """What a text asks, by form."""

    words: tuple[str, ...]  # in their order, without numbers; where a script has no spaces, its characters
    numbers: tuple[str, ...]  # in their order, signed, with the operators between them
    ones: int  # numbers that are left out of `numbers`: "one" is an article, or a pronoun, in many languages
    signs: frozenset[str]  # percent, degrees, currencies
    terms: frozenset[tuple[str, str]]  # kind and which: units, days, months, countries, languages
    is_masked: bool  # a word of it cannot be read

    @property
    def letters(self) -> int:
        """Letters of all words."""
        return sum(map(len, self.words))


class _Part(Struct, frozen=True):
    kind: str  # number, spoken (a number in words), operator, sign, word
    text: str


@lru_cache(maxsize=16_384)
def wish_of(text: str, languages: tuple[Language, ...]) -> Wish:
    """The wish in a normalised text, read in these languages."""
    parts = [part for word in text.split() for part in _split(word)]
    read = list(_with_operators(list(_composed(list(_read(parts, languages))))))
    words = tuple(part.text for part in read if part.kind == "word")
    return Wish(
        words=words,
        numbers=tuple(part.text for part in read if part.kind in ("number", "operator")),
        ones=sum(part.kind == "one" for part in read),
        signs=frozenset(part.text for part in read if part.kind == "sign"),
        terms=frozenset(_terms(words, languages)),
        is_masked=any(map(_is_masked, text.split())),
    )


def phrases(words: Sequence[str]) -> Iterator[str]:
    """All runs of up to `LONGEST_TERM` words, as they stand with spaces between, and without."""
    for start in range(len(words)):
        for end in range(start + 1, min(start + LONGEST_TERM, len(words)) + 1):
            yield " ".join(words[start:end])
            if end - start > 1:
                yield "".join(words[start:end])


def _split(word: str) -> list[str]:
    return [word] if _is_masked(word) else _PARTS.findall(word)


def _is_masked(word: str) -> bool:
    hidden = sum(character in _MASKS for character in word)
    return hidden > 1 or (hidden == 1 and len(word) > 1)


def _read(parts: Sequence[str], languages: Sequence[Language]) -> Iterator[_Part]:
    """The parts of a text by kind; operators are not told from words yet."""
    i = 0
    while i < len(parts):
        part = parts[i]
        if part[0].isdigit():
            yield _Part("number", _digits(part))
            i += 1
            continue
        for end in range(min(i + LONGEST_TERM, len(parts)), i, -1):
            found = _phrase(parts[i:end], languages)
            if found is not None:
                yield found
                i = end
                break
        else:
            yield _Part("word", part)
            i += 1


def _phrase(parts: Sequence[str], languages: Sequence[Language]) -> _Part | None:
    for joined in {" ".join(parts), "".join(parts)}:
        for language in languages:
            if (number := spoken_numbers(language.code).get(joined)) is not None:
                return _Part("spoken", number)
            if joined in language.percent:
                return _Part("sign", "%")
            if joined in language.minus:
                return _Part("operator", "-")
            if joined in language.point:
                return _Part("operator", ".")
            if joined in language.operators:
                return _Part("operator", language.operators[joined])
    if len(parts) == 1 and parts[0] in _OPERATORS:
        return _Part("operator", parts[0])
    if len(parts) == 1 and not parts[0][0].isalnum():
        return _Part("sign", parts[0])
    return None


def _digits(part: str) -> str:
    digits = part.rstrip(".,")
    if _THOUSANDS.fullmatch(digits):
        return re.sub(r"[.,]", "", digits)
    return digits.replace(",", ".")


def _composed(parts: Sequence[_Part]) -> Iterator[_Part]:
    """Spoken parts of one number joined: two thousand - five hundred, ninety nine - point - nine."""
    i = 0
    while i < len(parts):
        part = parts[i]
        if part.kind == "spoken":
            value = int(part.text)
            run = i
            while _kind(parts, run) == "spoken" and len(parts[run].text) == 1:
                run += 1
            if run - i > 1:  # digit by digit: one zero one
                yield _Part("number", "".join(digit.text for digit in parts[i:run]))
                i = run
                continue
            if value >= 1_000 and _kind(parts, i + 1) == "spoken" and int(parts[i + 1].text) < 1_000:
                value += int(parts[i + 1].text)
                i += 1
            part = _Part("number" if value != 1 else "one", str(value))
        if (
            part.kind in ("number", "one")
            and _kind(parts, i + 1) == "operator"
            and parts[i + 1].text == "."
            and _kind(parts, i + 2) in ("spoken", "number")
        ):
            part = _Part("number", f"{part.text}.{parts[i + 2].text}")
            i += 2
        yield part
        i += 1


def _with_operators(parts: Sequence[_Part]) -> Iterator[_Part]:
    """Operators stay where a number follows; a minus that no number stands before is its sign."""
    sign = ""
    for i, part in enumerate(parts):
        if part.kind == "operator":
            after_number = i > 0 and parts[i - 1].kind in ("number", "one")
            before_number = _kind(parts, i + 1) in ("number", "one")
            if before_number and after_number:
                yield part
            elif before_number and part.text == "-":
                sign = "-"
            elif part.text[0].isalpha():
                yield _Part("word", part.text)
        elif part.kind in ("number", "one"):
            yield _Part("number", f"-{part.text}") if sign else part
            sign = ""
        else:
            yield part


def _kind(parts: Sequence[_Part], i: int) -> str:
    return parts[i].kind if i < len(parts) else ""


def _terms(words: Sequence[str], languages: Sequence[Language]) -> Iterator[tuple[str, str]]:
    for phrase in phrases(words):
        for language in languages:
            if (term := exclusive_terms(language.code).get(phrase)) is not None:
                yield term
