"""Row judging: from what the ranker says of the requests of a log to verdicts on the rows of the table.

Of a row, what holds for everybody is told by the share of its requests that the ranker accepts it for, by
confidence: near requests count for more than far ones. What it said of a user's last request holds for that
user, however surely the next one is understood: it mostly rests on what else the user says.
"""

import math
from collections.abc import Iterable
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from rewriting.table.lookup import LiveRewrite
from rewriting.table.rewrite import RewriteId
from rewriting.verdicts.row_verdicts import (
    ALL_BANDS,
    BANDS,
    EVERYBODY,
    RowVerdict,
    TargetDigest,
    VerdictKey,
    target_digest,
    verdict_band,
)

MIN_ACCEPTED: Final = 0.85
"""Least share of the requests like one that the ranker must accept a row for, 0..1. Raised, fewer rows that
it would reject are served without it, and fewer that it would accept."""

REACH: Final = 0.2
"""Difference in confidence, 0..1, over which requests of a row tell of each other. Raised, what holds for
surely understood requests spreads to others; lowered, few requests decide."""

_NOTHING: Final = 0.05
"""Weight of one acceptance and one rejection that nobody has seen: a band far from all requests is not judged
by the last remains of theirs."""


class JudgedRequest(Struct, frozen=True):
    """What the ranker says of a request that the table has a row for."""

    rewrite: LiveRewrite
    user_key: int
    confidence: float | None  # 0..1
    accepted: bool  # whether it decides for the row's text


def row_verdicts(judged: Iterable[JudgedRequest]) -> dict[VerdictKey, RowVerdict]:
    """The verdicts that judged requests come to.

    Args:
        judged: in the order of time.
    """
    counts: dict[RewriteId, NDArray[np.float64]] = {}
    targets: dict[RewriteId, TargetDigest] = {}
    last: dict[VerdictKey, bool] = {}
    for one in judged:
        row = one.rewrite.rewrite_id
        if row not in counts:
            counts[row] = np.zeros((2, BANDS + 1))
            targets[row] = target_digest(one.rewrite.text)
        counts[row][int(one.accepted), verdict_band(one.confidence)] += 1
        last[VerdictKey(row, one.user_key)] = one.accepted
    verdicts = {
        VerdictKey(row, EVERYBODY): _of_everybody(targets[row], counted) for row, counted in counts.items()
    }
    for key, accepted in last.items():
        of_all = verdicts[VerdictKey(key.rewrite_id, EVERYBODY)]
        own = RowVerdict(of_all.target, *((ALL_BANDS, 0) if accepted else (0, ALL_BANDS)))
        if (own.accepted, own.rejected) != (of_all.accepted, of_all.rejected):
            verdicts[key] = own
    return verdicts


def _of_everybody(target: TargetDigest, counted: NDArray[np.float64]) -> RowVerdict:
    """What holds for users of whom nothing else is known.

    Args:
        target: of the row.
        counted: (2, BANDS + 1), requests by band, rejected and accepted ones.
    """
    rejected, accepted = counted @ _WEIGHTS
    shares = (accepted + _NOTHING) / (accepted + rejected + 2 * _NOTHING)
    accepts = sum(1 << band for band, share in enumerate(shares) if share >= MIN_ACCEPTED)
    is_near = accepted + rejected >= _NOTHING
    rejects = sum(1 << band for band, near in enumerate(is_near) if near and not accepts >> band & 1)
    return RowVerdict(target, accepts, rejects)


def _weights() -> NDArray[np.float64]:
    """(BANDS + 1, BANDS + 1): how far a request of one band tells of those of another."""
    weights = np.eye(BANDS + 1)  # requests without confidence tell of each other alone
    for i in range(BANDS):
        for k in range(BANDS):
            weights[i, k] = math.exp(-(((i - k) / BANDS / REACH) ** 2))
    return weights


_WEIGHTS: Final = _weights()
