"""Row verdicts: for which requests the ranker accepts a row of the table, for times when it cannot be asked.

Where the ranker decides, a row is served only if it decides for the row's text. Where it cannot be asked,
what it has said of the row holds for requests like those that it was asked about: to the same target,
understood about as surely, of the same user first, then of everybody.

A verdict is bits by confidence band, and two verdicts are put together by joining their bits: in whatever
order, and however often, that is done, the outcome is the same.
"""

import hashlib
import threading
from collections.abc import Mapping
from typing import Final, NamedTuple, NewType

from msgspec import Struct

from labeling.text.normalisation import normalise
from rewriting.table.abstain_reason import AbstainReason
from rewriting.table.lookup import LiveRewrite
from rewriting.table.rewrite import RewriteId
from streams.stores.session_store import user_key
from streams.turn import AssistantId, UserId

TargetDigest = NewType("TargetDigest", str)
"""Stands for the target of a row, however it is spelled."""

BANDS: Final = 20
"""Bands of equal width of `understanding_confidence`; one more is of requests without any. Raised, fewer
requests are like one that was judged; lowered, requests that the ranker tells apart are taken for alike."""

ALL_BANDS: Final = (1 << (BANDS + 1)) - 1
EVERYBODY: Final = 0
"""In the place of a user's key: of all users for whom nothing else is known."""

MOST_USERS: Final = 50_000
"""Verdicts for single users that are remembered of an assistant beside those that training has left, some 200
bytes each. Raised, more memory; lowered, more users get what holds for everybody."""


class VerdictKey(NamedTuple):
    """Of what a verdict is."""

    rewrite_id: RewriteId
    user_key: int  # `EVERYBODY`, or `user_key` of one user


class RowVerdict(Struct, frozen=True, gc=False):
    """What the ranker has said of one row, for one user or for everybody."""

    target: TargetDigest
    accepted: int = 0  # bits of bands in which it has decided for the row's text
    rejected: int = 0  # bits of bands in which it has decided against it; these go before

    def joined(self, other: "RowVerdict") -> "RowVerdict":
        """Both together; where they are of two targets, the other alone."""
        if other.target != self.target:
            return other
        return RowVerdict(self.target, self.accepted | other.accepted, self.rejected | other.rejected)


def verdict_band(confidence: float | None) -> int:
    """The band of a confidence of 0..1.

    >>> [verdict_band(confidence) for confidence in (0.0, 0.26, 1.0, None)]
    [0, 5, 19, 20]
    """
    return BANDS if confidence is None else min(max(int(confidence * BANDS), 0), BANDS - 1)


def target_digest(target_text: str) -> TargetDigest:
    """What stands for a target in the place of its words."""
    return TargetDigest(hashlib.blake2b(normalise(target_text).encode(), digest_size=8).hexdigest())


class RowVerdicts:
    """The verdicts on the rows of one assistant, in memory; several threads may use them at a time."""

    def __init__(
        self, assistant_id: AssistantId, verdicts: Mapping[VerdictKey, RowVerdict] | None = None
    ) -> None:
        self._assistant_id = assistant_id
        self._verdicts = dict(verdicts or {})
        self._noted: dict[VerdictKey, RowVerdict] = {}  # since the last `drain`
        self._most = len(self._verdicts) + MOST_USERS
        self._changing = threading.Lock()

    def refusal(
        self, rewrite: LiveRewrite, user_id: UserId, confidence: float | None
    ) -> AbstainReason | None:
        """Why a row is not served where the ranker cannot be asked; None: it is.

        Args:
            rewrite: that the table has for the request.
            user_id: who asks.
            confidence: `understanding_confidence` of the request, 0..1; None: not known.
        """
        bit = 1 << verdict_band(confidence)
        target = target_digest(rewrite.text)
        for key in (user_key(self._assistant_id, user_id), EVERYBODY):
            verdict = self._verdicts.get(VerdictKey(rewrite.rewrite_id, key))
            if verdict is None or verdict.target != target:
                continue
            if verdict.rejected & bit:
                return AbstainReason.REJECTED_EARLIER
            if verdict.accepted & bit:
                return None
        return AbstainReason.NOT_JUDGED

    def note(
        self, rewrite: LiveRewrite, user_id: UserId, confidence: float | None, *, accepted: bool
    ) -> None:
        """Remembers what the ranker has decided on a request that the table has a row for.

        An acceptance holds for the user alone, a rejection for everybody for whom none is known.

        Args:
            rewrite: that the table has for the request.
            user_id: who asked.
            confidence: `understanding_confidence` of the request, 0..1; None: not known.
            accepted: whether it has decided for the row's text.
        """
        band = verdict_band(confidence)
        target = target_digest(rewrite.text)
        own = VerdictKey(rewrite.rewrite_id, user_key(self._assistant_id, user_id))
        if accepted:
            self._add(own, RowVerdict(target, accepted=1 << band))
            return
        verdict = RowVerdict(target, rejected=_near(band))
        self._add(own, verdict)
        self._add(VerdictKey(rewrite.rewrite_id, EVERYBODY), verdict)

    def drain(self) -> dict[VerdictKey, RowVerdict]:
        """What was noted since the last time, and was not known before."""
        with self._changing:
            noted, self._noted = self._noted, {}
        return noted

    def give_back(self, noted: Mapping[VerdictKey, RowVerdict]) -> None:
        """Notes again what was drained and could not be stored."""
        with self._changing:
            self._noted = _joined(noted, self._noted)

    def join(self, verdicts: Mapping[VerdictKey, RowVerdict]) -> None:
        """Adds what others have found."""
        with self._changing:
            for key, verdict in verdicts.items():
                self._put(key, verdict)

    def replace(self, verdicts: Mapping[VerdictKey, RowVerdict]) -> None:
        """Puts others in the place of all but what was noted for everybody since the last `drain`.

        What was noted for single users is dropped: they may have been forgotten.
        """
        with self._changing:
            self._noted = {key: one for key, one in self._noted.items() if key.user_key == EVERYBODY}
            self._most = len(verdicts) + MOST_USERS
            self._verdicts = _joined(verdicts, self._noted)

    def _add(self, key: VerdictKey, verdict: RowVerdict) -> None:
        known = self._verdicts.get(key)
        if known is None and key.user_key != EVERYBODY and len(self._verdicts) >= self._most:
            return
        if known is not None and known.joined(verdict) == known:
            return
        with self._changing:
            self._put(key, verdict)
            self._noted[key] = self._verdicts[key]

    def _put(self, key: VerdictKey, verdict: RowVerdict) -> None:
        known = self._verdicts.get(key)
        self._verdicts[key] = verdict if known is None else known.joined(verdict)


def _near(band: int) -> int:
    """Bits of the bands in which a request is understood about as surely."""
    if band == BANDS:
        return 1 << band
    return sum(1 << near for near in range(max(band - 1, 0), min(band + 1, BANDS - 1) + 1))


def _joined(
    verdicts: Mapping[VerdictKey, RowVerdict], others: Mapping[VerdictKey, RowVerdict]
) -> dict[VerdictKey, RowVerdict]:
    joined = dict(verdicts)
    for key, verdict in others.items():
        known = joined.get(key)
        joined[key] = verdict if known is None else known.joined(verdict)
    return joined
