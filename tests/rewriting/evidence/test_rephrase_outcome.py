import itertools

import pytest
from turns import turn_event

from labeling.text.outcome import Reason, TurnOutcome, judge_turns
from rewriting.chains.counts import ChainCounts
from rewriting.chains.step import session_steps
from rewriting.errors import RephraseSettingsError
from rewriting.evidence.rephrase_link import RephraseLink
from rewriting.evidence.rephrase_outcome import DEFAULT_RULE, EvidenceRule, judged_by_links
from rewriting.evidence.session_evidence import SessionEvidence
from rewriting.requests.step import session_requests
from streams.session import Session, sessionize
from streams.turn import Response, Signals, TurnEvent

MOVED_ON = TurnOutcome(0.5, 0, 0.5, "moved_on")
LAST = TurnOutcome(1, 0, 0, "accepted")
FAILED = TurnOutcome(0, 0, 1, "failed")


def judged(first: TurnOutcome, score: float, rule: EvidenceRule = DEFAULT_RULE) -> TurnOutcome:
    """What becomes of a request that another one follows."""
    judgement, last = judged_by_links([first, LAST], [RephraseLink(0, 1, score)], [0, 1], rule)
    assert last == LAST
    return judgement


@pytest.mark.parametrize(
    ("before", "score", "after", "reason"),
    [
        (MOVED_ON, 0.9, (0, 0, 1), "rephrased"),
        (MOVED_ON, 0.5, (0, 0, 1), "rephrased"),
        (MOVED_ON, 0.49, (0.25, 0.25, 0.5), "moved_on"),  # in eighths
        (MOVED_ON, 0.24, (0.375, 0.375, 0.25), "moved_on"),
        (MOVED_ON, 0.0, (0.5, 0.5, 0), "moved_on"),
        (TurnOutcome(0, 0, 1, "rephrased"), 0.01, (0.5, 0.5, 0), "moved_on"),
        (FAILED, 0.7, (0, 0, 1), "failed"),
        (FAILED, 0.25, (0, 0.75, 0.25), "failed"),
        (TurnOutcome(1, 0, 0, "accepted"), 0.25, (0.75, 0, 0.25), "accepted"),
        (TurnOutcome(1, 0, 0, "praised"), 0.99, (1, 0, 0), "praised"),
    ],
)
def test_the_probability_of_a_next_try_goes_on(
    before: TurnOutcome, score: float, after: tuple[float, float, float], reason: Reason
) -> None:
    assert judged(before, score) == TurnOutcome(*after, reason)


def test_without_a_link_the_next_request_is_another_goal() -> None:
    assert judged_by_links([FAILED, MOVED_ON, LAST], [], [0, 1, 2]) == [
        TurnOutcome(0, 1, 0, "failed"),
        TurnOutcome(0.5, 0.5, 0, "moved_on"),
        LAST,
    ]


def test_a_try_that_comes_after_a_detour_shows_a_failure() -> None:
    links = [RephraseLink(0, 2, 0.75), RephraseLink(0, 1, 0.125)]
    outcomes = [MOVED_ON, MOVED_ON, LAST]
    assert judged_by_links(outcomes, links, [0, 1, 2])[0] == TurnOutcome(0.0625, 0.8125, 0.125, "moved_on")
    without = judged_by_links(outcomes, links, [0, 1, 2], EvidenceRule(detours=False))
    assert without[0] == TurnOutcome(0.4375, 0.4375, 0.125, "moved_on")


def test_the_rule_can_be_changed() -> None:
    assert judged(MOVED_ON, 0.6, EvidenceRule(whole_from=0.75)).goes_on == 0.625
    assert judged(MOVED_ON, 1.0, EvidenceRule(whole_from=2)).goes_on == 1
    assert judged(MOVED_ON, 0.0, EvidenceRule(met=1)) == TurnOutcome(1, 0, 0, "moved_on")
    same_words = TurnOutcome(0, 0, 1, "rephrased")
    assert judged(same_words, 0.0, EvidenceRule(words=True)) == same_words
    assert judged(MOVED_ON, 0.0, EvidenceRule(words=True)) == judged(MOVED_ON, 0.0)


