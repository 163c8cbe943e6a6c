"""What a log shows by itself: goals that go on, defects that are visible, and what failed requests meant."""

from collections.abc import Sequence

import msgspec
import pytest
from rephrase_world import rephrase_sessions
from turns import turn_event

from labeling.labels.targets import WeakLabels, WeakTurn
from labeling.labels.turn_label import SlotLabel
from labeling.labels.weak_defects import MADE_OF, visible_defect
from rewriting.rephrases.settings import RephraseSettings
from services.session_models.labels.weak_labels import LEAST_VISIBLE, weak_labels
from streams.turn import NluHypothesis, Request, Response, Signals, Slot, TurnEvent

SETTINGS = RephraseSettings()
WORLD = rephrase_sessions(500)
TURNS: list[Sequence[TurnEvent]] = [session.turns for session in WORLD]


@pytest.fixture(scope="module")
def shown() -> WeakLabels:
    return weak_labels(TURNS, SETTINGS)


def _positions(*, tries: bool) -> list[tuple[int, int]]:
    """Of all turns that follow another, and are the next try of it or are not."""
    return [
        (number, position)
        for number, session in enumerate(WORLD)
        for position, source in enumerate(session.tries_again)
        if position and (source is not None) == tries
    ]


def _mean(values: Sequence[float]) -> float:
    assert len(values) >= 50
    return sum(values) / len(values)


def _share(value: float | None) -> float:
    assert value is not None
    return value


def test_next_tries_go_on_with_the_goal_and_other_requests_start_one(shown: WeakLabels) -> None:
    starts = {
        tries: _mean(
            [_share(shown.dialogues[number][place].goal_start) for number, place in _positions(tries=tries)]
        )
        for tries in (True, False)
    }
    assert starts[True] < 0.1
    assert starts[False] > 0.9


def test_of_first_turns_nothing_is_said_since_they_always_start_a_goal(shown: WeakLabels) -> None:
    assert all(turns[0].goal_start is None for turns in shown.dialogues)
    assert [len(turns) for turns in shown.dialogues] == [len(turns) for turns in TURNS]


def test_what_is_tried_again_is_a_defect_also_where_nothing_else_shows(shown: WeakLabels) -> None:
    tried = [
        (TURNS[number][place - 1], _share(shown.dialogues[number][place - 1].defect))
        for number, place in _positions(tries=True)
    ]
    assert _mean([defect for _, defect in tried]) > 0.9
    assert _mean([defect for turn, defect in tried if visible_defect(turn, None) == 0]) > 0.7
    assert all(defect == 1 for turn, defect in tried if visible_defect(turn, None) == 1)
    last = [
        _share(of_session[-1].defect)
        for turns, of_session in zip(TURNS, shown.dialogues, strict=True)
        if visible_defect(turns[-1], None) == 0
    ]
    assert _mean(last) == 0


def test_the_meaning_of_a_failed_turn_is_that_of_its_next_try(shown: WeakLabels) -> None:
    same = []
    for number, place in _positions(tries=True):
        failed, following = shown.dialogues[number][place - 1 : place + 1]
        if _share(failed.defect) < 0.5 or failed.intent is None:
            continue
        assert failed.slots is None  # the values stand in the text of the other
        assert 0 < failed.trust < 1
        same.append(float(failed.intent == following.intent))
    assert len(same) > 200
    assert _mean(same) > 0.95  # a few links are wrong


def test_the_meaning_of_a_turn_that_was_met_is_its_own(shown: WeakLabels) -> None:
    for turns, of_session in zip(TURNS, shown.dialogues, strict=True):
        for turn, label in zip(turns, of_session, strict=True):
            if _share(label.defect) < 0.5:
                text = turn.request.text
                assert label.intent == turn.nlu[0].intent
                assert label.slots == (SlotLabel(name="n", value=text, start=0, end=len(text)),)
                assert label.trust == 1 - _share(label.defect)


def test_a_failure_that_nobody_tries_again_has_no_meaning(shown: WeakLabels) -> None:
    failed = [
        of_session[-1]
        for turns, of_session in zip(TURNS, shown.dialogues, strict=True)
        if visible_defect(turns[-1], None) == 1
    ]
    assert failed
    for label in failed:
        assert (label.intent, label.domain, label.slots, label.trust) == (None, None, None, 0)


