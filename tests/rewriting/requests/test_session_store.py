import pytest
from sqlalchemy import Engine
from turns import turn_event

from rewriting.requests.history import RequestHistory
from rewriting.requests.session_store import (
    REQUEST_STORE,
    read_history,
    start_written_epoch,
)
from rewriting.requests.step import SessionRequests, session_requests
from streams.session import Session, SessionId
from streams.stores.database_schema import reading
from streams.turn import AssistantId, UserId

HOME, CAR = AssistantId("home/1 ü"), AssistantId("car")
ANN, BOB = UserId("ann"), UserId("bob")


def session(number: int, user: UserId = ANN, of: AssistantId = HOME) -> SessionRequests:
    """One that begins in second `number`: a text that is tried twice."""
    turns = [
        turn_event(
            text, event_id=f"e{number}-{i}", assistant_id=of, user_id=user, ts_ms=1_000 * number + 500 * i
        )
        for i, text in enumerate([f"play sonk {number}", f"play song {number}"])
    ]
    return session_requests(
        Session(session_id=SessionId(f"{number:024x}"), assistant_id=of, user_id=user, turns=tuple(turns))
    )


def store(engine: Engine, *sessions: SessionRequests) -> None:
    with engine.begin() as connection:
        REQUEST_STORE.store(connection, sessions)


def stored(engine: Engine, of: AssistantId = HOME) -> list[SessionRequests]:
    with reading(engine) as connection:
        return list(REQUEST_STORE.all(connection, of))


def history(engine: Engine, user: UserId = ANN, of: AssistantId = HOME, limit: int = 500) -> RequestHistory:
    with reading(engine) as connection:
        return read_history(connection, of, user, limit)


def folded(*sessions: SessionRequests) -> RequestHistory:
    return RequestHistory(sessions)


def test_sessions_come_back_in_the_order_of_time(engine: Engine) -> None:
    later_id = session(1)
    sessions = [session(9), session(3, BOB), later_id]
    same_start = SessionRequests(SessionId("0" * 24), HOME, BOB, later_id.steps)
    store(engine, *sessions, same_start, session(2, of=CAR))
    assert stored(engine) == [same_start, later_id, session(3, BOB), session(9)]
    assert stored(engine, CAR) == [session(2, of=CAR)]
    with reading(engine) as connection:
        found = REQUEST_STORE.of(connection, [session(3).session_id, SessionId("f" * 24)])
        assert found == {session(3).session_id: session(3, BOB)}
        assert REQUEST_STORE.of(connection, []) == {}


def test_a_session_is_replaced_and_one_without_requests_is_dropped(engine: Engine) -> None:
    store(engine, session(1), session(2))
    shorter = SessionRequests(session(1).session_id, HOME, ANN, session(1).steps[:1])
    store(engine, shorter, SessionRequests(session(2).session_id, HOME, ANN, ()))
    assert stored(engine) == [shorter]


def test_a_history_is_made_of_the_users_own_sessions(engine: Engine) -> None:
    store(engine, *(session(n) for n in (4, 2, 3)), session(5, BOB), session(6, of=CAR))
    read, expected = history(engine), folded(session(2), session(3), session(4))
    assert (read.habits, read.said, read.repairs) == (expected.habits, expected.said, expected.repairs)
    assert "play sonk 2" in read.said
    assert not history(engine, UserId("nobody")).said
    assert not history(engine, BOB, CAR).said


@pytest.mark.parametrize("limit", [1, 2])
def test_a_history_is_of_the_most_recent_sessions(engine: Engine, limit: int) -> None:
    store(engine, *(session(n) for n in (7, 9, 8)))
    read, expected = history(engine, limit=limit), folded(*[session(n) for n in (7, 8, 9)][-limit:])
    assert (read.habits, read.said) == (expected.habits, expected.said)


def test_a_forgotten_user_is_gone_and_who_holds_the_counts_hears_of_it(engine: Engine) -> None:
    store(engine, session(1), session(2, BOB), session(3, of=CAR))
    with engine.begin() as connection:
        REQUEST_STORE.forget_user(connection, HOME, ANN)
        REQUEST_STORE.forget_user(connection, HOME, UserId("nobody"))
    assert stored(engine) == [session(2, BOB)]
    assert stored(engine, CAR) == [session(3, of=CAR)]
    with reading(engine) as connection:
        epochs = REQUEST_STORE.epochs.all(connection)
    assert {key: epoch.epoch for key, epoch in epochs.items()} == {HOME: 1}
    assert epochs[HOME].written_epoch != 1


def test_epochs_are_counted(engine: Engine) -> None:
    with engine.begin() as connection:
        assert REQUEST_STORE.start_epoch(connection, HOME) == 1
        assert start_written_epoch(connection, HOME) == 2
        assert REQUEST_STORE.epochs.all(connection)[HOME].written_epoch == 2
