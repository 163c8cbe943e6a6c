"""What is said of each turn of a log, by detectors whose answers are known."""

from collections.abc import Callable, Iterator, Sequence

import msgspec
import pytest
from turns import turn_event

from rewriting.evidence.rephrase_link import Rephrase, RephraseDetector, RephraseLink, rephrases_of
from rewriting.rephrases.settings import RephraseSettings
from services.errors import StateError
from services.session_models.answers import session_answers
from services.session_models.rephrases.kind import KIND
from streams.session import Session, sessionize
from streams.turn import AssistantId, EventId, TurnEvent

SETTINGS = RephraseSettings()


class NextDetector:
    """Takes each request for the next try of the one before it."""

    def __init__(self, score: float = 0.9) -> None:
        self._score = score

    def detect(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[RephraseLink]]:
        """Links between neighbours."""
        return [[RephraseLink(i, i + 1, self._score) for i in range(len(turns) - 1)] for turns in sessions]


class NeverDetector:
    """Finds nothing."""

    def detect(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[RephraseLink]]:
        """No links."""
        return [[] for _ in sessions]


def said(turns: Sequence[TurnEvent], settings: RephraseSettings = SETTINGS) -> list[tuple[str, str | None]]:
    """Event ids, with those that they are said to rephrase."""
    detectors: dict[str, RephraseDetector] = {"a": NextDetector(), "b": NeverDetector()}
    lines = find_rephrases(turns, lambda key: detectors.get(key), settings)
    return [(line.event_id, line.rephrase_of) for line in lines]


def find_rephrases(
    log: Sequence[TurnEvent],
    detector_of: Callable[[AssistantId], RephraseDetector | None],
    settings: RephraseSettings = SETTINGS,
    on_judged: Callable[[int], None] = lambda sessions: None,
) -> Iterator[Rephrase]:
    def said_of(session: Session, links: list[RephraseLink]) -> list[tuple[EventId, Rephrase]]:
        found = rephrases_of(session, links, settings.threshold, settings.points_at)
        return [(one.event_id, one) for one in found]

    return session_answers(KIND, log, sessionize(log), detector_of, said_of, on_judged)


def three_tries(user: str = "u", assistant: str = "a", start_ms: int = 1_000) -> list[TurnEvent]:
    return [
        turn_event(
            event_id=f"{user}{number}", user_id=user, assistant_id=assistant, ts_ms=start_ms + 5_000 * number
        )
        for number in range(3)
    ]


def test_lines_come_in_the_order_of_the_log_whatever_it_is() -> None:
    log = [*three_tries("v"), *three_tries("u", start_ms=90_000)]
    mixed = [log[i] for i in (4, 0, 5, 3, 2, 1)]
    assert said(mixed) == [
        ("u1", "u0"),
        ("v0", None),
        ("u2", "u0"),
        ("u0", None),
        ("v2", "v0"),
        ("v1", "v0"),
    ]


def test_each_assistant_has_its_own_detector_and_its_own_events() -> None:
    log = [
        turn for pair in zip(three_tries(), three_tries(assistant="b"), strict=True) for turn in pair
    ]  # with the same event ids
    assert said(log) == [
        ("u0", None),
        ("u0", None),
        ("u1", "u0"),
        ("u1", None),
        ("u2", "u0"),
        ("u2", None),
    ]


def test_a_turn_that_comes_twice_is_spoken_of_once() -> None:
    log = three_tries()
    later = msgspec.structs.replace(log[1], ts_ms=log[1].ts_ms + 1_000)  # the earlier one counts
    assert said([log[0], log[1], log[0], later, log[2]]) == [("u0", None), ("u1", "u0"), ("u2", "u0")]


def test_which_request_of_a_run_is_named_can_be_set() -> None:
    previous = RephraseSettings(points_at="previous")
    assert said(three_tries(), previous) == [("u0", None), ("u1", "u0"), ("u2", "u1")]
    declared = [msgspec.structs.replace(turn, dialogue_id="d") for turn in three_tries()]
    assert said(declared) == [("u0", None), ("u1", "u0"), ("u2", "u1")]
    assert said(declared, RephraseSettings(points_at="first"))[2] == ("u2", "u0")


def test_a_link_below_the_threshold_is_told_by_its_score_alone() -> None:
    turns = three_tries()
    lines = list(find_rephrases(turns, lambda _: NextDetector(score=0.4), RephraseSettings(threshold=0.5)))
    assert [(line.rephrase_of, line.score) for line in lines] == [(None, 0.0), (None, 0.4), (None, 0.4)]


def test_progress_counts_all_sessions_of_all_assistants() -> None:
    log = [
        turn
        for number in range(1_201)
        for turn in three_tries(f"{number}-", "ab"[number % 5 == 0], start_ms=1_000 + number)
    ]
    told: list[int] = []
    lines = list(find_rephrases(log, lambda _: NeverDetector(), on_judged=told.append))
    assert sum(told) == 1_201
    assert len(lines) == len(log)


def test_an_assistant_without_a_detector_is_named_before_anything_is_said() -> None:
    log = [*three_tries(), *three_tries("v", assistant="quiet one")]
    found = find_rephrases(log, lambda key: NextDetector() if key == AssistantId("a") else None)
    with pytest.raises(StateError, match=r"assistant 'quiet one'.*`rehear learn`"):
        next(found)


def test_a_log_without_turns_has_no_lines() -> None:
    assert said([]) == []