def test_what_labels_were_made_of_is_named(shown: WeakLabels) -> None:
    assert shown.made_of["defect"] == MADE_OF
    for task in ("domain", "intent", "slots"):
        assert shown.made_of[task] == {"understanding", "responses"}
    assert "goal_start" not in shown.made_of


def test_the_same_log_shows_the_same(shown: WeakLabels) -> None:
    assert weak_labels(TURNS, SETTINGS) == shown


def _alone(failing: int) -> list[list[TurnEvent]]:
    """Sessions of one turn, some of which report an error."""
    return [
        [
            turn_event(
                "play Jazz",
                event_id=str(number),
                nlu=(
                    NluHypothesis(domain="sound", intent="play", slots=(Slot(name="genre", value="jazz"),)),
                ),
                response=Response(text="x", status="error" if number < failing else "ok"),
            )
        ]
        for number in range(200)
    ]


def test_without_second_tries_goals_are_not_shown_and_meaning_is_what_was_taken() -> None:
    made = weak_labels(_alone(LEAST_VISIBLE), SETTINGS).dialogues
    assert made[0] == [WeakTurn(defect=1.0, trust=0.0)]
    assert made[-1] == [
        WeakTurn(
            defect=0.0,
            domain="sound",
            intent="play",
            slots=(SlotLabel(name="genre", value="Jazz", start=5, end=9),),
        )
    ]


@pytest.mark.parametrize(
    ("failing", "is_taught"), [(0, False), (LEAST_VISIBLE - 1, False), (LEAST_VISIBLE, True)]
)
def test_a_log_that_reports_next_to_no_failures_teaches_no_defects(failing: int, is_taught: bool) -> None:
    made = weak_labels(_alone(failing), SETTINGS).dialogues
    assert all((turn.defect is not None) == is_taught for turns in made for turn in turns)
    assert made[-1][0].intent == "play"


def test_a_log_without_signals_and_interpretations_shows_goals_alone() -> None:
    bare = [
        [
            msgspec.structs.replace(
                turn,
                nlu=(),
                response=None,
                signals=Signals(),
                # No two requests of a session are alike, whatever came before.
                request=Request(text=f"{chr(97 + place) * 6} {chr(107 + place) * 6}"),
            )
            for place, turn in enumerate(turns)
        ]
        for turns in TURNS
    ]
    for turns in weak_labels(bare, SETTINGS).dialogues:
        assert all(turn.defect is None or turn.defect < 0.5 for turn in turns)
        assert all((turn.intent, turn.domain, turn.slots) == (None, None, None) for turn in turns)


def test_an_empty_log_shows_nothing() -> None:
    assert weak_labels([], SETTINGS).dialogues == []


def _rewritten(turn: TurnEvent) -> TurnEvent:
    """The same, where other words were run than those that were said."""
    return msgspec.structs.replace(turn, executed_text="what was run")


def test_of_a_rewritten_request_what_was_run_is_no_meaning(shown: WeakLabels) -> None:
    """Neither for itself, nor for the request before that it is the next try of."""
    after = weak_labels([tuple(map(_rewritten, turns)) for turns in TURNS], SETTINGS)
    for before, now in zip(shown.dialogues, after.dialogues, strict=True):
        for one, rewritten in zip(before, now, strict=True):
            assert (rewritten.domain, rewritten.intent, rewritten.slots) == (None, None, None)
            assert (rewritten.goal_start, rewritten.defect) == (one.goal_start, one.defect)


def test_a_rewritten_request_that_failed_means_what_its_next_try_was_taken_for(shown: WeakLabels) -> None:
    firsts = [
        (number, place - 1)
        for number, place in _positions(tries=True)
        if WORLD[number].tries_again[place] == place - 1
    ]
    turns = [list(of_session) for of_session in TURNS]
    for number, place in firsts:
        turns[number][place] = _rewritten(turns[number][place])
    after = weak_labels(turns, SETTINGS)
    kept = [
        after.dialogues[number][place].intent == shown.dialogues[number][place].intent is not None
        for number, place in firsts
        if _share(shown.dialogues[number][place].defect) >= 0.5 and (number, place + 1) not in firsts
    ]
    assert _mean(kept) > 0.9
