"""What a change of a source does not do, in worlds whose answer is known."""

import pytest
from daily_use import DailyUse, learned, pairs_of, users
from rewritten_turns import said

from benchmarks.planting import (
    IMPLAUSIBLE,
    PLAUSIBLE,
    SENSITIVE,
    Honest,
    Pair,
    add_sessions,
    honest_sessions,
    is_live,
    one_session,
)
from benchmarks.planting import ORDINARY as CHORES
from rewriting.chains.change_point import last_change
from rewriting.chains.counts import text_key
from rewriting.chains.miner import ChainMiner
from rewriting.chains.settings import ChainSettings
from rewriting.chains.source_evidence import source_evidence

KNOWN, DAYS = users("known", 90), range(30)


@pytest.mark.parametrize(
    ("pair", "accounts", "days"),
    [(PLAUSIBLE, 3, 4), (IMPLAUSIBLE, 3, 28), (IMPLAUSIBLE, 10, 14), (SENSITIVE, 20, 14)],
)
def test_a_burst_of_planting_on_the_last_day_does_not_outweigh_200_who_are_content(
    pair: Pair, accounts: int, days: int
) -> None:
    miner = ChainMiner("planting", ChainSettings())
    add_sessions(miner, honest_sessions(pair[0], Honest(users=200, days=28)))
    for account in range(accounts):
        add_sessions(
            miner, [one_session(f"p-{account}", 28 - days + d, 0, (CHORES[d % 7], "ok")) for d in range(days)]
        )
        add_sessions(miner, [one_session(f"p-{account}", 28, 1, (pair[0], "no_result"), (pair[1], "ok"))])
    miner.solve()
    assert not is_live(miner, pair)


@pytest.mark.parametrize("n", [1, 2])
def test_three_users_make_a_change(n: int) -> None:
    before = {d: {f"u{i}": True for i in range(9)} for d in range(14)}
    assert last_change(before | {d: {f"u{i}": False for i in range(n)} for d in range(14, 44)}) is None


def test_one_user_does_not_take_a_row_down() -> None:
    use = DailyUse()
    use.live(KNOWN, range(60))
    for n in range(6):
        use.say(KNOWN[n], n, said("play amarilla", met=False), said("play amarillo"))
    for n in range(60):
        use.say(KNOWN[n % 30], n // 3, said("play amarillo"))
    for day in range(20, 40):
        use.say(KNOWN[80], day, said("play amarillo", met=False))
    assert pairs_of(learned(use.sessions)) == {"play amarilla": "play amarillo"}


def test_users_who_come_to_be_known_later_count_as_in_one_batch() -> None:
    use, late = DailyUse(), DailyUse()
    for n in range(6):
        use.say(f"maker-{n}", 5, said("play amarilla", met=False), said("play amarillo"))
    for day in range(20):
        for i in range(3):
            use.say(f"v-{day}-{i}", day, said("play amarillo", met=day < 14))
            for k in range(3):
                late.say(f"v-{day}-{i}", day + 1 + k, said("tell me a joke"))
    assert pairs_of(learned(use.sessions, late.sessions)) == pairs_of(learned(use.sessions + late.sessions))


def test_what_was_run_comes_to_be_understood_later_as_in_one_batch() -> None:
    source, run, target = "play bbc radio", "play the news", "play kqed radio"
    use, late = DailyUse(), DailyUse()
    use.live(KNOWN, DAYS)
    for n in range(20):
        use.say(KNOWN[n], n, said(source, met=False), said(target))
    for n in range(60):
        use.say(KNOWN[20 + n], n % 30, said(source, run=run))
    late.say("z", 3, said(run))
    assert pairs_of(learned(use.sessions, late.sessions)) == pairs_of(learned(use.sessions + late.sessions))


def test_what_never_worked_has_not_ceased() -> None:
    source, target = "good night", "play the siren loudly"
    use = DailyUse()
    use.live(KNOWN, range(14))
    for n in range(24):
        use.say(KNOWN[n], n // 2, said(source, met=False), said("play the owl"))
    for n in range(12):
        use.say(KNOWN[40 + n], 12 + n // 6, said(source, met=False), said(target))
    assert target not in pairs_of(learned(use.sessions)).values()


def test_a_proven_row_stays_however_many_say_it_as_it_is() -> None:
    use = DailyUse()
    use.live([*KNOWN, *users("judge", 6)], DAYS)
    for n in range(6):
        use.say(KNOWN[n], n, said("play sonk", met=False), said("play song"))
    for n in range(120):
        use.say(f"other-{n}", n % 30, said("play sonk", met=False))
    for n in range(12):
        use.say(f"judge-{n % 6}", 14 + n, said("play sonk", run="play song"))
    assert pairs_of(learned(use.sessions)) == {"play sonk": "play song"}


def test_users_who_were_only_served_a_row_judge_it_once_they_are_known() -> None:
    use, late = DailyUse(), DailyUse()
    for n in range(8):
        use.say(f"maker-{n}", n, said("play sonk", met=False), said("play song"))
    for n in range(6):
        judge = f"judge-{n}"
        for day in (1, 2):
            use.say(judge, day, said("tell me a joke"))
        use.say(judge, 9, said("play sonk", run="play song", met=False))
        late.say(judge, 10, said("what time is it"))
    in_two = learned(use.sessions, late.sessions)
    assert pairs_of(in_two) == pairs_of(learned(use.sessions + late.sessions)) == {}
    assert [row.reason for row in in_two.judged] == [
        row.reason for row in learned(use.sessions + late.sessions).judged
    ]


def test_a_row_whose_source_is_only_rewritten_any_more_goes() -> None:
    use = DailyUse()
    for n in range(8):
        use.say(f"maker-{n}", n, said("play sonk", met=False), said("play song"))
    raw = list(use.sessions)
    use.say("later", 9, said("play sonk", run="play song"))
    miner = learned(use.sessions)
    assert pairs_of(miner) == {"play sonk": "play song"}
    for session in raw:
        miner.touch(miner.counts.remove(session))
    miner.solve()
    assert (pairs_of(miner), miner.judged) == ({}, [])


def test_to_what_runs_are_booked_does_not_depend_on_the_order_of_sessions() -> None:
    def sessions(first: str, second: str) -> DailyUse:
        use = DailyUse()
        use.say("one", 0, said("play sonk", met=False), said("play song", song=first))
        use.say("two", 0, said("play sonk", met=False), said("play song", song=second))
        for n in range(3):
            use.say(f"said-{n}", 1, said("play sonk", met=False))
        use.say("three", 2, said("play sonk", run="play song"))
        return use

    def booked(use: DailyUse) -> set[str]:
        counts = learned(use.sessions).counts
        evidence = source_evidence(counts, (text_key("play sonk"),), lambda _: True, frozenset())
        return {str(counts.interpretations[number]) for number in evidence.run_met}

    assert booked(sessions("a", "b")) == booked(sessions("b", "a")) == {"music|play|song=a"}
