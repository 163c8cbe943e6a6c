"""Requests that name no assistant, to a server without keys in its settings."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from databases import new_database, opened
from litestar import Litestar
from litestar.testing import TestClient
from rewrites import put, rewrite_row
from sqlalchemy import Engine
from waiting import eventually

from rewriting.chains.store import CHAIN_STORE
from rewriting.feedback.store import DatabaseFeedbackStore
from rewriting.table.rewrite import GLOBAL, rewrite_id
from rewriting.table.rewrite_table import RewriteTable
from streams.turn import AssistantId

Client = TestClient[Litestar]
Serving = Callable[..., AbstractContextManager[Client]]

HOME = AssistantId("home")
LAMP = "turn of the lamp"
LAMP_ID = rewrite_id(HOME, GLOBAL, LAMP)
LOOKUP = {"user_id": "ann", "text": LAMP}
FEEDBACK = {"user_id": "ann", "event_id": "e", "feedback": "negative"}


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """A database in which nothing was learned."""
    with opened(new_database(tmp_path / "tables.db")) as engine:
        yield engine


def learn(engine: Engine, assistant_id: AssistantId) -> None:
    row = rewrite_row(LAMP, "turn off the lamp", assistant_id=assistant_id)
    put(RewriteTable(engine, lambda: 1), engine, [row], assistant=assistant_id)


def test_the_only_assistant_need_not_be_named(client: Client, engine: Engine) -> None:
    learn(engine, HOME)
    eventually(lambda: client.post("/v1/rewrite", json=LOOKUP).json()["rewrite"] is not None)
    assert client.post("/v1/rewrite", json=LOOKUP).json()["rewrite"]["id"] == LAMP_ID
    assert client.post("/v1/feedback", json=FEEDBACK).status_code == 201
    assert [given.user_id for given in DatabaseFeedbackStore(engine).of_assistant(HOME)] == ["ann"]
    assert client.get("/v1/table").json()["assistant_id"] == HOME
    assert client.get(f"/v1/rewrites/{LAMP_ID}/explain").json()["rewrite"]["source_text"] == LAMP
    assert (
        client.post(f"/v1/rewrites/{LAMP_ID}/block", json={"reason": "wrong"}).json()["status"] == "blocked"
    )
    assert client.post("/v1/forgotten-users", json={"user_id": "ann"}).status_code == 204
    assert DatabaseFeedbackStore(engine).of_assistant(HOME) == []
    assert client.delete("/v1/users/ann").status_code == 204
    assert 'outcome="rewritten"' in client.get("/metrics").text


def test_before_anything_is_learned_a_lookup_is_no_mistake(client: Client) -> None:
    answer = client.post("/v1/rewrite", json=LOOKUP)
    assert answer.status_code == 200
    assert (answer.json()["rewrite"], answer.json()["reason"]) == (None, "no_table")
    assert answer.json()["arm"] is None  # whose hash would be another once the assistant is known
    for answer in (
        client.post("/v1/feedback", json=FEEDBACK),
        client.get("/v1/table"),
        client.post("/v1/forgotten-users", json={"user_id": "ann"}),
    ):
        assert answer.status_code == 400
        assert "no assistant is known yet" in answer.json()["message"]


@pytest.mark.parametrize("has_table", [True, False])
def test_of_several_assistants_one_has_to_be_named(client: Client, engine: Engine, has_table: bool) -> None:
    garden = AssistantId("garden")
    learn(engine, HOME)
    if has_table:
        learn(engine, garden)
    else:  # its log is read, and has taught nothing yet
        with engine.begin() as connection:
            CHAIN_STORE.epochs.lock(connection, garden)
    eventually(lambda: client.post("/v1/rewrite", json=LOOKUP).status_code == 400)
    for answer in (
        client.post("/v1/rewrite", json=LOOKUP),
        client.post("/v1/feedback", json=FEEDBACK),
        client.get("/v1/table"),
        client.delete("/v1/users/ann"),
        client.post("/v1/forgotten-users", json={"user_id": "ann"}),
    ):
        assert answer.status_code == 400
        assert "several assistants (garden, home): name one in assistant_id" in answer.json()["message"]
    assert client.post("/v1/rewrite", json=LOOKUP | {"assistant_id": HOME}).json()["rewrite"]["id"] == LAMP_ID


def test_a_message_does_not_list_a_hundred_assistants(client: Client, engine: Engine) -> None:
    with engine.begin() as connection:
        for number in range(100):
            CHAIN_STORE.epochs.lock(connection, AssistantId(f"a{number:02}"))
    eventually(lambda: client.post("/v1/rewrite", json=LOOKUP).status_code == 400)
    assert "(a00, a01, a02, a03, a04, ...)" in client.post("/v1/rewrite", json=LOOKUP).json()["message"]
