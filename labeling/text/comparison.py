"""The comparison of two requests: whether the second asks for the same thing as the first, by form.

Words that stand in each other's place must sound or be spelt alike, as what was misheard or mistyped does;
what is negated, opposite, another number, unit, day or country is another wish, however alike it sounds.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct
from rapidfuzz.distance import Indel, Levenshtein

from labeling.text.language import Language, languages, languages_of, number_words
from labeling.text.phonetics import phonetic_similarity
from labeling.text.wish import Wish, phrases, wish_of

Difference = Literal[
    "opposite",  # one negates the other, or asks for its opposite
    "number",  # another number, sign, operator, unit or currency
    "other_name",  # another day, month, country or language, things in each other's place, or a masked word
]

FRAME_SHARE: Final = 0.5
"""Share of the letters that two requests have in common, 0..1, from which the words in which they differ
are compared each by itself; of requests that differ in most of their words, whole texts are compared."""

SHORTEST_STEM: Final = 3
"""Letters that two words must end with, for their beginnings to make them opposites ("lock", "unlock")."""

SAME_WORD_LIKENESS: Final = 0.6
"""How alike words must sound to be taken for one another though one of them tells no requests apart."""

SHORTEST_MISSPELT: Final = 5
MISSPELT_LIKENESS: Final = 0.85
"""Letters of a word, and how alike it must be to a number word, to be that number misspelt."""

HOMOPHONE_LIKENESS: Final = 0.8
"""How alike a number and a word must sound to be taken for one another."""

_MOST_READERS = 3  # of languages that are equally likely: more, and none is


class Comparison(Struct, frozen=True):
    """How a second request stands to a first."""

    differences: frozenset[Difference]  # for which the two are other wishes, whatever else
    likeness: float  # 0..1: how alike that sounds, or is spelt, in which they differ; 1: nothing is replaced
    is_framed: bool  # they share most words: likeness is of those that stand in each other's place alone
    added: float  # share of the second's letters that stand for nothing in the first, 0..1
    dropped: float  # share of the first's letters that nothing in the second stands for, 0..1
    dropped_words: tuple[str, ...]  # these, in their order

    @property
    def sounds_alike(self) -> float:
        """How likely the first was said as the second, by sound and spelling of what differs, 0..1."""
        return 0.0 if self.differences else self.likeness


@lru_cache(maxsize=65_536)
def compare(source: str, target: str, locale: str = "") -> Comparison:
    """Compares two requests.

    Args:
        source: the first, normalised.
        target: the second, normalised.
        locale: of both; empty: not known.
    """
    spoken = languages_of(locale, (source, target)) or (() if locale else tuple(languages().values()))
    readers = spoken if len(spoken) <= _MOST_READERS else ()
    first = wish_of(_as_heard(source, target, readers), readers)
    second = wish_of(_as_heard(target, source, readers), readers)
    replaced, dropped, added = _changes(first.words, second.words, _light(readers))
    differences = set(_differences(first, second, spoken))
    aligned = (
        pair
        for before, after in replaced
        if len(before) == len(after)
        for pair in zip(before, after, strict=True)
    )
    if any(_are_prefixed_opposites(a, b, spoken) for a, b in aligned):
        differences.add("opposite")
    is_framed = sum(len("".join(before)) for before, _ in replaced) <= (1 - FRAME_SHARE) * first.letters
    if not is_framed:  # what stands in what place is not known any more
        before, after = ([word for words in side for word in words] for side in zip(*replaced, strict=True))
        replaced = [(before, after)]
    likeness = min((alike(" ".join(before), " ".join(after)) for before, after in replaced), default=1.0)
    return Comparison(
        differences=frozenset(differences),
        likeness=likeness,
        is_framed=is_framed,
        added=_share(added, second.words),
        dropped=_share(dropped, first.words),
        dropped_words=tuple(dropped),
    )


def _as_heard(text: str, other: str, readers: Sequence[Language]) -> str:
    """A text with the words of another in the place of its own that sound the same, where one is a number.

    Who says "two" for "to" asks for no other number, and "hunndred" is one.
    """
    numbers = frozenset[str]().union(*(number_words(language.code) for language in readers))
    heard: dict[str, str] = {}
    for before, after in _blocks(text.split(), other.split()):
        spoken = [word for word in before if word in numbers]
        spoken_after = [word for word in after if word in numbers]
        unread = [word for word in before if word not in numbers]
        heard |= {a: b for a in unread for b in spoken_after if _is_misspelt(a, b)}
        if spoken and not spoken_after and not any(_is_misspelt(b, a) for a in spoken for b in after):
            heard |= {a: b for a in spoken for b in after if alike(a, b) >= HOMOPHONE_LIKENESS}
    return " ".join(heard.get(word, word) for word in text.split()) if heard else text


def _is_misspelt(word: str, number: str) -> bool:
    """Whether a word is a number word with a letter too many, too few, or another."""
    return len(word) >= SHORTEST_MISSPELT and alike(word, number) >= MISSPELT_LIKENESS


def sounds_alike(source: str, target: str, locale: str = "") -> float:
    """How likely the first was said as the second, by sound and spelling of what differs, 0..1.

    The guard of rewrites takes a pair from its least likeness on for misheard.

    Args:
        source: what was heard, normalised.
        target: what may have been said, normalised.
        locale: of both; empty: not known.
    """
    return compare(source, target, locale).sounds_alike


def alike(first: str, second: str) -> float:
    """How alike two texts are spelt, 0..1; where they sound more alike than that, halfway to how they sound.

    Long texts share some sounds by chance, so sound alone does not make them alike.
    """
    spelling = Indel.normalized_similarity(_letters(first), _letters(second))
    return max(spelling, (spelling + phonetic_similarity(first, second)) / 2)


def _letters(text: str) -> str:
    """The letters of a text apart from their marks: an accent or a voiced sound is half of another letter."""
    return unicodedata.normalize("NFD", text.replace(" ", ""))


def is_giving_up(text: str, locale: str = "") -> bool:
    """Whether people say this text who want nothing more; without a locale, in any language."""
    return any(text in language.giving_up for language in _known(locale))


def leans_on_another(text: str, locale: str = "") -> bool:
    """Whether a text begins as a correction does, or says in words that it is one: it cannot stand alone."""
    return any(
        text == opening or text.startswith(f"{opening} ") or (" " in opening and f" {opening} " in text)
        for language in _known(locale)
        for opening in language.corrections
    )


def _known(locale: str) -> Sequence[Language]:
    return (languages_of(locale, ()) if locale else ()) or tuple(languages().values())


def _light(spoken: Sequence[Language]) -> frozenset[str]:
    return frozenset[str]().union(*(language.light for language in spoken))


def _share(part: Sequence[str], whole: Sequence[str]) -> float:
    return min(len("".join(part)) / max(len("".join(whole)), 1), 1.0)


_Change = tuple[Sequence[str], Sequence[str]]


def _changes(
    first: Sequence[str], second: Sequence[str], light: frozenset[str]
) -> tuple[list[_Change], list[str], list[str]]:
    """The words that stand in each other's place, those that are dropped, and those that are added.

    Words that only moved count for neither; of light words none counts that is not part of a replacement.
    """
    blocks = list(_blocks(first, second))
    gone_in_all = Counter(word for before, _ in blocks for word in before)
    new_in_all = Counter(word for _, after in blocks for word in after)
    moved_away, moved_here = gone_in_all & new_in_all, gone_in_all & new_in_all
    replaced: list[_Change] = []
    dropped: list[str] = []
    added: list[str] = []
    for before, after in blocks:
        gone, new = list(_unmoved(before, moved_away)), list(_unmoved(after, moved_here))
        if gone and new and alike(" ".join(gone), " ".join(new)) >= SAME_WORD_LIKENESS:
            replaced.append((gone, new))
            continue
        gone = [word for word in gone if word not in light]
        new = [word for word in new if word not in light]
        if gone and new:
            replaced.append((gone, new))
        else:
            dropped += gone
            added += new
    return replaced, dropped, added


def _unmoved(words: Sequence[str], moved: Counter[str]) -> Iterator[str]:
    for word in words:
        if moved[word] > 0:
            moved[word] -= 1
        else:
            yield word


def _blocks(first: Sequence[str], second: Sequence[str]) -> Iterator[_Change]:
    """Runs of words in which two texts differ, from the left."""
    before: list[str] = []
    after: list[str] = []
    for op in Levenshtein.opcodes(first, second):
        if op.tag == "equal":
            if before or after:
                yield before, after
            before, after = [], []
        else:
            before += first[op.src_start : op.src_end]
            after += second[op.dest_start : op.dest_end]
    if before or after:
        yield before, after


def _number_key(wish: Wish, other: Wish) -> tuple[str, str, int]:
    """What must be equal of two wishes' numbers: their digits in order, and their signs and operators.

    "nineteen ninety nine" is 1999, so digits are not parted. A spoken one counts where the other has a number
    in its place.
    """
    ones = wish.ones if len(wish.numbers) != len(other.numbers) else 0
    joined = "".join(wish.numbers)
    return (
        "".join(c for c in joined if c.isdigit() or c == "."),
        "".join(c for c in joined if not c.isdigit()),
        ones,
    )


def _signs(wish: Wish) -> frozenset[str]:
    return wish.signs - {"\u00b0"}  # degrees are often left out


def _are_swapped(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether two words that do not stand together have changed places: from A to B, from B to A."""
    if len(first) != len(second):
        return False
    apart = [i for i, (a, b) in enumerate(zip(first, second, strict=True)) if a != b]
    if len(apart) != 2 or apart[1] - apart[0] < 2:
        return False
    return first[apart[0]] == second[apart[1]] and first[apart[1]] == second[apart[0]]


