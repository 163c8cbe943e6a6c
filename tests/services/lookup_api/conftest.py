"""A database with two assistants' tables, and the API on it without its server process."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from databases import new_database, opened
from litestar import Litestar
from litestar.testing import TestClient
from online_world import write_models
from rewrites import put, rewrite_row
from sqlalchemy import Engine
from waiting import eventually

from labeling.models.in_use import ModelKind
from rewriting.feedback.store import DatabaseFeedbackStore
from rewriting.serving.settings import SERVE_ALL, ServingSettings
from rewriting.table.rewrite import Scope, user_scope
from rewriting.table.rewrite_table import RewriteTable
from services.lookup_api.app import build_app, forget_in
from services.platform.api_keys import ApiKey, new_key
from services.platform.api_settings import LookupApiSettings
from streams.turn import AssistantId, UserId


class OnlineModels(NamedTuple):
    """Models in a folder, and their names by kind."""

    folder: Path
    names: dict[ModelKind, str]


Client = TestClient[Litestar]

CAR = AssistantId("car")
NOW_MS = 1_700_000_000_000


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Version 2 of the table of "home", and version 1 of that of "car"."""
    lamp = rewrite_row("turn of the lamp", "turn off the lamp")
    guarded = rewrite_row("guarded", "jazz", max_confidence=0.6)
    jazz = rewrite_row("play it", "play jazz")
    blues = rewrite_row("play it", "play blues", scope=user_scope(UserId("ann")))
    rock = rewrite_row("play it", "play rock", assistant_id=CAR)
    with opened(new_database(tmp_path / "tables.db")) as engine:
        table = RewriteTable(engine, lambda: NOW_MS)
        put(table, engine, [lamp, guarded], changed_ms=NOW_MS)
        put(table, engine, [jazz, blues], changed_ms=NOW_MS)
        put(table, engine, [rock], assistant=CAR, changed_ms=NOW_MS)
        yield engine


@pytest.fixture(scope="session")
def online_models(tmp_path_factory: pytest.TempPathFactory) -> OnlineModels:
    """A ranker and an encoder of the world in `online_world`."""
    folder = tmp_path_factory.mktemp("online") / "models"
    return OnlineModels(folder, write_models(folder))


@pytest.fixture
def teach(engine: Engine) -> Callable[..., None]:
    """Makes a rewrite of "home" live: (source, target, scope, question), and its place by name."""

    def teach(source: str, target: str, scope: Scope, question: str = "", **place: str) -> None:
        row = rewrite_row(source, target, scope=scope, question=question, **place)
        put(RewriteTable(engine, lambda: NOW_MS), engine, [row], changed_ms=NOW_MS)

    return teach


@pytest.fixture
def serving(engine: Engine) -> Callable[..., AbstractContextManager[Client]]:
    """Starts the API with the given keys in the settings, or for operators; it is ready then."""

    @contextmanager
    def serving(
        *keys: ApiKey,
        operator_sha256: str | None = None,
        who: ServingSettings = SERVE_ALL,
        **settings: Any,
    ) -> Iterator[Client]:
        app = build_app(
            LookupApiSettings(api_keys=keys, poll_interval_s=0.02, **settings),
            engine,
            DatabaseFeedbackStore(engine),
            forget_in(engine),
            lambda: NOW_MS,
            operator_key_sha256=operator_sha256,
            serving=who,
        )
        with TestClient(app, base_url="http://127.0.0.1:8420") as client:
            eventually(lambda: client.get("/readyz").status_code == 200, "the tables in memory")
            yield client

    return serving


@pytest.fixture
def client(serving: Callable[..., AbstractContextManager[Client]]) -> Iterator[Client]:
    """The API without keys in the settings, asked with the key that operators need all the same."""
    key, sha256 = new_key()
    with serving(operator_sha256=sha256) as client:
        client.headers["X-API-Key"] = key
        yield client
