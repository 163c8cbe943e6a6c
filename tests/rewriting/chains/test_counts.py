from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from mined_sessions import (
    batch_mined,
    check_sessions_leave_no_trace,
    check_solving_now_and_then,
    counted,
)

from rewriting.chains.counts import ChainCounts, OutcomeCounts
from rewriting.chains.miner import ChainMiner
from rewriting.chains.settings import ChainSettings
from rewriting.chains.step import ChainStep, SessionSteps
from rewriting.evidence.interpretation import Interpretation
from streams.session import SessionId
from streams.turn import AssistantId, UserId

ASSISTANT = AssistantId("a")

LENIENT = ChainSettings(min_users=1, min_text_users=1, min_requests=1, min_odds=0.1, min_share=0)
"""Under which random sessions give many rewrites."""


def step(word: int, meaning: int, outcome: int, last: bool, shout: bool, band: int) -> ChainStep:
    """A step that goes on with weight 1, 0.5 or 0, where it can."""
    text = f"text {word}"
    goes_on = 0 if last else (1, 0.5, 0)[outcome]
    success = (1 - goes_on) * (outcome != 0)
    return ChainStep(
        text,
        text.upper() if shout else text,
        Interpretation(f"d|i|{meaning}"),
        band,
        success,
        1 - goes_on - success,
        goes_on,
    )


small = st.integers(0, 5)
raw_steps = st.lists(
    st.tuples(small, small, st.integers(0, 2), st.booleans(), st.integers(0, 5)), min_size=1, max_size=4
)
raw_sessions = st.lists(st.tuples(raw_steps, st.integers(0, 3), st.booleans()), max_size=12)


def sessions_of(raw: list[tuple[list[tuple[int, int, int, bool, int]], int, bool]]) -> list[SessionSteps]:
    return [
        SessionSteps(
            SessionId(f"s{number}"),
            ASSISTANT,
            UserId(f"u{user}"),
            tuple(
                step(word, meaning, outcome, i == len(steps) - 1, shout, band)
                for i, (word, meaning, outcome, shout, band) in enumerate(steps)
            ),
            is_dialogue,
        )
        for number, (steps, user, is_dialogue) in enumerate(raw)
    ]


def state_of(counts: ChainCounts) -> dict[str, Any]:
    """All that the counts say, by names: numbers are given in the order in which names first came."""
    names = counts.interpretations

    def outcome(found: OutcomeCounts) -> tuple[Any, ...]:
        following = {names[number]: weight for number, weight in found.following.items()}
        return found.requests, found.success, found.failure, following

    nothing = outcome(OutcomeCounts())
    return {
        "texts": {
            name: (
                [None if band is None or outcome(band) == nothing else outcome(band) for band in text.bands],
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
    }


def new_miner() -> ChainMiner:
    return ChainMiner(ASSISTANT, LENIENT)


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


def failing(number: int, source: str, target: str) -> SessionSteps:
    """The source fails, then the target succeeds."""
    return SessionSteps(
        SessionId(f"{source}-{number}"),
        ASSISTANT,
        UserId(f"u{number}"),
        (
            ChainStep(source, source, Interpretation(f"d|i|{source}"), 0, 0, 0, 1),
            ChainStep(target, target, Interpretation(f"d|i|{target}"), 0, 1, 0, 0),
        ),
    )


def test_only_touched_components_are_solved() -> None:
    miner = ChainMiner(ASSISTANT, ChainSettings())
    for number in range(5):
        for source, target in (("u", "v"), ("x", "y")):
            miner.touch(miner.counts.add(failing(number, source, target)))
    miner.solve()
    first = {row.source_text: row for row in miner.rewrites}
    assert set(first) == {"u", "x"}
    # Neither of these two is told to the miner but one: only what it is told of is solved.
    miner.counts.add(failing(7, "x", "y"))
    miner.touch(miner.counts.add(failing(7, "u", "v")))
    change = miner.solve()
    assert [row.source_text for row in change.rewrites] == ["u"]
    assert change.rewrites[0].sessions == 6
    second = {row.source_text: row for row in miner.rewrites}
    assert second["x"] == first["x"]
    assert second["x"].sessions == 5


def test_nothing_new_changes_nothing() -> None:
    miner = ChainMiner(ASSISTANT, ChainSettings())
    for number in range(5):
        miner.touch(miner.counts.add(failing(number, "u", "v")))
    assert len(miner.solve().rewrites) == 1
    assert miner.solve().rewrites == ()
    session = failing(1, "u", "v")
    miner.touch(miner.counts.remove(session))
    miner.touch(miner.counts.add(session))
    change = miner.solve()
    assert (change.rewrites, change.withdrawn) == ((), ())


def test_the_rewrite_of_a_text_that_is_gone_is_withdrawn() -> None:
    miner = ChainMiner(ASSISTANT, ChainSettings())
    sessions = [failing(number, "u", "v") for number in range(5)]
    for session in sessions:
        miner.touch(miner.counts.add(session))
    (row,) = miner.solve().rewrites
    for session in sessions:
        miner.touch(miner.counts.remove(session))
    assert miner.solve().withdrawn == (row,)
    assert miner.rewrites == []


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
