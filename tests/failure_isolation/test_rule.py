"""The failure rule on cases that are worked out by hand."""

import pytest

from failure_isolation.rule import STAGES, Stage, StageOutput, failure_point


def outputs(**right: bool) -> list[StageOutput]:
    known: dict[str, Stage] = {stage: stage for stage in STAGES}
    return [StageOutput(known[stage], is_right) for stage, is_right in right.items()]


def test_an_error_that_propagates_belongs_to_the_stage_it_started_in() -> None:
    told = outputs(asr=False, nlu=False, entity_resolution=False, result=False)
    assert failure_point(told, reached=False) == "asr"


def test_an_error_that_was_made_good_is_none() -> None:
    assert failure_point(outputs(asr=False, nlu=True, result=True), reached=True) == "correct"


def test_a_request_that_is_not_supported_is_correct_where_every_stage_worked() -> None:
    told = outputs(asr=True, nlu=True, result=True)
    assert failure_point(told, reached=False, supported=False) == "correct"


def test_a_stage_that_failed_counts_also_where_the_request_was_not_supported() -> None:
    assert failure_point(outputs(asr=True, nlu=False), reached=False, supported=False) == "nlu"


def test_after_an_error_that_was_made_good_the_next_one_counts() -> None:
    told = outputs(asr=False, nlu=True, entity_resolution=False, result=False)
    assert failure_point(told, reached=False) == "entity_resolution"


def test_what_nobody_said_is_a_false_wake_whatever_came_of_it() -> None:
    assert failure_point(outputs(false_wake=False, asr=False, nlu=False), reached=False) == "false_wake"


def test_a_failure_of_no_known_stage_is_one_of_the_result() -> None:
    assert failure_point(outputs(asr=True, nlu=True), reached=False) == "result"
    assert failure_point([], reached=False) == "result"


def test_stages_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="in the order"):
        failure_point(outputs(nlu=True, asr=False), reached=False)
    with pytest.raises(ValueError, match="each once"):
        failure_point([StageOutput("asr", True), StageOutput("asr", False)], reached=False)
