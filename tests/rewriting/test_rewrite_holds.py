import random

import pytest
from rewrites import live, put, rewrite_row
from sqlalchemy import Engine

from rewriting.table.rewrite import GLOBAL, TableVersion, rewrite_id
from rewriting.table.rewrite_table import RewriteTable
from streams.turn import AssistantId

HOME = AssistantId("home")
CAR = AssistantId("car")


def test_the_learner_can_neither_withdraw_nor_retarget_what_a_rollback_restored(
    table: RewriteTable, engine: Engine
) -> None:
    kept, gone, other = rewrite_row("kept", "1"), rewrite_row("gone", "1"), rewrite_row("other", "1")
    put(table, engine, [kept, gone, other])
    put(table, engine, [rewrite_row("other", "2")], [gone.rewrite_id])
    table.rollback(HOME, TableVersion(1), "worse", "ann")
    assert table.held_ids(HOME) == {kept.rewrite_id, gone.rewrite_id, other.rewrite_id}
    version = table.version(HOME)
    with engine.begin() as connection:  # as a learner that makes the table what its chain warrants
        standing = table.standing_ids(connection, HOME, "chain")
    unwarranted = sorted(set(standing) - {other.rewrite_id})
    for wished in (
        rewrite_row("other", "3"),
        rewrite_row("other", "1", status="shadow"),
        rewrite_row("other", "2"),
    ):
        assert put(table, engine, [wished], unwarranted) == version
    put(table, engine, [rewrite_row("new", "2")])
    assert live(table.read(HOME)) == {"kept": "1", "gone": "1", "other": "1", "new": "2"}
    put(table, engine, [rewrite_row("kept", "1", sessions=9)])  # the numbers may be those of today
    assert table.find(HOME, kept.rewrite_id).sessions == 9


def test_what_is_released_becomes_what_the_learner_last_wished(table: RewriteTable, engine: Engine) -> None:
    sources = ["same", "gone before", "gone since", "moved before", "moved since", "tried"]
    rows = {source: rewrite_row(source, "1") for source in sources}
    put(table, engine, list(rows.values()))
    put(table, engine, [rewrite_row("moved before", "2")], [rows["gone before"].rewrite_id])
    table.rollback(HOME, TableVersion(1), "worse", "ann")
    since = [rewrite_row("moved since", "3"), rewrite_row("tried", "1", status="shadow")]
    put(table, engine, since, [rows["gone since"].rewrite_id])
    assert live(table.read(HOME)) == dict.fromkeys(sources, "1")

    version = table.release(HOME, "better now", "bob")
    assert (table.log(HOME)[0].version, table.log(HOME)[0].actor) == (version, "bob")
    assert table.held_ids(HOME) == frozenset()
    # The rollback has blocked the target that came before it, and a block is lifted by itself.
    assert live(table.read(HOME)) == {"same": "1", "moved before": "1", "moved since": "3"}
    assert table.find(HOME, rows["gone since"].rewrite_id).status == "retired"
    assert table.find(HOME, rows["tried"].rewrite_id).status == "shadow"
    assert table.release(HOME, "again", "bob") == version


def test_a_block_ends_the_hold_and_keeps_the_wish(table: RewriteTable, engine: Engine) -> None:
    kept, gone, moved = rewrite_row("kept", "1"), rewrite_row("gone", "1"), rewrite_row("moved", "1")
    put(table, engine, [kept, gone, moved])
    table.rollback(HOME, TableVersion(1), "frozen", "ann")
    put(table, engine, [rewrite_row("moved", "2")], [gone.rewrite_id])
    for row in (kept, gone, moved):
        assert table.unblock(HOME, row.rewrite_id, "is not blocked", "ann").status == "live"
        assert table.block(HOME, row.rewrite_id, "wrong", "ann").status == "blocked"
    assert table.held_ids(HOME) == frozenset()
    put(table, engine, [rewrite_row("moved", "2")])
    assert live(table.read(HOME)) == {"moved": "2"}
    assert table.unblock(HOME, kept.rewrite_id, "right", "ann").status == "live"
    assert table.unblock(HOME, gone.rewrite_id, "right", "ann").status == "retired"


def test_a_later_rollback_replaces_the_holds_and_keeps_the_wishes(
    table: RewriteTable, engine: Engine
) -> None:
    first, second = rewrite_row("first", "1"), rewrite_row("second", "1")
    put(table, engine, [first])
    put(table, engine, [second], [first.rewrite_id])
    table.rollback(HOME, TableVersion(1), "worse", "ann")
    table.rollback(HOME, TableVersion(2), "worse still", "ann")
    assert live(table.read(HOME)) == {"second": "1"}
    assert table.held_ids(HOME) == {second.rewrite_id}
    assert table.unblock(HOME, first.rewrite_id, "fine", "ann").status == "retired"
    table.rollback(HOME, TableVersion(1), "after all", "ann")
    table.rollback(HOME, TableVersion(1), "after all", "ann")
    table.release(HOME, "let it learn", "ann")
    assert live(table.read(HOME)) == {}  # `first` was withdrawn long ago, `second` is blocked


@pytest.mark.parametrize("seed", range(3))
def test_a_table_that_was_rolled_back_and_released_is_as_if_nothing_had_happened(
    table: RewriteTable, engine: Engine, seed: int
) -> None:
    """The same random walk of puts and withdrawals in two tables, of which one is held for a while."""
    choose = random.Random(seed)

    def learn(steps: int) -> None:
        for _ in range(steps):
            sources = choose.sample("abcdefgh", 6)
            wished = [
                (source, choose.choice("xyz"), choose.randint(1, 2), choose.choice(["live", "shadow"]))
                for source in sources[:4]
            ]
            for assistant in (HOME, CAR):
                proposals = [
                    rewrite_row(source, target, sessions=sessions, status=status, assistant_id=assistant)
                    for source, target, sessions, status in wished
                ]
                withdrawn = [rewrite_id(assistant, GLOBAL, source) for source in sources[4:]]
                put(table, engine, proposals, withdrawn, assistant=assistant)

    def standing(assistant: AssistantId) -> dict[str, tuple[str, int, str]]:
        return {
            row.source_text: (row.target_text, row.sessions, row.status)
            for row in table.read(assistant).rewrites
            if row.status != "retired"
        }

    learn(8)
    for to_version in (5, 3):
        served = live(table.read(HOME, TableVersion(to_version)))
        table.rollback(HOME, TableVersion(to_version), "worse", "ann")
        assert live(table.read(HOME)) == served
        for pair in table.blocked_pairs(HOME):
            table.unblock(HOME, pair.rewrite_id, "go on", "ann")
        for _ in range(5):
            learn(1)
            assert live(table.read(HOME)).items() >= served.items()
    assert standing(HOME) != standing(CAR)
    table.release(HOME, "better", "ann")
    assert standing(HOME) == standing(CAR)
