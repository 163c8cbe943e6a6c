"""What counts of a source, in worlds whose answer is known."""

import pytest
from daily_use import DailyUse, learned, pairs_of, users
from rewritten_turns import meant, said

from rewriting.chains.counts import ChainCounts, text_key
from rewriting.chains.source_evidence import SourceEvidence, source_evidence
from streams.turn import UserId

HEARD, MEANT = "play sonk", "play song"
SONG, NEW_NAME = "play amarillo", "play zebra crossing"


def counted(use: DailyUse) -> ChainCounts:
    counts = ChainCounts()
    for session in use.sessions:
        counts.add(session)
    return counts


def evidence_of(use: DailyUse, source: str) -> SourceEvidence:
    """Where everybody is known and nobody goes on to the target in question."""
    return source_evidence(counted(use), (text_key(source),), lambda _: True, frozenset())


def rewritten(fails_from: int) -> DailyUse:
    """A misheard request that two users a day say, which is rewritten from the sixth day on."""
    use = DailyUse()
    for day in range(30):
        for number in range(2):
            user = f"u-{2 * day + number}"
            if day < 6:
                use.say(user, day, said(HEARD, met=False), said(MEANT))
            else:
                use.say(user, day, said(HEARD, run=MEANT, met=day < fails_from))
    return use


def test_without_a_change_all_counts() -> None:
    evidence = evidence_of(rewritten(fails_from=30), HEARD)
    assert (evidence.since, evidence.requests, evidence.kept) == (None, 12, 1.0)
    assert len(evidence.said) == 60


def test_only_whom_a_rewrite_met_speaks_for_it() -> None:
    use = rewritten(fails_from=30)
    use.say("u-99", 29, said(HEARD, run=MEANT, met=False))
    (number,) = (n for n, name in enumerate(counted(use).interpretations) if name == meant(MEANT))
    evidence = evidence_of(use, HEARD)
    assert set(evidence.run_met[number]) == {UserId(f"u-{i}") for i in range(12, 60)}
    assert UserId("u-99") in evidence.said


def test_where_a_rewrite_is_met_no_more_what_was_before_counts_no_more() -> None:
    use = rewritten(fails_from=20)
    first = min(session.day for session in use.sessions)
    evidence = evidence_of(use, HEARD)
    assert evidence.since == first + 20
    assert (evidence.led_to, evidence.run_met) == ({}, {})
    assert not evidence.has_ceased  # as it is said it never was met


@pytest.mark.parametrize("known", [False, True])
def test_only_users_who_are_known_tell_that_something_has_changed(known: bool) -> None:
    days, content, others = range(30), users("known", 84), users("other", 100)
    use = DailyUse()
    use.live(content, days)
    if known:
        use.live(others, days)
    for number in range(90):
        use.say(content[number % 60], number // 5, said(SONG))
    for number, user in enumerate(others):
        use.say(user, 20 + number // 10, said(SONG, met=False))
    for number in range(24):
        use.say(content[60 + number], 24 + number // 6, said(SONG, met=False), said(NEW_NAME))
    assert pairs_of(learned(use.sessions)) == ({SONG: NEW_NAME} if known else {})
