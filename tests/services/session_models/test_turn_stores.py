"""What holds for the store of every kind whose verdicts are of turns."""

from collections.abc import Sequence
from typing import Any, Final

import pytest
from letter_failures import LetterFailures
from letter_labels import LetterLabels
from letter_models import CASE_OF, ModelCase
from sqlalchemy import Engine
from turns import turn_event

from services.settings import Settings
from streams.session import Session, sessionize
from streams.stores.checkpoint import save_offsets
from streams.stores.database_schema import reading
from streams.stores.turn_store import TurnChange, TurnStore
from streams.stream_task import OffsetRange
from streams.turn import AssistantId, TurnEvent, UserId
from streams.verdict import Judged

A = AssistantId("a")
OTHERWISE: Final = {"labels": lambda: LetterLabels(0.5), "failures": lambda: LetterFailures(0.8)}
"""Models that say something else of turns that are followed by one with the same first letter."""

pytestmark = pytest.mark.parametrize("case", [CASE_OF[name] for name in OTHERWISE], ids=list(OTHERWISE))


def dialogue(
    texts: Sequence[str], user: str = "u", assistant: str = "a", start_ms: int = 0
) -> list[TurnEvent]:
    return [
        turn_event(text, event_id=f"{user}-{ts_ms}", user_id=user, assistant_id=assistant, ts_ms=ts_ms)
        for text, ts_ms in zip(texts, range(start_ms, start_ms + 10**6, 1_000), strict=False)
    ]


def session_of(turns: Sequence[TurnEvent]) -> Session:
    (session,) = sessionize(turns)
    return session


def store_of(case: ModelCase) -> TurnStore[Any]:
    assert case.kind.turns is not None
    return case.kind.turns.store


def put(engine: Engine, case: ModelCase, *sessions: Session, model: Any = None, name: str = "m") -> None:
    verdicts = case.kind.judge(model or case.new(), sessions)
    judged = [Judged(session, name, said) for session, said in zip(sessions, verdicts, strict=True)]
    with engine.begin() as connection:
        case.kind.effect(engine, Settings(), lambda: 1).keep(connection, judged, [])


def drop(engine: Engine, case: ModelCase, session: Session) -> None:
    with engine.begin() as connection:
        store_of(case).drop(connection, [session.session_id])


def stored(engine: Engine, case: ModelCase, session: Session) -> list[Any]:
    with reading(engine) as connection:
        return store_of(case).records(connection, [session.session_id]).get(session.session_id, [])


def announce(engine: Engine, case: ModelCase, limit: int = 100) -> list[TurnChange[Any]]:
    """What the topic lacked, and now has."""
    with reading(engine) as connection:
        changes = store_of(case).changes(connection, limit)
    with engine.begin() as connection:
        store_of(case).mark_announced(connection, changes)
    return changes


def withdrawn(changes: Sequence[TurnChange[Any]]) -> dict[str, bool]:
    return {change.key: change.record is None for change in changes}


def test_what_is_stored_is_what_was_said(engine: Engine, case: ModelCase) -> None:
    session = session_of(dialogue(["ahush", "aquiet please", "bhush \x00 “é”", "Z"]))
    put(engine, case, session)
    assert case.kind.turns is not None
    verdict = case.kind.turns.verdict
    (said,) = case.kind.judge(case.new(), [session])
    assert [
        verdict(**{name: getattr(record, name) for name in verdict.__struct_fields__})
        for record in stored(engine, case, session)
    ] == said
    with reading(engine) as connection:
        known = store_of(case).known(connection, [session.session_id])
        assert known == {session.session_id: ("m", session.turns_key)}
        assert store_of(case).counts(connection, A) == (1, 4)
        assert store_of(case).counts(connection, AssistantId("b")) == (0, 0)


def test_the_same_again_changes_nothing_and_a_change_is_announced_once(
    engine: Engine, case: ModelCase
) -> None:
    session = session_of(dialogue(["ahush", "aquiet please", "bhush"]))
    put(engine, case, session)
    assert [change.key for change in announce(engine, case)] == ["a/u-0", "a/u-1000", "a/u-2000"]
    put(engine, case, session)
    assert announce(engine, case) == []
    before = stored(engine, case, session)
    put(engine, case, session, model=OTHERWISE[case.kind.name]())
    changed = [new for old, new in zip(before, stored(engine, case, session), strict=True) if old != new]
    assert changed[0].event_id == "u-0"
    assert [change.record for change in announce(engine, case)] == changed
    put(engine, case, session, model=OTHERWISE[case.kind.name](), name="other")
    assert len(announce(engine, case)) == 3


