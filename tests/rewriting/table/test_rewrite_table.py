import random
import threading
from typing import Any

import msgspec
import pytest
from rewrites import live, put, rewrite_row
from sqlalchemy import Engine

from rewriting.errors import RewriteTableError, UnknownRewriteError, UnknownVersionError
from rewriting.table.rewrite import (
    GLOBAL,
    Rewrite,
    RewriteId,
    TableVersion,
    user_scope,
)
from rewriting.table.rewrite_table import RewriteTable
from rewriting.table.rollback import Rollback
from rewriting.table.schema import REWRITES
from rewriting.table.table_snapshot import TableSnapshot
from streams.turn import AssistantId, UserId

HOME = AssistantId("home")
CAR = AssistantId("car")


def rewrite(source: str, target: str, **changes: Any) -> Rewrite:
    """A rewrite with values that a database might not keep as they are."""
    awkward = {
        "target_interpretation": '["music","play",[["song","Numb"]]]',
        "score": 0.1 + 0.2,  # not a short number
        "source_success_rate": 1 / 3,
    }
    return rewrite_row(source, target, **(awkward | changes))


def content(row: Rewrite) -> Rewrite:
    return msgspec.structs.replace(row, version=TableVersion(0), changed_ms=0, reason="")


# Reading and writing


def test_every_field_of_a_rewrite_has_a_column() -> None:
    assert set(Rewrite.__struct_fields__) | {"until_version", "wished_status"} == set(REWRITES.c.keys())


def test_what_was_put_is_read(table: RewriteTable, engine: Engine) -> None:
    row = rewrite("play nub", "play numb")
    assert put(table, engine, [row], changed_ms=77) == 1
    expected = msgspec.structs.replace(row, version=TableVersion(1), changed_ms=77, reason="learned")
    assert table.read(HOME) == TableSnapshot(HOME, TableVersion(1), (expected,))
    assert table.find(HOME, row.rewrite_id) == expected


def test_each_place_of_a_text_has_a_row_of_its_own(table: RewriteTable, engine: Engine) -> None:
    rows = [
        rewrite("gift", "present"),
        rewrite("gift", "poison", locale="de-DE"),
        rewrite("gift", "talent", turn_kind="answer"),
        rewrite("gift", "dowry", locale="de-DE", turn_kind="answer"),
    ]
    put(table, engine, rows)
    assert {content(row) for row in table.read(HOME).rewrites} == {content(row) for row in rows}
    put(table, engine, [], [rows[1].rewrite_id])
    assert {row.target_text for row in table.read(HOME, status="live").rewrites} == {
        "present",
        "talent",
        "dowry",
    }
    assert put(table, engine, [rewrite("gift", "poison", locale="DE_de")]) == 3
    assert len(table.history(HOME, rows[1].rewrite_id)) == 3


@pytest.mark.parametrize(
    ("place", "complaint"),
    [
        ({"locale": "German"}, None),
        ({"locale": "in German"}, "has a locale that cannot be compared: 'in German' is no BCP 47"),
        ({"turn_kind": "reply"}, "for turns of the kind 'reply': there are any, opening, answer, system"),
    ],
)
def test_a_proposal_for_no_place_that_there_is_is_refused(
    table: RewriteTable, engine: Engine, place: dict[str, str], complaint: str | None
) -> None:
    row = rewrite("gift", "poison", **place)
    if complaint is None:
        assert put(table, engine, [row]) == 1
        return
    with pytest.raises(RewriteTableError, match=complaint):
        put(table, engine, [row])
    assert table.version(HOME) == 0


def test_a_table_that_was_never_written_is_empty(table: RewriteTable) -> None:
    nobody = AssistantId("nobody")
    assert table.version(nobody) == 0
    assert table.versions() == {}
    assert (
        table.read(nobody)
        == table.read(nobody, TableVersion(0))
        == TableSnapshot(nobody, TableVersion(0), ())
    )
    assert table.changes(nobody, TableVersion(0)).rewrites == ()
    assert table.log(nobody) == []
    assert table.blocked_pairs(nobody) == []
    assert table.held_ids(nobody) == frozenset()


def test_an_unknown_version_is_refused(table: RewriteTable, engine: Engine) -> None:
    put(table, engine, [rewrite("a", "b")])
    for version in (TableVersion(2), TableVersion(-1)):
        with pytest.raises(UnknownVersionError, match="from 0 to 1"):
            table.read(HOME, version)
        with pytest.raises(UnknownVersionError, match="from 0 to 1"):
            table.changes(HOME, version)
        with pytest.raises(UnknownVersionError, match="from 0 to 1"):
            table.rollback(HOME, version, "", "ann")


