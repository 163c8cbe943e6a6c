"""What the chain makes of a world in which something changes, or in which somebody would have it look so."""

from random import Random

import pytest
from daily_use import DailyUse, add, before_and_since, learned, pairs_of, rows_of, users
from rewritten_turns import said

from rewriting.chains.miner import ChainMiner
from rewriting.chains.step import SessionSteps
from streams.turn import TurnEvent

DAYS = range(30)
CHANGE = 15
SONG, NEW_NAME = "play amarillo", "play zebra crossing"
OTHER_WORDING = "put on amarillo"
KNOWN = users("known", 60)


def renamed(new_name: str | None = NEW_NAME, *, shuffled: int | None = None) -> DailyUse:
    """A song that three users a day are met with, until it fails for all from one day on.

    Args:
        new_name: what every third of those goes on to for whom it fails; None: all give up.
        shuffled: seed by which all of this is spread over all days; None: it is as it came.
    """
    use = DailyUse()
    use.live(KNOWN, DAYS)
    fails, tries_again = said(SONG, met=False), said(new_name or SONG)
    requests = [
        [said(SONG)] if day < CHANGE else [fails, tries_again] if new_name and number == 1 else [fails]
        for day in DAYS
        for number in range(3)
    ]
    if shuffled is not None:
        Random(shuffled).shuffle(requests)
    for number, turns in enumerate(requests):
        use.say(KNOWN[number % len(KNOWN)], number // 3, *turns)
    return use


def test_a_song_that_is_known_by_another_name_since_leads_to_it() -> None:
    miner = learned(renamed().sessions)
    row = rows_of(miner)[SONG]
    assert row.target_text == NEW_NAME
    assert (row.source_count, row.source_success_rate) == (45, 0)  # those since then
    assert miner.refused == []


@pytest.mark.parametrize("seed", range(4))
def test_where_nothing_changes_the_same_requests_are_refused_for_those_who_are_content(seed: int) -> None:
    miner = learned(renamed(shuffled=seed).sessions)
    assert pairs_of(miner) == {}
    (refused,) = miner.refused
    assert (refused.source, refused.target) == (SONG, NEW_NAME)
    assert "other_name" in refused.reasons


def test_what_is_found_of_one_wording_counts_for_another_that_fails_since_then_too() -> None:
    use = renamed()
    for day in DAYS:  # nobody ever goes on from it
        use.say(KNOWN[7 * day % 60], day, said(OTHER_WORDING, song="amarillo", met=day < CHANGE))
    assert pairs_of(learned(use.sessions)) == {SONG: NEW_NAME, OTHER_WORDING: NEW_NAME}


def test_a_wording_that_goes_on_to_be_met_stays_as_it_is() -> None:
    use = renamed()
    for day in DAYS:
        use.say(KNOWN[7 * day % 60], day, said(OTHER_WORDING, song="amarillo"))
    assert pairs_of(learned(use.sessions)) == {SONG: NEW_NAME}


def test_without_a_change_one_wording_says_nothing_of_another() -> None:
    use = DailyUse()
    use.live(KNOWN, DAYS)
    for day in DAYS:  # the one fails and leads elsewhere, as it ever did
        use.say(KNOWN[7 * day % 60], day, said("play amarilo", song="x", met=False), said(SONG))
        use.say(KNOWN[11 * day % 60], day, said("play my marillo", song="x", met=False))
    assert pairs_of(learned(use.sessions)) == {"play amarilo": SONG}


def test_a_request_that_works_since_stays_as_it_is() -> None:
    use = DailyUse()
    use.live(KNOWN, DAYS)
    for number in range(30):
        use.say(KNOWN[number], number // 2, said(SONG, met=False), said(NEW_NAME))
    before = learned(use.sessions)
    assert pairs_of(before) == {SONG: NEW_NAME}
    for number in range(45):
        use.say(KNOWN[number], CHANGE + number // 3, said(SONG))
    miner = learned(use.sessions)
    assert (pairs_of(miner), miner.refused) == ({}, [])


@pytest.mark.parametrize("new_name", [NEW_NAME, None])
def test_rows_to_what_is_gone_go_and_others_stay(new_name: str | None) -> None:
    misheard = DailyUse()
    for number in range(6):
        misheard.say(f"maker-{number}", number, said("play amarilla", met=False), said(SONG))
        misheard.say(f"other-{number}", number, said("play jess", met=False), said("play jazz"))
    before, after = before_and_since(renamed(new_name).sessions, CHANGE)
    miner = learned(misheard.sessions, before)
    assert pairs_of(miner) == {"play amarilla": SONG, "play jess": "play jazz"}
    rows = rows_of(miner)
    change = add(miner, after)
    assert change.withdrawn == (rows["play amarilla"],)
    assert rows_of(miner)["play jess"] == rows["play jess"]
    assert pairs_of(miner) == {"play jess": "play jazz"} | ({SONG: new_name} if new_name else {})


HEARD, MEANT = "play sonk", "play song"


def served(until: int, *, fails_from: int = 99, then: str | None = None) -> DailyUse:
    """A misheard request that is rewritten from the sixth day on, for two users a day.

    Args:
        until: day before which this ends.
        fails_from: day from which what is run fails.
        then: what those go on to for whom it fails; None: they give up.
    """
    use = DailyUse()
    use.live(KNOWN, DAYS)
    for number in range(6):
        use.say(KNOWN[number], number, said(HEARD, met=False), said(MEANT))
    for day in range(6, until):
        for user in (KNOWN[(2 * day) % 54 + 6], KNOWN[(2 * day + 1) % 54 + 6]):
            met = day < fails_from
            rest = [] if met or then is None else [said(then)]
            use.say(user, day, said(HEARD, run=MEANT, met=met), *rest)
    return use


@pytest.mark.parametrize("then", ["play zebra crossing", "play sank"])
def test_a_row_comes_to_lead_to_what_users_want_since(then: str) -> None:
    assert pairs_of(learned(served(15).sessions)) == {HEARD: MEANT}
    assert pairs_of(learned(served(30, fails_from=15, then=then).sessions)) == {HEARD: then}


def test_a_row_whose_runs_fail_goes_where_nobody_knows_better() -> None:
    assert pairs_of(learned(served(30).sessions)) == {HEARD: MEANT}
    assert pairs_of(learned(served(30, fails_from=15).sessions)) == {}


PLANTED = "play the siren loudly"


def flood(use: DailyUse, accounts: int, sessions: int, *turns: TurnEvent) -> None:
    """Accounts that do nothing but this, on the last days."""
    for planter in users("planter", accounts):
        for number in range(sessions):
            use.say(planter, DAYS[-1] - number % 7, *turns)


@pytest.mark.parametrize(("accounts", "sessions"), [(3, 200), (40, 20), (400, 1)])
def test_accounts_that_only_plant_make_no_row(accounts: int, sessions: int) -> None:
    use = DailyUse()
    use.live(KNOWN, DAYS)
    for number in range(90):
        use.say(KNOWN[number % 60], number // 3, said(SONG))
    flood(use, accounts, sessions, said(SONG, met=False), said(PLANTED))
    miner = learned(use.sessions)
    assert pairs_of(miner) == {}
    (refused,) = miner.refused
    assert (refused.source, refused.target) == (SONG, PLANTED)
    assert {"other_name", "new_accounts"} <= {*refused.reasons}


@pytest.mark.parametrize("only_plant", [True, False])
def test_accounts_that_plant_bring_about_no_change(only_plant: bool) -> None:
    use = DailyUse()
    use.live(KNOWN, DAYS)
    for number, user in enumerate(KNOWN[:40]):  # what is said is right for every other one
        turns = [said(HEARD)] if number % 2 else [said(HEARD, met=False), said(MEANT)]
        use.say(user, number * 3 // 4, *turns)
    if not only_plant:
        use.live(users("planter", 12), DAYS)
    flood(use, 12, 3, said(HEARD, met=False), said(MEANT))
    row = rows_of(learned(use.sessions))[HEARD]
    assert row.source_count == 76  # all there ever were


@pytest.mark.parametrize(("accounts", "sessions"), [(3, 200), (40, 20), (400, 1)])
@pytest.mark.parametrize("then", [None, PLANTED])
def test_accounts_that_only_plant_do_not_take_a_good_row_down(
    accounts: int, sessions: int, then: str | None
) -> None:
    use = served(30)
    flood(use, accounts, sessions, said(HEARD, run=MEANT, met=False), *([said(then)] if then else []))
    assert pairs_of(learned(use.sessions)) == {HEARD: MEANT}


def made_by(makers: int, pair: tuple[str, str], *, others: int, runs: bool) -> DailyUse:
    """A pair of some users; others say its source, which fails, and give up.

    Args:
        makers: how many go on from the source to the target.
        pair: source and target.
        others: how many give up.
        runs: whether the rewrite was run and met six more, twice each.
    """
    source, target = pair
    use = DailyUse()
    use.live([*KNOWN, *users("judge", 6)], DAYS)
    for number in range(makers):
        use.say(KNOWN[number], number % 14, said(source, met=False), said(target))
    for number, user in enumerate(users("other", others)):
        use.say(user, number % 30, said(source, met=False))
    for number in range(12 * runs):
        use.say(f"judge-{number % 6}", 14 + number, said(source, run=target))
    return use


def test_a_row_that_has_proved_itself_stays_when_few_of_those_who_say_it_made_it() -> None:
    assert pairs_of(learned(made_by(6, (HEARD, MEANT), others=10, runs=False).sessions)) == {HEARD: MEANT}
    without = learned(made_by(6, (HEARD, MEANT), others=60, runs=False).sessions)
    assert pairs_of(without) == {}
    assert [pair.reasons for pair in without.refused] == [("small_share",)]
    assert pairs_of(learned(made_by(6, (HEARD, MEANT), others=60, runs=True).sessions)) == {HEARD: MEANT}


@pytest.mark.parametrize("met", [True, False])
def test_whom_a_row_has_met_speaks_for_it_and_whom_it_has_failed_does_not(met: bool) -> None:
    use = made_by(6, (HEARD, MEANT), others=40, runs=False)
    for user in users("served", 10):  # who say nothing else, and so do not judge it
        use.say(user, 20, said(HEARD, run=MEANT, met=met))
    assert pairs_of(learned(use.sessions)) == ({HEARD: MEANT} if met else {})


@pytest.mark.parametrize("runs", [True, False])
def test_what_is_sensitive_is_refused_though_it_has_proved_itself(runs: bool) -> None:
    def reasons(target: str) -> list[tuple[str, ...]]:
        miner = learned(made_by(25, ("good night", target), others=120, runs=runs).sessions)
        return [pair.reasons for pair in miner.refused]

    assert reasons(PLANTED) == ([] if runs else [("other_name",)])
    assert reasons("unlock the front door") == ([("sensitive",)] if runs else [("other_name", "sensitive")])


def after_runs(*then: TurnEvent) -> ChainMiner:
    """Eight users say something that a rewrite is run for, which fails; then they do something."""
    use = DailyUse()
    use.live(KNOWN, DAYS)
    for number in range(10):
        use.say(KNOWN[number], number, said(MEANT))
    for number in range(4):
        use.say(KNOWN[10 + number], number, said(HEARD, met=False))
    for number in range(8):
        use.say(KNOWN[20 + number], number, said(HEARD, run=MEANT, met=False), *then)
        use.say(KNOWN[30 + number], number, *then)
    return learned(use.sessions)


def test_who_says_something_else_after_a_rewrite_speaks_of_what_they_said() -> None:
    miner = after_runs(said("play sank"))
    (row,) = miner.rewrites
    assert (row.source_text, row.target_text) == (HEARD, "play sank")
    assert (row.users, row.sessions, row.source_count) == (8, 8, 4)
    assert miner.refused == []  # nobody went on from what was run


def test_who_says_it_again_after_a_rewrite_speaks_for_nothing() -> None:
    miner = after_runs(said(HEARD))
    assert (pairs_of(miner), miner.refused) == ({}, [])


def test_the_wording_of_a_target_stays_until_another_is_said_by_twice_as_many() -> None:
    use = DailyUse()
    source, first, later = "play amarila", "play amarillo", "play amarillo please"
    for number in range(4):
        use.say(f"first-{number}", 1, said(source, met=False), said(first))
    wordings = []
    for number in range(12):
        use.say(f"later-{number}", 2 + number, said(source, met=False), said(later, song="amarillo"))
        wordings.append(pairs_of(learned(use.sessions))[source])
    assert wordings == [first] * 8 + [later] * 4


WORKING = ("play amarillo", "play jazz", "play zebra crossing", "play amarila")
MISHEARD = (("play amarilla", "play amarillo"), ("play jess", "play jazz"), ("play jas", "play jazz"))


def any_world(seed: int) -> list[SessionSteps]:
    """A world of misheard songs, some of which are rewritten, until one is known by another name."""
    chance = Random(seed)
    use = DailyUse()
    known = KNOWN[:16]
    use.live(known, DAYS)
    gone, new_name = chance.choice(WORKING[:2]), chance.choice(WORKING[2:])
    change = chance.randrange(8, 24)
    for day in DAYS:
        for _ in range(6):
            user = chance.choice(known) if chance.random() < 0.8 else f"new-{chance.randrange(30)}"
            source, target = chance.choice(MISHEARD)
            *before, (text, run) = chance.choices(
                [
                    [(chance.choice([target, gone]), None)],
                    [(source, None), (target, None)],
                    [(source, target)],
                    [(source, None)],
                ],
                weights=[7, 5, 6, 2],
            )[0]
            met = (run or text) in WORKING and not ((run or text) == gone and day >= change)
            turns = [said(text, met=False) for text, _ in before] + [said(text, run=run, met=met)]
            if not met and chance.random() < 0.6:
                turns.append(said(new_name))
            use.say(user, day, *turns)
    return use.sessions


@pytest.mark.parametrize("seed", range(8))
def test_sessions_in_any_order_and_detours_leave_no_trace(seed: int) -> None:
    chance = Random(seed)
    sessions = any_world(seed)
    kept = [session for session in sessions if chance.random() < 0.8]
    steps = [(session, True) for session in chance.sample(sessions, len(sessions))]
    steps += [(session, False) for session in chance.sample(sessions, len(sessions)) if session not in kept]
    detour = learned()
    for session, comes in steps:
        detour.touch(detour.counts.add(session) if comes else detour.counts.remove(session))
        if chance.random() < 0.03:
            detour.solve()
    detour.solve()
    at_once = learned(kept)
    assert detour.rewrites == at_once.rewrites
    assert detour.refused == at_once.refused
    assert at_once.rewrites


def test_the_worlds_have_rows_that_changes_made_and_others() -> None:
    miners = [learned(any_world(seed)) for seed in range(8)]
    pairs = [pair for miner in miners for pair in pairs_of(miner).items()]
    assert {target for _, target in pairs} == {*WORKING}
    assert {"play amarillo", "play jazz"} <= {source for source, _ in pairs}
    assert any(miner.refused for miner in miners)
