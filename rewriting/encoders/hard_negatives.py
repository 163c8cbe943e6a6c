"""Hard negatives: successful requests that look like what was meant, and are not."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import Indel

from labeling.text.phonetics import phonetic_key
from rewriting.encoders.example import EncoderExample

MOST_CANDIDATES = 10_000
"""Texts among which negatives are sought: the search compares each example with each of them, some 10 million
a second. Of more, a part is taken that depends on nothing but the texts; a larger part finds closer ones."""

_ROWS_AT_A_TIME = 256  # of the table of distances: 10 MB at `MOST_CANDIDATES`


class HardNegatives:
    """Finds, for an example, texts that sound like its query or differ from its positive in slots alone."""

    def __init__(self, known: Mapping[str, str]) -> None:
        """Prepares the search among successful requests.

        Args:
            known: interpretation of each text that succeeded; texts normalised.
        """
        self._texts = sorted(sorted(known, key=_digest)[:MOST_CANDIDATES])
        self._interpretations = [known[text] for text in self._texts]
        self._keys = [phonetic_key(text) for text in self._texts]
        self._known = known
        self._by_intent: dict[str, list[int]] = {}
        for position, interpretation in enumerate(self._interpretations):
            self._by_intent.setdefault(_intent(interpretation), []).append(position)

    def find(
        self, examples: Sequence[EncoderExample], *, by_sound: int, by_slots: int
    ) -> list[tuple[str, ...]]:
        """Negatives of each example, the nearest first: up to `by_sound` + `by_slots`, none of them twice.

        Never the query or the positive, nor a text that is known to mean what the positive or the query
        means. By sound: the closest phonetic keys to the query's. By slots: the same domain and intent as
        the positive with other slots, the closest by spelling to the query.
        """
        friends = meanings_of_queries(examples, self._known)
        found: list[tuple[str, ...]] = []
        for rows, distances in self._sound_distances(examples):
            for example, row in zip(examples[rows], distances, strict=True):
                chosen: list[str] = []
                allowed = friends[example.query]
                self._take(chosen, by_sound, np.argsort(row, kind="stable"), example, allowed)
                self._take(chosen, by_slots, self._same_intent(example), example, allowed)
                found.append(tuple(chosen))
        return found

    def _sound_distances(
        self, examples: Sequence[EncoderExample]
    ) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        for start in range(0, len(examples), _ROWS_AT_A_TIME):
            rows = slice(start, start + _ROWS_AT_A_TIME)
            keys = [phonetic_key(example.query) for example in examples[rows]]
            yield (
                rows,
                process.cdist(
                    keys, self._keys, scorer=Indel.normalized_distance, dtype=np.float32, workers=1
                ),
            )

    def _same_intent(self, example: EncoderExample) -> Sequence[int]:
        if example.positive_interpretation is None:
            return ()
        positions = self._by_intent.get(_intent(example.positive_interpretation), [])
        if not positions:
            return ()
        texts = [self._texts[position] for position in positions]
        distances = process.cdist(
            [example.query], texts, scorer=Indel.normalized_distance, dtype=np.float32, workers=1
        )[0]
        return [positions[i] for i in np.argsort(distances, kind="stable")]

    def _take(
        self,
        chosen: list[str],
        wanted: int,
        order: Sequence[int] | NDArray[np.intp],
        example: EncoderExample,
        meanings: frozenset[str],
    ) -> None:
        """Adds the first texts in this order that are negatives of the example."""
        most = len(chosen) + wanted
        for position in order:
            if len(chosen) == most:
                return
            text = self._texts[position]
            if (
                text not in (example.query, example.positive)
                and text not in chosen
                and self._interpretations[position] not in meanings
            ):
                chosen.append(text)


def meanings_of_queries(
    examples: Sequence[EncoderExample], known: Mapping[str, str]
) -> dict[str, frozenset[str]]:
    """What is right for each query: the interpretations of its positives, and its own if it succeeded."""
    meanings: dict[str, set[str]] = {}
    for example in examples:
        right = meanings.setdefault(example.query, set())
        if example.positive_interpretation is not None:
            right.add(example.positive_interpretation)
        for text in (example.query, example.positive):
            if text in known:
                right.add(known[text])
    return {query: frozenset(right) for query, right in meanings.items()}


def _intent(interpretation: str) -> str:
    """Domain and intent of an interpretation; all of it, where it has neither."""
    return "|".join(interpretation.split("|", 2)[:2])


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()
