"""Whether a rewrite may go on, by what became of the requests that it was run for."""

from collections.abc import Iterable

import pytest

from rewriting.chains.counts import RunOutcome
from rewriting.chains.run_outcomes import RunVerdict, fails_lately, verdict_of
from streams.turn import UserId

STRANGERS = [UserId(f"stranger-{i}") for i in range(40)]
MAKERS = [UserId(f"maker-{i}") for i in range(40)]


def runs(users: Iterable[UserId], *, met: bool, day: int = 1, each: int = 1) -> dict[RunOutcome, int]:
    return {RunOutcome(user, day, not met, met): each for user in users}


def judged(
    run: dict[RunOutcome, int], said: dict[UserId, int] | None = None, met: dict[UserId, int] | None = None
) -> RunVerdict:
    """What all but the makers say."""
    return verdict_of(run, said or {}, met or {}, lambda user: user not in MAKERS, fails=False)


def worse(
    run: dict[RunOutcome, int], said: dict[UserId, int] | None = None, met: dict[UserId, int] | None = None
) -> bool:
    return judged(run, said, met).does_worse


def everybody(user: UserId) -> bool:
    return True


def test_a_rewrite_that_fails_others_goes_though_its_makers_are_content() -> None:
    run = runs(STRANGERS[:6], met=False) | runs(MAKERS, met=True, each=50)
    assert worse(run)
    assert not fails_lately(run, everybody)  # by all users it looks well


def test_makers_alone_are_no_judges() -> None:
    assert not worse(runs(MAKERS, met=False, each=50))


def test_three_users_and_four_requests_are_the_fewest_that_judge() -> None:
    right_as_said = {user: 2 for user in STRANGERS[10:30]}
    assert not worse(runs(STRANGERS[:2], met=False, each=2), right_as_said, right_as_said)
    assert not worse(runs(STRANGERS[:3], met=False), right_as_said, right_as_said)
    assert worse(
        runs(STRANGERS[:2], met=False) | runs(STRANGERS[2:3], met=False, each=2), right_as_said, right_as_said
    )


def test_what_was_right_as_said_is_not_run_as_something_that_is_less_often_right() -> None:
    said = {user: 2 for user in STRANGERS[:20]}
    mostly_right = runs(STRANGERS[20:32], met=True) | runs(STRANGERS[32:40], met=False)
    assert worse(mostly_right, said, said)
    assert not worse(mostly_right, said, {})  # as it was said it was always wrong


def test_one_user_decides_nothing_however_often_they_complain() -> None:
    complaints = runs(STRANGERS[:1], met=False, each=100)
    assert not worse(complaints | runs(STRANGERS[1:4], met=True))


def test_the_last_requests_of_each_user_count() -> None:
    before = runs(STRANGERS[:10], met=True, day=1, each=2)
    after = runs(STRANGERS[:10], met=False, day=2, each=2)
    assert worse(before | after)
    assert not worse(
        runs(STRANGERS[:10], met=False, day=1, each=2) | runs(STRANGERS[:10], met=True, day=2, each=2)
    )


@pytest.mark.parametrize(
    ("failed", "met", "fails"), [(2, 0, False), (3, 0, True), (4, 1, True), (3, 1, False), (6, 4, False)]
)
def test_what_surely_fails_most_of_the_last_times_is_gone(failed: int, met: int, fails: bool) -> None:
    run = runs(STRANGERS[:failed], met=False, day=9) | runs(STRANGERS[20 : 20 + met], met=True, day=9)
    assert fails_lately(run, everybody) == fails


def test_what_went_before_the_last_ten_does_not_count() -> None:
    before = runs(MAKERS, met=True, day=1)
    assert not fails_lately(before | runs(STRANGERS[:5], met=False, day=9), everybody)
    assert fails_lately(before | runs(STRANGERS[:10], met=False, day=9), everybody)
    assert not fails_lately(
        runs(STRANGERS[:30], met=False, day=1) | runs(MAKERS[:10], met=True, day=9), everybody
    )


def test_failures_that_nobody_has_shown_do_not_count() -> None:
    tried_again = {RunOutcome(user, 1, False, False): 1 for user in STRANGERS}
    assert not fails_lately(tried_again, everybody)
    assert worse(tried_again)


def test_only_known_users_count_where_a_target_may_be_gone() -> None:
    complaints, known = runs(STRANGERS[:30], met=False), runs(MAKERS[:3], met=True)
    assert fails_lately(complaints | known, everybody)
    assert not fails_lately(complaints | known, lambda user: user not in STRANGERS)
    assert fails_lately(complaints, lambda user: user not in STRANGERS)  # nobody else was there to tell
    assert not fails_lately({}, everybody)


def test_a_rewrite_proves_itself_by_those_who_did_not_make_it() -> None:
    always_wrong = {user: 2 for user in STRANGERS[20:30]}
    assert judged(runs(STRANGERS[:4], met=True), always_wrong).does_well
    assert not judged(runs(STRANGERS[:3], met=True), always_wrong).does_well  # three requests are too few
    assert not judged(runs(MAKERS, met=True, each=50), always_wrong).does_well
    assert not judged(runs(STRANGERS[:4], met=True), always_wrong, always_wrong).does_well


def test_what_is_mostly_wrong_has_not_proved_itself_though_it_is_better_than_what_was_said() -> None:
    always_wrong = {user: 2 for user in STRANGERS[:20]}
    half = runs(STRANGERS[20:28], met=True) | runs(STRANGERS[28:36], met=False)
    verdict = judged(half, always_wrong)
    assert (verdict.does_well, verdict.does_worse) == (False, False)
    assert (verdict.run.success, verdict.run.failure, verdict.judges) == (8, 8, 16)
    assert (verdict.said.success, verdict.said.failure) == (0, 40)


def test_of_a_user_two_requests_count_on_either_side() -> None:
    said = {STRANGERS[0]: 9, STRANGERS[1]: 9, STRANGERS[2]: 1, MAKERS[0]: 9}
    met = {STRANGERS[0]: 1, STRANGERS[1]: 8, MAKERS[0]: 9}
    verdict = judged(runs(STRANGERS[:1], met=True, each=7) | runs(STRANGERS[1:2], met=False), said, met)
    assert (verdict.run.success, verdict.run.failure, verdict.judges) == (2, 1, 2)
    assert (verdict.said.success, verdict.said.failure) == (3, 2)
