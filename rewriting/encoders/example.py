"""What the encoders learn from: pairs of what was said and what was meant."""

import math
from collections.abc import Iterable, Mapping

from msgspec import Struct

from labeling.errors import EncoderTrainingError
from labeling.text.normalisation import normalise


class EncoderExample(Struct, frozen=True, kw_only=True):
    """A request, and the request that it should be rewritten to: itself, where it is good as it is."""

    query: str
    positive: str
    query_interpretation: str | None = None  # as in `interpretation_of`; None: not understood
    positive_interpretation: str | None = None
    weight: float = 1.0  # above 0: what a row counts, beside 1 for the others


def verbalise(interpretation: str) -> str:
    """The words of an interpretation, so that it can be encoded like a request.

    >>> verbalise("play|music|artist_name=imagine dragons;player_setting=loud")
    'play music artist name imagine dragons player setting loud'
    """
    return normalise(interpretation.removeprefix("text:"))


def understanding_examples(known: Mapping[str, str]) -> list[EncoderExample]:
    """Examples of the log's own understanding: texts of one interpretation belong together.

    Each text is paired with the next text of its interpretation, in a ring, and with the words of the
    interpretation. Texts that say just these words give no such pair.

    Args:
        known: interpretation of each text.
    """
    texts: dict[str, list[str]] = {}
    for text, interpretation in sorted(known.items()):
        texts.setdefault(interpretation, []).append(text)
    examples: list[EncoderExample] = []
    for interpretation, alike in sorted(texts.items()):
        words = verbalise(interpretation)
        following = [*alike[1:], alike[0]]
        examples += _pairs(interpretation, zip(alike, following, strict=True))
        examples += _pairs(interpretation, ((text, words) for text in alike))
    return examples


def require_weights(weights: Iterable[float], what: str) -> None:
    """Refuses weights, of examples or pairs, that are not above 0, or not finite.

    Raises:
        EncoderTrainingError: one is out of range.
    """
    for position, weight in enumerate(weights):
        if not 0 < weight < math.inf:
            raise EncoderTrainingError(
                f"the weight of {what} {position} is {weight}: it must be above 0 and finite"
            )


def _pairs(interpretation: str, pairs: Iterable[tuple[str, str]]) -> list[EncoderExample]:
    return [
        EncoderExample(
            query=text,
            positive=other,
            query_interpretation=interpretation,
            positive_interpretation=interpretation,
        )
        for text, other in pairs
        if text != other and other
    ]
