"""Confidence limits: how surely a request may have been understood for a row to be served.

A recogniser's confidence of 0.5 says something else than a product of two confidences of 0.5. So a row has a
limit for the product, one for the recogniser's confidence alone and one for the NLU's alone, and a request is
compared with the one for what is known of it.
"""

from math import inf
from typing import Final, Literal, NamedTuple

KnownParts = Literal["product", "asr", "nlu"]
"""Of what the confidence of a request is made: of both, or of the recogniser's or the NLU's alone."""

NO_LIMIT: Final = 1.0
"""A limit from which on all requests are below it, those of confidence 1 too."""


ANY: Final = "any"
"""What stands for no limit in words."""


class ConfidenceLimits(NamedTuple):
    """Below which confidence a row is served, by what is known; 0: for none, infinity: for all."""

    product: float
    asr: float
    nlu: float


def confidence_limits(product: float | None, asr: float | None, nlu: float | None) -> ConfidenceLimits | None:
    """The limits of a row; None where it has none at all.

    Args:
        product: for requests of which both confidences are known, 0..1; None: no limit.
        asr: for those with the recogniser's confidence alone; None: the same as `product`.
        nlu: for those with the NLU's confidence alone; None: the same as `product`.
    """
    of_product = inf if product is None else _limit(product)
    limits = ConfidenceLimits(
        of_product,
        of_product if asr is None else _limit(asr),
        of_product if nlu is None else _limit(nlu),
    )
    return None if limits == _NONE else limits


def is_below(limits: ConfidenceLimits, confidence: float | None, parts: KnownParts) -> bool:
    """Whether a request is understood less surely than a limit; one without a confidence counts as sure."""
    if confidence is None:
        return limits.product == inf
    limit: float = getattr(limits, parts)
    return confidence < limit


def limit_words(limits: ConfidenceLimits | None) -> str:
    """The limits in a few words, with those for one confidence alone where they differ; "any": no limit.

    >>> limit_words(confidence_limits(0.55, 0.45, 0))
    '< 0.55, ASR < 0.45, NLU none'
    """
    if limits is None:
        return ANY
    alone = [
        f"{name} {_words(limit)}"
        for name, limit in (("ASR", limits.asr), ("NLU", limits.nlu))
        if limit != limits.product
    ]
    return ", ".join([_words(limits.product), *alone])


def _words(limit: float) -> str:
    if limit == inf:
        return ANY
    return f"< {limit:g}" if limit > 0 else "none"


def _limit(value: float) -> float:
    return inf if value >= NO_LIMIT else value


_NONE: Final = ConfidenceLimits(inf, inf, inf)