def test_an_unknown_rewrite_is_refused_and_leaves_no_trace(table: RewriteTable) -> None:
    unknown = RewriteId("none")
    with pytest.raises(UnknownRewriteError):
        table.find(HOME, unknown)
    with pytest.raises(UnknownRewriteError):
        table.history(HOME, unknown)
    with pytest.raises(UnknownRewriteError):
        table.block(HOME, unknown, "bad", "ann")
    with pytest.raises(UnknownRewriteError):
        table.unblock(HOME, unknown, "good", "ann")
    assert table.versions() == {}


def test_a_repeated_put_changes_nothing(table: RewriteTable, engine: Engine) -> None:
    rows = [rewrite("a", "b"), rewrite("c", "d")]
    put(table, engine, rows, changed_ms=1)
    before = table.read(HOME)
    assert put(table, engine, list(reversed(rows)), changed_ms=2) == 1
    assert table.read(HOME) == before
    assert [len(table.history(HOME, row.rewrite_id)) for row in rows] == [1, 1]


def test_only_changed_rows_get_the_new_version(table: RewriteTable, engine: Engine) -> None:
    put(table, engine, [rewrite("a", "b"), rewrite("c", "d")])
    assert put(table, engine, [rewrite("a", "b"), rewrite("c", "d", sessions=6), rewrite("e", "f")]) == 2
    assert {row.source_text: row.version for row in table.read(HOME).rewrites} == {"a": 1, "c": 2, "e": 2}
    assert [(made.version, made.changes, made.actor) for made in table.log(HOME)] == [
        (2, 2, "learner"),
        (1, 2, "learner"),
    ]


def test_a_put_of_nothing_makes_no_version(table: RewriteTable, engine: Engine) -> None:
    assert put(table, engine, [], [RewriteId("none")]) == 0
    assert table.versions() == {}


def test_a_withdrawn_rewrite_is_retired_and_can_come_back(table: RewriteTable, engine: Engine) -> None:
    row = rewrite("a", "b")
    put(table, engine, [row])
    assert put(table, engine, [], [row.rewrite_id]) == 2
    assert put(table, engine, [], [row.rewrite_id]) == 2
    assert put(table, engine, [row]) == 3
    assert [was.status for was in table.history(HOME, row.rewrite_id)] == ["live", "retired", "live"]
    assert table.read(HOME, TableVersion(2)).rewrites[0].status == "retired"


def test_rows_are_read_by_status(table: RewriteTable, engine: Engine) -> None:
    put(table, engine, [rewrite("a", "b"), rewrite("c", "d", status="shadow")])
    assert [row.source_text for row in table.read(HOME, status="shadow").rewrites] == ["c"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"assistant_id": CAR}, "is of assistant 'car'"),
        ({"status": "retired"}, "status 'retired'"),
        ({"status": "blocked"}, "status 'blocked'"),
        ({"score": float("nan")}, "no finite number"),
        ({"max_confidence": float("inf")}, "no finite number"),
    ],
)
def test_a_proposal_that_cannot_be_written_is_refused(
    table: RewriteTable, engine: Engine, change: dict[str, object], message: str
) -> None:
    wrong = msgspec.structs.replace(rewrite("c", "d"), **change)
    with pytest.raises(RewriteTableError, match=message):
        put(table, engine, [rewrite("a", "b"), wrong])
    assert table.read(HOME).rewrites == ()


def test_an_id_is_proposed_once(table: RewriteTable, engine: Engine) -> None:
    row = rewrite("a", "b")
    with pytest.raises(RewriteTableError, match="twice"):
        put(table, engine, [row, rewrite("a", "c")])
    with pytest.raises(RewriteTableError, match="twice"):
        put(table, engine, [row], [row.rewrite_id])


@pytest.mark.parametrize(
    "text",
    [
        "",
        'o\'clock "quoted" \\ % _ ?; DROP TABLE rewrites; --',
        "再生 🎵 \u202e\u0301",
        "line\nline\t\x01",
        "x" * 100_000,
    ],
    ids=["empty", "quotes", "unicode", "control", "long"],
)
def test_any_text_is_kept_as_it_is(table: RewriteTable, engine: Engine, text: str) -> None:
    row = rewrite(text, text + "!")
    put(table, engine, [row])
    assert content(table.find(HOME, row.rewrite_id)) == row
    assert put(table, engine, [row]) == 1
    assert table.block(HOME, row.rewrite_id, text, text).reason == text
    assert table.blocked_pairs(HOME)[0].target_text == row.target_text


