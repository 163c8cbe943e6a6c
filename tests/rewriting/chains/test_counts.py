from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from mined_sessions import (
    batch_mined,
    check_sessions_leave_no_trace,
    check_solving_now_and_then,
    counted,
)

from rewriting.chains.counts import CellCounts, ChainCounts, OutcomeCounts
from rewriting.chains.miner import ChainMiner
from rewriting.chains.settings import ChainSettings
from rewriting.chains.step import NOT_KNOWN, ChainStep, SessionSteps
from rewriting.evidence.interpretation import Interpretation
from rewriting.guards.pair_guard import PairGuard
from rewriting.guards.settings import GuardSettings
from streams.session import SessionId
from streams.turn import AssistantId, UserId

ASSISTANT = AssistantId("a")

LENIENT = ChainSettings(min_users=1, min_text_users=1, min_requests=1, min_odds=0.1, min_share=0)
"""Under which random sessions give many rewrites."""

LENIENT_GUARD = GuardSettings(
    min_likeness=0,
    min_whole_likeness=0,
    min_users=0,
    min_visible_share=0,
    min_trust=0,
    min_share=0,
    min_most_share=0,
    min_added_share=0,
    min_named_share=0,
    min_named_odds=0,
    private_trust=0,
)
"""Under which a pair is refused for its texts alone."""

TEXTS = ("play jazz", "play jess", "play jas", "play chess", "jess", "play jazz and jess")
"""They may be misheard for each other; and the last joins two of them."""


def step(word: int, meaning: int, outcome: int, last: bool, shout: bool, band: int, known: int) -> ChainStep:
    """A step that goes on with weight 1, 0.5 or 0, where it can."""
    text = TEXTS[word]
    goes_on = 0 if last else (1, 0.5, 0)[outcome]
    success = (1 - goes_on) * (outcome != 0)
    return ChainStep(
        text,
        text.upper() if shout else text,
        Interpretation(f"d|i|{'what=' if meaning == 0 else ''}{meaning}"),  # of few, slots are logged
        band,
        success,
        1 - goes_on - success,
        goes_on,
        failed=goes_on == 1,
        asr_band=band if known % 2 else NOT_KNOWN,
        nlu_band=5 if known > 1 else NOT_KNOWN,
        is_unordered=not last and outcome == 2 and known == 3,
    )


small = st.integers(0, 5)
raw_steps = st.lists(
    st.tuples(small, small, st.integers(0, 2), st.booleans(), st.integers(0, 5), st.integers(0, 3)),
    min_size=1,
    max_size=4,
)
days = st.sampled_from([0, 1, 2, 7, 13, 14, 20, 30])
places = st.sampled_from(["", "", "en", "de"])
raw_sessions = st.lists(st.tuples(raw_steps, st.integers(0, 3), st.booleans(), days, places), max_size=12)

RawSteps = list[tuple[int, int, int, bool, int, int]]


def sessions_of(raw: list[tuple[RawSteps, int, bool, int, str]]) -> list[SessionSteps]:
    return [
        SessionSteps(
            SessionId(f"s{number}"),
            ASSISTANT,
            UserId(f"u{user}"),
            tuple(
                step(word, meaning, outcome, i == len(steps) - 1, shout, band, known)
                for i, (word, meaning, outcome, shout, band, known) in enumerate(steps)
            ),
            is_dialogue,
            day,
            locale,
        )
        for number, (steps, user, is_dialogue, day, locale) in enumerate(raw)
    ]


def state_of(counts: ChainCounts) -> dict[str, Any]:
    """All that the counts say, by names: numbers are given in the order in which names first came."""
    names = counts.interpretations

    def outcome(found: OutcomeCounts) -> tuple[Any, ...]:
        following = {names[number]: weight for number, weight in found.following.items()}
        return found.requests, found.success, found.failure, following

    def cell(found: CellCounts) -> tuple[Any, ...]:
        following = {names[number]: weight for number, weight in (found.following or {}).items()}
        return found.requests, found.success, following

    nothing = outcome(OutcomeCounts())
    empty = cell(CellCounts())
    return {
        "texts": {
            name: (
                {key: cell(found) for key, found in text.cells.items() if cell(found) != empty},
                text.said,
                text.met_users,
                {names[number]: times for number, times in text.interpretations.items()},
                {names[number]: sessions for number, sessions in text.led_to.items()},
            )
            for name, text in counts.texts.items()
        },
        "outcomes": {
            names[number]: outcome(found)
            for number, found in enumerate(counts.outcomes)
            if outcome(found) != nothing
        },
        "texts_at": {names[number]: texts for number, texts in enumerate(counts.texts_at) if texts},
        "days": counts.days,
        "locales": counts.locales,
        "unordered": counts.unordered,
    }


