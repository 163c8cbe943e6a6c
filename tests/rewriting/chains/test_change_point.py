"""On which day a request fares otherwise than before, in votes whose rates are known."""

from collections.abc import Iterable, Mapping
from random import Random

import pytest

from rewriting.chains.change_point import ChangeKind, last_change
from streams.turn import UserId

Votes = dict[int, dict[UserId, bool]]


def voted(so: int, cast: int, *, first: int = 0) -> dict[UserId, bool]:
    """The votes of so many users of one day, of which the first ones are that it was so."""
    return {UserId(f"u{first + number}"): number < so for number in range(cast)}


def days_of(so: int, cast: int, days: Iterable[int]) -> Votes:
    """The same votes of the same users on each of some days."""
    return {day: voted(so, cast) for day in days}


@pytest.mark.parametrize("day", [1, 7, 15, 26])
def test_a_fall_is_found_on_its_day(day: int) -> None:
    assert last_change(days_of(5, 5, range(day)) | days_of(0, 5, range(day, 30))) == day


@pytest.mark.parametrize("day", [9, 15, 21])
def test_a_fall_that_is_not_whole_is_found_within_two_days(day: int) -> None:
    for seed in range(20):
        found = last_change(by_chance({range(day): 0.9, range(day, 30): 0.2}, seed))
        assert found is not None
        assert abs(found - day) <= 2


def by_chance(rates: Mapping[range, float], seed: int, users: int = 6) -> Votes:
    """Each user votes on each day, and it is so at a rate."""
    chance = Random(seed)
    return {
        day: {UserId(f"u{user}"): chance.random() < rate for user in range(users)}
        for days, rate in rates.items()
        for day in days
    }


@pytest.mark.parametrize("rate", [0.1, 0.35, 0.5, 0.8, 0.95])
@pytest.mark.parametrize("users", [1, 3, 8])
def test_chance_at_one_rate_is_hardly_ever_taken_for_a_change(rate: float, users: int) -> None:
    found = [last_change(by_chance({range(30): rate}, seed, users)) for seed in range(200)]
    assert sum(day is not None for day in found) <= 6  # 3 %


def test_what_is_always_so_has_no_change() -> None:
    assert last_change({}) is None
    assert last_change(days_of(1, 1, [3])) is None
    assert last_change(days_of(9, 9, range(100))) is None
    assert last_change(days_of(0, 9, range(100))) is None


@pytest.mark.parametrize("kind", ["fall", "any"])
@pytest.mark.parametrize("users", [1, 2, 3, 4])
def test_three_users_are_needed_however_long_a_change_lasts(users: int, kind: ChangeKind) -> None:
    votes = days_of(users, users, range(30)) | days_of(0, users, range(30, 60))
    assert last_change(votes, kind) == (30 if users >= 3 else None)


def test_three_users_of_different_days_are_enough() -> None:
    after = {14 + number: voted(0, 1, first=number) for number in range(9)}
    assert last_change(days_of(9, 9, range(14)) | after) == 14


def test_of_one_bad_day_nothing_is_made() -> None:
    assert last_change(days_of(9, 9, range(10)) | days_of(0, 1, [10]) | days_of(9, 9, range(11, 20))) is None


def test_the_last_of_two_changes_counts() -> None:
    there_and_back = days_of(6, 6, range(10)) | days_of(0, 6, range(10, 20)) | days_of(6, 6, range(20, 30))
    assert last_change(there_and_back) == 20
    in_steps = days_of(9, 9, range(10)) | days_of(5, 9, range(10, 20)) | days_of(0, 9, range(20, 30))
    assert last_change(in_steps) == 20
    partly_back = days_of(9, 9, range(10)) | days_of(0, 9, range(10, 20)) | days_of(5, 9, range(20, 30))
    assert last_change(partly_back) == 20
    assert last_change(partly_back, "fall") == 10


def test_where_only_falls_are_asked_for_a_rise_is_none() -> None:
    rise = days_of(0, 6, range(10)) | days_of(6, 6, range(10, 20))
    assert last_change(rise) == 10
    assert last_change(rise, "fall") is None
    fall = days_of(6, 6, range(10)) | days_of(0, 6, range(10, 20))
    assert last_change(fall, "fall") == 10


def test_a_small_difference_is_none_however_much_is_known_of_it() -> None:
    assert last_change(days_of(90, 100, range(30)) | days_of(55, 100, range(30, 60))) is None
    assert last_change(days_of(90, 100, range(30)) | days_of(45, 100, range(30, 60))) == 30


def test_days_without_a_vote_and_the_order_of_all_others_do_not_matter() -> None:
    for seed in range(50):
        chance = Random(seed)
        votes = by_chance({range(0, 40, 3): 0.9, range(41, 80, 3): 0.1}, seed)
        shuffled = {
            day: {user: votes[day][user] for user in chance.sample(sorted(votes[day]), len(votes[day]))}
            for day in chance.sample(sorted(votes), len(votes))
        }
        found = last_change(votes)
        assert found is not None
        assert abs(found - 41) <= 3
        assert last_change(shuffled) == found


def test_what_one_user_did_first_is_no_change_for_all_others() -> None:
    assert last_change({0: {"first": True}} | days_of(0, 5, range(1, 31))) is None
