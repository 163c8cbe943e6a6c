"""What a rollback serves again, what it keeps blocked, and what it says of it."""

from collections.abc import Iterable

from rewrites import put, rewrite_row
from sqlalchemy import Engine

from labeling.text.question import NO_QUESTION
from rewriting.table.abstain_reason import AbstainReason
from rewriting.table.lookup_loading import load_lookup_table
from rewriting.table.rewrite import GLOBAL, TableVersion
from rewriting.table.rewrite_table import RewriteTable
from rewriting.table.rollback import ServedPair
from rewriting.table.text_block import block_text
from streams.turn import AssistantId

HOME = AssistantId("home")
FIRST = TableVersion(1)


def block_any_target(engine: Engine, text: str) -> None:
    with engine.begin() as connection:
        block_text(connection, HOME, GLOBAL, text, NO_QUESTION, reason="wrong", actor="eve", changed_ms=7)


def answer(engine: Engine, text: str) -> str | None:
    found = load_lookup_table(engine, HOME).look_up(text, "bob", 0.1, "")
    return found.reason if found.rewrite is None else found.rewrite.text


def live(table: RewriteTable) -> dict[str, str]:
    return {row.source_text: row.target_text for row in table.read(HOME, status="live").rewrites}


def pairs(listed: Iterable[ServedPair]) -> list[tuple[str, str]]:
    return [(pair.source_text, pair.target_text) for pair in listed]


def test_what_somebody_has_blocked_stays_blocked(table: RewriteTable, engine: Engine) -> None:
    bad, gone = rewrite_row("bad", "1"), rewrite_row("gone", "1")
    put(table, engine, [bad, gone])
    put(table, engine, [rewrite_row("new", "2")], [gone.rewrite_id])
    table.block(HOME, bad.rewrite_id, "rolled back to version 1: in somebody's words", "ann")

    done = table.rollback(HOME, FIRST, "worse", "ann")
    assert live(table) == {"gone": "1"}
    assert table.find(HOME, bad.rewrite_id).status == "blocked"
    assert table.held_ids(HOME) == {gone.rewrite_id}
    assert pairs(done.still_blocked) == [("bad", "1")]
    put(table, engine, [bad, gone])
    assert live(table) == {"gone": "1"}

    lifted = table.rollback(HOME, FIRST, "it was right", "ann", lift_blocks=True)
    assert live(table) == {"gone": "1", "bad": "1"}
    assert (pairs(lifted.served_again), lifted.still_blocked) == ([("bad", "1")], ())


def test_a_text_that_must_not_be_rewritten_stays_so(table: RewriteTable, engine: Engine) -> None:
    put(table, engine, [rewrite_row("play it", "play jazz"), rewrite_row("other", "1")])
    put(table, engine, [rewrite_row("play it", "play rock")])
    block_any_target(engine, "Play it!")
    block_any_target(engine, "play that song")  # of which no version had a row
    done = table.rollback(HOME, FIRST, "worse", "ann")
    assert answer(engine, "play it") == AbstainReason.BLOCKED
    assert answer(engine, "play that song") == AbstainReason.BLOCKED
    assert pairs(done.still_blocked) == [("play it", "play jazz")]
    assert (done.served_again, done.no_longer_served) == ((), ())
    table.rollback(HOME, FIRST, "it was right", "ann", lift_blocks=True)
    assert answer(engine, "play it") == "play jazz"
    assert answer(engine, "play that song") == AbstainReason.BLOCKED  # version 1 did not serve it


def test_a_blocked_target_does_not_come_back_for_another(table: RewriteTable, engine: Engine) -> None:
    row = rewrite_row("a", "1")
    put(table, engine, [row])
    table.block(HOME, row.rewrite_id, "wrong", "ann")
    put(table, engine, [rewrite_row("a", "2")])
    assert live(table) == {"a": "2"}
    done = table.rollback(HOME, FIRST, "worse", "ann")
    assert live(table) == {}
    assert (pairs(done.no_longer_served), pairs(done.still_blocked)) == ([("a", "2")], [("a", "1")])
    # The target that took over is the rollback's to block and to free.
    table.rollback(HOME, TableVersion(3), "back again", "ann")
    assert live(table) == {"a": "2"}


