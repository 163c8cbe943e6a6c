"""The order in which the layers answer."""

import pytest
from rewrites import rewrite_row

from labeling.text.question import NO_QUESTION, Question
from rewriting.evidence.interpretation import Interpretation
from rewriting.ranking.candidates import Source
from rewriting.ranking.decision import RewriteDecision, decide
from rewriting.ranking.online_rewriter import OnlineAnswer, OnlineRewrite
from rewriting.table.abstain_reason import AbstainReason
from rewriting.table.lookup import LookupTable
from rewriting.table.occasion import Occasion
from rewriting.table.rewrite import GLOBAL, Rewrite, TableVersion, user_scope
from rewriting.verdicts.row_verdicts import RowVerdicts
from streams.turn import AssistantId, UserId

A = AssistantId("a")
FOUND = OnlineAnswer(OnlineRewrite("play blues", Interpretation("i"), False, 0.9, Source.TEXT_REPAIR), None)
OWN = OnlineAnswer(OnlineRewrite("play my mix", Interpretation("i"), True, 0.9, Source.HABIT), None)


GUARDED = OnlineAnswer(None, AbstainReason.GUARDED, refused=FOUND.rewrite)
LATE = OnlineAnswer(None, AbstainReason.OUT_OF_TIME)
SURE = OnlineAnswer(None, AbstainReason.SEEMS_RIGHT)


def answered(
    online: OnlineAnswer | None,
    *rows: Rewrite,
    text: str = "pley",
    question: str = NO_QUESTION,
    locale: str | None = None,
    verdicts: RowVerdicts | None = None,
) -> RewriteDecision:
    table = LookupTable.of(A, TableVersion(1), rows)
    occasion = Occasion(question=Question(question), locale=locale)
    return decide(table, text, UserId("u"), None, occasion, lambda: online, verdicts)


def text(decision: RewriteDecision) -> str | None:
    rewrite = decision.answer.rewrite
    return rewrite.text if rewrite else None


def row(target: str, **changes: object) -> Rewrite:
    return rewrite_row("pley", target, assistant_id=A, **changes)


def test_the_ranker_goes_before_the_chain() -> None:
    assert text(answered(FOUND, row("play jazz"))) == "play blues"


def test_what_a_user_has_taught_goes_before_the_ranker() -> None:
    taught = row("play rock", method="taught", scope=user_scope("u"))
    decision = answered(FOUND, taught)
    assert text(decision) == "play rock"
    assert decision.online is None  # it was not even asked


def test_an_answer_to_the_question_goes_before_the_ranker() -> None:
    south = row("south", method="answer", question="what area")
    assert text(answered(FOUND, south, question="what area")) == "south"
    assert text(answered(FOUND, south)) == "play blues"


def test_what_an_operator_has_blocked_no_layer_brings_back() -> None:
    decision = answered(FOUND, row("play jazz", status="blocked"))
    assert decision.answer.reason is AbstainReason.BLOCKED


def test_where_the_ranker_abstains_the_chain_does_not_answer() -> None:
    assert answered(SURE, row("play jazz")).answer.reason is AbstainReason.SEEMS_RIGHT


@pytest.mark.parametrize("online", [None, LATE])
def test_where_no_ranker_was_trained_the_chain_answers(online: OnlineAnswer | None) -> None:
    assert text(answered(online, row("play jazz"))) == "play jazz"


@pytest.mark.parametrize("online", [None, LATE])
def test_where_the_ranker_cannot_answer_the_chain_needs_a_verdict(online: OnlineAnswer | None) -> None:
    verdicts = RowVerdicts(A)
    jazz = row("play jazz")
    assert answered(online, jazz, verdicts=verdicts).answer.reason is AbstainReason.NOT_JUDGED
    served = answered(None, jazz).answer.rewrite
    assert served is not None
    verdicts.note(served, UserId("u"), None, accepted=True)
    assert text(answered(online, jazz, verdicts=verdicts)) == "play jazz"
    verdicts.note(served, UserId("u"), None, accepted=False)
    assert answered(online, jazz, verdicts=verdicts).answer.reason is AbstainReason.REJECTED_EARLIER


def test_what_goes_before_the_ranker_needs_no_verdict() -> None:
    taught = row("play rock", method="taught", scope=user_scope("u"))
    assert text(answered(None, taught, verdicts=RowVerdicts(A))) == "play rock"


def test_what_the_ranker_makes_of_the_row_is_said() -> None:
    jazz, blues = row("play jazz"), row("Play Blues!")
    assert answered(FOUND, blues).accepts_row is True
    assert answered(FOUND, jazz).accepts_row is False
    assert answered(SURE, jazz).accepts_row is False
    for online in (None, LATE):
        assert answered(online, jazz).accepts_row is None
    assert answered(FOUND).accepts_row is None
    assert answered(SURE).accepts_row is None


def test_what_the_guard_refuses_is_not_run() -> None:
    assert answered(GUARDED).answer.reason is AbstainReason.GUARDED


@pytest.mark.parametrize("target", ["Play Blues!", "play jazz"])
def test_where_the_guard_refuses_what_the_ranker_decides_for_the_row_is_run(target: str) -> None:
    decision = answered(GUARDED, row(target))
    assert text(decision) == target
    assert decision.accepts_row is True


def test_a_spent_budget_without_a_row_is_the_reason() -> None:
    assert answered(LATE).answer.reason is AbstainReason.OUT_OF_TIME


def test_an_empty_request_asks_nobody() -> None:
    decision = answered(FOUND, text="...")
    assert decision.answer.reason is AbstainReason.EMPTY_TEXT
    assert decision.online is None


def test_the_scope_tells_whose_history_speaks() -> None:
    scopes = []
    for online in (FOUND, OWN):
        rewrite = answered(online).answer.rewrite
        assert rewrite is not None
        assert rewrite.method == "retrieval"
        scopes.append(rewrite.scope)
    assert scopes == [GLOBAL, user_scope("u")]


def test_the_row_that_says_the_same_is_named() -> None:
    known = row("Play Blues!")
    rewrite = answered(FOUND, known).answer.rewrite
    assert rewrite is not None
    assert rewrite.rewrite_id == known.rewrite_id


def test_a_row_of_one_locale_answers_and_is_blocked_there_alone() -> None:
    taught = row("play rock", method="taught", locale="en-GB")
    assert text(answered(FOUND, taught, locale="EN_gb")) == "play rock"
    assert text(answered(FOUND, taught, locale="en")) == "play blues"
    blocked = row("play blues", status="blocked", locale="en-GB")
    assert answered(FOUND, blocked, locale="en-GB").answer.reason is AbstainReason.BLOCKED
    assert text(answered(FOUND, blocked)) == "play blues"
    serves_there = row("play jazz", question="what song", locale="en-GB")
    decision = answered(FOUND, blocked, serves_there, locale="en-GB", question="what song")
    assert text(decision) == "play jazz"  # what is blocked does not come online, either
