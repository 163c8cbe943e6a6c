import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sqlalchemy import Engine
from structlog.testing import capture_logs

from rewriting.index import base as index_base
from rewriting.index.base import publish_base
from rewriting.index.follower import follow
from rewriting.index.indexed_request import IndexedRequest, request_id
from rewriting.index.request_index import RequestIndex
from rewriting.index.store import (
    INDEX_STATES,
    INDEXED_REQUEST,
    REQUEST_INDEX_STATE,
    not_encoded,
    set_base,
    store_vectors,
    wanted,
)
from streams.stores.database_schema import reading
from streams.turn import AssistantId

HOME, CAR = AssistantId("home/1 ü"), AssistantId("car")
DIMENSION = 16
ONE = "encoder one"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the bases lie."""
    return tmp_path / "bases"


def vector(text: str, encoder_id: str = ONE) -> NDArray[np.float32]:
    """Of each text and encoder one that is its own."""
    seed = request_id(f"{encoder_id} {text}")
    drawn = np.random.default_rng(seed).standard_normal(DIMENSION).astype(np.float32)
    unit: NDArray[np.float32] = drawn / np.linalg.norm(drawn)
    return unit


def change(engine: Engine, *texts: str, removed: tuple[str, ...] = (), of: AssistantId = HOME) -> None:
    """Texts that shall be found, with their vectors, and those that shall not."""
    requests = [IndexedRequest(request_id=request_id(text), text=text, interpretation="") for text in texts]
    with engine.begin() as connection:
        wanted(connection, of, requests, [request_id(text) for text in removed])
    encode(engine, ONE, of)


def encode(engine: Engine, encoder_id: str, of: AssistantId = HOME) -> None:
    with engine.begin() as connection:
        for assistant_id, waiting in not_encoded(connection, encoder_id, 1_000, of).items():
            vectors = np.stack([vector(request.text, encoder_id) for request in waiting])
            store_vectors(connection, assistant_id, encoder_id, waiting, vectors)


def start(encoder_id: str = ONE, of: AssistantId = HOME) -> RequestIndex:
    return RequestIndex.empty(of, encoder_id, DIMENSION)


def followed(index: RequestIndex, engine: Engine, folder: Path) -> RequestIndex:
    with reading(engine) as connection:
        return follow(index, connection, folder)


def assert_finds(index: RequestIndex, *texts: str) -> None:
    """It holds these texts and no others, and finds each by its own vector."""
    everything = index.search(vector("anything", index.encoder_id), 1_000)
    assert sorted(match.entry.text for match in everything) == sorted(texts)
    assert len(index) == len(texts)
    for text in texts:
        (match,) = index.search(vector(text, index.encoder_id), 1)
        assert match.entry.text == text
        assert match.similarity == pytest.approx(1, abs=1e-3)


def errors(logs: list[Any]) -> list[str]:
    return [line["error"] for line in logs if line["log_level"] == "error"]


def test_changes_are_followed_and_nothing_new_is_the_same_object(engine: Engine, folder: Path) -> None:
    index = followed(start(), engine, folder)
    assert_finds(index)
    change(engine, "jazz", "rock", "blues")
    index = followed(index, engine, folder)
    assert_finds(index, "jazz", "rock", "blues")
    assert followed(index, engine, folder) is index

    change(engine, "folk", removed=("rock",))
    assert_finds(followed(index, engine, folder), "jazz", "blues", "folk")
    assert_finds(index, "jazz", "rock", "blues")
    assert_finds(followed(start(), engine, folder), "jazz", "blues", "folk")


def test_a_base_is_followed_by_who_starts_and_by_who_was_there(engine: Engine, folder: Path) -> None:
    change(engine, "jazz", "rock", "blues")
    early = followed(start(), engine, folder)
    change(engine, removed=("rock",))
    worker = publish_base(engine, followed(start(), engine, folder), folder)
    assert_finds(worker, "jazz", "blues")
    assert followed(worker, engine, folder) is worker

    change(engine, "folk", removed=("jazz",))
    for index in (start(), early, worker):
        with capture_logs() as logs:
            index = followed(index, engine, folder)
        assert errors(logs) == []
        assert_finds(index, "blues", "folk")
        assert index.base_name == worker.base_name
    with reading(engine) as connection:  # what the base does not hold is not kept as removed
        ids = connection.scalars(INDEXED_REQUEST.select().with_only_columns(INDEXED_REQUEST.c.request_id))
        assert set(ids) == {request_id(text) for text in ("jazz", "blues", "folk")}


def test_bases_before_the_former_one_are_deleted(engine: Engine, folder: Path) -> None:
    change(engine, "engine off", of=CAR)
    car = publish_base(engine, followed(start(of=CAR), engine, folder), folder)
    names = []
    index = start()
    for number in range(4):
        change(engine, f"song {number}")
        index = publish_base(engine, followed(index, engine, folder), folder)
        names.append(index.base_name)
    assert {path.name for path in folder.iterdir()} == {car.base_name, *names[-2:]}
    assert_finds(followed(start(), engine, folder), *(f"song {number}" for number in range(4)))


def test_what_a_killed_publisher_leaves_is_deleted_in_time(
    engine: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*arguments: object) -> bool:
        raise KeyboardInterrupt

    change(engine, "jazz")
    before = publish_base(engine, followed(start(), engine, folder), folder)
    change(engine, "rock")
    monkeypatch.setattr(index_base, "set_base", die)
    with pytest.raises(KeyboardInterrupt):
        publish_base(engine, followed(before, engine, folder), folder)
    monkeypatch.undo()
    (folder / f".{before.base_name}.0123.partial").mkdir()
    (folder / "something else").mkdir()
    assert len(list(folder.iterdir())) == 4

    after = followed(start(), engine, folder)
    assert_finds(after, "jazz", "rock")
    assert after.base_name == before.base_name
    names = [publish_base(engine, after, folder).base_name]
    change(engine, "blues")
    names.append(publish_base(engine, followed(start(), engine, folder), folder).base_name)
    assert {path.name for path in folder.iterdir()} == {"something else", *names}


def test_a_base_older_than_the_one_in_use_is_not_published(engine: Engine, folder: Path) -> None:
    change(engine, "jazz")
    older = followed(start(), engine, folder)
    change(engine, "rock")
    newer = publish_base(engine, followed(start(), engine, folder), folder)
    publish_base(engine, older, folder)
    with reading(engine) as connection:
        assert INDEX_STATES.of(connection, HOME).base_name == newer.base_name
    assert [path.name for path in folder.iterdir()] == [newer.base_name]


def cut(base: Path) -> None:
    path = base / "vectors.faiss"
    path.write_bytes(path.read_bytes()[:-20])


def flip(base: Path) -> None:
    content = bytearray((base / "texts.npy").read_bytes())
    content[-1] ^= 1
    (base / "texts.npy").write_bytes(content)


@pytest.mark.parametrize("damage", [shutil.rmtree, cut, flip])
def test_a_damaged_base_is_logged_and_done_without(engine: Engine, folder: Path, damage: Any) -> None:
    change(engine, "jazz", "rock", "blues")
    early = followed(start(), engine, folder)
    change(engine, removed=("rock",))
    base = publish_base(engine, followed(start(), engine, folder), folder)
    change(engine, "folk")
    damage(folder / str(base.base_name))

    for index in (start(), early):
        with capture_logs() as logs:
            index = followed(index, engine, folder)
        assert len(errors(logs)) == 1
        assert str(base.base_name) in errors(logs)[0]
        assert_finds(index, "jazz", "blues", "folk")  # though the row of "rock" is there no more
        with capture_logs() as logs:
            assert followed(index, engine, folder) is index  # is not tried again and again
        assert errors(logs) == []

        change(engine, "soul")
        assert_finds(followed(index, engine, folder), "jazz", "blues", "folk", "soul")
        change(engine, removed=("soul",))

    mended = publish_base(engine, followed(early, engine, folder), folder)
    with capture_logs() as logs:
        assert_finds(followed(start(), engine, folder), "jazz", "blues", "folk")
    assert errors(logs) == []
    assert mended.base_name != base.base_name


def test_the_base_of_another_assistant_is_never_used(engine: Engine, folder: Path) -> None:
    change(engine, "jazz")
    change(engine, "engine off", of=CAR)
    car = publish_base(engine, followed(start(of=CAR), engine, folder), folder)
    with engine.begin() as connection:
        set_base(connection, HOME, 1, str(car.base_name))
    with capture_logs() as logs:
        index = followed(start(), engine, folder)
    assert_finds(index, "jazz")
    assert len(errors(logs)) == 1
    assert "is of assistant 'car'" in errors(logs)[0]
    assert_finds(followed(start(of=CAR), engine, folder), "engine off")


def test_an_index_follows_the_vectors_of_its_encoder_alone(engine: Engine, folder: Path) -> None:
    change(engine, "jazz", "rock", "blues")
    old = publish_base(engine, followed(start(), engine, folder), folder)
    encode(engine, "encoder two")
    change(engine, removed=("rock",))  # and what is left is encoded as before, again
    encode(engine, "encoder two")

    assert_finds(followed(old, engine, folder), "jazz", "blues")
    with capture_logs() as logs:
        new = followed(start("encoder two"), engine, folder)
    assert errors(logs) == []
    assert_finds(new, "jazz", "blues")

    publish_base(engine, new, folder)
    assert_finds(followed(start("encoder two"), engine, folder), "jazz", "blues")
    still = followed(old, engine, folder)  # has no base any more that it could read
    assert_finds(still, "jazz", "blues")
    change(engine, removed=("jazz",))
    assert_finds(followed(still, engine, folder), "blues")


def test_a_database_that_was_restored_is_read_anew(engine: Engine, folder: Path) -> None:
    change(engine, "jazz")
    change(engine, "rock")
    index = publish_base(engine, followed(start(), engine, folder), folder)
    with engine.begin() as connection:
        connection.execute(INDEXED_REQUEST.delete())
        connection.execute(REQUEST_INDEX_STATE.delete())
    change(engine, "blues")
    assert_finds(followed(index, engine, folder), "blues")
