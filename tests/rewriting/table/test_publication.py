import itertools

import msgspec
import pytest
from rewrites import rewrite_row
from sqlalchemy import Engine

from rewriting.table.publication import RewritePublication, RewriteRecord, records_of
from rewriting.table.rewrite import Rewrite, RewriteId, TableVersion, user_scope
from rewriting.table.rewrite_table import RewriteTable
from rewriting.table.table_snapshot import TableDelta
from streams.turn import AssistantId, UserId

HOME = AssistantId("home")
CAR = AssistantId("car")


class CompactedTopic:
    """What a compacted topic holds in the end: the last value of each key."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}

    def take(self, records: tuple[RewriteRecord, ...]) -> None:
        for record in records:
            if record.value is None:
                self.values.pop(record.key, None)
            else:
                self.values[record.key] = record.value

    def rewrites(self) -> set[Rewrite]:
        return {msgspec.json.decode(value, type=Rewrite) for value in self.values.values()}


@pytest.fixture
def publication(engine: Engine, table: RewriteTable) -> RewritePublication:
    return restarted(engine, table)


def restarted(engine: Engine, table: RewriteTable, topic: str = "rewrites") -> RewritePublication:
    clock = itertools.count(1)
    return RewritePublication(engine, table, topic, lambda: next(clock))


def put(table: RewriteTable, engine: Engine, *rows: Rewrite, withdrawn: tuple[RewriteId, ...] = ()) -> None:
    with engine.begin() as connection:
        table.put(connection, rows[0].assistant_id if rows else HOME, rows, withdrawn, "learned", 1)


def publish(publication: RewritePublication, topic: CompactedTopic) -> None:
    for changes in publication.unpublished():
        topic.take(changes.records)
        publication.mark_published(changes.assistant_id, changes.version)


def live(table: RewriteTable) -> set[Rewrite]:
    return {
        row for assistant_id in table.versions() for row in table.read(assistant_id, status="live").rewrites
    }


def test_rows_in_use_are_values_and_all_others_are_deleted() -> None:
    rows = [
        msgspec.structs.replace(rewrite_row(status, "x"), status=status)
        for status in ("blocked", "candidate", "live", "retired", "shadow")
    ]
    delta = TableDelta(HOME, TableVersion(0), TableVersion(1), tuple(rows), (RewriteId("gone"),))
    values = [record.value for record in records_of(delta)]
    assert [value is None for value in values] == [True, False, False, True, False, True]
    assert msgspec.json.decode(values[2] or b"", type=Rewrite) == rows[2]
    assert records_of(delta)[-1] == RewriteRecord(b"gone", None)


def test_the_topic_follows_the_table(
    engine: Engine, table: RewriteTable, publication: RewritePublication
) -> None:
    topic = CompactedTopic()
    put(
        table,
        engine,
        rewrite_row("a", "1"),
        rewrite_row("b", "1"),
        rewrite_row("c", "1", scope=user_scope("ann")),
    )
    put(table, engine, rewrite_row("a", "1", assistant_id=CAR))
    publish(publication, topic)
    assert topic.rewrites() == live(table)
    assert len(live(table)) == 4

    put(table, engine, rewrite_row("a", "2"), withdrawn=(rewrite_row("b", "").rewrite_id,))
    with engine.begin() as connection:
        table.forget_user(connection, HOME, UserId("ann"))
    (changes,) = publication.unpublished()
    assert (changes.assistant_id, changes.version, len(changes.records)) == (HOME, 3, 3)
    publish(publication, topic)
    assert topic.rewrites() == live(table)

    table.block(HOME, rewrite_row("a", "").rewrite_id, "wrong", "ann")
    publish(publication, topic)
    assert topic.rewrites() == live(table)
    table.rollback(HOME, TableVersion(1), "worse", "ann")
    publish(publication, topic)
    assert topic.rewrites() == live(table)
    assert len(live(table)) == 3


def test_nothing_is_published_twice(
    engine: Engine, table: RewriteTable, publication: RewritePublication
) -> None:
    put(table, engine, rewrite_row("a", "1"))
    publish(publication, CompactedTopic())
    put(table, engine, rewrite_row("a", "1"))
    assert list(restarted(engine, table).unpublished()) == []
    assert publication.published() == {HOME: 1}


def test_what_a_crash_left_unpublished_is_published_at_the_next_start(
    engine: Engine, table: RewriteTable, publication: RewritePublication
) -> None:
    topic = CompactedTopic()
    put(table, engine, rewrite_row("a", "1"), rewrite_row("b", "1"))
    (changes,) = publication.unpublished()
    topic.take(changes.records[:1])  # and the process is killed before the second record, and the mark
    put(table, engine, withdrawn=(rewrite_row("a", "").rewrite_id,))
    publish(restarted(engine, table), topic)
    assert topic.rewrites() == live(table)
    assert {row.source_text for row in topic.rewrites()} == {"b"}


def test_a_change_after_the_records_were_made_is_still_unpublished(
    engine: Engine, table: RewriteTable, publication: RewritePublication
) -> None:
    put(table, engine, rewrite_row("a", "1"))
    (changes,) = publication.unpublished()
    put(table, engine, rewrite_row("a", "2"))
    publication.mark_published(changes.assistant_id, changes.version)
    (rest,) = publication.unpublished()
    assert rest.version == 2


def test_another_topic_gets_all_of_it(
    engine: Engine, table: RewriteTable, publication: RewritePublication
) -> None:
    put(table, engine, rewrite_row("a", "1"))
    publish(publication, CompactedTopic())
    assert len(list(restarted(engine, table, "other").unpublished())) == 1


def test_a_topic_ahead_of_a_restored_database_gets_all_of_it_again(
    engine: Engine, table: RewriteTable, publication: RewritePublication
) -> None:
    topic = CompactedTopic()
    put(table, engine, rewrite_row("a", "1"))
    publication.mark_published(HOME, TableVersion(9))
    publish(publication, topic)
    assert topic.rewrites() == live(table)
    assert publication.published() == {HOME: 1}


def test_a_record_says_where_its_row_holds_and_one_of_an_earlier_version_is_read() -> None:
    row = rewrite_row("gift", "poison", locale="de-DE", turn_kind="answer")
    (record,) = records_of(TableDelta(HOME, TableVersion(0), TableVersion(1), (row,), ()))
    value = msgspec.json.decode(record.value or b"")
    assert (value["locale"], value["turn_kind"]) == ("de-DE", "answer")
    everywhere = msgspec.json.decode(msgspec.json.encode(rewrite_row("gift", "present")))
    earlier = {name: part for name, part in everywhere.items() if name not in ("locale", "turn_kind")}
    assert msgspec.convert(earlier, Rewrite) == rewrite_row("gift", "present")
