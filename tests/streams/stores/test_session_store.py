from collections.abc import Sequence

import msgspec
import pytest
from sqlalchemy import Engine, select
from turns import turn_event

from services.simulator import GeneratedLogSettings, generate_turns
from streams.session import DEFAULT_GAP_MS, Session, sessionize
from streams.stores.database_schema import reading
from streams.stores.session_store import (
    SEEN_EVENT,
    SESSION,
    close_sessions,
    forget_user_sessions,
    has_open_sessions,
    lock_sessions,
    mark_emitted,
    new_turns,
    read_sessions,
    sessions_to_emit,
    store_turns,
    user_session_ids,
)
from streams.turn import AssistantId, TurnEvent, UserId

A, U = AssistantId("a"), UserId("u")


def turn(event_id: str, ts_ms: int, user_id: str = U, dialogue_id: str | None = None) -> TurnEvent:
    return turn_event(
        "play jazz \U0001f3b7\u0000",
        event_id=event_id,
        assistant_id=A,
        user_id=user_id,
        ts_ms=ts_ms,
        dialogue_id=dialogue_id,
    )


def store(engine: Engine, turns: Sequence[TurnEvent], partition: int | None = 0) -> int:
    """Stores turns, of a partition or of files; gives the number of new ones."""
    partitions = {} if partition is None else {(t.assistant_id, t.user_id): partition for t in turns}
    with engine.begin() as connection:
        lock_sessions(connection, alone=partition is None)
        new = new_turns(connection, turns)
        store_turns(connection, new, partitions)
    return len(new.turns)


def stored(engine: Engine, assistant_id: str = A) -> list[Session]:
    with reading(engine) as connection:
        ids = connection.scalars(select(SESSION.c.session_id)).all()
        return read_sessions(connection, AssistantId(assistant_id), ids)


def emitted(engine: Engine, partitions: Sequence[int] = (0,)) -> list[list[str]]:
    """Emits what is to be emitted; the event ids of each session."""
    with engine.begin() as connection:
        sessions = sessions_to_emit(connection, partitions)
        mark_emitted(connection, [session.session_id for session in sessions])
    turns = [msgspec.json.decode(session.turns, type=list[TurnEvent]) for session in sessions]
    return [[turn.event_id for turn in of_session] for of_session in turns]


def close(engine: Engine, before_ms: int, partition: int = 0) -> None:
    with engine.begin() as connection:
        close_sessions(connection, partition, before_ms)


def by_id(sessions: Sequence[Session]) -> list[Session]:
    return sorted(sessions, key=lambda session: session.session_id)


def test_what_is_stored_is_what_is_read(engine: Engine) -> None:
    turns = [turn("a", 0), turn("b", 10), turn("c", 10**6), turn("d", 5, dialogue_id="x"), turn("e", 1, "v")]
    assert store(engine, turns) == 5
    assert stored(engine) == by_id(sessionize(turns))
    assert stored(engine, "other") == []


@pytest.mark.parametrize("batch", [1, 7, 1_000])
def test_batches_do_not_matter(engine: Engine, batch: int) -> None:
    log = list(generate_turns(300, GeneratedLogSettings(users=100, assistant_id=A)))
    backwards = log[::-1]
    for start in range(0, len(log), batch):
        store(engine, backwards[start : start + batch])
    assert stored(engine) == by_id(sessionize(log))


def test_turns_exactly_one_gap_apart_share_a_session_whichever_is_stored_first(engine: Engine) -> None:
    first, second = turn("a", 0), turn("b", DEFAULT_GAP_MS)
    later, earlier = turn("c", DEFAULT_GAP_MS, "v"), turn("d", 0, "v")
    for one in (first, second, later, earlier):
        store(engine, [one])
    assert stored(engine) == by_id(sessionize([first, second, later, earlier]))
    assert len(stored(engine)) == 2


def test_a_replay_changes_nothing(engine: Engine) -> None:
    turns = [turn("a", 0), turn("b", 10), turn("c", 10**6)]
    store(engine, turns)
    close(engine, 10**7)
    emitted(engine)
    assert store(engine, turns) == 0
    assert store(engine, [turns[1], turns[1]]) == 0
    close(engine, 10**7)
    assert emitted(engine) == []


def test_sessions_are_emitted_once_they_are_closed_and_again_when_they_change(engine: Engine) -> None:
    store(engine, [turn("a", 0), turn("b", 10), turn("c", 100_000)])
    assert emitted(engine) == []
    close(engine, 10)
    assert emitted(engine) == []
    close(engine, 11)
    assert emitted(engine) == [["a", "b"]]
    store(engine, [turn("late", 5)])
    close(engine, 11)
    assert emitted(engine) == [["a", "late", "b"]]
    assert emitted(engine) == []


def test_sessions_are_emitted_by_who_has_their_partition(engine: Engine) -> None:
    store(engine, [turn("a", 0)], partition=1)
    close(engine, 10**7, partition=0)
    assert has_open(engine, 1)
    close(engine, 10**7, partition=1)
    assert not has_open(engine, 1)
    assert emitted(engine, [0, 2]) == []
    assert emitted(engine, [0, 1]) == [["a"]]


def has_open(engine: Engine, partition: int) -> bool:
    with reading(engine) as connection:
        return has_open_sessions(connection, [partition])


def test_a_withdrawn_session_is_emitted_without_turns_and_then_gone(engine: Engine) -> None:
    store(engine, [turn("a", 0), turn("c", 80_000)])
    close(engine, 10**7)
    assert emitted(engine) == [["a"], ["c"]]
    store(engine, [turn("b", 40_000)])
    close(engine, 10**7)
    assert sorted(emitted(engine)) == [[], ["a", "b", "c"]]
    assert len(stored(engine)) == 1
    with reading(engine) as connection:
        assert len(connection.execute(select(SESSION)).all()) == 1


def test_sessions_of_files_are_nobodys_to_emit_and_leave_nothing_when_withdrawn(engine: Engine) -> None:
    store(engine, [turn("a", 0), turn("c", 80_000)], partition=None)
    store(engine, [turn("b", 40_000)], partition=None)
    with reading(engine) as connection:
        rows = connection.execute(select(SESSION.c.emitted)).all()
    assert [tuple(row) for row in rows] == [(True,)]


def test_a_session_of_a_file_that_goes_on_in_kafka_is_emitted_whole(engine: Engine) -> None:
    store(engine, [turn("a", 0)], partition=None)
    store(engine, [turn("b", 10)], partition=0)
    close(engine, 10**7)
    assert emitted(engine) == [["a", "b"]]


def test_a_forgotten_user_is_gone_and_a_replay_does_not_bring_them_back(engine: Engine) -> None:
    turns = [turn("a", 0), turn("b", 10**6), turn("c", 0, "v")]
    store(engine, turns)
    with engine.begin() as connection:
        lock_sessions(connection, alone=True)
        assert len(user_session_ids(connection, A, U)) == 2
        forget_user_sessions(connection, A, U)
        assert user_session_ids(connection, A, U) == []
    assert [session.user_id for session in stored(engine)] == ["v"]
    assert store(engine, turns) == 0
    assert [session.user_id for session in stored(engine)] == ["v"]
    with reading(engine) as connection:
        assert len(connection.execute(select(SEEN_EVENT)).all()) == 3


def test_users_with_awkward_names(engine: Engine) -> None:
    names = ["u", "U", "u ", "a/u", "ü", "u\u0308", "'; DROP TABLE session; --", "x" * 512]
    store(engine, [turn(f"e{number}", 0, name) for number, name in enumerate(names)])
    assert {session.user_id for session in stored(engine)} == set(names)
