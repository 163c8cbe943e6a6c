"""Scores of failure points on logs whose answers are known by construction."""

from collections.abc import Sequence

import msgspec
import pytest
from failure_world import KINDS, failure_log, gold_of, said, true_point

from failure_isolation.rule import FAILURE_POINTS
from failure_isolation.turn_failure import TurnFailure
from services.evaluation.errors import MismatchError
from services.evaluation.failures.gold import GoldFailure
from services.evaluation.failures.measures import f1_name
from services.evaluation.failures.score import FailureScores, SystemScore, score_failures
from streams.turn import EventId, TurnEvent

LOG = failure_log(range(40))


def score(
    failures: Sequence[TurnFailure], log: Sequence[TurnEvent] = LOG, **changes: object
) -> FailureScores:
    known = {"gold": gold_of(log), "resamples": 50} | changes
    gold = known.pop("gold")
    return score_failures(log, gold, {"rehear": failures}, **known)  # type: ignore[arg-type]


def value(system: SystemScore, name: str) -> float | None:
    return system.measures[name].value


def test_all_right() -> None:
    scores = score([said(turn, true_point(turn), 0.95) for turn in LOG])
    (system,) = scores.systems
    assert scores.classes == KINDS
    assert (scores.known_turns, scores.users, scores.cluster, scores.clusters) == (160, 12, "users", 12)
    for name in ("macro_f1", "accuracy", "covered_accuracy", "sure_accuracy", "sure_share"):
        assert value(system, name) == 1
    assert value(system, "calibration_error") == pytest.approx(0.05)
    assert value(system, "error_distance") is None
    assert [part.support for part in system.classes] == [0, 40, 40, 0, 40, 40]
    assert system.classes[0].f1.value is None
    assert system.confusion == tuple(
        tuple(40 if row == column and FAILURE_POINTS[row] in KINDS else 0 for column in range(6))
        for row in range(6)
    )


def mixed() -> list[TurnFailure]:
    """Half of the misheard turns are said to be correct, 4 stages on, with little confidence."""
    return [
        said(turn, "correct", 0.4, abstains=True)
        if true_point(turn) == "asr" and int(turn.event_id[1:].split("-")[0]) % 2
        else said(turn, true_point(turn), 0.9)
        for turn in LOG
    ]


def test_figures_by_hand() -> None:
    (system,) = score(mixed()).systems
    assert value(system, "accuracy") == pytest.approx(140 / 160)
    asr, correct = system.classes[1], system.classes[5]
    assert (asr.support, asr.named, asr.precision.value, asr.recall.value) == (40, 20, 1, 0.5)
    assert (correct.support, correct.named, correct.recall.value) == (40, 60, 1)
    assert correct.precision.value == pytest.approx(2 / 3)
    assert value(system, f1_name("asr")) == pytest.approx(2 / 3)
    assert value(system, f1_name("correct")) == pytest.approx(0.8)
    assert value(system, "macro_f1") == pytest.approx((2 / 3 + 1 + 1 + 0.8) / 4)
    assert value(system, "error_distance") == 4
    assert system.confusion[1] == (0, 20, 0, 0, 0, 20)
    # 140 turns of 160 are as sure: fewer than nine tenths, so those that are less sure count too.
    assert value(system, "covered_accuracy") == pytest.approx(140 / 160)
    assert (value(system, "sure_accuracy"), value(system, "sure_share")) == (1, 0.875)
    assert value(system, "calibration_error") == pytest.approx((140 * 0.1 + 20 * 0.4) / 160)
    assert [(point.coverage, point.accuracy) for point in system.coverage] == [(0.875, 1), (1, 0.875)]
    kinds = {(one.truth, one.named) for one in system.examples}
    assert kinds == {
        ("asr", "asr"),
        ("asr", "correct"),
        ("nlu", "nlu"),
        ("result", "result"),
        ("correct",) * 2,
    }
    assert all(sum(line.role is not None for line in one.lines) == 1 for one in system.examples)


def test_the_surest_nine_tenths() -> None:
    failures = [
        said(turn, "nlu" if number < 8 else true_point(turn), 0.3 if number < 8 else 0.5 + number / 400)
        for number, turn in enumerate(LOG)
    ]
    (system,) = score(failures).systems
    wrong = sum(true_point(turn) != "nlu" for turn in LOG[:8])
    assert value(system, "accuracy") == pytest.approx(1 - wrong / 160)
    assert value(system, "covered_accuracy") == 1


def test_intervals_are_over_users_who_differ() -> None:
    """Half of the users have every turn wrong: the interval is wide, and holds the value."""
    failures = [said(turn, "false_wake" if int(turn.user_id[1:]) % 2 else true_point(turn)) for turn in LOG]
    (system,) = score(failures, resamples=300).systems
    accuracy = system.measures["accuracy"]
    assert accuracy.low is not None
    assert accuracy.high is not None
    assert accuracy.value == pytest.approx(0.5, abs=0.05)
    assert accuracy.low < 0.35
    assert accuracy.high > 0.65


def test_dialogues_or_groups_are_resampled_where_there_is_one_user() -> None:
    log = failure_log(range(10), users=1)
    failures = [said(turn, true_point(turn)) for turn in log]
    assert (score(failures, log).cluster, score(failures, log).clusters) == ("dialogues", 10)
    groups = {turn.event_id: str(int(turn.event_id[1]) // 2) for turn in log[4:]}
    grouped = score(failures, log, groups=groups)
    assert (grouped.cluster, grouped.clusters) == ("groups", 6)  # 5, and the first dialogue by itself


def test_only_known_turns_are_scored_and_derived_gold_is_told() -> None:
    gold = [
        msgspec.structs.replace(line, derived=True) if number % 2 else GoldFailure(event_id=line.event_id)
        for number, line in enumerate(gold_of(LOG))
    ]
    scores = score([said(turn, true_point(turn)) for turn in LOG], gold=gold)
    assert (scores.turns, scores.known_turns, scores.derived) == (160, 80, True)
    assert scores.classes == ("nlu", "correct")


def test_differences_are_paired() -> None:
    better, worse = [said(turn, true_point(turn)) for turn in LOG], mixed()
    scores = score_failures(LOG, gold_of(LOG), {"a": better}, {"b": worse}, resamples=100)
    (difference,) = scores.differences
    assert (difference.system, difference.other) == ("a", "b")
    assert difference.measures["accuracy"].value == pytest.approx(0.125)
    assert [(one.name, one.baseline) for one in scores.systems] == [("a", False), ("b", True)]
    same = score_failures(LOG, gold_of(LOG), {"a": worse}, {"b": worse}, resamples=100).differences[0]
    for name in ("accuracy", "macro_f1", f1_name("asr")):
        assert (same.measures[name].low, same.measures[name].high) == (0, 0)


def test_what_does_not_belong_together_is_refused() -> None:
    failures = [said(turn, true_point(turn)) for turn in LOG]
    with pytest.raises(MismatchError, match="1 turns have no line in the failures of 'rehear'"):
        score(failures[1:])
    with pytest.raises(MismatchError, match="lines of the gold belong to no turn"):
        score(failures, gold=[GoldFailure(event_id=EventId("stranger"), failure_point="asr")])
    with pytest.raises(MismatchError, match="the gold names no failure point of any turn"):
        score(failures, gold=[])
