"""The confidence guard: how surely a request may have been understood for a rewrite to be the better bet.

The log tells of each request what is known of that: the recogniser's confidence, the NLU's, both, or nothing.
A row gets a limit for the product of both, which is counted over the requests that have both, and one for
each alone, which is counted over all that have it (docs/chains.md).
"""

from collections.abc import Iterable, Sequence
from typing import Final, get_args

from msgspec import Struct

from rewriting.chains.confidence_cell import ConfidenceCell, bands_of, known_parts
from rewriting.chains.settings import ChainSettings
from rewriting.chains.step import CONFIDENCE_BANDS, N_BANDS
from rewriting.table.confidence_limits import NO_LIMIT, KnownParts

_PARTS: Final[tuple[KnownParts, ...]] = get_args(KnownParts)
_NEVER: Final = 0.0


class CellEvidence(Struct, frozen=True):
    """What the requests of one confidence cell show of a source and a target."""

    cell: ConfidenceCell
    requests: int
    success: float  # weight of success as they were
    by_target: float  # weight of success by way of the target
    by_any: float  # weight of success by way of anything


class RowLimits(Struct, frozen=True):
    """The limits of a row, as `Rewrite` has them."""

    product: float | None  # None: no limit
    asr: float | None  # None: as `product`
    nlu: float | None  # None: as `product`


def row_limits(
    evidence: Iterable[CellEvidence], a_success: float, settings: ChainSettings
) -> RowLimits | None:
    """Below which confidence a rewrite is the better bet, by what is known of a request.

    A rewrite must be so for requests as they came: by the product where both confidences are logged, else by
    the one that is. A limit of which the log shows nothing follows from the others: if they are none, it is
    none; else the row is not served for such requests.

    Args:
        evidence: of the cells of the source, each at most once, in an order that is always the same.
        a_success: users who succeeded with the source per success: one account counts once, 0..1.
        settings: of the chain.

    Returns:
        The limits; None if the rewrite is the better bet at no confidence.
    """
    bands = {parts: [_Band() for _ in range(N_BANDS)] for parts in _PARTS}
    carried: set[KnownParts] = set()
    learned: set[KnownParts] = set()
    for one in evidence:
        known = known_parts(one.cell)
        carried.add(known or "product")
        for parts, band in bands_of(one.cell):
            bands[parts][band].add(one)
            if known is not None:
                learned.add(parts)
    limits = {parts: _band_limit(bands[parts], a_success, settings) for parts in carried | learned}
    if all(limits[parts] == _NEVER for parts in carried):
        return None
    unseen = NO_LIMIT if all(limits[parts] == NO_LIMIT for parts in carried) else _NEVER
    product, asr, nlu = (limits[parts] if parts in learned else unseen for parts in _PARTS)
    if product == asr == nlu == _NEVER:
        return None
    return RowLimits(
        None if product == NO_LIMIT else product,
        None if asr == product else asr,
        None if nlu == product else nlu,
    )


class _Band:
    """The sums of one confidence band."""

    __slots__ = ("by_any", "by_target", "requests", "success")

    def __init__(self) -> None:
        self.requests = 0
        self.success = self.by_target = self.by_any = 0.0

    def add(self, evidence: CellEvidence) -> None:
        self.requests += evidence.requests
        self.success += evidence.success
        self.by_target += evidence.by_target
        self.by_any += evidence.by_any


def _band_limit(bands: Sequence[_Band], a_success: float, settings: ChainSettings) -> float:
    """The confidence below which the rewrite is the better bet; 1 if at any; 0 if at none.

    Bands are judged from the lowest up, each with what it borrows from those below, and only where the
    text was heard with such confidence. Above one in which most requests are right as they are, it holds
    in none.
    """
    limit = _NEVER
    heard, own, won, any_won = 0, 0.0, 0.0, 0.0
    for i, band in enumerate(bands):
        if not band.requests:
            continue
        heard, own, won, any_won = (
            heard + band.requests,
            own + a_success * band.success,
            won + band.by_target,
            any_won + band.by_any,
        )
        borrowed = settings.band_shrinkage / heard
        as_it_is = a_success * band.success + borrowed * own + settings.band_prior[i]
        by_rewrite = band.by_target + borrowed * won
        in_all = as_it_is + band.by_any + borrowed * any_won
        holds = by_rewrite >= settings.min_odds * as_it_is and by_rewrite >= settings.min_share * in_all
        if holds and by_rewrite > 0:
            limit = (*CONFIDENCE_BANDS, NO_LIMIT)[i]
        elif limit or (band.requests >= settings.min_requests and 2 * band.success > band.requests):
            break  # a row is served for all that is heard less surely than its limit
    return limit
