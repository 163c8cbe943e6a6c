from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from calls import AREA, ASSISTANT, FOOD, Calls, two_misheard_words

from labeling.text.question import question_of
from rewriting.answers.miner import AnswerMiner
from rewriting.answers.settings import AnswerSettings
from rewriting.chains.step import session_steps
from rewriting.errors import AnswerSettingsError, RewritingError
from rewriting.table.rewrite import GLOBAL, Rewrite, rewrite_id
from streams.session import sessionize
from streams.turn import AssistantId, Response, TurnEvent

AREA_KEY, FOOD_KEY = question_of(AREA), question_of(FOOD)
IN_THE_SOUTH = "Curry Garden is in the south of town."


def mined(turns: Iterable[TurnEvent], **settings: Any) -> list[Rewrite]:
    miner = AnswerMiner(AssistantId(ASSISTANT), AnswerSettings(**settings))
    for session in sessionize(turns):
        miner.touch(miner.counts.add(session_steps(session)))
    miner.solve()
    return miner.rewrites


def pairs(turns: Iterable[TurnEvent], **settings: Any) -> dict[tuple[str, str], str]:
    return {(row.question, row.source_text): row.target_text for row in mined(turns, **settings)}


@pytest.fixture
def calls() -> Calls:
    """Both questions have been answered and understood by three users."""
    calls = Calls()
    calls.understood()
    return calls


def test_one_word_is_two_things_after_two_questions() -> None:
    assert pairs(two_misheard_words()) == {(AREA_KEY, "sauce"): "the south", (FOOD_KEY, "sauce"): "thai"}


def test_a_row_says_what_it_rests_on() -> None:
    turns = two_misheard_words()
    row, _ = mined(turns)
    confirmation = Response(text=IN_THE_SOUTH, status="ok")
    behind = [s.session_id for s in sessionize(turns) if s.turns[0].response == confirmation]
    assert row == Rewrite(
        rewrite_id=rewrite_id(ASSISTANT, GLOBAL, "sauce", AREA_KEY),
        assistant_id=AssistantId(ASSISTANT),
        scope=GLOBAL,
        source_text="sauce",
        source_interpretation="food|null|",
        target_text="the south",
        target_interpretation="food|inform|area=south",
        method="answer",
        score=0.6,  # 3 of 5
        sessions=3,
        users=3,
        source_success_rate=1.0,  # each call ends with it, and nobody protests
        source_count=5,
        target_success_rate=1.0,
        target_count=3,
        failure_point=None,
        evidence=tuple(sorted(behind)),
        question=AREA_KEY,
    )


# Privacy and thresholds


@pytest.mark.parametrize(("confirmed", "silent", "holds"), [(1, 4, False), (2, 3, True), (5, 0, True)])
def test_a_confirmation_to_one_user_is_not_enough(
    calls: Calls, confirmed: int, silent: int, holds: bool
) -> None:
    calls.misheard(AREA, "sauce", IN_THE_SOUTH, confirmed=confirmed, silent=silent)
    assert bool(pairs(calls.turns)) == holds


def test_one_user_counts_once_however_often_they_call(calls: Calls) -> None:
    calls.misheard(AREA, "sauce", "Pardon.", confirmed=3)
    for _ in range(20):
        calls.answer(AREA, "sauce", IN_THE_SOUTH, user="insistent")
    assert pairs(calls.turns) == {}


@pytest.mark.parametrize(("users", "holds"), [(2, False), (3, True)])
def test_what_fewer_have_said_is_no_source(calls: Calls, users: int, holds: bool) -> None:
    calls.misheard(AREA, "sauce", IN_THE_SOUTH, confirmed=users)
    assert bool(pairs(calls.turns)) == holds
    for i in range(9):  # said to another question, it is as rare after this one
        calls.answer(FOOD, "sauce", "Pardon.", user=f"o{i}")
    assert bool(pairs(calls.turns)) == holds


@pytest.mark.parametrize(("users", "holds"), [(2, False), (3, True)])
def test_what_fewer_have_said_is_no_target(users: int, holds: bool) -> None:
    calls = Calls()
    calls.understood(users)
    calls.misheard(AREA, "sauce", IN_THE_SOUTH, confirmed=4)
    assert bool(pairs(calls.turns)) == holds


def test_a_question_that_one_person_was_asked_makes_no_row_though_they_have_several_ids() -> None:
    private = "Shall I call Dr Brown?"
    own, others = Calls(), Calls()
    for calls in (own, others):
        for value in ("yes", "no"):
            for user in range(3):
                calls.answer(private, value, f"You said {value}.", user=f"u{user}", slots={"call": value})
        calls.misheard(private, "yeah hum", "You said yes.", confirmed=3)
    assert [row.target_text for row in mined(others.turns)] == ["yes"]
    one_person = [msgspec.structs.replace(turn, person_id="ann") for turn in own.turns]
    assert mined(one_person) == []


