from pathlib import Path

import pytest
from learning_tasks import index_task, rest
from sqlalchemy import Engine, select
from streaming import everything, feed, records_of, store_log
from structlog.testing import capture_logs
from tiny_encoder import write_tiny_base

from labeling.models.in_use import model_folder, set_models
from rewriting.encoders.text_encoder import TextEncoder, encoder_id
from rewriting.index.follower import follow
from rewriting.index.request_index import IndexMatch, RequestIndex
from rewriting.index.store import INDEX_STATES, INDEXED_REQUEST, index_folder
from services.learners import index_publishing
from services.learners.index_encoding import encode_all
from services.platform.clock import now_ms
from services.privacy.forgetting import forget_user
from services.simulator import PlantedPair, planted_log
from streams.stores.database_schema import reading
from streams.turn import AssistantId, TurnEvent, UserId

ASSISTANT = AssistantId("planted-assistant")
SONGS = {"play song 0", "play song 1", "play song 2"}


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text encoder of random weights."""
    from labeling.models.encoder_base import load_base
    from rewriting.encoders.export import export_text_encoder
    from rewriting.encoders.model import TextEncoderModel

    folder = tmp_path_factory.mktemp("encoder")
    base = write_tiny_base(folder / "base", ["play", "song", "sonk"])
    export_text_encoder(TextEncoderModel(load_base(base), dimension=8), folder / "encoder")
    return folder / "encoder"


@pytest.fixture
def log() -> list[TurnEvent]:
    """Three second tries: one of three users, two of four."""
    return planted_log(
        [PlantedPair(source=f"play sonk {i}", target=f"play song {i}", users=3 + (i > 0)) for i in range(3)]
    )


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def use_encoder(engine: Engine, state: Path, folder: Path, name: str = "encoder-1") -> TextEncoder:
    """Has the assistant use an encoder from now on."""
    models = model_folder(state, ASSISTANT)
    models.mkdir(parents=True, exist_ok=True)
    (models / name).symlink_to(folder)
    with engine.begin() as connection:
        set_models(connection, ASSISTANT, {"encoder": name}, now_ms())
    return TextEncoder.load(models / name)


def index(engine: Engine, state: Path, encoder: TextEncoder, folder: Path) -> RequestIndex:
    """As the lookup has it that begins now."""
    empty = RequestIndex.empty(ASSISTANT, encoder_id(folder), encoder.dimension)
    with reading(engine) as connection:
        return follow(empty, connection, index_folder(state))


def found(index: RequestIndex, encoder: TextEncoder, text: str) -> str:
    return index.search(encoder.encode([text])[0], 1)[0].entry.text


def waiting(engine: Engine) -> set[str]:
    with reading(engine) as connection:
        rows = connection.execute(select(INDEXED_REQUEST).where(INDEXED_REQUEST.c.encoder_id == ""))
        return {row.text for row in rows}


def test_requests_are_found_soon_after_their_sessions(
    engine: Engine, log: list[TurnEvent], state: Path, encoder_folder: Path
) -> None:
    encoder = use_encoder(engine, state, encoder_folder)
    store_log(engine, log)
    task = index_task(engine, state)
    feed(task, records_of(log))
    assert waiting(engine) == SONGS
    feed(task, [], 11)  # while sessions keep coming, too
    assert waiting(engine) == set()
    served = index(engine, state, encoder, encoder_folder)
    assert {found(served, encoder, text) for text in SONGS} == SONGS
    assert task.start_offsets([0, 1]) == {0: 11, 1: None}
    assert list(task.outgoing()) == []
    assert rest(task) == 0


def test_without_an_encoder_requests_wait_and_nothing_fails(
    engine: Engine, log: list[TurnEvent], state: Path, encoder_folder: Path
) -> None:
    store_log(engine, log)
    task = index_task(engine, state)
    with capture_logs() as said:
        feed(task, records_of(log))
        feed(task, records_of(log), 11)
        assert rest(task) == 0
    assert [line["assistant_id"] for line in said if "wait for a text encoder" in line["event"]] == [
        ASSISTANT
    ]
    assert waiting(engine) == SONGS
    use_encoder(engine, state, encoder_folder)
    assert rest(task) == 1
    assert waiting(engine) == set()


def test_a_damaged_encoder_holds_up_nothing(
    engine: Engine, log: list[TurnEvent], state: Path, encoder_folder: Path
) -> None:
    use_encoder(engine, state, encoder_folder)
    with engine.begin() as connection:
        set_models(connection, ASSISTANT, {"encoder": "encoder-2"}, now_ms())
    store_log(engine, log)
    task = index_task(engine, state)
    with capture_logs() as said:
        feed(task, records_of(log))
        assert rest(task) == 0
    assert [line["log_level"] for line in said if "text encoder" in line["event"]] == ["error"]
    with engine.begin() as connection:
        set_models(connection, ASSISTANT, {"encoder": "encoder-1"}, now_ms())
    assert encode_all(engine, state) == 3
    assert waiting(engine) == set()


def test_one_worker_encodes_for_all(
    engine: Engine, log: list[TurnEvent], state: Path, encoder_folder: Path
) -> None:
    use_encoder(engine, state, encoder_folder)
    store_log(engine, log)
    other = index_task(engine, state, partitions=(1,))
    other.write(other.process([]), {})
    feed(other, records_of(log))
    assert rest(other) == 0
    assert waiting(engine) == SONGS
    assert rest(index_task(engine, state)) == 1
    assert waiting(engine) == set()


@pytest.fixture
def _bases_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_publishing, "LEAST_CHANGES", 1)


@pytest.mark.usefixtures("_bases_are_small")
def test_much_that_is_new_makes_a_base(
    engine: Engine, log: list[TurnEvent], state: Path, encoder_folder: Path
) -> None:
    encoder = use_encoder(engine, state, encoder_folder)
    store_log(engine, log)
    task = index_task(engine, state)
    feed(task, records_of(log))
    assert rest(task) >= 2
    with reading(engine) as connection:
        base = INDEX_STATES.of(connection, ASSISTANT)
    assert base.base_version == base.version == 1
    served = index(engine, state, encoder, encoder_folder)
    assert (served.base_name, len(served), served.changes) == (base.base_name, 3, 0)
    assert rest(task) == 0


@pytest.mark.usefixtures("_bases_are_small")
def test_a_forgotten_user_is_in_no_table_and_in_no_base(
    engine: Engine, log: list[TurnEvent], state: Path, encoder_folder: Path
) -> None:
    use_encoder(engine, state, encoder_folder)
    store_log(engine, log)
    task = index_task(engine, state)
    feed(task, records_of(log))
    rest(task)
    forget_user(engine, now_ms, ASSISTANT, UserId("u00001"))
    rest(task)
    assert "u00001" not in everything(engine)
    with reading(engine) as connection:
        rows = connection.execute(select(INDEXED_REQUEST)).all()
        state_now = INDEX_STATES.of(connection, ASSISTANT)
    assert {row.text for row in rows} == SONGS - {"play song 0"}  # two users say that: too few
    assert state_now.base_version == state_now.version
    base = index_folder(state) / str(state_now.base_name)
    assert "play song 0" not in b"".join(
        file.read_bytes() for file in base.iterdir() if file.is_file()
    ).decode("latin-1")
    feed(task, records_of(log), 11)  # old records
    feed(index_task(engine, state), records_of(log), 22)
    assert "u00001" not in everything(engine)


@pytest.mark.usefixtures("_bases_are_small")
def test_a_base_that_cannot_be_published_holds_up_nothing(
    engine: Engine, log: list[TurnEvent], state: Path, encoder_folder: Path
) -> None:
    encoder = use_encoder(engine, state, encoder_folder)
    index_folder(state).write_text("in the way")
    store_log(engine, log)
    task = index_task(engine, state)
    feed(task, records_of(log))
    with capture_logs() as said:
        rest(task)
    assert "was not published" in " ".join(line["event"] for line in said)
    assert {
        match.entry.text for match in _all(index(engine, state, encoder, encoder_folder), encoder)
    } == SONGS


def _all(index: RequestIndex, encoder: TextEncoder) -> list[IndexMatch]:
    return index.search(encoder.encode(["play"])[0], 100)
