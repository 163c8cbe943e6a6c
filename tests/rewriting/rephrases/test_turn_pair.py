from typing import Any

import pytest
from turns import turn_event

from labeling.turns.features import seconds_between
from rewriting.rephrases.turn_pair import (
    NOTHING,
    candidate_pairs,
    confidence_bands,
    pair_views,
    time_bucket,
)
from streams.turn import NluHypothesis, Recognition, Request, Response, Signals, Slot, TurnEvent


def _at(*seconds: float) -> list[TurnEvent]:
    return [turn_event(event_id=f"e{i}", ts_ms=int(1000 * s)) for i, s in enumerate(seconds)]


def test_candidates_are_the_next_turns_within_the_time() -> None:
    turns = _at(100, 110, 120, 300)
    assert list(candidate_pairs(turns, 2, 60)) == [(0, 1), (0, 2), (1, 2)]
    assert list(candidate_pairs(turns, 1, 1000)) == [(0, 1), (1, 2), (2, 3)]


def test_a_turn_that_comes_exactly_at_the_end_of_the_time_is_a_candidate() -> None:
    assert list(candidate_pairs(_at(100, 130), 1, 30)) == [(0, 1)]
    assert list(candidate_pairs(_at(100, 130.001), 1, 30)) == []


def test_one_turn_has_no_candidates() -> None:
    assert list(candidate_pairs(_at(1), 4, 120)) == []


def test_where_times_are_not_known_only_the_number_of_turns_counts() -> None:
    assert list(candidate_pairs(_at(0, 0, 0), 1, 60)) == [(0, 1), (1, 2)]
    assert seconds_between(*_at(0, 5)) is None
    assert seconds_between(*_at(9, 5)) is None


def test_times_fall_into_buckets_that_grow() -> None:
    buckets = [time_bucket(seconds) for seconds in (1, 2, 4, 8, 16, 32, 64, 600)]
    assert buckets == sorted(set(buckets))
    assert time_bucket(11) == time_bucket(12)
    assert time_bucket(None) == NOTHING


def _turn(text: str, **changes: Any) -> TurnEvent:
    return turn_event(text, ts_ms=1000, **changes)


@pytest.mark.parametrize(
    ("earlier", "later", "words"),
    [
        ("play jazz", "Play jazz!", 10),
        ("play jazz", "play jazz now", 10 - 1),
        ("", "play jazz", NOTHING),
        ("?!", "?!", NOTHING),
        ("播放 爵士", "播放 爵士", 10),
        ("x" * 10_000, "x" * 10_000, 10),
    ],
)
def test_words_are_compared_whatever_the_script_and_length(earlier: str, later: str, words: int) -> None:
    assert pair_views(_turn(earlier), _turn(later)).words == words


def test_unlike_words_are_far_below_alike_ones() -> None:
    assert pair_views(_turn("play jazz"), _turn("what time is it")).words <= 4


def _understood(intent: str, **slots: str) -> tuple[NluHypothesis, ...]:
    return (
        NluHypothesis(
            intent=intent, slots=tuple(Slot(name=name, value=value) for name, value in slots.items())
        ),
    )


@pytest.mark.parametrize(
    ("earlier", "later", "shared"),
    [
        ((), _understood("play"), "unknown"),
        (_understood("play", song="jazz"), _understood("play", song="Jazz"), "same intent, same slots"),
        (_understood("play", song="jazz"), _understood("play", song="blues"), "same intent, other slots"),
        (
            _understood("play", song="jazz", room="hall"),
            _understood("stop", song="jazz"),
            "other intent, shared slot",
        ),
        (_understood("stop"), _understood("stop"), "same intent, no slots"),
    ],
)
def test_interpretations_are_compared_by_intent_and_slots(
    earlier: tuple[NluHypothesis, ...], later: tuple[NluHypothesis, ...], shared: str
) -> None:
    views = pair_views(_turn("a", nlu=earlier), _turn("b", nlu=later))
    assert views.understanding == shared


def test_what_became_of_the_earlier_request_is_seen_and_not_of_the_later() -> None:
    failed = _turn(
        "a",
        response=Response(status="error"),
        signals=Signals(barge_in=True, feedback="negative"),
        request=Request(text="a", asr=(Recognition(text="a", confidence=0.3),)),
    )
    fine = _turn("b")
    assert pair_views(failed, fine).outcome == ("error", True, False, "negative")
    assert pair_views(failed, fine).confidence == (1, NOTHING)
    assert pair_views(fine, failed).outcome == ("none", False, False, "none")
    assert pair_views(fine, failed).confidence == (NOTHING, NOTHING)


@pytest.mark.parametrize(
    ("confidence", "band"), [(-3.0, 0), (0.0, 0), (0.5, 2), (1.0, 3), (1e308, 3), (None, NOTHING)]
)
def test_an_nlu_may_give_any_number_as_confidence(confidence: float | None, band: int) -> None:
    assert confidence_bands(_turn("a", nlu=(NluHypothesis(intent="play", confidence=confidence),)))[1] == band