def test_a_slot_of_the_user_who_answers_so_most_often_is_not_told(calls: Calls) -> None:
    for _ in range(4):
        calls.answer(AREA, "sauce", IN_THE_SOUTH, user="ann", slots={"doctor": "dr brown"})
    calls.misheard(AREA, "sauce", IN_THE_SOUTH, confirmed=3)
    (row,) = mined(calls.turns)
    assert row.target_text == "the south"
    assert row.source_interpretation == "food|inform|"
    assert "brown" not in str(row)


def test_the_target_is_what_most_users_say(calls: Calls) -> None:
    for i in range(4):
        calls.answer(AREA, "South!", "Here is south.", user=f"v{i}", slots={"area": "south"})
    for _ in range(9):
        calls.answer(AREA, "down south", "Here is south.", user="v0", slots={"area": "south"})
    calls.misheard(AREA, "sauce", IN_THE_SOUTH, confirmed=3)
    assert pairs(calls.turns) == {(AREA_KEY, "sauce"): "South!"}


@pytest.mark.parametrize(("silent", "holds"), [(8, True), (9, False)])
def test_confirmations_have_a_least_share_in_the_requests(calls: Calls, silent: int, holds: bool) -> None:
    calls.misheard(AREA, "sauce", IN_THE_SOUTH, confirmed=2, silent=silent)
    assert bool(pairs(calls.turns)) == holds


# What is a confirmation, and of what


@pytest.mark.parametrize(
    ("response", "target"),
    [
        ("It is in the South.", "the south"),
        ("Did you say the south of town?", "the south"),
        ("South, then. The south is nice.", "the south"),
        ("There is one in the south east.", "the south east"),  # not the south
        ("The south, or the north?", None),
        ("Sorry, the south or the south east", None),
        ("It is in Southwark.", None),
        ("It is in the west.", None),  # nobody has ever answered so
        ("What area do you want?", None),
        ("It serves thai food.", None),
        ("", None),
    ],
)
def test_a_response_confirms_the_one_value_it_mentions(
    calls: Calls, response: str, target: str | None
) -> None:
    calls.misheard(AREA, "sauce", response, confirmed=3)
    assert pairs(calls.turns) == ({(AREA_KEY, "sauce"): target} if target else {})


def test_a_value_beside_one_that_only_one_user_has_given_is_not_confirmed(calls: Calls) -> None:
    calls.misheard(AREA, "sauce", "The south or the west?", confirmed=3)
    assert pairs(calls.turns) == {(AREA_KEY, "sauce"): "the south"}  # "west" may be anything yet
    calls.answer(AREA, "west", "Here is west.", user="u1", slots={"area": "west"})
    assert pairs(calls.turns) == {}


def test_what_is_understood_as_an_answer_is_left_alone(calls: Calls) -> None:
    calls.misheard(AREA, "norse", "Curry Garden is in the south.", confirmed=3)
    for i in range(4):
        calls.answer(AREA, "norse", "Here is north.", user=f"n{i}", slots={"area": "north"})
    assert pairs(calls.turns) == {}


def test_a_request_that_is_taken_up_was_understood(calls: Calls) -> None:
    for i in range(3):
        told = "Curry Garden is in the south, and cheap."
        calls.answer(AREA, "something cheap", told, user=f"c{i}", slots={"price": "cheap"})
    assert pairs(calls.turns) == {}


def test_a_question_that_is_answered_in_all_ways_asks_for_nothing(calls: Calls) -> None:
    def known(**settings: Any) -> bool:
        return (AREA_KEY, "sauce") in pairs(calls.turns, **settings)

    calls.misheard(AREA, "sauce", IN_THE_SOUTH, confirmed=3)
    assert known()
    for i in range(20):  # 9 of 32 answers give an area now
        calls.answer(AREA, "bye", "Bye.", user=f"b{i}")
    assert not known()
    assert known(min_slot_share=0.25)


def test_no_target_is_a_source(calls: Calls) -> None:
    calls.misheard(AREA, "sauce", IN_THE_SOUTH, confirmed=3)
    calls.misheard(AREA, "the south", "Curry Garden is in the north.", confirmed=2)
    rows = pairs(calls.turns)
    assert rows == {(AREA_KEY, "sauce"): "the south"}


def test_without_questions_there_is_nothing_to_learn(calls: Calls) -> None:
    calls.misheard("Hello.", "sauce", IN_THE_SOUTH, confirmed=9)
    assert pairs(calls.turns) == {}
    assert mined([]) == []


# Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_users", 0),
        ("min_text_users", 0),
        ("min_value_users", 0),
        ("evidence", 0),
        ("min_share", 1.5),
        ("min_share", float("nan")),
        ("min_slot_share", -0.1),
    ],
)
def test_a_setting_out_of_range_is_refused(name: str, value: Any) -> None:
    with pytest.raises(AnswerSettingsError, match=f"{name} is {value}; it must be") as refusal:
        AnswerSettings(**{name: value})
    assert isinstance(refusal.value, RewritingError)
