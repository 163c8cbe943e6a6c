"""What is served when the ranker cannot be asked: nothing that it has rejected for a request like this."""

import itertools
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from databases import opened
from jobs import work_on
from litestar import Litestar
from litestar.testing import TestClient
from msgspec import structs
from online_world import NOW_MS, SONGS, nlu, online_log, store_world, use_models
from rewrites import put, rewrite_row
from sqlalchemy import Engine, select
from waiting import HANGS_AFTER_S, eventually

from labeling.models.in_use import drop_model
from rewriting.feedback.store import DatabaseFeedbackStore
from rewriting.ranking.online_settings import OnlineSettings
from rewriting.ranking.ranker import Ranker
from rewriting.table.rewrite_table import RewriteTable
from rewriting.table.schema import ROW_VERDICTS
from services.jobs.row_judging import judge_rows
from services.learners.requests import RequestLearner
from services.lookup_api.app import build_app, forget_in
from services.platform.api_settings import LookupApiSettings, OnlineTask
from services.privacy.forgetting import forget_user
from services.settings import Settings
from streams.stores.database_schema import reading
from streams.turn import AssistantId, UserId

HOME = AssistantId("home")
PATIENT = OnlineSettings(budget_ms=60_000.0)
HURRIED = OnlineSettings(budget_ms=0.001)

Client = TestClient[Litestar]

REJECTED = [
    (f"user-{number}", f"play song {song}", confidence)
    for number, (song, confidence) in enumerate(itertools.product(SONGS, (0.5, 0.6, 0.7, 0.8, 0.9)))
]
"""Sixty requests that are right as they are; the table has a wrong row for each."""

ACCEPTED = [(f"user-{number}", f"play sonk {song}", 0.3) for number, song in enumerate(SONGS)]
"""Requests that are misheard; the table has the right row for each."""


class World(NamedTuple):
    """A database with a log, a table and a ranker."""

    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "rehear.db"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def settings(self) -> Settings:
        return Settings(state=str(self.state), database=str(self.database))

    def copy(self, folder: Path) -> "World":
        shutil.copytree(self.folder, folder)
        return World(folder)

    @contextmanager
    def serving(self, settings: OnlineSettings = PATIENT) -> Iterator[Client]:
        """The API on it; it is ready then."""
        with opened(self.database) as engine:
            app = build_app(
                LookupApiSettings(poll_interval_s=0.02),
                engine,
                DatabaseFeedbackStore(engine),
                forget_in(engine),
                lambda: NOW_MS,
                online=OnlineTask(state=str(self.state), settings=settings),
            )
            with TestClient(app, base_url="http://127.0.0.1:8420") as client:
                eventually(lambda: client.get("/readyz").status_code == 200)
                yield client


def asked(client: Client, *requests: tuple[str, str, float], **fields: str) -> list[str]:
    """Of each request, its rewrite, or the reason why there is none."""
    answers = []
    for user, text, confidence in requests:
        body = {"assistant_id": HOME, "user_id": user, "text": text, "ts_ms": NOW_MS, **fields}
        answer = client.post("/v1/rewrite", json=body | {"nlu": nlu(text, confidence)}).json()
        answers.append(answer["reason"] if answer["rewrite"] is None else answer["rewrite"]["text"])
    return answers


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, online_models: Any) -> World:
    """A wrong row for each song, and a right one."""
    world = World(tmp_path_factory.mktemp("degraded") / "world")
    world.folder.mkdir()
    rows = [rewrite_row(f"play song {song}", "play the drum") for song in SONGS]
    rows += [rewrite_row(f"play sonk {song}", f"play song {song}") for song in SONGS]
    with opened(world.database) as engine:
        store_world(engine, HOME)
        put(RewriteTable(engine, lambda: 1), engine, rows)
        use_models(engine, world.state, HOME, online_models.folder, online_models.names)
    return world


