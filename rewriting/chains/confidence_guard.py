"""The confidence guard: how surely a request may have been understood for a rewrite to be the better bet.

The log tells of each request what is known of that: the recogniser's confidence, the NLU's, both, or nothing.
A row gets a limit for the product of both, which is counted over the requests that have both, and one for
each alone, which is counted over all that have it (docs/chains.md).
"""

from collections.abc import Mapping, Sequence
from typing import Final, get_args

from msgspec import Struct

from rewriting.chains.confidence_cell import ConfidenceCell, bands_of, known_parts
from rewriting.chains.counts import CellCounts, TextCounts
from rewriting.chains.settings import ChainSettings
from rewriting.chains.step import CONFIDENCE_BANDS, N_BANDS
from rewriting.table.confidence_limits import NO_LIMIT, KnownParts

_PARTS: Final[tuple[KnownParts, ...]] = get_args(KnownParts)
_NEVER: Final = 0.0


class CellWays(Struct, frozen=True):
    """The ways to success of the requests of one confidence cell of a source, as weights."""

    by_target: Mapping[int, float]  # interpretation -> success by way of it
    by_any: float  # success by way of anything
    error: float  # no weight of a target is farther from the truth


class RowLimits(Struct, frozen=True):
    """The limits of a row, as `Rewrite` has them."""

    product: float | None  # None: no limit
    asr: float | None  # None: as `product`
    nlu: float | None  # None: as `product`


def row_limits(
    counts: TextCounts,
    target: int,
    ways: Mapping[ConfidenceCell, CellWays],
    a_try: float,
    met_kept: float,
    settings: ChainSettings,
) -> RowLimits | None:
    """Below which confidence a rewrite is the better bet, by what is known of a request.

    A rewrite must be so for requests as they came: by the product where both confidences are logged, else by
    the one that is. A limit of which the log shows nothing follows from the others: if they are none, it is
    none; else the row is not served for such requests. What one account does again and again weighs no more
    than once, on either side.

    Args:
        counts: of the source.
        target: the number of its interpretation.
        ways: from the source to success, by cell; none from a cell of which no request went on.
        a_try: users behind the pair per session, 0..1.
        met_kept: share of the requests that were met that still count, 0..1.
        settings: of the chain.

    Returns:
        The limits; None if the rewrite is the better bet at no confidence.
    """
    a_success = met_kept * len(counts.met_users) / max(sum(counts.met_users.values()), 1)
    bands = {parts: [_Band() for _ in range(N_BANDS)] for parts in _PARTS}
    carried: set[KnownParts] = set()
    learned: set[KnownParts] = set()
    for cell, outcomes in sorted(counts.cells.items()):
        if not outcomes.requests:
            continue
        way = ways.get(cell)
        won, any_won = (0.0, 0.0) if way is None else (way.by_target[target] - way.error, way.by_any)
        known = known_parts(cell)
        carried.add(known or "product")
        for parts, band in bands_of(cell):
            bands[parts][band].add(outcomes, won * a_try, any_won * a_try)
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

    def add(self, outcomes: CellCounts, by_target: float, by_any: float) -> None:
        self.requests += outcomes.requests
        self.success += outcomes.success
        self.by_target += by_target
        self.by_any += by_any


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
