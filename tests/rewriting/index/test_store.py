import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Engine, select

from rewriting.errors import VectorError
from rewriting.index.indexed_request import IndexedRequest
from rewriting.index.store import (
    INDEX_STATES,
    INDEXED_REQUEST,
    IndexChanges,
    IndexState,
    changes_since,
    held_ids,
    not_encoded,
    set_base,
    store_vectors,
    wanted,
)
from streams.stores.database_schema import reading
from streams.turn import AssistantId

HOME, CAR = AssistantId("home"), AssistantId("car")
LARGE = 2**63 - 1


def request(number: int, text: str | None = None) -> IndexedRequest:
    return IndexedRequest(
        request_id=LARGE - number, text=text or f"größer {number}", interpretation=f"Light|Up|{number}"
    )


def axis(*numbers: int) -> NDArray[np.float32]:
    """The unit vectors along these axes."""
    return np.eye(4, dtype=np.float32)[list(numbers)]


def put(
    engine: Engine, *requests: IndexedRequest, removed: tuple[int, ...] = (), of: AssistantId = HOME
) -> None:
    with engine.begin() as connection:
        wanted(connection, of, requests, [LARGE - number for number in removed])


def encode(engine: Engine, encoder_id: str = "one", of: AssistantId = HOME) -> int:
    """Gives all that wait their vectors; the version after it."""
    with engine.begin() as connection:
        waiting = not_encoded(connection, encoder_id, 100, of).get(of, [])
        vectors = axis(*((LARGE - each.request_id) % 4 for each in waiting))
        return store_vectors(connection, of, encoder_id, waiting, vectors)


def waiting_for(engine: Engine, encoder_id: str = "one") -> dict[AssistantId, set[str]]:
    with reading(engine) as connection:
        found = not_encoded(connection, encoder_id, 100)
    return {assistant: {request.text for request in requests} for assistant, requests in found.items()}


def changes(engine: Engine, version: int, encoder_id: str = "one", of: AssistantId = HOME) -> IndexChanges:
    with reading(engine) as connection:
        return changes_since(connection, of, version, encoder_id)


def state(engine: Engine, of: AssistantId = HOME) -> IndexState:
    with reading(engine) as connection:
        return INDEX_STATES.of(connection, of)


def test_nothing_is_known_of_an_assistant_without_requests(engine: Engine) -> None:
    put(engine)
    assert state(engine) == IndexState(0, 0, None)
    assert waiting_for(engine) == {}
    nothing = changes(engine, 0)
    assert (nothing.requests, nothing.removed, len(nothing.vectors)) == ((), (), 0)


def test_a_request_waits_for_its_vector_and_is_then_a_change(engine: Engine) -> None:
    put(engine, request(1), request(2))
    assert waiting_for(engine) == {HOME: {"größer 1", "größer 2"}}
    assert changes(engine, 0).requests == ()
    assert state(engine).version == 0

    assert encode(engine) == 1
    assert waiting_for(engine) == {}
    assert state(engine).version == 1
    found = changes(engine, 0)
    assert found.requests == (request(2), request(1))  # by id
    assert found.vectors.dtype == np.float16
    assert (found.vectors == axis(2, 1)).all()
    assert changes(engine, 1).requests == ()


def test_what_is_put_again_unchanged_changes_nothing(engine: Engine) -> None:
    put(engine, request(1))
    encode(engine)
    put(engine, request(1))
    assert waiting_for(engine) == {}
    assert state(engine).version == 1


def test_another_text_waits_for_another_vector(engine: Engine) -> None:
    put(engine, request(1), request(2))
    encode(engine)
    put(engine, request(1, "brighter"))
    assert waiting_for(engine) == {HOME: {"brighter"}}
    assert changes(engine, 1).removed == ()
    assert encode(engine) == 2
    assert changes(engine, 1).requests == (request(1, "brighter"),)


def test_a_removed_request_is_a_change_without_its_text(engine: Engine) -> None:
    put(engine, request(1), request(2), request(3))
    encode(engine)
    put(engine, request(3), removed=(1, 3, 9))  # what is put as well is put
    assert state(engine).version == 2
    assert changes(engine, 1).removed == (LARGE - 1,)
    put(engine, removed=(1,))
    assert state(engine).version == 2
    assert waiting_for(engine) == {}
    with reading(engine) as connection:
        rows = connection.execute(select(INDEXED_REQUEST).where(INDEXED_REQUEST.c.request_id == LARGE - 1))
        (row,) = rows
        assert (row.text, row.interpretation, row.vector) == ("", "", None)
        assert sorted(held_ids(connection, HOME).tolist()) == [LARGE - 3, LARGE - 2]

    put(engine, request(1))
    assert waiting_for(engine) == {HOME: {"größer 1"}}
    encode(engine)
    assert changes(engine, 2).requests == (request(1),)
    assert changes(engine, 0).removed == ()


