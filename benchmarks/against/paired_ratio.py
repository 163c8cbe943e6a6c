"""The order of the runs, and the ratio of two sides from pairs of runs."""

from collections.abc import Sequence
from math import comb
from statistics import median

from msgspec import Struct

from benchmarks.against.side import SideName

CONFIDENCE = 0.95


class Ratio(Struct, frozen=True, kw_only=True):
    """The median of the pairs' ratios, and an interval for it."""

    ratio: float
    low: float
    high: float
    coverage: float  # chance, 0..1, that an interval made in this way holds the true median


def run_order(pairs: int) -> tuple[tuple[SideName, SideName], ...]:
    """Which side runs first and which second in each pair: A B, B A, A B, ...

    In the order A B B A, what drifts evenly (heat, other programs) is the same for both.

    >>> run_order(3)
    (('ours', 'theirs'), ('theirs', 'ours'), ('ours', 'theirs'))
    """
    return tuple(("theirs", "ours") if number % 2 else ("ours", "theirs") for number in range(pairs))


def paired_ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    """The ratio of the two sides, from the pairs in which they ran next to each other.

    The interval is between two of the sorted ratios: the k-th lowest and the k-th highest hold the median of
    what they are drawn from with the chance 1 - 2 P(X < k), X binomial of n and 1/2, whatever it is that
    they are drawn from. k is the highest with which that is 0.95; where none is (below six pairs) it is 1:
    from the lowest to the highest, and `coverage` says how little that is.

    Raises:
        ValueError: there are no pairs, as many of one side as of the other, or one of theirs is not above 0.
    """
    ratios = sorted(our / their for our, their in zip(ours, theirs, strict=True) if their > 0)
    if not ratios or len(ratios) < len(ours):
        raise ValueError(f"ratios of {list(ours)} and {list(theirs)}: give pairs, theirs above 0")
    n = len(ratios)
    k = max((k for k in range(1, (n + 1) // 2 + 1) if _coverage(n, k) >= CONFIDENCE), default=1)
    return Ratio(ratio=median(ratios), low=ratios[k - 1], high=ratios[n - k], coverage=_coverage(n, k))


def _coverage(n: int, k: int) -> float:
    """Chance that the median lies between the k-th lowest and the k-th highest of n.

    >>> _coverage(2, 1), round(_coverage(7, 1), 3), round(_coverage(7, 2), 3)
    (0.5, 0.984, 0.875)
    """
    return 1 - 2 * sum(comb(n, i) for i in range(k)) / float(2**n)
