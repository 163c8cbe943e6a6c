from collections.abc import Sequence
from typing import Any

import pytest
from annotated_world import annotations_of, encore_sessions, f1_of
from rephrase_world import rephrase_sessions
from turns import turn_event

from labeling.annotations.annotation import Annotation
from rewriting.errors import RephraseTrainingError
from rewriting.evidence.rephrase_link import RephraseLink
from rewriting.rephrases.annotated_rephrases import annotated_links, settled_labels, told_sources
from rewriting.rephrases.settings import RephraseSettings
from rewriting.rephrases.weak_rephrases import WeakRephrases
from streams.turn import EventId, TurnEvent

SETTINGS = RephraseSettings()
TURNS = [turn_event(event_id=str(number), ts_ms=1000 * number) for number in range(1, 5)]
WEAK = [RephraseLink(0, 1, 0.5), RephraseLink(0, 2, 0.25), RephraseLink(0, 3, 0.125)]
WEAK += [RephraseLink(2, 3, 0.75)]

Scores = dict[tuple[int, int], float]


def said(*of_turns: dict[str, Any] | None) -> dict[EventId, Annotation]:
    """What is said of the turns, in order; None: nothing."""
    return {
        EventId(turn.event_id): Annotation(event_id=turn.event_id, **fields)
        for turn, fields in zip(TURNS, of_turns, strict=False)
        if fields is not None
    }


def scores(annotations: dict[EventId, Annotation], weak: Sequence[RephraseLink] = WEAK) -> Scores:
    links = annotated_links(TURNS, annotations, weak, SETTINGS)
    return {(link.source, link.target): link.score for link in links}


def of_first(annotations: dict[EventId, Annotation]) -> dict[int, float]:
    """Scores of the first request's candidates."""
    return {target: score for (source, target), score in scores(annotations).items() if source == 0}


WRONG: dict[str, Any] = {"goal_id": "g", "correct": False}
RIGHT: dict[str, Any] = {"goal_id": "g", "correct": True}
SAME: dict[str, Any] = {"goal_id": "g"}
OTHER: dict[str, Any] = {"goal_id": "h"}


def test_without_annotations_the_weak_links_stay() -> None:
    assert annotated_links(TURNS, {}, WEAK, SETTINGS) == WEAK


def test_a_wrong_request_is_tried_again_by_the_next_one_with_its_goal() -> None:
    assert of_first(said(WRONG, OTHER, SAME, SAME)) == {2: 1.0}


def test_a_next_try_needs_no_weak_link() -> None:
    assert scores(said(WRONG, OTHER, SAME), weak=[]) == {(0, 2): 1.0}


def test_a_wrong_request_whose_goal_does_not_come_back_was_given_up() -> None:
    assert of_first(said(WRONG, OTHER, OTHER, OTHER)) == {}


def test_a_right_request_has_no_next_try() -> None:
    assert of_first(said(RIGHT, SAME, SAME, SAME)) == {}
    assert of_first(said({"correct": True})) == {}


@pytest.mark.parametrize("point", ["asr", "nlu", "entity_resolution", "result"])
def test_a_failure_point_shows_that_a_request_was_wrong(point: str) -> None:
    assert of_first(said(SAME | {"failure_point": point}, SAME)) == {1: 1.0}


def test_a_failure_that_did_no_harm_was_no_failure() -> None:
    assert of_first(said(RIGHT | {"failure_point": "asr"}, SAME)) == {}


def test_that_no_stage_failed_does_not_show_that_a_request_was_right() -> None:
    assert of_first(said({"failure_point": "correct"})) == {1: 0.5, 2: 0.25, 3: 0.125}


def test_where_nothing_says_whether_it_was_right_the_weak_score_of_the_next_with_its_goal_stays() -> None:
    assert of_first(said(SAME, OTHER, SAME, SAME)) == {2: 0.25}
    assert of_first(said(SAME | {"failure_point": "correct"}, SAME, SAME, OTHER)) == {1: 0.5}


def test_where_no_goal_is_said_the_weak_scores_stay() -> None:
    assert of_first(said({"correct": False}, OTHER, SAME)) == {1: 0.5, 2: 0.25, 3: 0.125}


def test_a_request_before_the_next_one_with_the_goal_may_be_it_if_nothing_is_said_of_it() -> None:
    assert of_first(said(WRONG, None, SAME, None)) == {1: 0.5, 2: 0.5}
    assert of_first(said(WRONG, OTHER, None, SAME)) == {2: 0.25, 3: 0.75}


def test_of_a_goal_that_does_not_come_back_the_weak_scores_stay_where_nothing_is_said() -> None:
    assert of_first(said(WRONG, OTHER, None, OTHER)) == {2: 0.25}


