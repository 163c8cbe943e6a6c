"""The rewrite: one row of the rewrite table."""

import hashlib
from typing import Literal, NewType

from msgspec import Struct

from rewriting.table.confidence_limits import ConfidenceLimits, confidence_limits
from rewriting.table.occasion import ANY_KIND, ANYWHERE, Place, TurnKind, locale_key
from streams.session import SessionId
from streams.turn import AssistantId, UserId

RewriteId = NewType("RewriteId", str)
TableVersion = NewType("TableVersion", int)
Scope = NewType("Scope", str)

GLOBAL = Scope("global")
"""The scope of a rewrite that holds for every user of the assistant."""

_OF_USER = "user:"

Method = Literal["chain", "answer", "rephrase", "retrieval", "taught"]
RewriteStatus = Literal["candidate", "shadow", "live", "blocked", "retired"]


class Rewrite(Struct, frozen=True, kw_only=True):
    """What a request is replaced by, and why.

    A `Rewrite` that has not been written to the table yet has version 0 and changed_ms 0.
    """

    rewrite_id: RewriteId
    assistant_id: AssistantId
    scope: Scope  # `GLOBAL`, or `user_scope(user)`
    source_text: str  # normalised
    source_interpretation: str | None
    target_text: str  # as most users say it, not normalised
    target_interpretation: str | None
    method: Method
    max_confidence: float | None = None  # for requests understood less surely than this, 0..1; None: all
    max_asr_confidence: float | None = None  # where the recogniser's alone is known; None: `max_confidence`
    max_nlu_confidence: float | None = None  # where the NLU's alone is known; None: `max_confidence`
    score: float  # share of the chain's success that ends in the target, 0..1
    sessions: int  # sessions in which the source led to the target
    users: int  # distinct users of these sessions
    source_success_rate: float  # 0..1, of source_count requests
    source_count: int
    target_success_rate: float  # 0..1, of target_count requests
    target_count: int
    failure_point: str | None  # at which most failed requests with the source failed, where known
    evidence: tuple[SessionId, ...]  # some of the sessions, sorted
    status: RewriteStatus = "live"
    version: TableVersion = TableVersion(0)  # of the table, at the last change of this row
    changed_ms: int = 0  # when it last changed, milliseconds since 1970
    reason: str = ""  # why it last changed
    question: str = ""  # only after this question of the assistant (`question_of`); empty: whatever was asked
    locale: str = ""  # only in this locale (`locale_key`); empty: in any
    turn_kind: TurnKind = ANY_KIND  # only for this kind of turn (`turn_kind_of`)

    @property
    def limits(self) -> ConfidenceLimits | None:
        """Below which confidence it is served, by what is known of a request; None: below any."""
        return confidence_limits(self.max_confidence, self.max_asr_confidence, self.max_nlu_confidence)

    @property
    def place(self) -> Place:
        """For which locales and kinds of turn it holds."""
        if not self.locale and self.turn_kind == ANY_KIND:
            return ANYWHERE
        return Place(locale_key(self.locale), self.turn_kind)


def rewrite_id(
    assistant_id: str,
    scope: str,
    source_text: str,
    question: str = "",
    method: Method = "chain",
    locale: str = "",
    turn_kind: TurnKind = ANY_KIND,
) -> RewriteId:
    """The id of the rewrite of one text, after one question or any, in one scope and locale, for one kind.

    There is at most one, so the id never changes. What the detected rephrases propose for the same text
    stands beside it, with an id of its own.
    """
    parts = [assistant_id, scope, source_text] + ([question] if question else [])
    if key := locale_key(locale):
        parts.append(f"\x01locale {key}")  # no question has a control character
    if turn_kind != ANY_KIND:
        parts.append(f"\x01kind {turn_kind}")
    if method == "rephrase":
        parts.append("\x01rephrase")
    digest = hashlib.blake2b("\x00".join(parts).encode(), digest_size=12)
    return RewriteId(digest.hexdigest())


def user_scope(user_id: str) -> Scope:
    """The scope of a rewrite that holds for one user alone."""
    return Scope(f"{_OF_USER}{user_id}")


def user_of(scope: Scope) -> UserId:
    """The user for whom alone a rewrite with this scope holds."""
    return UserId(scope.removeprefix(_OF_USER))
