import pytest
from rewrites import rewrite_row
from sqlalchemy import Engine

from labeling.text.question import NO_QUESTION, Question
from rewriting.errors import RewriteTableError
from rewriting.table.abstain_reason import AbstainReason
from rewriting.table.lookup_loading import load_lookup_table
from rewriting.table.rewrite import GLOBAL, Rewrite, Scope, TableVersion, user_scope
from rewriting.table.rewrite_table import RewriteTable
from rewriting.table.text_block import block_text
from streams.turn import AssistantId, UserId

HOME = AssistantId("home")
ANN = user_scope(UserId("ann"))
AREA = Question("what area")


def block(engine: Engine, text: str, scope: Scope = GLOBAL, question: Question = NO_QUESTION) -> Rewrite:
    with engine.begin() as connection:
        return block_text(connection, HOME, scope, text, question, reason="wrong", actor="eve", changed_ms=7)


def put(table: RewriteTable, engine: Engine, *rows: Rewrite) -> None:
    with engine.begin() as connection:
        table.put(connection, HOME, rows, [], "learned", 1)


def answer(engine: Engine, text: str, user: str = "bob", question: str = "") -> str | None:
    found = load_lookup_table(engine, HOME).look_up(text, user, None, question)
    return found.reason if found.rewrite is None else found.rewrite.text


def test_a_text_without_a_row_is_blocked_and_unblocked(table: RewriteTable, engine: Engine) -> None:
    row = block(engine, "Play THAT song!")
    assert (row.source_text, row.status, row.method) == ("play that song", "blocked", "retrieval")
    assert answer(engine, "play that song") == AbstainReason.BLOCKED
    assert load_lookup_table(engine, HOME).is_blocked("play that song", GLOBAL)
    version = table.version(HOME)
    assert block(engine, "play that song") == row
    assert table.version(HOME) == version  # nothing new

    assert table.unblock(HOME, row.rewrite_id, "right after all", "eve").status == "retired"
    assert answer(engine, "play that song") == AbstainReason.NO_REWRITE_KNOWN
    assert table.blocked_pairs(HOME) == []


def test_what_is_learned_for_a_blocked_text_waits_until_it_is_unblocked(
    table: RewriteTable, engine: Engine
) -> None:
    key = block(engine, "play it").rewrite_id
    put(table, engine, rewrite_row("play it", "play jazz"))
    assert answer(engine, "play it") == AbstainReason.BLOCKED
    put(table, engine, rewrite_row("play it", "play rock"))
    assert answer(engine, "play it") == AbstainReason.BLOCKED
    assert table.unblock(HOME, key, "right after all", "eve").status == "live"
    assert answer(engine, "play it") == "play rock"
    assert table.blocked_pairs(HOME) == []


def test_a_row_that_serves_is_blocked_whatever_its_target(table: RewriteTable, engine: Engine) -> None:
    put(table, engine, rewrite_row("play it", "play jazz"))
    assert block(engine, "play it").target_text == "play jazz"
    put(table, engine, rewrite_row("play it", "play rock"))
    assert answer(engine, "play it") == AbstainReason.BLOCKED
    table.rollback(HOME, TableVersion(1), "worse", "eve")
    assert answer(engine, "play it") == AbstainReason.BLOCKED
    table.rollback(HOME, TableVersion(1), "blocked by mistake", "eve", lift_blocks=True)
    put(table, engine, rewrite_row("play it", "play jazz", sessions=15))
    assert answer(engine, "play it") == "play jazz"


def test_a_block_holds_for_its_scope_and_question(table: RewriteTable, engine: Engine) -> None:
    block(engine, "play it", scope=ANN)
    block(engine, "sauce", question=AREA)
    assert answer(engine, "play it", "ann") == AbstainReason.BLOCKED
    assert answer(engine, "play it", "bob") == AbstainReason.NO_REWRITE_KNOWN
    assert answer(engine, "sauce", question=AREA) == AbstainReason.BLOCKED
    assert answer(engine, "sauce") == AbstainReason.NO_REWRITE_KNOWN
    served = load_lookup_table(engine, HOME)
    assert served.is_blocked("sauce", GLOBAL, AREA)
    assert not served.is_blocked("sauce", GLOBAL, Question("what food"))
    assert not served.is_blocked("play it", GLOBAL)
    with engine.begin() as connection:
        assert table.forget_user(connection, HOME, UserId("ann")) == 1
    assert answer(engine, "play it", "ann") == AbstainReason.NO_REWRITE_KNOWN


@pytest.mark.parametrize("text", ["", " ?! ", "\x00"])
def test_without_a_word_there_is_nothing_to_block(engine: Engine, text: str) -> None:
    with pytest.raises(RewriteTableError, match="nothing to block"):
        block(engine, text)
