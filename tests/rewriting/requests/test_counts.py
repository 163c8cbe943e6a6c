from hypothesis import given
from hypothesis import strategies as st
from request_sessions import repaired, session, step

from rewriting.requests.counts import RequestCounts, SharedStatistics
from rewriting.requests.step import RequestText, SessionRequests

TEXTS = ["play jazz", "play jess", "stop"]
QUESTIONS = ["", "what area"]


@st.composite
def sessions(draw: st.DrawFn) -> SessionRequests:
    number = draw(st.integers(0, 5))
    steps = []
    for _ in range(draw(st.integers(1, 3))):
        steps.append(
            step(
                draw(st.sampled_from(TEXTS)),
                met=draw(st.booleans()),
                confidence=draw(st.sampled_from([None, 0.2, 0.9])),
                question=draw(st.sampled_from(QUESTIONS)),
                run=draw(st.sampled_from(["", "play jazz"])),
            )
        )
    return session(draw(st.sampled_from("abc")), *steps, number=number)


def state(counts: RequestCounts) -> object:
    texts = {key: counts.text(*key) for key in sorted(counts.texts)}
    interpretations = {key: counts.interpretation(key) for key in sorted(counts.interpretations)}
    return texts, interpretations, {key: counts.question(key) for key in sorted(counts.questions)}


def counted(made: list[SessionRequests]) -> RequestCounts:
    counts = RequestCounts(2)
    for one in made:
        counts.add(one)
    return counts


@given(st.lists(sessions(), max_size=6), st.lists(sessions(), max_size=4))
def test_a_session_that_was_taken_away_leaves_no_trace(
    kept: list[SessionRequests], gone: list[SessionRequests]
) -> None:
    counts = counted([*gone, *kept])
    for one in gone:
        state(counts)  # what is remembered of the statistics must not stay either
        counts.remove(one)
    assert state(counts) == state(counted(kept))


@given(st.lists(sessions(), max_size=6))
def test_the_order_of_the_sessions_does_not_matter(made: list[SessionRequests]) -> None:
    assert state(counted(made)) == state(counted(made[::-1]))


def test_of_too_few_users_nothing_is_told() -> None:
    counts = RequestCounts(3)
    for user in ("a", "b"):
        counts.add(repaired(user, "play jess", "play jazz"))
    shared = SharedStatistics(counts)
    key = RequestText("play jess"), step("x").question
    assert counts.text(*key) is not None
    assert shared.text(*key) is None
    counts.add(repaired("c", "play jess", "play jazz"))
    known = shared.text(*key)
    assert known is not None
    assert known.users == 3
    assert [repair.users for repair in known.repairs.values()] == [3]
