"""The rewrite decision: the layers of rewriting, in the order in which they may answer.

1. **Taught**: what the user has explained holds before everything.
2. **Blocked**: what an operator has taken back is not brought back by another layer.
3. **Answers**: rows of the table for the very question that was asked.
4. **Online**: the ranker over the user's history, the second tries of all users and the global index. Where
   the guard refuses what it decides for, the row is served, if there is one.
5. **Precomputed**: the other rows of the table, where no ranker was trained or its gates are closed. Where
   one was trained and cannot be asked, of these the rows that it has accepted for requests like this one.

Where the ranker decides, it has seen what the chain's rows rest on, and more.
"""

from collections.abc import Callable

from msgspec import Struct

from labeling.text.normalisation import normalise
from rewriting.evidence.understanding_confidence import UnderstandingConfidence, value_of
from rewriting.ranking.online_rewriter import OnlineAnswer, OnlineRewrite
from rewriting.table.abstain_reason import AbstainReason
from rewriting.table.lookup import LiveRewrite, LookupAnswer, LookupTable
from rewriting.table.occasion import Occasion
from rewriting.table.rewrite import GLOBAL, Method, rewrite_id, user_scope
from rewriting.verdicts.row_verdicts import RowVerdicts
from streams.turn import UserId

SURE_METHODS: frozenset[Method] = frozenset({"taught", "answer"})
"""Rows that go before the ranker."""

_FINAL = frozenset(
    {AbstainReason.EMPTY_TEXT, AbstainReason.TEXT_TOO_LONG, AbstainReason.BLOCKED}
)  # nothing else may answer then


class RewriteDecision(Struct, frozen=True):
    """The answer to a request, and what the online rewriter made of it, where it was asked."""

    answer: LookupAnswer
    online: OnlineAnswer | None
    accepts_row: bool | None = None
    """Whether the ranker has decided for the row that the table has for the request; None: it has not been
    asked or could not decide, or there is no such row."""


def decide(
    table: LookupTable,
    text: str,
    user_id: UserId,
    confidence: UnderstandingConfidence | None,
    occasion: Occasion,
    ask_online: Callable[[], OnlineAnswer | None] | None,
    verdicts: RowVerdicts | None = None,
) -> RewriteDecision:
    """Answers a request.

    Args:
        table: of the assistant.
        text: as the user said it.
        user_id: who said it.
        confidence: `understanding_confidence`; None: not known.
        occasion: on which it was said.
        ask_online: asks the online rewriter, which is done only where it may answer; it gives None where it
            cannot. None: there is no online rewriter.
        verdicts: what the ranker has said of the rows; None: no ranker was ever trained.
    """
    known = looked_up(table, text, user_id, confidence, occasion)
    online = None if ask_online is None or is_settled(known) else ask_online()
    return decided(table, text, user_id, confidence, occasion, known, online, verdicts)


def looked_up(
    table: LookupTable,
    text: str,
    user_id: UserId | None,
    confidence: UnderstandingConfidence | None,
    occasion: Occasion,
) -> LookupAnswer:
    """What the table says of a request; arguments as for `decide`.

    Without a user, only rows of everybody are looked at.
    """
    return table.look_up(
        text,
        user_id,
        value_of(confidence),
        occasion.question,
        locale=occasion.locale,
        turn_kind=occasion.turn_kind,
        parts="product" if confidence is None else confidence.parts,
    )


def is_settled(known: LookupAnswer) -> bool:
    """Whether the table's answer stands, whatever the online rewriter would say."""
    if known.rewrite is not None:
        return known.rewrite.method in SURE_METHODS
    return known.reason in _FINAL


def decided(
    table: LookupTable,
    text: str,
    user_id: UserId,
    confidence: UnderstandingConfidence | None,
    occasion: Occasion,
    known: LookupAnswer,
    online: OnlineAnswer | None,
    verdicts: RowVerdicts | None,
) -> RewriteDecision:
    """The answer to a request of which it is known what the table and the online rewriter say.

    `known` is the table's answer, and `online` what the online rewriter makes of the request; None: it was
    not asked, or cannot answer. The other arguments are as for `decide`.
    """
    if is_settled(known):
        return RewriteDecision(known, None)
    if online is None or online.reason is AbstainReason.OUT_OF_TIME:
        return RewriteDecision(_undecided(known, user_id, confidence, online, verdicts), online)
    if known.rewrite is not None and (online.refused is not None or _say_the_same(known, online)):
        return RewriteDecision(known, online, True)  # the row, which an operator can look up and block
    if online.rewrite is None:
        rejects = None if known.rewrite is None else False
        return RewriteDecision(LookupAnswer(None, online.reason, known.table_version), online, rejects)
    if known.rewrite is None:
        return RewriteDecision(_online_answer(table, text, user_id, occasion, known, online.rewrite), online)
    answer = _online_answer(table, text, user_id, occasion, known, online.rewrite)
    return RewriteDecision(answer, online, False)


def _say_the_same(known: LookupAnswer, online: OnlineAnswer) -> bool:
    if known.rewrite is None or online.rewrite is None:
        return False
    return normalise(known.rewrite.text) == normalise(online.rewrite.text)


def _undecided(
    known: LookupAnswer,
    user_id: UserId,
    confidence: UnderstandingConfidence | None,
    online: OnlineAnswer | None,
    verdicts: RowVerdicts | None,
) -> LookupAnswer:
    """The answer where the ranker has not decided."""
    if known.rewrite is None:
        return known if online is None else LookupAnswer(None, online.reason, known.table_version)
    refusal = None if verdicts is None else verdicts.refusal(known.rewrite, user_id, value_of(confidence))
    return known if refusal is None else LookupAnswer(None, refusal, known.table_version)


def _online_answer(
    table: LookupTable,
    text: str,
    user_id: UserId,
    occasion: Occasion,
    known: LookupAnswer,
    rewrite: OnlineRewrite,
) -> LookupAnswer:
    """The answer where the ranker has decided for a text that is not the row's."""
    scope = user_scope(user_id) if rewrite.personal else GLOBAL
    if table.is_blocked(
        text, scope, occasion.question, locale=occasion.locale, turn_kind=occasion.turn_kind
    ):  # though a row of another scope or for another occasion holds
        if known.rewrite is not None:
            return known
        return LookupAnswer(None, AbstainReason.BLOCKED, known.table_version)
    served = LiveRewrite(
        rewrite_id=rewrite_id(table.assistant_id, scope, normalise(text)),
        text=rewrite.text,
        method="retrieval",
        scope=scope,
        score=rewrite.score,
    )
    return LookupAnswer(served, None, known.table_version)
