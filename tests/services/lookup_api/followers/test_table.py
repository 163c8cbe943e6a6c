import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from databases import new_database, opened
from rewrites import rewrite_row
from sqlalchemy import Engine
from waiting import eventually

from rewriting.table.lookup_loading import load_lookup_table
from rewriting.table.rewrite import GLOBAL, TableVersion, rewrite_id
from rewriting.table.rewrite_table import RewriteTable
from services.lookup_api.followers.database import DatabaseFollower
from services.lookup_api.followers.table import TableFollower
from services.platform.database import open_database
from streams.turn import AssistantId

HOME = AssistantId("home")


class VanishingTable(RewriteTable):
    """Cannot be reached while `is_away` is set."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, lambda: 0)
        self.is_away = threading.Event()

    def versions(self) -> dict[AssistantId, TableVersion]:
        if self.is_away.is_set():
            raise ConnectionError("nobody there")
        return super().versions()


class RestoredTable(RewriteTable):
    """Is one database at first, and then another: an older copy of it."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, lambda: 0)
        self.engine = engine

    def become(self, engine: Engine) -> None:
        self.__init__(engine)  # type: ignore[misc]  # it is the same table, on another database


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with opened(new_database(tmp_path / "tables.db")) as engine:
        yield engine


@pytest.fixture
def table(engine: Engine) -> RewriteTable:
    return RewriteTable(engine, lambda: 0)


def put(table: RewriteTable, engine: Engine, source: str, target: str) -> None:
    with engine.begin() as connection:
        table.put(connection, HOME, [rewrite_row(source, target)], [], "learned", 0)


def served(follower: TableFollower, text: str) -> str | None:
    answer = follower.table_of(HOME).look_up(text)
    return answer.reason if answer.rewrite is None else answer.rewrite.text


def following(table: RewriteTable, engine: Engine, poll_interval_s: float = 0.25) -> TableFollower:
    return TableFollower(table, partial(load_lookup_table, engine), poll_interval_s)


def test_each_look_takes_over_what_has_changed(engine: Engine, table: RewriteTable) -> None:
    follower = following(table, engine)
    assert (follower.tables, follower.age_s) == ({}, None)
    follower.look()
    assert follower.tables == {}
    assert served(follower, "one") == "no_table"
    put(table, engine, "one", "eins")
    follower.look()
    assert served(follower, "one") == "eins"
    held = follower.tables[HOME]
    put(table, engine, "two", "zwei")
    table.block(HOME, rewrite_id(HOME, GLOBAL, "one"), "wrong", "eve")
    follower.look()
    assert (served(follower, "one"), served(follower, "two")) == ("blocked", "zwei")
    assert (held.version, follower.tables[HOME].version) == (1, 3)
    assert held.look_up("one").rewrite is not None


def test_a_table_that_has_not_changed_stays_the_same_object(engine: Engine, table: RewriteTable) -> None:
    put(table, engine, "one", "eins")
    follower = following(table, engine)
    follower.look()
    held = follower.tables[HOME]
    follower.look()
    assert follower.tables[HOME] is held


def test_rewrites_of_every_status_are_loaded_as_they_are_followed(
    engine: Engine, table: RewriteTable
) -> None:
    followed = following(table, engine)
    for source in ("one", "two", "three"):
        put(table, engine, source, "x")
        followed.look()
    table.block(HOME, rewrite_id(HOME, GLOBAL, "two"), "wrong", "eve")
    with engine.begin() as connection:
        table.put(connection, HOME, [], [rewrite_id(HOME, GLOBAL, "three")], "withdrawn", 0)
    followed.look()
    loaded = load_lookup_table(engine, HOME)
    assert (loaded.version, loaded.counts) == (followed.tables[HOME].version, followed.tables[HOME].counts)
    for text, answer in (("one", "x"), ("two", "blocked"), ("three", "no_rewrite_known")):
        assert loaded.look_up(text) == followed.tables[HOME].look_up(text)
        assert served(followed, text) == answer


def test_a_database_restored_from_an_older_copy_is_read_anew(
    tmp_path: Path, engine: Engine, table: RewriteTable
) -> None:
    put(table, engine, "one", "eins")
    older = open_database(tmp_path / "older.db")
    put(RewriteTable(older, lambda: 0), older, "one", "uno")
    put(table, engine, "two", "zwei")

    restored = RestoredTable(engine)
    follower = TableFollower(restored, lambda assistant_id: load_lookup_table(restored.engine, assistant_id))
    follower.look()
    assert (served(follower, "one"), served(follower, "two")) == ("eins", "zwei")
    restored.become(older)
    follower.look()
    assert (served(follower, "one"), served(follower, "two")) == ("uno", "no_rewrite_known")
    older.dispose()


def test_while_the_database_is_away_the_last_tables_stay(engine: Engine, table: RewriteTable) -> None:
    vanishing = VanishingTable(engine)
    vanishing.is_away.set()
    follower = following(vanishing, engine, poll_interval_s=0.01)
    follower.start()
    eventually(lambda: "nobody there" in follower.last_failure)
    assert follower.age_s is None
    put(table, engine, "one", "eins")
    vanishing.is_away.clear()
    eventually(lambda: served(follower, "one") == "eins")
    vanishing.is_away.set()
    eventually(lambda: "nobody there" in follower.last_failure)
    age_s = follower.age_s
    assert age_s is not None
    eventually(lambda: (follower.age_s or 0) > age_s + 0.05)
    assert served(follower, "one") == "eins"
    put(table, engine, "two", "zwei")
    vanishing.is_away.clear()
    eventually(lambda: served(follower, "two") == "zwei")
    assert follower.last_failure == ""
    follower.stop()
    assert not any(thread.name == "table-follower" for thread in threading.enumerate())


class SlowFollower(DatabaseFollower):
    """Takes five seconds to look."""

    def __init__(self) -> None:
        self._now_s = 100.0
        super().__init__("slow", clock_s=lambda: self._now_s)

    def _take_over(self) -> None:
        self._now_s += 5


def test_what_is_in_memory_is_as_old_as_the_beginning_of_the_look() -> None:
    follower = SlowFollower()
    assert follower.age_s is None
    follower.look()
    assert follower.age_s == 5
