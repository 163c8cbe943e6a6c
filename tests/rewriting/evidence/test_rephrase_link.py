import pytest
from turns import turn_event

from rewriting.evidence.rephrase_link import Rephrase, RephraseLink, rephrases_of, resolve
from streams.session import Session, SessionId
from streams.turn import AssistantId, EventId, UserId


def _session(count: int, dialogue_id: str | None = None) -> Session:
    return Session(
        session_id=SessionId("s"),
        assistant_id=AssistantId("a"),
        user_id=UserId("u"),
        turns=tuple(turn_event(event_id=f"e{i}", ts_ms=i, dialogue_id=dialogue_id) for i in range(count)),
    )


def _named(found: list[Rephrase]) -> list[EventId | None]:
    return [one.rephrase_of for one in found]


def test_the_best_links_win_and_nothing_is_linked_twice() -> None:
    links = [RephraseLink(0, 1, 0.9), RephraseLink(0, 2, 0.95), RephraseLink(1, 2, 0.97)]
    assert resolve(links) == [RephraseLink(0, 1, 0.9), RephraseLink(1, 2, 0.97)]


def test_of_equal_links_the_nearest_wins() -> None:
    assert resolve([RephraseLink(0, 2, 0.8), RephraseLink(1, 2, 0.8)]) == [RephraseLink(1, 2, 0.8)]


RUN = [RephraseLink(0, 1, 0.9), RephraseLink(1, 3, 0.8)]


@pytest.mark.parametrize(
    ("points_at", "dialogue_id", "named"),
    [
        ("first", None, [None, "e0", None, "e0"]),
        ("previous", None, [None, "e0", None, "e1"]),
        ("auto", None, [None, "e0", None, "e0"]),
        ("auto", "d", [None, "e0", None, "e1"]),
        ("first", "d", [None, "e0", None, "e0"]),
    ],
)
def test_each_try_of_a_run_names_the_first_or_the_one_before(
    points_at: str, dialogue_id: str | None, named: list[str | None]
) -> None:
    session = _session(4, dialogue_id)
    assert _named(rephrases_of(session, RUN, 0.5, points_at)) == named  # type: ignore[arg-type]  # one of them


def test_a_link_below_the_threshold_names_nothing_and_breaks_the_run_but_keeps_its_score() -> None:
    found = rephrases_of(_session(4), [RephraseLink(0, 1, 0.4), RephraseLink(1, 3, 0.8)], 0.5)
    assert _named(found) == [None, None, None, "e1"]
    assert [one.score for one in found] == [0.0, 0.4, 0.0, 0.8]
