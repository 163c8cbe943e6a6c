from sqlalchemy import Engine
from turns import turn_event

from streams.session import Session, sessionize
from streams.stores.database_schema import reading
from streams.stores.session_notice import drop_notices, forget_user_notices, note_sessions, noted_sessions
from streams.turn import AssistantId, UserId


def session_of(user_id: str) -> Session:
    (session,) = sessionize([turn_event("play jazz", event_id=user_id, user_id=user_id)])
    return session


def noted(engine: Engine, *partitions: int, task: str = "labels") -> set[str]:
    with reading(engine) as connection:
        return {item.session_id for item in noted_sessions(connection, task, partitions)}


def test_sessions_are_noted_by_partition_until_they_are_told(engine: Engine) -> None:
    first, second = session_of("u1"), session_of("u2")
    with engine.begin() as connection:
        note_sessions(connection, "labels", [first, second], {first.session_id: 0, second.session_id: 1})
        note_sessions(connection, "labels", [first], {first.session_id: 0})
    assert noted(engine, 0) == {first.session_id}
    assert noted(engine, 0, 1) == {first.session_id, second.session_id}
    with engine.begin() as connection:
        drop_notices(connection, "labels", [first.session_id])
    assert noted(engine, 0, 1) == {second.session_id}


def test_each_task_announces_what_it_has_found_out(engine: Engine) -> None:
    session = session_of("u1")
    with engine.begin() as connection:
        for task in ("labels", "rephrases"):
            note_sessions(connection, task, [session], {session.session_id: 0})
        drop_notices(connection, "labels", [session.session_id])
    assert noted(engine, 0) == set()
    assert noted(engine, 0, task="rephrases") == {session.session_id}


def test_a_user_who_is_forgotten_is_in_no_notice(engine: Engine) -> None:
    first, second = session_of("u1"), session_of("u2")
    with engine.begin() as connection:
        note_sessions(connection, "labels", [first, second], {first.session_id: 0, second.session_id: 0})
        forget_user_notices(connection, AssistantId(first.assistant_id), UserId("u1"))
    assert noted(engine, 0) == {second.session_id}
