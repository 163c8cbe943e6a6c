"""Verdicts on rows: which requests are like which, and what of two verdicts holds."""

import itertools

from rewriting.table.abstain_reason import AbstainReason
from rewriting.table.lookup import LiveRewrite
from rewriting.table.rewrite import GLOBAL, RewriteId
from rewriting.verdicts.row_judging import JudgedRequest, row_verdicts
from rewriting.verdicts.row_verdicts import EVERYBODY, RowVerdict, RowVerdicts, VerdictKey, target_digest
from streams.stores.session_store import user_key
from streams.turn import AssistantId, UserId

A = AssistantId("a")
ANN, BOB, CLEO = UserId("ann"), UserId("bob"), UserId("cleo")
REJECTED, NOT_JUDGED = AbstainReason.REJECTED_EARLIER, AbstainReason.NOT_JUDGED
ROW = LiveRewrite(RewriteId("r"), "play jazz", "chain", GLOBAL, 0.9)


def judged(user: UserId, *verdicts: bool, confidence: float | None = 0.3) -> list[JudgedRequest]:
    return [JudgedRequest(ROW, user_key(A, user), confidence, accepted) for accepted in verdicts]


def test_a_rejection_holds_for_everybody_and_an_acceptance_for_the_user() -> None:
    verdicts = RowVerdicts(A)
    verdicts.note(ROW, ANN, 0.3, accepted=True)
    assert verdicts.refusal(ROW, ANN, 0.3) is None
    assert verdicts.refusal(ROW, BOB, 0.3) is NOT_JUDGED
    verdicts.note(ROW, BOB, 0.3, accepted=False)
    assert verdicts.refusal(ROW, BOB, 0.3) is REJECTED
    assert verdicts.refusal(ROW, CLEO, 0.3) is REJECTED
    assert verdicts.refusal(ROW, ANN, 0.3) is None


def test_what_was_rejected_stays_rejected_though_it_was_accepted_before_or_after() -> None:
    for order in itertools.permutations([True, False, True]):
        verdicts = RowVerdicts(A)
        for accepted in order:
            verdicts.note(ROW, ANN, 0.3, accepted=accepted)
        assert verdicts.refusal(ROW, ANN, 0.3) is REJECTED


def test_a_rejection_reaches_requests_understood_about_as_surely_and_no_others() -> None:
    verdicts = RowVerdicts(A)
    verdicts.note(ROW, ANN, 0.5, accepted=False)
    refused = [verdicts.refusal(ROW, ANN, confidence) for confidence in (0.44, 0.46, 0.54, 0.59, 0.61, None)]
    assert refused == [NOT_JUDGED, REJECTED, REJECTED, REJECTED, NOT_JUDGED, NOT_JUDGED]
    verdicts.note(ROW, ANN, None, accepted=False)
    assert verdicts.refusal(ROW, ANN, None) is REJECTED
    assert verdicts.refusal(ROW, ANN, 1.0) is NOT_JUDGED


def test_a_verdict_is_of_the_target_and_not_of_its_spelling() -> None:
    verdicts = RowVerdicts(A)
    verdicts.note(ROW, ANN, 0.3, accepted=True)
    assert verdicts.refusal(LiveRewrite(ROW.rewrite_id, "Play Jazz!", "chain", GLOBAL, 1.0), ANN, 0.3) is None
    other = LiveRewrite(ROW.rewrite_id, "play blues", "chain", GLOBAL, 0.9)
    assert verdicts.refusal(other, ANN, 0.3) is NOT_JUDGED
    verdicts.note(other, ANN, 0.3, accepted=False)
    assert verdicts.refusal(other, ANN, 0.3) is REJECTED


def test_what_is_known_already_is_not_noted_again() -> None:
    verdicts = RowVerdicts(A)
    for _ in range(3):
        verdicts.note(ROW, ANN, 0.3, accepted=False)
    noted = verdicts.drain()
    assert set(noted) == {VerdictKey(ROW.rewrite_id, key) for key in (EVERYBODY, user_key(A, ANN))}
    verdicts.note(ROW, ANN, 0.3, accepted=False)
    assert verdicts.drain() == {}
    verdicts.give_back(noted)
    assert verdicts.drain() == noted


def test_what_others_have_found_is_joined_and_what_was_taken_away_is_gone() -> None:
    verdicts = RowVerdicts(A)
    verdicts.note(ROW, ANN, 0.3, accepted=True)
    rejected = RowVerdict(target_digest(ROW.text), rejected=1 << 6)
    verdicts.join({VerdictKey(ROW.rewrite_id, user_key(A, ANN)): rejected})
    assert verdicts.refusal(ROW, ANN, 0.3) is REJECTED
    verdicts.replace({})
    assert verdicts.refusal(ROW, ANN, 0.3) is NOT_JUDGED
    assert verdicts.drain() == {}  # the user may have been forgotten


def test_of_a_log_most_requests_decide_for_everybody_and_the_last_one_for_its_user() -> None:
    log = judged(ANN, *[True] * 40) + judged(BOB, True, False)
    verdicts = RowVerdicts(A, row_verdicts(log))
    assert verdicts.refusal(ROW, ANN, 0.3) is None
    assert verdicts.refusal(ROW, CLEO, 0.3) is None
    assert verdicts.refusal(ROW, BOB, 0.3) is REJECTED
    log = judged(ANN, *[False] * 10) + judged(BOB, False, True)
    verdicts = RowVerdicts(A, row_verdicts(log))
    assert verdicts.refusal(ROW, CLEO, 0.3) is REJECTED
    assert verdicts.refusal(ROW, BOB, 0.3) is None


def test_of_a_log_near_confidences_tell_of_each_other() -> None:
    log = judged(ANN, *[True] * 20, confidence=0.2) + judged(BOB, *[False] * 20, confidence=0.9)
    verdicts = RowVerdicts(A, row_verdicts(log))
    refused = [verdicts.refusal(ROW, CLEO, confidence) for confidence in (0.1, 0.3, 0.8, 1.0, None)]
    assert refused == [None, None, REJECTED, REJECTED, NOT_JUDGED]