def test_nul_characters_are_dropped(table: RewriteTable, engine: Engine) -> None:
    row = rewrite("a", "play\0 numb")
    put(table, engine, [row])
    assert table.find(HOME, row.rewrite_id).target_text == "play numb"
    assert put(table, engine, [row]) == 1


def test_more_rows_than_one_statement_takes(table: RewriteTable, engine: Engine) -> None:
    rows = [rewrite(f"source {i}", f"target {i}") for i in range(5_000)]
    put(table, engine, rows)
    assert put(table, engine, rows[1:], [rows[0].rewrite_id]) == 2
    assert [row.source_text for row in table.changes(HOME, TableVersion(1)).rewrites] == ["source 0"]
    snapshot = table.read(HOME)
    assert len(live(snapshot)) == 4_999
    assert list(snapshot.rewrites) == sorted(snapshot.rewrites, key=lambda row: row.rewrite_id)


def test_a_transaction_that_fails_leaves_the_table_as_it_was(table: RewriteTable, engine: Engine) -> None:
    put(table, engine, [rewrite("a", "b")])
    with engine.connect() as connection:
        assert table.put(connection, HOME, [rewrite("a", "c")], [], "learned", 1) == 2
        connection.rollback()
    assert live(table.read(HOME)) == {"a": "b"}
    assert put(table, engine, [rewrite("a", "c")]) == 2


# Versions


@pytest.mark.parametrize("seed", range(3))
def test_every_version_is_read_as_it_was_written(table: RewriteTable, engine: Engine, seed: int) -> None:
    """A random walk of puts and withdrawals, beside a dict that does the same."""
    choose = random.Random(seed)
    model: dict[RewriteId, Rewrite] = {}
    versions: list[dict[RewriteId, Rewrite]] = [{}]
    for step in range(25):
        sources = choose.sample("abcdefgh", choose.randint(0, 5))
        proposals = [
            rewrite(
                source,
                choose.choice("xy"),
                sessions=choose.randint(1, 2),
                status=choose.choice(["live", "shadow"]),
            )
            for source in sources
        ]
        others = sorted(model.keys() - {row.rewrite_id for row in proposals})
        withdrawn = choose.sample(others, min(len(others), choose.randint(0, 2)))
        after = model | {row.rewrite_id: row for row in proposals}
        after |= {key: msgspec.structs.replace(model[key], status="retired") for key in withdrawn}
        version = put(table, engine, proposals, withdrawn, changed_ms=step)
        if after != model:
            versions.append(after)
            model = after
        assert version == len(versions) - 1

    for number, expected in enumerate(versions):
        snapshot = table.read(HOME, TableVersion(number))
        assert {row.rewrite_id: content(row) for row in snapshot.rewrites} == expected
        assert snapshot.version == number
    for since, then in enumerate(versions):
        delta = table.changes(HOME, TableVersion(since))
        differing = {key for key, row in model.items() if then.get(key) != row}
        changed = {row.rewrite_id: content(row) for row in delta.rewrites}
        assert differing <= changed.keys()  # a row may have changed and changed back
        assert then | changed == model
        assert {row.rewrite_id for row in table.read(HOME).rewrites if row.version > since} == changed.keys()