def new_miner() -> ChainMiner:
    return ChainMiner(ASSISTANT, LENIENT, PairGuard(LENIENT_GUARD))


def trusting_miner() -> ChainMiner:
    """One for whom a user is enough who has been known for two weeks, and else it takes two."""
    trusting = msgspec.structs.replace(LENIENT_GUARD, min_users=1.1)
    return ChainMiner(ASSISTANT, LENIENT, PairGuard(trusting))


@given(raw_sessions, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_sessions_taken_away_leave_no_trace_in_any_order(raw: Any, random: Any) -> None:
    check_sessions_leave_no_trace(ChainCounts, state_of, sessions_of(raw), random)


@given(raw_sessions, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_sessions_does_not_matter(raw: Any, random: Any) -> None:
    sessions = sessions_of(raw)
    shuffled = random.sample(sessions, len(sessions))
    assert state_of(counted(ChainCounts(), sessions)) == state_of(counted(ChainCounts(), shuffled))
    assert batch_mined(new_miner(), sessions) == batch_mined(new_miner(), shuffled)


@given(raw_sessions, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_solving_now_and_then_gives_what_one_batch_gives(raw: Any, random: Any) -> None:
    check_solving_now_and_then(new_miner, sessions_of(raw), random)


@given(raw_sessions, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_solving_now_and_then_weighs_users_as_one_batch_does(raw: Any, random: Any) -> None:
    others = [said(user, "stop", day) for user in range(2) for day in (0, 5, 9, 13)]
    sessions = [*sessions_of(raw), *others]
    check_solving_now_and_then(trusting_miner, random.sample(sessions, len(sessions)), random)


def failing(number: int, source: str, target: str, day: int = 0, locale: str = "") -> SessionSteps:
    """The source fails, then the target succeeds."""
    return SessionSteps(
        SessionId(f"{source}-{number}"),
        ASSISTANT,
        UserId(f"u{number}"),
        (
            ChainStep(source, source, Interpretation(f"d|i|{source}"), 0, 0, 0, 1, failed=True),
            ChainStep(target, target, Interpretation(f"d|i|{target}"), 0, 1, 0, 0),
        ),
        day=day,
        locale=locale,
    )


def said(number: int, text: str, day: int = 0, locale: str = "") -> SessionSteps:
    """A request that succeeds, in a session of its own."""
    (met,) = failing(number, "", text).steps[1:]
    return SessionSteps(
        SessionId(f"{text}-{number}-{day}"), ASSISTANT, UserId(f"u{number}"), (met,), day=day, locale=locale
    )


def test_only_touched_components_are_solved() -> None:
    miner = ChainMiner(ASSISTANT, ChainSettings())
    for number in range(5):
        miner.touch(miner.counts.add(failing(number, "play jess", "play jazz")))
        miner.touch(miner.counts.add(failing(10 + number, "turn of the lite", "turn off the light")))
    miner.solve()
    first = {row.source_text: row for row in miner.rewrites}
    assert set(first) == {"play jess", "turn of the lite"}
    # Neither of these two is told to the miner but one: only what it is told of is solved.
    miner.counts.add(failing(17, "turn of the lite", "turn off the light"))
    miner.counts.take_seen()
    miner.touch(miner.counts.add(failing(7, "play jess", "play jazz")))
    change = miner.solve()
    assert [row.source_text for row in change.rewrites] == ["play jess"]
    assert change.rewrites[0].sessions == 6
    second = {row.source_text: row for row in miner.rewrites}
    assert second["turn of the lite"] == first["turn of the lite"]
    assert second["turn of the lite"].sessions == 5


def test_nothing_new_changes_nothing() -> None:
    miner = ChainMiner(ASSISTANT, ChainSettings())
    for number in range(5):
        miner.touch(miner.counts.add(failing(number, "play jess", "play jazz")))
    assert len(miner.solve().rewrites) == 1
    assert miner.solve().rewrites == ()
    session = failing(1, "play jess", "play jazz")
    miner.touch(miner.counts.remove(session))
    miner.touch(miner.counts.add(session))
    change = miner.solve()
    assert (change.rewrites, change.withdrawn) == ((), ())


def test_the_rewrite_of_a_text_that_is_gone_is_withdrawn() -> None:
    miner = ChainMiner(ASSISTANT, ChainSettings())
    sessions = [failing(number, "play jess", "play jazz") for number in range(5)]
    for session in sessions:
        miner.touch(miner.counts.add(session))
    (row,) = miner.solve().rewrites
    for session in sessions:
        miner.touch(miner.counts.remove(session))
    assert miner.solve().withdrawn == (row,)
    assert miner.rewrites == []


def test_a_refused_pair_whose_sessions_are_gone_is_forgotten() -> None:
    miner = ChainMiner(ASSISTANT, ChainSettings())
    sessions = [failing(number, "lock the car", "unlock the car") for number in range(5)]
    for session in sessions:
        miner.touch(miner.counts.add(session))
    miner.solve()
    assert [(pair.source, pair.target) for pair in miner.refused] == [("lock the car", "unlock the car")]
    assert "opposite" in miner.refused[0].reasons
    for session in sessions:
        miner.touch(miner.counts.remove(session))
    miner.solve()
    assert miner.refused == []


def test_users_who_come_to_be_known_count_more_for_what_they_have_shown_before() -> None:
    miner = trusting_miner()
    miner.touch(miner.counts.add(failing(1, "play jess", "play jazz")))
    assert miner.solve().rewrites == ()
    for day in range(1, 15):
        miner.touch(miner.counts.add(said(1, "stop", day)))
    assert [row.source_text for row in miner.solve().rewrites] == ["play jess"]


def test_a_row_becomes_another_where_it_comes_to_hold_in_all_locales_and_where_it_ceases_to() -> None:
    miner = ChainMiner(ASSISTANT, ChainSettings())
    for number in range(5):
        miner.touch(miner.counts.add(failing(number, "play jess", "play jazz", locale="en")))
    (english,) = miner.solve().rewrites
    elsewhere = [failing(10 + number, "play jess", "play jazz", locale="de") for number in range(5)]
    for session in elsewhere:
        miner.touch(miner.counts.add(session))
    change = miner.solve()
    (anywhere,) = change.rewrites
    assert change.withdrawn == (english,)
    assert (english.locale, anywhere.locale) == ("en", "")
    for session in elsewhere[:3]:
        miner.touch(miner.counts.remove(session))
    change = miner.solve()
    assert (change.rewrites, change.withdrawn) == ((english,), (anywhere,))


def test_the_rest_of_a_source_that_becomes_a_request_of_its_own_takes_the_rewrite_away() -> None:
    miner = ChainMiner(ASSISTANT, ChainSettings())
    for number in range(5):
        miner.touch(miner.counts.add(failing(number, "play jazz louder", "play jazz")))
    (row,) = miner.solve().rewrites
    alone = said(99, "louder")
    miner.touch(miner.counts.add(alone))
    assert miner.solve().withdrawn == (row,)
    miner.touch(miner.counts.remove(alone))
    assert miner.solve().rewrites == (row,)


def test_connected_finds_all_of_a_component() -> None:
    counts = ChainCounts()
    (u, v), (w, x) = (
        sorted(counts.add(failing(0, source, target))) for source, target in (("u", "v"), ("w", "x"))
    )
    assert counts.connected([u]) == [[u, v]]
    assert counts.connected([v, x]) == [[u, v], [w, x]]
    counts.add(failing(1, "v", "w"))
    assert counts.connected([x]) == [[u, v, w, x]]
    assert counts.connected([]) == []


def test_only_the_opening_request_of_a_dialogue_is_a_source() -> None:
    steps = (
        *failing(0, "u", "v").steps[:1],
        *failing(0, "v", "w").steps,
    )
    for is_dialogue, sources in ((False, {"u", "v"}), (True, {"u"})):
        session = SessionSteps(SessionId("s"), ASSISTANT, UserId("u"), steps, is_dialogue)
        counts = counted(ChainCounts(), [session])
        assert {text for text, found in counts.texts.items() if found.led_to} == sources


def test_what_merely_comes_next_is_no_evidence() -> None:
    first, second = failing(0, "u", "v").steps
    moved_on = ChainStep(first.text, first.surface, first.interpretation, 0, 0.5, 0, 0.5)
    session = SessionSteps(SessionId("s"), ASSISTANT, UserId("u"), (moved_on, second))
    counts = counted(ChainCounts(), [session])
    assert not counts.texts["u"].led_to
    assert counts.outcomes[0].following == {1: 0.5}
