"""Batches for the training of the text encoder: which text is a wrong answer to which query."""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from rewriting.encoders.example import EncoderExample


class TrainingBatch(Struct, frozen=True):
    """Queries and the texts among which each must find its own."""

    queries: tuple[str, ...]  # (rows,)
    candidates: tuple[str, ...]  # (candidates,) the positives in the order of the rows, then the negatives
    compared: NDArray[np.bool_]  # (rows, candidates) False: may be right for this row, so not held against it
    weights: NDArray[np.float32]  # (rows,) sum to 1


def training_batch(
    examples: Sequence[EncoderExample],
    negatives: Sequence[Sequence[str]],
    meanings: Mapping[str, frozenset[str]],
    known: Mapping[str, str],
) -> TrainingBatch:
    """Puts examples together; the positives and negatives of all rows are candidates of each.

    Many requests share what they are rewritten to, so another row's positive is often right for a row too.
    It is held against the row only if it is another text than the query and the positive, and is not known
    to mean what is right for the query.

    Args:
        examples: the rows; at least one.
        negatives: of each row, none of which is right for the row.
        meanings: the interpretations that are right for each query (`meanings_of_queries`).
        known: interpretation of each text that succeeded.
    """
    positives = {example.positive for example in examples}
    extra = dict.fromkeys(text for texts in negatives for text in texts if text not in positives)
    candidates = (*(example.positive for example in examples), *extra)
    understood = [example.positive_interpretation for example in examples]
    understood += [known.get(text) for text in extra]
    compared = np.ones((len(examples), len(candidates)), dtype=np.bool_)
    for row, example in enumerate(examples):
        right = meanings[example.query]
        for column, (text, meaning) in enumerate(zip(candidates, understood, strict=True)):
            if column != row and (text in (example.query, example.positive) or meaning in right):
                compared[row, column] = False
    weights = np.array([example.weight for example in examples], dtype=np.float32)
    return TrainingBatch(
        tuple(example.query for example in examples), candidates, compared, weights / weights.sum()
    )
