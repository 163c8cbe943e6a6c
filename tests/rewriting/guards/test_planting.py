"""How many accounts it takes to plant a rewrite, in worlds whose honest users are known."""

from collections.abc import Callable, Iterable

import pytest

from benchmarks.planting import (
    ASSISTANT,
    IMPLAUSIBLE,
    PLAUSIBLE,
    SENSITIVE,
    SENSITIVE_ALIKE,
    Honest,
    Pair,
    Planters,
    add_sessions,
    fewest_accounts,
    honest_sessions,
    is_live,
    one_session,
    ordinary_sessions,
    planted_sessions,
)
from rewriting.chains.miner import ChainMiner
from rewriting.chains.settings import ChainSettings
from rewriting.chains.step import SessionSteps

POPULARITY = (4, 20, 80, 200)
BRING_ANOTHER_THING = (IMPLAUSIBLE, SENSITIVE, SENSITIVE_ALIKE)
LINES_OF_PLANTING: dict[str, Callable[[int], tuple[tuple[str, ...], ...]]] = {
    # the requests of the session of a day; the last one is met, those before it fail
    "one pair on each day": lambda day: (IMPLAUSIBLE,),
    "and the target alone on every other day": lambda day: (IMPLAUSIBLE if day % 2 else IMPLAUSIBLE[1:],),
    "and the source alone on every other day": lambda day: (IMPLAUSIBLE if day % 2 else IMPLAUSIBLE[:1],),
    "two targets in turns": lambda day: (IMPLAUSIBLE if day % 2 else SENSITIVE,),
    "two pairs in turns": lambda day: (IMPLAUSIBLE if day % 2 else ("good morning", SENSITIVE[1]),),
    "two pairs on each day": lambda day: (IMPLAUSIBLE, ("good morning", SENSITIVE[1])),
}


def live_after(pair: Pair, *groups: Iterable[SessionSteps]) -> bool:
    """Whether a pair is a rewrite once these sessions are known."""
    miner = ChainMiner(ASSISTANT, ChainSettings())
    for group in groups:
        add_sessions(miner, group)
    miner.solve()
    return is_live(miner, pair)


def planted(pair: Pair, accounts: int, planters: Planters) -> list[SessionSteps]:
    return [steps for account in range(accounts) for steps in planted_sessions(pair, planters, account)]


@pytest.mark.parametrize("content", [True, False], ids=["met", "failing"])
@pytest.mark.parametrize("honest", POPULARITY)
@pytest.mark.parametrize("pair", BRING_ANOTHER_THING, ids=" -> ".join)
def test_another_or_a_sensitive_target_takes_20_accounts_and_a_quarter_of_the_honest_users(
    pair: Pair, honest: int, content: bool
) -> None:
    users = Honest(users=honest, content=content)
    fewest = fewest_accounts(pair, users, Planters(days=14), at_most=honest + 40)
    assert fewest is not None
    assert fewest >= max(20, honest / 4)


