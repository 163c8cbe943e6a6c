"""Who is in which arm, and what their turns add up to, in logs that are counted by hand."""

from typing import Any

import msgspec
import numpy as np
import pytest
from experiment_world import DAY_MS
from turns import START_MS, turn_event

from services.evaluation.ab.estimate import UserSums
from services.evaluation.ab.experiment_log import ExperimentLog
from services.evaluation.ab.measures import MeasureName
from services.evaluation.errors import ExperimentError
from streams.turn import Request, Response, Signals, TurnEvent

SECOND_MS = 1_000
GAP_MS = 45_000


def turn(user: str, second: int, text: str, arm: str | None = None, **changes: Any) -> TurnEvent:
    return turn_event(
        event_id=f"{user}-{second}",
        user_id=user,
        ts_ms=START_MS + second * SECOND_MS,
        request=Request(text=text),
        arm=arm,
        **changes,
    )


def experiment(turns: list[TurnEvent], since_ms: int | None = None) -> ExperimentLog:
    return ExperimentLog.of(turns, control="control", gap_ms=GAP_MS, since_ms=since_ms)


def parts(sums: UserSums) -> tuple[float, float]:
    return float(sums.part.sum()), float(sums.whole.sum())


FAILED = Response(status="error")
OTHERS = [turn("c", 0, "play jazz", "control"), turn("t", 0, "play jazz", "treatment")]


@pytest.mark.parametrize(
    ("measure", "counted"),
    [
        ("defect_rate", (3, 6)),  # a second try, a failure, a barge-in
        ("turns_per_goal", (6, 3)),  # of 3, 1 and 2 turns
        ("session_success", (1.5, 2)),
        ("satisfaction", (1, 1)),
        ("rewritten", (1, 6)),
        ("withheld", (1, 6)),
    ],
)
def test_measures_are_counted_as_by_hand(measure: MeasureName, counted: tuple[int, int]) -> None:
    log = [
        OTHERS[0],
        turn("u", 0, "play jaz", "treatment", withheld_rewrite_id="w"),
        turn("u", 10, "play jazz", "treatment", response=FAILED),
        turn("u", 20, "play some jazz", "treatment", executed_text="play jazz", rewrite_id="r"),
        turn("u", 30, "what is the weather", "treatment", signals=Signals(feedback="positive")),
        turn("u", 1_000, "lights", "treatment", signals=Signals(barge_in=True)),
        turn("u", 1_010, "never mind", "treatment", signals=Signals(terminated=True)),
    ]

    assert parts(experiment(log).sums(measure)["treatment"]) == counted


def test_requests_of_which_the_log_does_not_tell_which_came_first_are_defects_if_they_failed() -> None:
    log = [
        OTHERS[0],
        turn("u", 0, "play jazz", "treatment", response=FAILED),
        msgspec.structs.replace(turn("u", 0, "lights", "treatment"), event_id="u-0b"),
    ]

    assert parts(experiment(log).sums("defect_rate")["treatment"]) == (1, 2)


def test_the_experiment_starts_with_the_first_arm_and_what_was_before_is_kept_apart() -> None:
    log = [
        turn("c", -500, "before", response=FAILED),
        *OTHERS,
        turn("t", -900, "before"),
        turn("t", -400, "before"),
    ]

    found = experiment(log)

    assert found.since_ms == START_MS
    defects = found.sums("defect_rate")
    assert defects["control"].part_before.tolist() == [1]
    assert defects["treatment"].whole_before.tolist() == [2]
    assert parts(defects["control"]) == (0, 1)
    assert (found.turns_of("treatment"), found.turns_of("treatment", before=True)) == (1, 2)


def test_turns_before_a_start_that_is_given_are_before_whatever_arm_they_say() -> None:
    log = [
        turn("c", 0, "a", "treatment"),  # in another experiment
        turn("c", 1_000, "b", "control"),
        turn("t", 1_000, "c", "treatment"),
        turn("t", 0, "d", "treatment", executed_text="e"),
    ]

    found = experiment(log, START_MS + 500 * SECOND_MS)

    assert found.left_out.users_in_several_arms == 0
    assert found.left_out.rewritten_before == 1
    assert found.sums("defect_rate")["control"].whole_before.tolist() == [1]