def test_writers_of_one_table_take_turns(table: RewriteTable, engine: Engine) -> None:
    versions: list[TableVersion] = []

    def write(name: str) -> None:
        for number in range(10):
            versions.append(
                put(table, engine, [rewrite("shared", f"{name} {number}"), rewrite(name, str(number))])
            )

    writers = [threading.Thread(target=write, args=(name,)) for name in ("one", "two")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(versions) == list(range(1, 21))
    shared = table.history(HOME, rewrite("shared", "").rewrite_id)
    assert [row.version for row in shared] == list(range(1, 21))


def test_a_reader_sees_one_version_while_others_write(table: RewriteTable, engine: Engine) -> None:
    sources = [f"source {i}" for i in range(50)]
    put(table, engine, [rewrite(source, "0") for source in sources])
    done = threading.Event()
    snapshots: list[TableSnapshot] = []

    def follow() -> None:
        while not done.is_set():
            snapshots.append(table.read(HOME))

    reader = threading.Thread(target=follow)
    reader.start()
    try:
        for number in range(1, 20):
            put(table, engine, [rewrite(source, str(number)) for source in sources])
    finally:
        done.set()
        reader.join()
    assert snapshots
    for snapshot in snapshots:
        assert {row.target_text for row in snapshot.rewrites} == {str(snapshot.version - 1)}


def test_assistants_do_not_see_each_other(table: RewriteTable, engine: Engine) -> None:
    user = UserId("ann")
    home = rewrite("a", "b", scope=user_scope(user))
    same_id = msgspec.structs.replace(home, assistant_id=CAR, target_text="car")
    put(table, engine, [home])
    put(table, engine, [same_id], assistant=CAR)
    before = table.read(CAR)

    table.block(HOME, home.rewrite_id, "bad", "eve")
    put(table, engine, [], [home.rewrite_id])
    table.rollback(HOME, TableVersion(0), "", "eve")
    with engine.begin() as connection:
        assert table.forget_user(connection, HOME, user) == 1

    assert table.read(CAR) == before
    assert len(table.history(CAR, home.rewrite_id)) == 1
    assert table.blocked_pairs(CAR) == []
    assert table.held_ids(CAR) == frozenset()
    assert table.changes(CAR, TableVersion(0)).forgotten == ()
    assert table.versions()[CAR] == 1
    assert len(table.log(CAR)) == 1


# Blocks


def test_a_blocked_pair_stays_blocked_whatever_is_proposed(table: RewriteTable, engine: Engine) -> None:
    row = rewrite("a", "b")
    put(table, engine, [row])
    blocked = table.block(HOME, row.rewrite_id, "wrong song", "ann")
    assert (blocked.status, blocked.version, blocked.reason) == ("blocked", 2, "wrong song")
    assert table.block(HOME, row.rewrite_id, "again", "bob") == blocked
    assert put(table, engine, [row]) == 2
    put(table, engine, [rewrite("a", "b", sessions=50)])
    assert table.find(HOME, row.rewrite_id).status == "blocked"
    assert table.find(HOME, row.rewrite_id).sessions == 50
    put(table, engine, [], [row.rewrite_id])
    put(table, engine, [row])
    assert table.find(HOME, row.rewrite_id).status == "blocked"
    assert [(pair.target_text, pair.reason, pair.actor) for pair in table.blocked_pairs(HOME)] == [
        ("b", "wrong song", "ann")
    ]


def test_another_target_may_go_live_and_the_blocked_one_cannot_replace_it(
    table: RewriteTable, engine: Engine
) -> None:
    row = rewrite("a", "b")
    put(table, engine, [row])
    table.block(HOME, row.rewrite_id, "wrong", "ann")
    version = put(table, engine, [rewrite("a", "c")])
    assert live(table.read(HOME)) == {"a": "c"}
    assert put(table, engine, [row]) == version
    assert live(table.read(HOME)) == {"a": "c"}


def test_unblocking_gives_the_row_back_as_the_learner_last_wished(
    table: RewriteTable, engine: Engine
) -> None:
    kept, gone = rewrite("a", "b"), rewrite("c", "d")
    put(table, engine, [kept, gone])
    for row in (kept, gone):
        table.block(HOME, row.rewrite_id, "wrong", "ann")
    put(table, engine, [], [gone.rewrite_id])
    assert table.unblock(HOME, kept.rewrite_id, "right after all", "ann").status == "live"
    assert table.unblock(HOME, gone.rewrite_id, "right after all", "ann").status == "retired"
    version = table.version(HOME)
    assert table.unblock(HOME, kept.rewrite_id, "again", "ann").version < version
    assert table.version(HOME) == version
    assert table.blocked_pairs(HOME) == []


# Rollback


def test_a_rollback_makes_a_new_version_like_the_earlier_one(table: RewriteTable, engine: Engine) -> None:
    put(table, engine, [rewrite("kept", "1"), rewrite("changed", "1"), rewrite("retired", "1")])
    put(
        table,
        engine,
        [rewrite("changed", "2"), rewrite("new", "2"), rewrite("shadow", "2", status="shadow")],
        [rewrite("retired", "").rewrite_id],
    )
    kept = table.find(HOME, rewrite("kept", "").rewrite_id)
    table.block(HOME, kept.rewrite_id, "by mistake", "ann")

    assert table.rollback(HOME, TableVersion(1), "worse", "ann", lift_blocks=True).version == 4
    assert live(table.read(HOME)) == {"kept": "1", "changed": "1", "retired": "1"}
    then, now = (
        {row.rewrite_id: content(row) for row in table.read(HOME, version, status="live").rewrites}
        for version in (TableVersion(1), TableVersion(4))
    )
    assert then == now
    new = table.find(HOME, rewrite("new", "").rewrite_id)
    assert (new.status, new.reason) == ("blocked", "rolled back to version 1: worse")
    assert table.find(HOME, rewrite("shadow", "").rewrite_id).status == "shadow"
    assert live(table.read(HOME, TableVersion(2))) == {"kept": "1", "changed": "2", "new": "2"}
    assert table.rollback(HOME, TableVersion(1), "again", "ann") == Rollback(
        version=TableVersion(4), served_again=(), no_longer_served=(), still_blocked=()
    )


def test_the_learner_does_not_bring_back_what_was_rolled_back(table: RewriteTable, engine: Engine) -> None:
    put(table, engine, [rewrite("a", "1")])
    wished = [rewrite("a", "2"), rewrite("new", "2")]
    put(table, engine, wished)
    table.rollback(HOME, TableVersion(1), "worse", "ann")
    put(table, engine, wished)
    put(table, engine, [rewrite("a", "2", sessions=9), rewrite("new", "2", sessions=9)])
    assert live(table.read(HOME)) == {"a": "1"}
    table.unblock(HOME, rewrite("new", "").rewrite_id, "fine", "ann")
    assert live(table.read(HOME)) == {"a": "1", "new": "2"}


def test_a_rollback_to_the_empty_table_and_forth(table: RewriteTable, engine: Engine) -> None:
    put(table, engine, [rewrite("a", "1"), rewrite("b", "1")])
    table.rollback(HOME, TableVersion(0), "all wrong", "ann")
    assert live(table.read(HOME)) == {}
    table.rollback(HOME, TableVersion(1), "all right", "ann")
    assert live(table.read(HOME)) == {"a": "1", "b": "1"}
    assert table.blocked_pairs(HOME) == []


# Forgetting


def test_a_forgotten_user_is_gone_from_rows_history_and_blocks(table: RewriteTable, engine: Engine) -> None:
    ann = [rewrite(source, "secret", scope=user_scope("ann")) for source in ("a", "b")]
    others = [rewrite("a", "x"), rewrite("a", "y", scope=user_scope("bob"))]
    put(table, engine, [*ann, *others])
    put(table, engine, [rewrite("a", "secret too", scope=user_scope("ann"))])
    table.rollback(HOME, TableVersion(2), "frozen", "ann")
    table.block(HOME, ann[0].rewrite_id, "wrong", "ann")

    with engine.begin() as connection:
        assert table.forget_user(connection, HOME, UserId("ann")) == 2
    assert table.version(HOME) == 4
    assert table.changes(HOME, TableVersion(3)).forgotten == tuple(sorted(row.rewrite_id for row in ann))
    for version in range(5):
        snapshot = table.read(HOME, TableVersion(version))
        assert {row.scope for row in snapshot.rewrites} <= {GLOBAL, user_scope("bob")}
    for row in ann:
        with pytest.raises(UnknownRewriteError):
            table.history(HOME, row.rewrite_id)
    assert table.blocked_pairs(HOME) == []
    assert table.held_ids(HOME) == {row.rewrite_id for row in others}
    table.rollback(HOME, TableVersion(1), "", "bob")
    assert {row.scope for row in table.read(HOME).rewrites} == {GLOBAL, user_scope("bob")}
    with engine.begin() as connection:
        assert table.forget_user(connection, HOME, UserId("ann")) == 0
    assert table.version(HOME) == 4


def test_what_is_learned_anew_about_a_forgotten_user_is_not_forgotten(
    table: RewriteTable, engine: Engine
) -> None:
    row = rewrite("a", "b", scope=user_scope("ann"))
    put(table, engine, [row])
    with engine.begin() as connection:
        table.forget_user(connection, HOME, UserId("ann"))
    put(table, engine, [row])
    delta = table.changes(HOME, TableVersion(1))
    assert [changed.rewrite_id for changed in delta.rewrites] == [row.rewrite_id]
    assert delta.forgotten == ()
