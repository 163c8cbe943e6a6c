from typing import Any

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


def block(
    engine: Engine, text: str, scope: Scope = GLOBAL, question: Question = NO_QUESTION, **place: Any
) -> Rewrite:
    with engine.begin() as connection:
        return block_text(
            connection, HOME, scope, text, question, reason="wrong", actor="eve", changed_ms=7, **place
        )


def put(table: RewriteTable, engine: Engine, *rows: Rewrite) -> None:
    with engine.begin() as connection:
        table.put(connection, HOME, rows, [], "learned", 1)


def answer(engine: Engine, text: str, user: str = "bob", question: str = "", **occasion: Any) -> str | None:
    found = load_lookup_table(engine, HOME).look_up(text, user, None, question, **occasion)
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


def test_a_block_holds_for_its_locale_and_kind_of_turn(table: RewriteTable, engine: Engine) -> None:
    put(table, engine, rewrite_row("gift", "present"), rewrite_row("gift", "poison", locale="de-DE"))
    row = block(engine, "Gift", locale="de_de", turn_kind="answer")
    assert (row.locale, row.turn_kind) == ("de_de", "answer")
    german = load_lookup_table(engine, HOME)
    assert german.is_blocked("gift", GLOBAL, locale="DE-de", turn_kind="answer")
    assert not german.is_blocked("gift", GLOBAL, locale="DE-de", turn_kind="opening")
    assert not german.is_blocked("gift", GLOBAL, locale="de", turn_kind="answer")
    assert answer(engine, "gift", locale="de-DE") == "poison"


def test_a_block_in_every_locale_holds_for_the_rows_of_each(table: RewriteTable, engine: Engine) -> None:
    german = rewrite_row("gift", "poison", locale="de-DE")
    put(table, engine, rewrite_row("gift", "present"), german, rewrite_row("other", "x", locale="de-DE"))
    key = block(engine, "gift").rewrite_id
    later = rewrite_row("gift", "a present", locale="en-GB", turn_kind="opening")
    others = rewrite_row("gift", "talent", locale="en-GB", question="what is it")
    put(table, engine, later, others)
    asked = {"locale": "en-GB", "turn_kind": "opening"}
    assert answer(engine, "gift", locale="de-DE") == AbstainReason.BLOCKED
    assert answer(engine, "gift", **asked) == AbstainReason.BLOCKED
    assert answer(engine, "gift", question="what is it", **asked) == "talent"
    assert answer(engine, "other", locale="de-DE") == "x"
    put(table, engine, rewrite_row("gift", "a gift", locale="en-GB", turn_kind="opening"))
    assert answer(engine, "gift", **asked) == AbstainReason.BLOCKED

    table.unblock(HOME, german.rewrite_id, "right in German", "eve")
    assert answer(engine, "gift", locale="de-DE") == "poison"
    put(table, engine, german)
    assert answer(engine, "gift", locale="de-DE") == "poison"
    assert answer(engine, "gift", **asked) == AbstainReason.BLOCKED

    table.unblock(HOME, key, "right after all", "eve")
    assert answer(engine, "gift", **asked) == "a gift"
    assert answer(engine, "gift") == "present"
    assert table.blocked_pairs(HOME) == []


def test_the_end_of_a_texts_block_leaves_the_pairs_that_somebody_has_blocked(
    table: RewriteTable, engine: Engine
) -> None:
    german = rewrite_row("gift", "poison", locale="de-DE")
    put(table, engine, german)
    table.block(HOME, german.rewrite_id, "wrong", "ann")
    key = block(engine, "gift").rewrite_id
    table.unblock(HOME, key, "right after all", "eve")
    assert answer(engine, "gift", locale="de-DE") == AbstainReason.BLOCKED
    table.unblock(HOME, german.rewrite_id, "right as well", "eve")
    assert answer(engine, "gift", locale="de-DE") == "poison"


def test_what_is_no_locale_is_refused(engine: Engine) -> None:
    with pytest.raises(RewriteTableError, match="'en us' is no BCP 47 language tag"):
        block(engine, "gift", locale="en us")