def test_ids_of_one_person_are_one_user() -> None:
    log = [
        *OTHERS,
        turn("phone", 0, "a", "treatment", person_id="p"),
        turn("phone", 1_000, "b", "treatment"),  # the person is not told each time
        turn("car", 0, "c", "treatment", person_id="p"),
        turn("tv", 0, "d", "treatment", person_id="q"),
    ]

    whole = experiment(log).sums("defect_rate")["treatment"].whole

    assert sorted(whole.tolist()) == [1, 1, 3]


def test_users_in_several_arms_are_counted_and_left_out() -> None:
    log = [
        *OTHERS,
        turn("both", 0, "a", "treatment"),
        turn("both", 1_000, "b", "control"),
        turn("phone", 0, "c", "treatment", person_id="p"),
        turn("car", 0, "d", "control", person_id="p"),
    ]

    found = experiment(log)

    assert found.left_out.users_in_several_arms == 2
    assert [int(found.users_of(arm).sum()) for arm in found.arms] == [1, 1]
    assert found.sums("defect_rate")["control"].whole.sum() == 1


def test_turns_without_an_arm_are_those_of_their_users_arm_and_users_without_one_are_left_out() -> None:
    log = [
        *OTHERS,
        turn("t", 1_000, "the lookup did not answer", response=FAILED),
        turn("nobody", 0, "a"),
        turn("nobody", 1_000, "b"),
    ]

    found = experiment(log)

    assert (found.left_out.turns_without_arm, found.left_out.users_without_arm) == (1, 1)
    assert parts(found.sums("defect_rate")["treatment"]) == (1, 2)


def test_rewritten_turns_of_control_are_counted() -> None:
    log = [*OTHERS, turn("c", 1_000, "a", "control", executed_text="b")]

    assert experiment(log).left_out.rewritten_in_control == 1


def test_each_day_has_the_users_who_were_seen_by_its_end() -> None:
    day = DAY_MS // SECOND_MS
    log = [
        *OTHERS,
        turn("late", 2 * day, "a", "treatment", response=FAILED),
        turn("t", 2 * day, "b", "treatment"),
    ]

    running = list(experiment(log).running_sums("defect_rate"))

    assert [day for day, _ in running] == ["2025-01-06", "2025-01-07", "2025-01-08"]
    assert [by_arm["treatment"].whole.tolist() for _, by_arm in running] == [[1], [1], [2, 1]]
    assert parts(running[-1][1]["treatment"]) == (1, 3)


def test_the_order_of_a_log_and_turns_that_came_twice_change_nothing() -> None:
    log = [*OTHERS, turn("t", 10, "play jazz please", "treatment"), turn("c", -500, "x", response=FAILED)]

    once, twice = experiment(log).sums("defect_rate"), experiment([*log[::-1], *log]).sums("defect_rate")

    for arm in ("control", "treatment"):
        for name in ("part", "whole", "part_before", "whole_before"):
            np.testing.assert_array_equal(getattr(once[arm], name), getattr(twice[arm], name))


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ([turn("u", 0, "a")], "none of 1 turns has an arm"),
        ([turn("u", 0, "a", "b")], "there are: b"),
        ([turn("u", 0, "a", "control")], "no arm to compare it with"),
        (
            [turn("u", 0, "a", "control"), turn("u", 1, "a", "b"), turn("v", 0, "a", "b")],
            "each user of the arm 'control' was in another arm too",
        ),
    ],
)
def test_a_log_without_arms_to_compare_is_refused(log: list[TurnEvent], message: str) -> None:
    with pytest.raises(ExperimentError, match=message):
        experiment(log)


def test_a_start_after_the_log_is_refused() -> None:
    with pytest.raises(ExperimentError, match="none since the start"):
        experiment(OTHERS, START_MS + DAY_MS)