@pytest.mark.parametrize("complaining", [0.0, 0.2], ids=["alone", "and others who let it fail"])
@pytest.mark.parametrize("honest", POPULARITY)
@pytest.mark.parametrize("pair", BRING_ANOTHER_THING, ids=" -> ".join)
def test_accounts_that_come_when_all_others_were_met_are_no_change_of_the_source(
    pair: Pair, honest: int, complaining: float
) -> None:
    users, day = Honest(users=honest), 14
    planters = Planters(days=14, over_days=1, first_day=day)
    miner = ChainMiner(ASSISTANT, ChainSettings())
    add_sessions(miner, honest_sessions(pair[0], users))
    for i in range(int(complaining * honest)):
        add_sessions(miner, ordinary_sessions(f"complaining-{i}", 14))
        add_sessions(miner, [one_session(f"complaining-{i}", day, 1, (pair[0], "no_result"))])
    fewest = max(20, -(-honest // 4))
    for account in range(fewest - 1):
        add_sessions(miner, planted_sessions(pair, planters, account))
    miner.solve()
    assert not is_live(miner, pair)
    for account in range(fewest - 1, 3 * honest + 40):
        add_sessions(miner, planted_sessions(pair, planters, account))
    miner.solve()
    assert is_live(miner, pair)


@pytest.mark.parametrize("honest", [4, 80])
@pytest.mark.parametrize("pair", [IMPLAUSIBLE, SENSITIVE, PLAUSIBLE], ids=" -> ".join)
def test_an_account_plants_no_more_in_many_sessions_than_in_one(pair: Pair, honest: int) -> None:
    users = Honest(users=honest)
    once, *more = (
        fewest_accounts(pair, users, Planters(sessions=sessions), at_most=honest + 40)
        for sessions in (1, 5, 50)
    )
    assert once is not None
    assert more == [once, once]


@pytest.mark.parametrize("sessions", [1, 5, 50])
@pytest.mark.parametrize("pair", BRING_ANOTHER_THING, ids=" -> ".join)
def test_ten_accounts_that_only_plant_never_do(pair: Pair, sessions: int) -> None:
    for honest in (Honest(users=4), Honest(users=4, content=False), Honest(users=0)):
        for over_days in {1, sessions}:
            planters = Planters(days=0, sessions=sessions, over_days=over_days)
            assert fewest_accounts(pair, honest, planters, at_most=10) is None


@pytest.mark.parametrize("line", LINES_OF_PLANTING)
def test_planting_on_many_days_is_no_ordinary_use(line: str) -> None:
    miner = ChainMiner(ASSISTANT, ChainSettings())
    add_sessions(miner, honest_sessions(IMPLAUSIBLE[0], Honest(users=4)))
    for account in range(10):
        for day in range(50):
            for number, texts in enumerate(LINES_OF_PLANTING[line](day)):
                *failing, last = texts
                requests = [*((text, "no_result") for text in failing), (last, "ok")]
                add_sessions(miner, [one_session(f"planter-{account}", day, number, *requests)])
        miner.solve()
        assert miner.rewrites == [], account


def test_one_in_a_hundred_users_never_does() -> None:
    users = 1_500
    crowd = (steps for i in range(users) for steps in ordinary_sessions(f"other-{i}", days=1))
    planters = Planters(days=0, sessions=50, over_days=25)
    honest = honest_sessions(IMPLAUSIBLE[0], Honest(users=4))
    assert not live_after(IMPLAUSIBLE, crowd, honest, planted(IMPLAUSIBLE, users // 100, planters))


@pytest.mark.parametrize("pair", [IMPLAUSIBLE, PLAUSIBLE], ids=" -> ".join)
def test_linked_accounts_are_one(pair: Pair) -> None:
    honest = honest_sessions(pair[0], Honest(users=4, content=False))
    assert live_after(pair, honest, planted(pair, 40, Planters()))
    assert not live_after(pair, honest, planted(pair, 40, Planters(person_id="one-person")))


def test_three_new_users_suffice_for_what_sounds_alike_where_the_source_fails() -> None:
    honest = Honest(users=4, content=False)
    assert fewest_accounts(PLAUSIBLE, honest, Planters(days=0), at_most=10) == 3


@pytest.mark.parametrize("sessions", [1, 50])
@pytest.mark.parametrize("honest", POPULARITY)
def test_what_sounds_alike_takes_three_accounts_and_a_tenth_of_the_honest_users(
    honest: int, sessions: int
) -> None:
    users = Honest(users=honest, content=False)
    fewest = fewest_accounts(PLAUSIBLE, users, Planters(days=14, sessions=sessions), at_most=honest + 40)
    assert fewest is not None
    assert fewest >= max(3, honest / 10)


@pytest.mark.parametrize("sessions", [1, 50])
@pytest.mark.parametrize("honest", POPULARITY)
def test_three_new_users_never_outweigh_honest_users_who_are_content(honest: int, sessions: int) -> None:
    new = Planters(days=0, sessions=sessions)
    assert fewest_accounts(PLAUSIBLE, Honest(users=honest), new, at_most=max(3, honest // 3)) is None
