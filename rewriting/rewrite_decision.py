"""The rewrite decision: the layers of rewriting, in the order in which they may answer.

1. **Taught**: what the user has explained holds before everything.
2. **Blocked**: what an operator has taken back is not brought back by another layer.
3. **Answers**: rows of the table for the very question that was asked.
4. **Online**: the ranker over the user's history, the second tries of all users and the global index.
5. **Precomputed**: the other rows of the table, where no ranker decides: none is trained or its gates are
   closed, or the time is over.

Where the ranker decides, it has seen what the chain's rows rest on, and more.
"""

from collections.abc import Callable

from msgspec import Struct

from labeling.question import Question
from labeling.text_normalisation import normalise
from rewriting.abstain_reason import AbstainReason
from rewriting.lookup_table import LiveRewrite, LookupAnswer, LookupTable
from rewriting.online_rewriter import OnlineAnswer
from rewriting.rewrite import GLOBAL, Method, rewrite_id, user_scope
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


def decide(
    table: LookupTable,
    text: str,
    user_id: UserId,
    confidence: float | None,
    question: Question,
    ask_online: Callable[[], OnlineAnswer | None] | None,
) -> RewriteDecision:
    """Answers a request.

    Args:
        table: of the assistant.
        text: as the user said it.
        user_id: who said it.
        confidence: `understanding_confidence`, 0..1; None: not known.
        question: what the assistant had just asked.
        ask_online: asks the online rewriter, which is done only where it may answer; it gives None where it
            cannot. None: there is no online rewriter.
    """
    known = table.look_up(text, user_id, confidence, question)
    if ask_online is None or is_settled(known):
        return RewriteDecision(known, None)
    return decided(table, text, user_id, question, known, ask_online())


def is_settled(known: LookupAnswer) -> bool:
    """Whether the table's answer stands, whatever the online rewriter would say."""
    if known.rewrite is not None:
        return known.rewrite.method in SURE_METHODS
    return known.reason in _FINAL


def decided(
    table: LookupTable,
    text: str,
    user_id: UserId,
    question: Question,
    known: LookupAnswer,
    online: OnlineAnswer | None,
) -> RewriteDecision:
    """The answer to a request that the table has not settled.

    Args:
        table: of the assistant.
        text: as the user said it.
        user_id: who said it.
        question: what the assistant had just asked.
        known: the table's answer.
        online: what the online rewriter makes of it; None: it cannot answer.
    """
    if online is None:
        return RewriteDecision(known, None)
    if online.rewrite is None:
        if online.reason is AbstainReason.OUT_OF_TIME and known.rewrite is not None:
            return RewriteDecision(known, online)
        return RewriteDecision(LookupAnswer(None, online.reason, known.table_version), online)
    if known.rewrite is not None and normalise(known.rewrite.text) == normalise(online.rewrite.text):
        return RewriteDecision(known, online)  # the row that an operator can look up and block
    scope = user_scope(user_id) if online.rewrite.personal else GLOBAL
    if table.is_blocked(text, scope, question):  # though a row of another scope or question holds
        if known.rewrite is not None:
            return RewriteDecision(known, online)
        return RewriteDecision(LookupAnswer(None, AbstainReason.BLOCKED, known.table_version), online)
    served = LiveRewrite(
        rewrite_id=rewrite_id(table.assistant_id, scope, normalise(text)),
        text=online.rewrite.text,
        method="retrieval",
        scope=scope,
        score=online.rewrite.score,
    )
    return RewriteDecision(LookupAnswer(served, None, known.table_version), online)
