"""Misheard requests: what a recogniser might make of a text, for the encoders to learn from.

Logs hold few second tries beside what they hold of successful requests. Each of these, misheard at random, is
a pair whose answer is known.
"""

from collections.abc import Iterable, Mapping

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Indel

from labeling.text.phonetics import phonetic_key
from rewriting.encoders.example import EncoderExample

_MOST_WORDS = 4_000  # of the vocabulary, the commonest: every one is compared with every other, 2 s
_NEIGHBOURS = 5  # words that one may be taken for: more are less alike
_CHANGED_SHARE = 0.25  # of the words of a text, at least one: more leaves nothing to recognise it by
_REPLACED, _DROPPED, _JOINED = 0.6, 0.8, 0.9  # cumulative shares of the kinds of change; the rest: misspelt


class Mishearing:
    """Mishears texts in the words that are said to the assistant."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Takes the vocabulary from normalised texts."""
        counts: dict[str, int] = {}
        for text in texts:
            for word in text.split():
                counts[word] = counts.get(word, 0) + 1
        words = sorted(sorted(counts), key=lambda word: -counts[word])[:_MOST_WORDS]
        self._neighbours: dict[str, list[str]] = {}
        if len(words) < 2:
            return
        by_sound = process.cdist(
            *[[phonetic_key(word) for word in words]] * 2, scorer=Indel.normalized_distance
        )
        by_letter = process.cdist(words, words, scorer=Indel.normalized_distance)
        distances = by_sound + by_letter  # (words, words)
        np.fill_diagonal(distances, np.inf)
        nearest = np.argsort(distances, axis=1, kind="stable")[:, :_NEIGHBOURS]
        for word, neighbours in zip(words, nearest.tolist(), strict=True):
            self._neighbours[word] = [words[neighbour] for neighbour in neighbours]

    def mishear(self, text: str, generator: np.random.Generator) -> str:
        """The text with some words taken for others that sound or look alike, dropped, joined or misspelt."""
        words = text.split()
        if not words:
            return text
        most = max(1, round(len(words) * _CHANGED_SHARE))
        for _ in range(generator.integers(1, most + 1)):
            place = int(generator.integers(len(words)))
            words[place : place + 2] = self._changed(words[place : place + 2], generator)
        return " ".join(words)

    def _changed(self, words: list[str], generator: np.random.Generator) -> list[str]:
        """One or two words after a change to the first."""
        word, rest = words[0], words[1:]
        kind = generator.random()
        neighbours = self._neighbours.get(word, [])
        if kind < _REPLACED and neighbours:
            return [neighbours[int(generator.integers(len(neighbours)))], *rest]
        if kind < _DROPPED and rest:
            return rest
        if kind < _JOINED and rest:
            return [word + rest[0]]
        place = int(generator.integers(len(word)))
        return [word[:place] + word[place + 1 :] or word, *rest]


def misheard_examples(known: Mapping[str, str], times: int, seed: int) -> list[EncoderExample]:
    """Pairs of what is heard and each known text: up to `times` a text, for what stays the same is no pair.

    Args:
        known: interpretation of each text that succeeded; texts normalised.
        times: mishearings of each text, 0 or more.
        seed: the same gives the same pairs.
    """
    generator = np.random.default_rng(seed)
    mishearing = Mishearing(known)
    return [
        EncoderExample(query=query, positive=text, positive_interpretation=meaning)
        for text, meaning in sorted(known.items())
        for query in dict.fromkeys(mishearing.mishear(text, generator) for _ in range(times))
        if query not in ("", text)
    ]
