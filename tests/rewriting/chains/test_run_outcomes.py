"""Whether a rewrite may go on, by what became of the requests that it was run for."""

from collections.abc import Iterable

import pytest

from rewriting.chains.counts import RunOutcome
from rewriting.chains.run_outcomes import does_worse, fails_lately
from streams.turn import UserId

STRANGERS = [UserId(f"stranger-{i}") for i in range(40)]
MAKERS = [UserId(f"maker-{i}") for i in range(40)]


def runs(users: Iterable[UserId], *, met: bool, day: int = 1, each: int = 1) -> dict[RunOutcome, int]:
    return {RunOutcome(user, day, not met, met): each for user in users}


def worse(
    run: dict[RunOutcome, int], said: dict[UserId, int] | None = None, met: dict[UserId, int] | None = None
) -> bool:
    return does_worse(run, said or {}, met or {}, lambda user: user not in MAKERS)


def test_a_rewrite_that_fails_others_goes_though_its_makers_are_content() -> None:
    run = runs(STRANGERS[:6], met=False) | runs(MAKERS, met=True, each=50)
    assert worse(run)
    assert not fails_lately(run)  # by all users it looks well


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
    ("failed", "met", "fails"), [(2, 0, False), (3, 0, True), (3, 3, False), (4, 3, True)]
)
def test_what_fails_everybody_lately_goes(failed: int, met: int, fails: bool) -> None:
    run = runs(STRANGERS[:failed], met=False, day=9) | runs(STRANGERS[20 : 20 + met], met=True, day=9)
    assert fails_lately(run) == fails
    assert fails_lately(run | runs(MAKERS, met=True, day=1)) == (fails and failed + met >= 10)
