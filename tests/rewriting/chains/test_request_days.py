"""Which requests of a text are known by day, while they come and go."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriting.chains.request_days import RequestDays
from streams.turn import UserId

requests = st.lists(
    st.tuples(
        st.sampled_from([UserId("ann"), UserId("bob"), UserId("")]),
        st.sampled_from([0, 1, 20_000, 20_001, 2**31 - 1]),
        st.booleans(),
    ),
    max_size=12,
)


def state_of(days: RequestDays) -> Counter[tuple[UserId, int, bool]]:
    return Counter((user, *request) for user in days.users for request in days.of(user))


@given(requests, st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_requests_come_and_go_in_any_order(noted: Any, random: Any) -> None:
    kept = [request for request in noted if random.random() < 0.5]
    days = RequestDays()
    for request in random.sample(noted, len(noted)):
        days.note(*request, 1)
    assert state_of(days) == Counter(noted)
    assert days.users == {user for user, *_ in noted}
    gone = list((Counter(noted) - Counter(kept)).elements())
    for request in random.sample(gone, len(gone)):
        days.note(*request, -1)
    assert state_of(days) == Counter(kept)
    assert days.users == {user for user, *_ in kept}


def test_several_requests_of_a_user_on_one_day_are_all_known() -> None:
    days, ann, bob = RequestDays(), UserId("ann"), UserId("bob")
    for is_met in (True, False, True):
        days.note(ann, 7, is_met, 1)
    days.note(bob, 7, False, 1)
    assert sorted(days.of(ann)) == [(7, False), (7, True), (7, True)]
    days.note(ann, 7, True, -1)
    assert sorted(days.of(ann)) == [(7, False), (7, True)]
    assert list(days.of(bob)) == [(7, False)]


def test_nobody_is_left_whose_last_request_is_taken_away() -> None:
    days, ann = RequestDays(), UserId("ann")
    days.note(ann, 7, True, 1)
    days.note(ann, 7, True, -1)
    assert days.users == set()
    assert list(days.of(ann)) == []


def test_a_request_that_is_not_known_cannot_be_taken_away() -> None:
    days, ann = RequestDays(), UserId("ann")
    days.note(ann, 7, True, 1)
    with pytest.raises(ValueError, match="not in list"):
        days.note(ann, 7, False, -1)
    assert list(days.of(ann)) == [(7, True)]
