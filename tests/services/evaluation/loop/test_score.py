"""The scores of a closed loop are what can be counted by hand."""

import pytest
from loop_world import lived_by_hand, loop_settings, small_world, turn_by_hand

from services.evaluation.loop.changes import table_changes
from services.evaluation.loop.history import LoopHistory, Pair
from services.evaluation.loop.score import day_scores, removed_share, score_loop, summarised
from services.evaluation.loop.sources import SourceStory
from services.simulator.loop.world import LoopWorld


def never(pair: Pair, day: int) -> bool:
    return False


TURNS = (
    turn_by_hand(said="a", run="b", right_as_said=False),  # a win
    turn_by_hand(said="a", run="b", right_as_said=False, day=1),  # another
    turn_by_hand(said="a", run="b", right=False),  # a loss
    turn_by_hand(said="a", run="b", right_as_said=False, right=False),  # wrong either way
    turn_by_hand(said="c", right_as_said=False, right=False),  # a defect that nobody touched
    turn_by_hand(said="c"),
    turn_by_hand(said="c", arm="control", right_as_said=False, right=False),
    turn_by_hand(said="a", run="b", right=False, honest=False),  # of a planted account: not counted
)
HISTORY = LoopHistory(learner="by hand", tables=({}, {}), turns=TURNS)


def test_each_arm_of_a_day_is_counted_by_itself_and_without_planted_accounts() -> None:
    changes = table_changes(HISTORY.tables, never)

    control, treated = day_scores(HISTORY, changes)[:2]

    assert (control.arm, control.turns, control.defects) == ("control", 1, 1)
    assert (control.wins, control.losses) == (0, 0)
    assert (treated.arm, treated.turns) == ("treatment", 5)
    assert (treated.defects, treated.defects_as_said) == (3, 3)
    assert (treated.wins, treated.losses) == (1, 1)


def test_defects_removed_are_wins_less_losses_of_the_defects_of_the_same_turns() -> None:
    treated = [turn for turn in TURNS if turn.honest and turn.arm == "treatment"]

    assert removed_share(treated) == pytest.approx((2 - 1) / 4)
    assert removed_share([]) == 0


@pytest.fixture(scope="module")
def world() -> LoopWorld:
    return LoopWorld(7, 5, small_world())


def test_wins_and_losses_of_all_days_are_added_up(world: LoopWorld) -> None:
    summary = summarised(HISTORY, table_changes(HISTORY.tables, never), [], world)

    assert (summary.turns, summary.wins, summary.losses, summary.wins_per_loss) == (7, 2, 1, 2.0)


def test_a_call_made_by_a_rewrite_is_to_somebody_else_unless_it_was_meant(world: LoopWorld) -> None:
    turns = (
        turn_by_hand(run="call ann", called=True, meant_call=True),
        turn_by_hand(run="call ann", called=True, right=False),
        turn_by_hand(said="call ann", called=True, right=False),  # nothing was rewritten
        turn_by_hand(run="call ann", called=True, right=False, arm="control"),
    )
    history = LoopHistory(learner="by hand", tables=({},), turns=turns)

    summary = summarised(history, table_changes(history.tables, never), [], world)

    assert (summary.calls_by_rewrite, summary.sensitive_to_somebody_else) == (2, 0.5)


def test_without_calls_none_goes_to_somebody_else(world: LoopWorld) -> None:
    summary = summarised(HISTORY, table_changes(HISTORY.tables, never), [], world)

    assert (summary.calls_by_rewrite, summary.sensitive_to_somebody_else) == (0, 0.0)


def withdrawn(gone: int | None, requests: int) -> SourceStory:
    return SourceStory(
        learner="by hand",
        kind="withdrawn",
        text="a",
        target="b",
        day_gone=gone,
        requests_until_gone=requests,
    )


def test_requests_until_demoted_are_the_median_of_rows_that_tell_how_long_they_stay(world: LoopWorld) -> None:
    stories = [withdrawn(3, 0), withdrawn(4, 5), withdrawn(None, 9), withdrawn(None, 0)]

    summary = summarised(HISTORY, table_changes(HISTORY.tables, never), stories, world)

    assert summary.withdrawn_requests_until_demoted == 5
    assert (summary.withdrawn_rows, summary.withdrawn_rows_never_demoted) == (4, 2)


def test_without_any_row_nothing_is_removed_and_both_arms_have_the_defects_as_said() -> None:
    settings = loop_settings(small_world(), share=0.5)
    history, world, _ = lived_by_hand(settings, {})

    scores = score_loop(settings, [history], world, ())

    assert {day.arm for day in scores.days if day.turns} == {"control", "treatment"}
    assert all(day.defects == day.defects_as_said and not day.wins and not day.losses for day in scores.days)
    assert scores.summary["by hand"].defects_removed_last_5_days == 0
