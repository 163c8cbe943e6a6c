"""What holds of every miner: it forgets exactly, and solving now and then gives what one batch gives."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar

from rewriting.chains.step import SessionSteps
from rewriting.table.rewrite import Rewrite

C = TypeVar("C")


def counted(counts: Any, sessions: Sequence[SessionSteps]) -> Any:
    """The counts with these sessions added."""
    for session in sessions:
        counts.add(session)
    return counts


def batch_mined(miner: Any, sessions: Sequence[SessionSteps]) -> list[Rewrite]:
    """What a miner that knows nothing yet finds in sessions."""
    for session in sessions:
        miner.touch(miner.counts.add(session))
    miner.solve()
    rewrites: list[Rewrite] = miner.rewrites
    return rewrites


def check_sessions_leave_no_trace(
    new_counts: Callable[[], C], state_of: Callable[[C], object], sessions: list[SessionSteps], random: Random
) -> None:
    """Adds sessions in any order, takes some away in any order; those that stay are what is counted."""
    kept = [session for session in sessions if random.random() < 0.5]
    detour: Any = counted(new_counts(), random.sample(sessions, len(sessions)))
    for session in random.sample(sessions, len(sessions)):
        if session not in kept:
            detour.remove(session)
    assert state_of(detour) == state_of(counted(new_counts(), kept))


def check_solving_now_and_then(
    new_miner: Callable[[], Any], sessions: list[SessionSteps], random: Random
) -> None:
    """Solves while sessions come and go; the changes lead to what one batch finds in those that stay."""
    miner = new_miner()
    mirror: dict[str, Rewrite] = {}  # what somebody knows who applies the changes

    def solve() -> None:
        change = miner.solve()
        for row in change.withdrawn:
            assert mirror.pop(row.rewrite_id) == row
        for row in change.rewrites:
            assert mirror.get(row.rewrite_id) != row
            mirror[row.rewrite_id] = row

    present: list[SessionSteps] = []
    for session in sessions:
        miner.touch(miner.counts.add(session))
        present.append(session)
        if random.random() < 0.3:
            miner.touch(miner.counts.remove(present.pop(random.randrange(len(present)))))
        if random.random() < 0.6:
            solve()
    solve()
    at_once = new_miner()
    assert miner.rewrites == batch_mined(at_once, random.sample(present, len(present)))
    assert getattr(miner, "refused", ()) == getattr(at_once, "refused", ())
    assert mirror == {row.rewrite_id: row for row in miner.rewrites}
    assert miner.solve().rewrites == miner.solve().withdrawn == ()
