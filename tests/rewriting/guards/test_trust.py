import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriting.guards.trust import ACTIVE_SHARE, MOST_TRUST, TRUSTED_AGE_DAYS, trust, weight

AGE = TRUSTED_AGE_DAYS


def every_day(days: int, sessions: int = 1) -> dict[int, int]:
    return dict.fromkeys(range(100, 100 + days), sessions)


@pytest.mark.parametrize(("days", "trusted"), [(0, 0.0), (1, 0.0), (AGE - 1, 0.0), (AGE, 1.0)])
def test_an_account_is_trusted_from_its_fourteenth_day(days: int, trusted: float) -> None:
    assert trust(every_day(days)) == trusted


def test_trust_grows_with_age_up_to_its_most() -> None:
    grown = [trust(every_day(days)) for days in range(AGE, 40)]
    assert grown == sorted(grown)
    assert grown[1] == pytest.approx((15 / 14) ** 4)
    assert grown[-1] == MOST_TRUST
    assert trust(every_day(400)) == MOST_TRUST


def test_what_is_done_in_one_day_makes_no_trust_however_much() -> None:
    assert trust({100: 10_000}) == 0


def test_who_says_nothing_but_the_pair_has_no_ordinary_use() -> None:
    days = every_day(AGE)
    assert trust(days, AGE) == 0
    assert trust(days, AGE - int(AGE * ACTIVE_SHARE)) == 0  # too few are left
    assert trust(days, 1) == 1
    assert trust(every_day(AGE, sessions=2), AGE) == 1  # each day something else, too


def test_an_account_that_slept_between_is_not_trusted() -> None:
    assert trust({100: 1, 100 + AGE - 1: 1}) == 0
    least = int(AGE * ACTIVE_SHARE) + 1
    days = [100, *range(101, 101 + least - 2), 100 + AGE - 1]
    assert trust(dict.fromkeys(days, 1)) == 1
    assert trust(dict.fromkeys(days[1:], 1)) == 0


def test_a_known_account_weighs_up_to_one_and_a_half_new_ones() -> None:
    assert weight(0) == 1
    assert 1 < weight(1) < 1.5
    assert weight(MOST_TRUST / 3) == weight(MOST_TRUST) == 1.5


counts = st.dictionaries(st.integers(0, 60), st.integers(1, 5))


@given(counts, st.integers(0, 50))
def test_trust_has_bounds_and_requests_of_the_pair_never_add_to_it(
    sessions: dict[int, int], of_pair: int
) -> None:
    trusted = trust(sessions, of_pair)
    assert trusted == 0 or 1 <= trusted <= MOST_TRUST
    assert trusted <= trust(sessions)
    assert 1 <= weight(trusted) <= 1.5


@given(counts)
def test_one_who_only_plants_is_never_trusted(sessions: dict[int, int]) -> None:
    assert trust(sessions, sum(sessions.values())) == 0