def test_vectors_of_what_changed_meanwhile_are_left_out(engine: Engine) -> None:
    put(engine, request(1), request(2), request(3))
    put(engine, request(2, "brighter"), removed=(3,))
    version = state(engine).version
    read_before = [request(1), request(2), request(3), request(4)]
    with engine.begin() as connection:
        assert store_vectors(connection, HOME, "one", read_before, axis(0, 1, 2, 3)) == version + 1
    assert changes(engine, version).requests == (request(1),)
    assert waiting_for(engine) == {HOME: {"brighter"}}
    with engine.begin() as connection:
        assert store_vectors(connection, HOME, "one", [request(3)], axis(2)) == version + 1


def test_another_encoder_waits_for_all_anew_and_sees_its_own_vectors_alone(engine: Engine) -> None:
    put(engine, request(1), request(2), request(3), removed=())
    encode(engine)
    put(engine, removed=(3,))
    for other in ("another", "two"):  # before and after it in order
        assert waiting_for(engine, other) == {HOME: {"größer 1", "größer 2"}}
    assert changes(engine, 0, "two").requests == ()
    with engine.begin() as connection:
        store_vectors(connection, HOME, "two", [request(1)], axis(0))
    assert changes(engine, 0, "two").requests == (request(1),)
    assert changes(engine, 0, "one").requests == (request(2),)
    assert changes(engine, 0, "two").removed == changes(engine, 0, "one").removed == (LARGE - 3,)


def test_assistants_do_not_see_each_other(engine: Engine) -> None:
    put(engine, request(1))
    put(engine, request(1, "faster"), request(2), of=CAR)
    encode(engine, of=CAR)
    put(engine, removed=(1, 2))
    assert waiting_for(engine) == {}
    assert changes(engine, 0, of=CAR).requests == (request(2), request(1, "faster"))
    assert changes(engine, 0).requests == ()
    with reading(engine) as connection:
        assert held_ids(connection, HOME).tolist() == []
        assert INDEX_STATES.all(connection) == {HOME: IndexState(1), CAR: IndexState(1)}
    with engine.begin() as connection:
        assert set_base(connection, HOME, 1, "base")
    assert state(engine) == IndexState(1, 1, "base")
    assert state(engine, CAR) == IndexState(1, 0, None)


def test_only_some_are_given_at_a_time(engine: Engine) -> None:
    put(engine, *(request(number) for number in range(30)))
    put(engine, *(request(number) for number in range(30)), of=CAR)
    with reading(engine) as connection:
        assert sum(map(len, not_encoded(connection, "one", 40).values())) == 40
        assert set(not_encoded(connection, "one", 100, CAR)) == {CAR}


def test_a_base_lets_what_was_removed_before_it_go(engine: Engine) -> None:
    put(engine, request(1), request(2), request(3))
    encode(engine)
    put(engine, removed=(1,))
    put(engine, removed=(2,))
    with engine.begin() as connection:
        assert set_base(connection, HOME, 2, "base 2")
    with reading(engine) as connection:
        assert sorted(connection.scalars(select(INDEXED_REQUEST.c.request_id))) == [LARGE - 3, LARGE - 2]
    with engine.begin() as connection:
        assert not set_base(connection, HOME, 1, "base 1")
    assert state(engine) == IndexState(3, 2, "base 2")


def test_many_are_put_encoded_and_removed_at_once(engine: Engine) -> None:
    numbers = range(5_000)
    put(engine, *(request(number) for number in numbers))
    with engine.begin() as connection:
        vectors = np.tile(axis(0, 1, 2, 3), (1_250, 1))
        store_vectors(connection, HOME, "one", [request(number) for number in numbers], vectors)
    assert len(changes(engine, 0).requests) == 5_000
    put(engine, removed=tuple(numbers[10:]))
    assert len(changes(engine, 1).removed) == 4_990
    assert state(engine).version == 2


def test_vectors_that_do_not_fit_are_refused(engine: Engine) -> None:
    put(engine, request(1), request(2))
    holed = axis(0)
    holed[0, 0] = np.nan
    with engine.begin() as connection:
        with pytest.raises(VectorError, match="1 requests"):
            store_vectors(connection, HOME, "one", [request(1)], holed)
        with pytest.raises(VectorError, match="2 requests"):
            store_vectors(connection, HOME, "one", [request(1), request(2)], axis(1))
        store_vectors(connection, HOME, "one", [request(1)], axis(1))
        store_vectors(connection, HOME, "one", [request(2)], np.eye(8, dtype=np.float32)[:1])
    with pytest.raises(VectorError, match="different sizes"):
        changes(engine, 0)