def _are_prefixed_opposites(first: str, second: str, spoken: Sequence[Language]) -> bool:
    """Whether two words are one stem with prefixes that may make opposites of them."""
    stem = 0
    while stem < min(len(first), len(second)) and first[-1 - stem] == second[-1 - stem]:
        stem += 1
    if first == second or stem < SHORTEST_STEM:
        return False
    prefixes = {first[: len(first) - stem], second[: len(second) - stem]}
    return any(prefixes <= language.opposite_prefixes | {""} for language in spoken)


def _differences(first: Wish, second: Wish, spoken: Sequence[Language]) -> Iterator[Difference]:
    """For which two wishes are others, whatever their other words."""
    if first.is_masked or second.is_masked or _are_swapped(first.words, second.words):
        yield "other_name"
    if _number_key(first, second) != _number_key(second, first) or _signs(first) != _signs(second):
        yield "number"
    for kind in {kind for kind, _ in first.terms} & {kind for kind, _ in second.terms}:
        here = {which for other, which in first.terms if other == kind}
        there = {which for other, which in second.terms if other == kind}
        if here - there and there - here:
            yield "number" if kind == "unit" else "other_name"
    said, asked = set(phrases(first.words)), set(phrases(second.words))
    for language in spoken:
        if bool(language.negations & said) != bool(language.negations & asked):
            yield "opposite"
        for word in said - asked:
            if language.opposites.get(word, frozenset()) & (asked - said):
                yield "opposite"