def test_a_turn_that_changes_while_it_is_announced_is_announced_again(
    engine: Engine, case: ModelCase
) -> None:
    session = session_of(dialogue(["ahush", "aquiet please"]))
    put(engine, case, session)
    with reading(engine) as connection:
        told = store_of(case).changes(connection, 100)
    put(engine, case, session, model=OTHERWISE[case.kind.name]())
    with engine.begin() as connection:
        store_of(case).mark_announced(connection, told)
    again = announce(engine, case)
    assert again[0].record == stored(engine, case, session)[0] != told[0].record


def test_announcing_goes_on_where_the_limit_has_stopped_it(engine: Engine, case: ModelCase) -> None:
    sessions = [session_of(dialogue(["ahush", "bhush"], user=f"u{i}")) for i in range(3)]
    put(engine, case, *sessions)
    told: list[str] = []
    while changes := announce(engine, case, limit=4):
        told += [change.key for change in changes]
    assert sorted(told) == sorted(f"a/{turn.event_id}" for session in sessions for turn in session.turns)


def test_turns_that_are_no_longer_in_a_session_lose_what_was_said(engine: Engine, case: ModelCase) -> None:
    turns = dialogue(["ahush", "aquiet please", "bhush"])
    put(engine, case, session_of(turns))
    announce(engine, case)
    put(engine, case, session_of(turns[:2]))
    assert withdrawn(announce(engine, case)) == {"a/u-2000": True}
    assert [one.event_id for one in stored(engine, case, session_of(turns))] == ["u-0", "u-1000"]


@pytest.mark.parametrize("joined_first", [True, False])
def test_turns_that_move_to_another_session_keep_one_row(
    engine: Engine, case: ModelCase, joined_first: bool
) -> None:
    early, late = dialogue(["ahush"]), dialogue(["aquiet please"], start_ms=60_000)
    put(engine, case, session_of(early), session_of(late))
    announce(engine, case)
    joined = session_of([*early, *dialogue(["amiddle"], start_ms=30_000), *late])
    steps = [lambda: put(engine, case, joined), lambda: drop(engine, case, session_of(late))]
    for step in steps if joined_first else reversed(steps):
        step()
    assert len(stored(engine, case, joined)) == 3
    assert stored(engine, case, session_of(late)) == []
    assert not any(withdrawn(announce(engine, case)).values())
    with reading(engine) as connection:
        assert store_of(case).counts(connection, A) == (1, 3)


def test_events_of_two_assistants_may_have_the_same_id(engine: Engine, case: ModelCase) -> None:
    sessions = [session_of(dialogue(["ahush"], assistant=key)) for key in "ab"]
    put(engine, case, *sessions)
    drop(engine, case, sessions[1])
    assert [len(stored(engine, case, session)) for session in sessions] == [1, 0]
    assert withdrawn(announce(engine, case)) == {"a/u-0": False, "b/u-0": True}


@pytest.mark.parametrize("is_published", [True, False])
def test_a_forgotten_user_is_withdrawn_and_others_stay(
    engine: Engine, case: ModelCase, is_published: bool
) -> None:
    sessions = [
        session_of(dialogue(["ahush", "bhush"], user=user, assistant=assistant))
        for user, assistant in (("u", "a"), ("v", "a"), ("u", "b"))
    ]
    put(engine, case, *sessions)
    announce(engine, case, limit=4)
    with engine.begin() as connection:
        if is_published:
            save_offsets(connection, store_of(case).task, "sessions", {0: OffsetRange(None, 3)})
        store_of(case).forget_user(connection, A, UserId("u"))
    assert [bool(stored(engine, case, session)) for session in sessions] == [False, True, True]
    told = withdrawn(announce(engine, case))
    gone = {"a/u-0": True, "a/u-1000": True} if is_published else {}
    assert {key: is_gone for key, is_gone in told.items() if key.startswith("a/u")} == gone
    with reading(engine) as connection:
        assert not store_of(case).has_changes(connection)
