"""Confidence cells: requests that were understood as surely, by each confidence that is known of them.

A request is counted in one cell, and belongs to a band of the product, of the recogniser's confidence and of
the NLU's, as far as these are known. So the bands of each are sums of cells, and nothing is counted thrice.
"""

from collections.abc import Iterator
from typing import Final, NewType

from rewriting.chains.step import N_BANDS, NOT_KNOWN, ChainStep
from rewriting.table.confidence_limits import KnownParts

ConfidenceCell = NewType("ConfidenceCell", int)
"""Number of a cell; what is not known counts as a band of its own."""

_SIZE: Final = N_BANDS + 1
_TOP: Final = N_BANDS - 1


def cell_of(step: ChainStep) -> ConfidenceCell:
    """The cell that a request is counted in."""
    return ConfidenceCell((step.band * _SIZE + step.asr_band + 1) * _SIZE + step.nlu_band + 1)


def bands_of(cell: ConfidenceCell) -> Iterator[tuple[KnownParts, int]]:
    """The bands that the requests of a cell belong to, 0..N_BANDS - 1.

    Those of which no confidence is known are in the highest band of each: they count as understood surely.
    """
    band, asr, nlu = _parts_of(cell)
    if (asr == NOT_KNOWN) == (nlu == NOT_KNOWN):
        yield "product", band
    if asr == nlu == NOT_KNOWN and band == _TOP:
        yield from (("asr", _TOP), ("nlu", _TOP))
    if asr != NOT_KNOWN:
        yield "asr", asr
    if nlu != NOT_KNOWN:
        yield "nlu", nlu


def known_parts(cell: ConfidenceCell) -> KnownParts | None:
    """What is known of how surely the requests of a cell were understood; None: nothing.

    In steps of earlier versions the one number that was known stands for the product.
    """
    band, asr, nlu = _parts_of(cell)
    if asr == nlu == NOT_KNOWN:
        return None if band == _TOP else "product"
    if nlu == NOT_KNOWN:
        return "asr"
    return "nlu" if asr == NOT_KNOWN else "product"


def _parts_of(cell: ConfidenceCell) -> tuple[int, int, int]:
    rest, nlu = divmod(cell, _SIZE)
    band, asr = divmod(rest, _SIZE)
    return band, asr - 1, nlu - 1
