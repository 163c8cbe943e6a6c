import msgspec
import pytest
from turns import turn_event

from labeling.text.outcome import Reason, TurnOutcome
from rewriting.chains.step import session_steps
from rewriting.evidence.defect_outcome import judged_by_defects
from rewriting.evidence.rephrase_link import RephraseLink
from rewriting.evidence.session_evidence import SessionEvidence
from rewriting.requests.step import session_requests
from streams.session import Session, sessionize
from streams.turn import Response


@pytest.mark.parametrize(
    ("before", "defect", "after"),
    [
        ((1, 0, 0, "accepted"), 0.75, (0.25, 0.75, 0)),
        ((1, 0, 0, "accepted"), 0.0, (1, 0, 0)),
        ((1, 0, 0, "accepted"), 0.05, (1, 0, 0)),  # in eighths
        ((1, 0, 0, "accepted"), 0.97, (0, 1, 0)),
        ((0.5, 0.5, 0, "ended"), 0.125, (0.875, 0.125, 0)),
        ((0.5, 0, 0.5, "moved_on"), 0.5, (0.25, 0.25, 0.5)),  # what goes on does so as before
        ((0.25, 0.625, 0.125, "moved_on"), 0.3333, (0.546875, 0.328125, 0.125)),
        ((1, 0, 0, "praised"), 1.0, (1, 0, 0)),
        ((0, 1, 0, "rejected"), 0.0, (0, 1, 0)),
        ((0, 1, 0, "failed"), 0.0, (0, 1, 0)),
        ((0, 0.75, 0.25, "interrupted"), 0.0, (0, 0.75, 0.25)),
        ((0, 0, 1, "rephrased"), 0.0, (0, 0, 1)),
    ],
)
def test_what_is_left_open_is_split_by_the_probability_of_a_defect(
    before: tuple[float, float, float, Reason], defect: float, after: tuple[float, float, float]
) -> None:
    (found,) = judged_by_defects([TurnOutcome(*before)], {3: defect}, [3])
    assert found == TurnOutcome(*after, before[3])
    assert found.success + found.failure + found.goes_on == 1
    assert all(weight * 64 % 1 == 0 for weight in after)
    assert msgspec.json.encode(found) == msgspec.json.encode(TurnOutcome(*after, before[3]))


def test_requests_without_a_label_stay_as_they_are_and_positions_are_those_of_the_turns() -> None:
    outcomes = [TurnOutcome(0.5, 0, 0.5, "moved_on"), TurnOutcome(1, 0, 0, "accepted")]
    assert judged_by_defects(outcomes, {}, [0, 2]) == outcomes
    assert judged_by_defects(outcomes, {1: 1.0}, [0, 2]) == outcomes
    assert judged_by_defects(outcomes, {2: 1.0}, [0, 2]) == [outcomes[0], TurnOutcome(0, 1, 0, "accepted")]


def dialogue(*texts: str, last: str = "ok") -> Session:
    turns = [turn_event(text, event_id=f"e{i}", ts_ms=1_000 * i) for i, text in enumerate(texts[:-1])]
    turns.append(
        turn_event(texts[-1], event_id="last", ts_ms=1_000 * len(texts), response=Response(status=last))
    )
    (session,) = sessionize(turns)
    return session


def test_steps_go_by_defects_where_there_are_any() -> None:
    session = dialogue("lights off", "", "play jazz")
    evidence = SessionEvidence(defects={0: 0.75, 1: 1.0, 2: 0.25})
    plain, judged = session_steps(session), session_steps(session, evidence)
    assert [(step.success, step.failure, step.goes_on) for step in plain.steps] == [(0.5, 0, 0.5), (1, 0, 0)]
    assert [(step.success, step.failure, step.goes_on) for step in judged.steps] == [
        (0.125, 0.375, 0.5),
        (0.75, 0.25, 0),
    ]
    assert [step.success for step in session_requests(session, evidence).steps] == [0.125, 0.75]
    surely = SessionEvidence(defects={2: 1.0})
    assert session_requests(session).meant(1) == 1
    assert session_requests(session, surely).meant(1) is None


def test_visible_failures_stay_whatever_a_label_says() -> None:
    session = dialogue("play jazz", last="error")
    assert session_steps(session, SessionEvidence(defects={0: 0.0})) == session_steps(session)
    assert session_requests(session, SessionEvidence(defects={0: 0.0})) == session_requests(session)


def test_links_say_what_goes_on_and_defects_what_becomes_of_the_rest() -> None:
    session = dialogue("play maj and dragons", "put on imagine dragons")
    evidence = SessionEvidence([RephraseLink(0, 1, 0.25)], defects={0: 0.5, 1: 0.0})
    for steps in session_steps(session, evidence).steps, session_requests(session, evidence).steps:
        assert [(step.success, step.goes_on) for step in steps] == [(0.375, 0.25), (1, 0)]
