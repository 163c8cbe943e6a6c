from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from mined_sessions import batch_mined, check_sessions_leave_no_trace, check_solving_now_and_then

from labeling.text.question import Question
from rewriting.answers.counts import AnswerCounts
from rewriting.answers.miner import AnswerMiner
from rewriting.answers.settings import AnswerSettings
from rewriting.chains.step import ChainStep, SessionSteps
from rewriting.evidence.interpretation import Interpretation
from rewriting.evidence.wordings import Wordings
from streams.session import SessionId
from streams.turn import AssistantId, UserId

ASSISTANT = AssistantId("a")
LENIENT = AnswerSettings(
    min_users=1, min_text_users=1, min_value_users=1, min_share=0, min_slot_share=0, min_confirmed_share=0
)  # under which random sessions give many rewrites

VALUES = ("", "south", "north")
WORDS = ("south part", "sooth part", "sowth part")  # they sound alike


def step(question: int, word: int, value: int, told: int, success: int, shout: bool) -> ChainStep:
    text = WORDS[word]
    return ChainStep(
        text,
        text.upper() if shout else text,
        Interpretation(f"d|i|area={VALUES[value]}" if value else "d|null|"),
        5,
        success / 2,
        1 - success / 2,
        0,
        Question(("", "what area", "which part")[question]),
        VALUES[told],
    )


tiny = st.integers(0, 2)
raw_sessions = st.lists(
    st.tuples(
        st.lists(st.tuples(tiny, tiny, tiny, tiny, tiny, st.booleans()), max_size=4), st.integers(0, 3)
    ),
    max_size=14,
)


def sessions_of(raw: list[tuple[list[tuple[int, int, int, int, int, bool]], int]]) -> list[SessionSteps]:
    return [
        SessionSteps(
            SessionId(f"s{number}"), ASSISTANT, UserId(f"u{user}"), tuple(step(*values) for values in steps)
        )
        for number, (steps, user) in enumerate(raw)
    ]


def state_of(counts: AnswerCounts) -> dict[str, Any]:
    """All that the counts say."""
    return {
        "users": counts.users,
        "questions": {
            question: (
                known.answers,
                {
                    name: {field: getattr(text, field) for field in (*text.__slots__, *Wordings.__slots__)}
                    for name, text in known.texts.items()
                },
            )
            for question, known in counts.questions.items()
        },
    }


def new_miner() -> AnswerMiner:
    return AnswerMiner(ASSISTANT, LENIENT)


def test_random_sessions_give_rewrites() -> None:
    raw = [([(1, 0, 1, 0, 2, False)], 0), ([(1, 1, 0, 1, 2, False)], 1)]
    assert [(row.source_text, row.target_text) for row in batch_mined(new_miner(), sessions_of(raw))] == [
        ("sooth part", "south part")
    ]


@given(raw_sessions, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_sessions_taken_away_leave_no_trace_in_any_order(raw: Any, random: Any) -> None:
    check_sessions_leave_no_trace(AnswerCounts, state_of, sessions_of(raw), random)


@given(raw_sessions, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_solving_now_and_then_gives_what_one_batch_gives(raw: Any, random: Any) -> None:
    check_solving_now_and_then(new_miner, sessions_of(raw), random)


def test_only_the_questions_of_a_session_are_touched() -> None:
    (session,) = sessions_of([([(0, 0, 0, 0, 0, False), (1, 0, 0, 0, 0, False)], 0)])
    counts = AnswerCounts()
    assert counts.add(session) == {"what area"}
    assert set(counts.questions) == {"what area"}
    assert counts.remove(session) == {"what area"}
    assert (counts.questions, counts.users) == ({}, {})


def test_what_a_rewrite_ran_is_nobodys_answer() -> None:
    as_said = step(question=1, word=0, value=1, told=1, success=2, shout=False)
    rewritten = msgspec.structs.replace(as_said, said="sauce")

    def counted(one: ChainStep) -> AnswerCounts:
        counts = AnswerCounts()
        session = SessionSteps(SessionId("s"), ASSISTANT, UserId("u"), (one,))
        counts.add(session)
        counts.remove(session)
        assert state_of(counts) == state_of(AnswerCounts())
        counts.add(session)
        return counts

    assert counted(as_said).questions
    assert state_of(counted(rewritten)) == state_of(AnswerCounts())