def test_a_false_wake_neither_has_a_next_try_nor_is_one() -> None:
    assert of_first(said({"failure_point": "false_wake"})) == {}
    assert of_first(said(None, {"failure_point": "false_wake"})) == {2: 0.25, 3: 0.125}
    assert of_first(said(WRONG, SAME | {"failure_point": "false_wake"}, SAME)) == {2: 1.0}


def test_what_is_said_of_one_request_changes_no_other() -> None:
    assert scores(said({"correct": True})) == {(2, 3): 0.75}


def test_requests_of_which_something_is_said_are_told() -> None:
    assert told_sources(TURNS, said(WRONG, None, SAME), SETTINGS) == {0}
    assert told_sources(TURNS, said(SAME, OTHER, None, None), SETTINGS) == {0}
    assert told_sources(TURNS, said({"correct": False}, SAME, SAME), SETTINGS) == {1}
    assert told_sources(TURNS, said({"correct": False}, SAME), SETTINGS) == set()
    assert told_sources(TURNS, said(None, None, None, {"correct": True}), SETTINGS) == set()  # no candidate


def test_candidates_beyond_the_window_are_not_linked() -> None:
    near = RephraseSettings(window_turns=1)
    assert annotated_links(TURNS, said(WRONG, OTHER, SAME, OTHER), [], near) == []


def test_a_world_that_is_annotated_needs_no_weak_links() -> None:
    world = rephrase_sessions(200)
    annotations = annotations_of(world)
    found = [annotated_links(session.turns, annotations, (), SETTINGS) for session in world]
    assert f1_of(world, found) == 1


def test_annotations_of_a_part_mend_what_the_weak_rule_gets_wrong_there() -> None:
    world = rephrase_sessions(300) + encore_sessions(150)
    turns = [session.turns for session in world]
    weak = WeakRephrases.fit(turns, SETTINGS).detect(turns)
    annotations = annotations_of(world[::2])
    links = [
        annotated_links(session.turns, annotations, of_session, SETTINGS)
        for session, of_session in zip(world, weak, strict=True)
    ]
    assert f1_of(world, weak) < 0.7
    assert f1_of(world[::2], links[::2]) == 1
    assert links[1::2] == [
        sorted(of_session, key=lambda link: (link.source, link.target)) for of_session in weak[1::2]
    ]


def test_sums_of_a_request_are_probabilities() -> None:
    world = rephrase_sessions(300)
    weak = WeakRephrases.fit([session.turns for session in world], SETTINGS)
    annotations = {key: value for key, value in annotations_of(world).items() if hash_of(key) % 2}
    for session in world:
        totals: dict[int, float] = {}
        (found,) = weak.detect([session.turns])
        for link in annotated_links(session.turns, annotations, found, SETTINGS):
            assert 0 < link.score <= 1
            totals[link.source] = totals.get(link.source, 0.0) + link.score
        assert all(total <= 1 + 1e-9 for total in totals.values())


def hash_of(event_id: str) -> int:
    return sum(event_id.encode())


# Annotations alone


def test_requests_whose_next_try_is_not_known_are_left_out() -> None:
    world = rephrase_sessions(200)
    unsettled: list[list[TurnEvent]] = [TURNS, TURNS, TURNS]
    annotations = annotations_of(world) | said(WRONG, None, SAME, {"correct": True})
    links, settled = settled_labels(
        [*unsettled, *(session.turns for session in world)], annotations, SETTINGS, why="nothing"
    )
    assert settled[:3] == [frozenset()] * 3
    assert settled[3:] == [frozenset(range(len(session.turns) - 1)) for session in world]
    assert f1_of(world, links[3:]) == 1


@pytest.mark.parametrize(
    ("sessions", "changes", "found"),
    [
        (40, {}, "which \\d+ were tried again"),
        (300, {"correct": True}, "which 0 were tried again"),
        (300, {"correct": None}, "settle 0 requests"),
    ],
    ids=["few", "all right", "right or not is not known"],
)
def test_too_little_is_refused_with_what_there_is(sessions: int, changes: dict[str, Any], found: str) -> None:
    world = rephrase_sessions(sessions)
    annotations = {
        key: Annotation(event_id=key, goal_id="g", **({"correct": annotation.correct} | changes))
        for key, annotation in annotations_of(world).items()
    }
    with pytest.raises(
        RephraseTrainingError, match=f"^the log is empty; and annotations.*{found}.*takes 200"
    ):
        settled_labels([session.turns for session in world], annotations, SETTINGS, why="the log is empty")