@pytest.mark.parametrize("values", [{"whole_from": 0}, {"met": 1.5}, {"met": float("nan")}])
def test_a_rule_that_makes_no_sense_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(RephraseSettingsError, match="must be"):
        EvidenceRule(**values)


def test_positions_are_those_of_the_turns() -> None:
    links = [RephraseLink(1, 4, 0.9)]
    assert [outcome.goes_on for outcome in judged_by_links([MOVED_ON, LAST], links, [1, 4])] == [1, 0]
    assert [outcome.goes_on for outcome in judged_by_links([MOVED_ON, LAST], links, [0, 1])] == [0, 0]


def dialogue(*texts: str, dialogue_id: str | None = None) -> Session:
    turns = [
        turn_event(text, event_id=f"e{i}", ts_ms=1_000 * i, dialogue_id=dialogue_id)
        for i, text in enumerate(texts)
    ]
    (session,) = sessionize(turns)
    return session


def test_steps_go_by_links_where_there_are_any() -> None:
    session = dialogue("play maj and dragons", "", "put on imagine dragons", "lights off")
    links = [RephraseLink(0, 2, 0.9), RephraseLink(2, 3, 0.1)]
    assert [step.goes_on for step in session_steps(session).steps] == [1, 0.5, 0]  # by a shared word
    assert [step.goes_on for step in session_steps(session, SessionEvidence(links)).steps] == [1, 0.125, 0]
    assert [step.goes_on for step in session_requests(session, SessionEvidence(links)).steps] == [1, 0.125, 0]
    assert [step.goes_on for step in session_steps(session, SessionEvidence([])).steps] == [0, 0, 0]
    assert session_requests(session, SessionEvidence(links)).meant(0) == 1
    assert session_requests(session, SessionEvidence([])).meant(0) == 0


def test_links_are_trusted_in_declared_dialogues_where_the_rule_says_so() -> None:
    session = dialogue("cheap food", "something cheap", dialogue_id="d")
    links = [RephraseLink(0, 1, 0.9)]
    assert session_requests(session).steps[0].goes_on == 0
    assert session_requests(session, SessionEvidence(links)).steps[0].goes_on == 1
    untrusted = SessionEvidence(links, EvidenceRule(in_dialogues=False))
    assert session_requests(session, untrusted) == session_requests(session)


def turns_of(statuses: str) -> list[TurnEvent]:
    """Requests that each end in one of several ways."""
    kinds = {
        "o": {"response": Response(status="ok")},
        "e": {"response": Response(status="error")},
        "b": {"signals": Signals(barge_in=True)},
        "u": {"response": Response(status="unsupported")},
    }
    return [
        turn_event(
            f"request {i}", event_id=f"{statuses}{i}", ts_ms=i * 1_000, user_id=statuses, **kinds[kind]
        )
        for i, kind in enumerate(statuses)
    ]


def test_weights_sum_to_one_and_counts_leave_no_trace() -> None:
    rule = EvidenceRule(met=0.875)
    counts = ChainCounts()
    sessions = []
    for number, letters in enumerate(itertools.product("oebu", repeat=3)):
        turns = turns_of("".join(letters))
        links = [
            RephraseLink(0, 1, number / 64),
            RephraseLink(1, 2, 0.3),
            RephraseLink(0, 2, 1 / 3),
        ]
        for outcome in judged_by_links(judge_turns(turns), links, [0, 1, 2], rule):
            assert outcome.success + outcome.failure + outcome.goes_on == 1
            assert min(outcome.success, outcome.failure, outcome.goes_on) >= 0
        (session,) = sessionize(turns)
        sessions.append(session_steps(session, SessionEvidence(links, rule)))
    for steps in sessions:
        counts.add(steps)
    for steps in reversed(sessions[1:]):
        counts.remove(steps)
    alone = ChainCounts()
    alone.add(sessions[0])
    assert counts.texts.keys() == alone.texts.keys()
    for text, known in alone.texts.items():
        assert counts.texts[text].success == known.success
        assert counts.texts[text].led_to == known.led_to
    for found, expected in zip(counts.outcomes, alone.outcomes, strict=False):
        assert (found.success, found.failure) == (expected.success, expected.failure)
        assert found.following == expected.following