def test_an_earlier_target_comes_back_where_another_was_blocked(table: RewriteTable, engine: Engine) -> None:
    put(table, engine, [rewrite_row("a", "1")])
    put(table, engine, [rewrite_row("a", "2")])
    table.block(HOME, rewrite_row("a", "").rewrite_id, "not this", "ann")
    done = table.rollback(HOME, FIRST, "worse", "ann")
    assert live(table) == {"a": "1"}
    assert (pairs(done.served_again), done.still_blocked) == ([("a", "1")], ())
    table.release(HOME, "learn again", "ann")
    put(table, engine, [rewrite_row("a", "2")])
    assert live(table) == {"a": "1"}
    assert [pair.target_text for pair in table.blocked_pairs(HOME)] == ["2"]


def test_blocks_of_a_rollback_go_with_it_unless_somebody_makes_them_theirs(
    table: RewriteTable, engine: Engine
) -> None:
    put(table, engine, [rewrite_row("a", "1"), rewrite_row("b", "1")])
    table.rollback(HOME, TableVersion(0), "all wrong", "ann")
    table.block(HOME, rewrite_row("b", "").rewrite_id, "wrong, I say", "bob")
    done = table.rollback(HOME, FIRST, "not all", "ann")
    assert live(table) == {"a": "1"}
    assert pairs(done.still_blocked) == [("b", "1")]
    assert [(pair.reason, pair.actor) for pair in table.blocked_pairs(HOME)] == [("wrong, I say", "bob")]


def test_a_rollback_says_what_is_served_again_and_what_no_longer(table: RewriteTable, engine: Engine) -> None:
    put(
        table,
        engine,
        [
            rewrite_row("same", "1"),
            rewrite_row("moved", "1"),
            rewrite_row("guarded", "1"),
            rewrite_row("gone", "1", question="what area"),
        ],
    )
    gone = rewrite_row("gone", "1", question="what area").rewrite_id
    put(
        table,
        engine,
        [
            rewrite_row("same", "1", sessions=99),  # its numbers are no matter of service
            rewrite_row("moved", "2"),
            rewrite_row("guarded", "1", max_confidence=0.5),
            rewrite_row("new", "2"),
            rewrite_row("tried", "2", status="candidate"),
        ],
        [gone],
    )
    done = table.rollback(HOME, FIRST, "worse", "ann")
    assert done.version == table.version(HOME) == 3
    assert pairs(done.served_again) == [("gone", "1"), ("guarded", "1"), ("moved", "1")]
    assert pairs(done.no_longer_served) == [("guarded", "1"), ("moved", "2"), ("new", "2")]
    assert done.still_blocked == ()
    assert done.served_again[0] == ServedPair(
        rewrite_id=gone,
        scope=GLOBAL,
        source_text="gone",
        question="what area",
        target_text="1",
        max_confidence=None,
    )
    assert done.served_again[1].max_confidence is None
    assert done.no_longer_served[0].max_confidence == 0.5


def test_another_limit_for_one_confidence_alone_is_another_service(
    table: RewriteTable, engine: Engine
) -> None:
    put(table, engine, [rewrite_row("guarded", "1", max_confidence=0.5, max_asr_confidence=0.6)])
    put(table, engine, [rewrite_row("guarded", "1", max_confidence=0.5, max_asr_confidence=0.3)])
    done = table.rollback(HOME, TableVersion(1), "worse", "ann")
    assert [pair.max_asr_confidence for pair in done.served_again] == [0.6]
    assert [pair.max_asr_confidence for pair in done.no_longer_served] == [0.3]


def test_a_rollback_says_where_what_it_serves_again_holds(table: RewriteTable, engine: Engine) -> None:
    german = rewrite_row("gift", "poison", locale="de-DE", turn_kind="answer")
    put(table, engine, [german])
    put(table, engine, [rewrite_row("gift", "present")], [german.rewrite_id])
    done = table.rollback(HOME, TableVersion(1), "worse", "ann")
    assert [(pair.locale, pair.turn_kind) for pair in done.served_again] == [("de-DE", "answer")]
    assert [(pair.locale, pair.turn_kind) for pair in done.no_longer_served] == [("", "any")]