@pytest.fixture(scope="module")
def asked_before(made: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The ranker was asked all requests, by a process that has ended."""
    world = made.copy(tmp_path_factory.mktemp("asked") / "world")
    with world.serving() as client:
        assert "play the drum" not in asked(client, *REJECTED)
        assert asked(client, *ACCEPTED) == [f"play song {song}" for song in SONGS]
    return world


@pytest.fixture(scope="module")
def judged(made: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """The ranker was asked no request, but has judged the rows on those of the log."""
    world = made.copy(tmp_path_factory.mktemp("judged") / "world")
    with opened(world.database) as engine:
        assert judge_rows(work_on(engine, HOME, world.settings)) == 2 * len(SONGS)
    return world


@pytest.fixture(params=["asked before", "judged"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    known: World = request.getfixturevalue(str(request.param).replace(" ", "_"))
    return known.copy(tmp_path / "world")


def verdicts_in(engine: Engine) -> list[Any]:
    with reading(engine) as connection:
        return list(connection.execute(select(ROW_VERDICTS)).all())


def expect_no_back_door(client: Client) -> None:
    assert asked(client, *REJECTED) == ["rejected_earlier"] * 60
    assert asked(client, *ACCEPTED) == [f"play song {song}" for song in SONGS]


def test_a_spent_budget_serves_what_the_ranker_accepts_and_nothing_else(world: World) -> None:
    with world.serving(HURRIED) as client:
        expect_no_back_door(client)


def test_a_ranker_that_stalls_in_every_thread_is_no_back_door(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with world.serving(OnlineSettings(budget_ms=20.0)) as client:
        goes_on = threading.Event()
        judge = Ranker.judge

        def stalls(*arguments: Any) -> Any:
            goes_on.wait(HANGS_AFTER_S)
            return judge(*arguments)

        monkeypatch.setattr(Ranker, "judge", stalls)
        try:
            expect_no_back_door(client)
        finally:
            goes_on.set()


def test_a_database_that_is_away_is_no_back_door(world: World) -> None:
    with world.serving() as client:
        away = world.database.with_name("away.db")
        world.database.rename(away)
        expect_no_back_door(client)
        away.rename(world.database)


def test_a_fault_is_no_back_door(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with world.serving() as client:

        def fails(*arguments: Any) -> Any:
            raise RuntimeError("a fault")

        monkeypatch.setattr(Ranker, "judge", fails)
        expect_no_back_door(client)


@pytest.mark.parametrize("gone", ["ranker-1", "encoder-1", "."])
def test_a_new_process_without_the_models_is_no_back_door(world: World, gone: str) -> None:
    for folder in (world.state / "models").iterdir():
        shutil.rmtree(folder / gone)
    with world.serving() as client:
        expect_no_back_door(client)


def test_what_was_rejected_a_moment_ago_is_rejected_when_the_models_fail(
    made: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with made.copy(tmp_path / "world").serving() as client:
        asked(client, *REJECTED, *ACCEPTED)
        monkeypatch.setattr(Ranker, "judge", None)
        expect_no_back_door(client)


def test_a_row_that_was_never_judged_is_not_served_in_the_place_of_the_ranker(
    made: World, tmp_path: Path
) -> None:
    with made.copy(tmp_path / "world").serving(HURRIED) as client:
        assert asked(client, *REJECTED, *ACCEPTED) == ["not_judged"] * (60 + len(SONGS))


def test_a_row_with_another_target_is_judged_anew(judged: World, tmp_path: Path) -> None:
    world = judged.copy(tmp_path / "world")
    with opened(world.database) as engine:
        put(RewriteTable(engine, lambda: 1), engine, [rewrite_row(f"play sonk {SONGS[0]}", "play the radio")])
        with world.serving(HURRIED) as client:
            assert asked(client, *ACCEPTED[:2]) == ["not_judged", f"play song {SONGS[1]}"]
        judge_rows(work_on(engine, HOME, world.settings))
    with world.serving(HURRIED) as client:
        assert asked(client, *ACCEPTED[:2]) == ["rejected_earlier", f"play song {SONGS[1]}"]


def test_a_row_of_one_locale_is_judged_and_served_there_alone(made: World, tmp_path: Path) -> None:
    world = made.copy(tmp_path / "world")
    everywhere = [rewrite_row(f"play sonk {song}", f"play song {song}") for song in SONGS]
    there = [
        rewrite_row(row.source_text, row.target_text, locale="en-GB", turn_kind="opening")
        for row in everywhere
    ]
    with opened(world.database) as engine:
        with engine.begin() as connection:
            learner = RequestLearner()
            learner.absorb(connection, [structs.replace(one, locale="en_gb") for one in online_log(HOME)])
            learner.write(connection)
            withdrawn = [row.rewrite_id for row in everywhere]
            RewriteTable(engine, lambda: 1).put(connection, HOME, there, withdrawn, "learned", 1)
        assert judge_rows(work_on(engine, HOME, world.settings)) == 2 * len(SONGS)
    with world.serving(HURRIED) as client:
        rewritten = [f"play song {song}" for song in SONGS]
        assert asked(client, *ACCEPTED, locale="EN-gb") == rewritten
        assert asked(client, *ACCEPTED, locale="en-GB", turn_kind="system") == ["out_of_time"] * len(SONGS)
        assert asked(client, *ACCEPTED) == ["out_of_time"] * len(SONGS)
        assert asked(client, *REJECTED, locale="en-GB") == ["rejected_earlier"] * 60


def test_without_a_ranker_in_use_the_table_answers(judged: World, tmp_path: Path) -> None:
    world = judged.copy(tmp_path / "world")
    with opened(world.database) as engine:
        with engine.begin() as connection:
            drop_model(connection, HOME, "ranker")
        with world.serving() as client:
            assert asked(client, *REJECTED) == ["play the drum"] * 60
        assert judge_rows(work_on(engine, HOME, world.settings)) == 0
        assert verdicts_in(engine) == []


def test_what_was_taught_goes_before_the_ranker_and_needs_no_verdict(made: World, tmp_path: Path) -> None:
    world = made.copy(tmp_path / "world")
    with opened(world.database) as engine:
        row = rewrite_row("play the usual", "play jazz", method="taught")
        put(RewriteTable(engine, lambda: 1), engine, [row])
    with world.serving(HURRIED) as client:
        assert asked(client, ("ann", "play the usual", 0.9)) == ["play jazz"]


def test_judging_again_changes_nothing(judged: World, tmp_path: Path) -> None:
    world = judged.copy(tmp_path / "world")
    with opened(world.database) as engine:
        before = verdicts_in(engine)
        assert judge_rows(work_on(engine, HOME, world.settings)) == 2 * len(SONGS)
        assert verdicts_in(engine) == before


def test_a_forgotten_user_leaves_no_verdict(asked_before: World, tmp_path: Path) -> None:
    world = asked_before.copy(tmp_path / "world")
    with opened(world.database) as engine:
        before = {verdict.user_key for verdict in verdicts_in(engine)}
        forget_user(engine, lambda: 1, HOME, UserId("user-59"))  # asked one request, and the last
        assert len(before - {verdict.user_key for verdict in verdicts_in(engine)}) == 1
    with world.serving(HURRIED) as client:
        assert asked(client, *REJECTED) == ["rejected_earlier"] * 60  # of everybody
