import gc
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from rewrites import rewrite_row

from rewriting.table.abstain_reason import AbstainReason
from rewriting.table.confidence_limits import KnownParts
from rewriting.table.lookup import LONGEST_TEXT, LookupAnswer, LookupTable
from rewriting.table.rewrite import (
    GLOBAL,
    Rewrite,
    RewriteId,
    RewriteStatus,
    TableVersion,
    rewrite_id,
    user_scope,
)
from streams.turn import AssistantId, UserId

HOME = AssistantId("home")
V1, V2, V3 = TableVersion(1), TableVersion(2), TableVersion(3)


def table(*rows: Rewrite) -> LookupTable:
    return LookupTable.of(HOME, V1, rows)


def text_of(answer: LookupAnswer) -> str | None:
    assert (answer.rewrite is None) != (answer.reason is None)
    return None if answer.rewrite is None else answer.rewrite.text


def test_a_request_is_found_in_any_spelling() -> None:
    lamps = table(rewrite_row("turn of the lamp", "turn off the lamp", score=0.75))
    answer = lamps.look_up("  Turn of\tthe LAMP! ", "ann")
    assert answer.rewrite is not None
    assert answer.rewrite.rewrite_id == rewrite_id(HOME, GLOBAL, "turn of the lamp")
    assert (answer.rewrite.text, answer.rewrite.method) == ("turn off the lamp", "chain")
    assert (answer.rewrite.scope, answer.rewrite.score) == (GLOBAL, 0.75)
    assert (answer.reason, answer.table_version) == (None, V1)


def test_a_users_own_rewrite_comes_before_that_of_everybody() -> None:
    ann = user_scope(UserId("ann"))
    songs = table(rewrite_row("play it", "play jazz"), rewrite_row("play it", "play blues", scope=ann))
    own = songs.look_up("play it", "ann").rewrite
    assert own is not None
    assert (own.text, own.scope) == ("play blues", ann)
    assert text_of(songs.look_up("play it", "bob")) == "play jazz"
    assert text_of(songs.look_up("play it")) == "play jazz"


def test_nobody_gets_another_users_rewrite() -> None:
    songs = table(rewrite_row("play it", "play blues", scope=user_scope(UserId("ann"))))
    for user_id in ["bob", "", "an", "ann ", "ann\x00", "user:ann", None]:
        assert songs.look_up("play it", user_id).reason is AbstainReason.NO_REWRITE_KNOWN
    assert songs.look_up("user:ann\x00play it", "bob").reason is AbstainReason.NO_REWRITE_KNOWN


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", AbstainReason.EMPTY_TEXT),
        (" \t\n", AbstainReason.EMPTY_TEXT),
        ("?!", AbstainReason.EMPTY_TEXT),
        ("\x00\x07", AbstainReason.EMPTY_TEXT),
        ("something else", AbstainReason.NO_REWRITE_KNOWN),
        ("x" * LONGEST_TEXT, AbstainReason.NO_REWRITE_KNOWN),
        ("x" * (LONGEST_TEXT + 1), AbstainReason.TEXT_TOO_LONG),
        ("taken back", AbstainReason.BLOCKED),
        ("not yet live", AbstainReason.NO_REWRITE_KNOWN),
        ("only tried", AbstainReason.NO_REWRITE_KNOWN),
        ("no longer live", AbstainReason.NO_REWRITE_KNOWN),
    ],
)
def test_every_abstention_has_its_reason(text: str, reason: AbstainReason) -> None:
    rows = table(
        rewrite_row("taken back", "a", status="blocked"),
        rewrite_row("not yet live", "a", status="candidate"),
        rewrite_row("only tried", "a", status="shadow"),
        rewrite_row("no longer live", "a", status="retired"),
    )
    assert rows.look_up(text, "ann").reason is reason


def test_a_personal_block_leaves_the_rewrite_of_everybody() -> None:
    ann = user_scope(UserId("ann"))
    blocked = rewrite_row("play it", "play blues", scope=ann, status="blocked")
    assert table(blocked).look_up("play it", "ann").reason is AbstainReason.BLOCKED
    assert table(blocked).look_up("play it", "bob").reason is AbstainReason.NO_REWRITE_KNOWN
    assert (
        text_of(table(blocked, rewrite_row("play it", "play jazz")).look_up("play it", "ann")) == "play jazz"
    )


def test_an_assistant_without_a_table_gets_a_reason() -> None:
    assert LookupTable.empty(HOME).look_up("play it").reason is AbstainReason.NO_TABLE
    assert LookupTable.of(HOME, V1, []).look_up("play it").reason is AbstainReason.NO_REWRITE_KNOWN


def test_a_rewrite_after_a_question_holds_after_that_question_alone() -> None:
    area = table(rewrite_row("no", "south", question="what area"))
    assert text_of(area.look_up("No.", "ann", None, "what area")) == "south"
    for question in ["", "what food", "what area do you want", "area"]:
        assert area.look_up("no", "ann", None, question).reason is AbstainReason.NO_REWRITE_KNOWN
    assert area.look_up("no\x01what area", "ann").reason is AbstainReason.NO_REWRITE_KNOWN


def test_the_question_comes_before_the_person_and_both_before_neither() -> None:
    ann = user_scope(UserId("ann\x01what area"))
    rows = [
        rewrite_row("no", "own after the question", scope=ann, question="what area"),
        rewrite_row("no", "everybody's after the question", question="what area"),
        rewrite_row("no", "own", scope=ann),
        rewrite_row("no", "everybody's"),
    ]
    assert len({row.rewrite_id for row in rows}) == 4
    left = table(*rows)
    assert (left.counts.live, left.counts.personal, left.counts.asked) == (4, 2, 2)
    for row in rows:
        answer = left.look_up("no", "ann\x01what area", None, "what area").rewrite
        assert answer is not None
        assert (answer.text, answer.scope) == (row.target_text, row.scope)
        left = left.with_changes(V2, [structs.replace(row, status="retired")])
    assert (left.counts.live, left.counts.personal, left.counts.asked) == (0, 0, 0)


def test_a_guarded_or_blocked_rewrite_after_a_question_leaves_the_one_after_any() -> None:
    after_any = rewrite_row("no", "north")
    guarded = rewrite_row("no", "south", question="what area", max_confidence=0.5)
    assert text_of(table(guarded, after_any).look_up("no", "ann", 0.4, "what area")) == "south"
    assert text_of(table(guarded, after_any).look_up("no", "ann", 0.6, "what area")) == "north"
    blocked = rewrite_row("no", "south", question="what area", status="blocked")
    assert text_of(table(blocked, after_any).look_up("no", "ann", 0.4, "what area")) == "north"
    assert table(blocked).look_up("no", "ann", 0.4, "what area").reason is AbstainReason.BLOCKED


def test_a_forgotten_rewrite_after_a_question_is_gone() -> None:
    row = rewrite_row("no", "south", scope=user_scope(UserId("ann")), question="what area")
    left = table(row).with_changes(V2, forgotten=[row.rewrite_id])
    assert left.look_up("no", "ann", None, "what area").reason is AbstainReason.NO_REWRITE_KNOWN
    assert (left.counts.live, left.counts.personal, left.counts.asked) == (0, 0, 0)


def test_a_change_makes_a_new_table_and_leaves_the_old_one() -> None:
    old = table(rewrite_row("one", "1"), rewrite_row("two", "2"), rewrite_row("three", "3"))
    new = old.with_changes(
        V2,
        [
            rewrite_row("one", "eins"),
            rewrite_row("two", "2", status="blocked"),
            rewrite_row("three", "3", status="retired"),
        ],
    )
    assert [text_of(old.look_up(text)) for text in ("one", "two", "three")] == ["1", "2", "3"]
    assert [text_of(new.look_up(text)) for text in ("one", "two", "three")] == ["eins", None, None]
    assert new.look_up("two").reason is AbstainReason.BLOCKED
    assert new.look_up("three").reason is AbstainReason.NO_REWRITE_KNOWN
    assert (old.version, len(old), new.version, len(new)) == (V1, 3, V2, 1)
    back = new.with_changes(V3, [rewrite_row("two", "2"), rewrite_row("three", "3")])
    assert [text_of(back.look_up(text)) for text in ("one", "two", "three")] == ["eins", "2", "3"]
    assert (back.counts.live, back.counts.blocked) == (3, 0)


def test_forgotten_rows_are_gone() -> None:
    ann = user_scope(UserId("ann"))
    own, blocked = (
        rewrite_row("play it", "play blues", scope=ann),
        rewrite_row("stop", "go", scope=ann, status="blocked"),
    )
    rows = table(own, blocked, rewrite_row("play it", "play jazz"))
    without = rows.with_changes(V2, forgotten=[own.rewrite_id, blocked.rewrite_id, RewriteId("never there")])
    assert text_of(without.look_up("play it", "ann")) == "play jazz"
    assert without.look_up("stop", "ann").reason is AbstainReason.NO_REWRITE_KNOWN
    assert (without.counts.live, without.counts.blocked, without.counts.personal) == (1, 0, 0)


@pytest.mark.parametrize(
    ("confidence", "text"), [(0.0, "turn off"), (0.59, "turn off"), (0.6, None), (1.0, None), (None, None)]
)
def test_a_guarded_rewrite_is_for_requests_not_understood_surely(
    confidence: float | None, text: str | None
) -> None:
    answer = table(rewrite_row("turn of", "turn off", max_confidence=0.6)).look_up(
        "turn of", "ann", confidence
    )
    assert text_of(answer) == text
    assert answer.reason is (None if text else AbstainReason.UNDERSTOOD_SURELY)


@pytest.mark.parametrize(
    ("parts", "confidence", "is_served"),
    [
        ("product", 0.39, True),
        ("product", 0.4, False),
        ("asr", 0.59, True),  # 0.59 would be too much of a product
        ("asr", 0.6, False),
        ("nlu", 0.0, False),
    ],
)
def test_a_request_is_compared_with_the_limit_of_what_is_known_of_it(
    parts: KnownParts, confidence: float, is_served: bool
) -> None:
    row = rewrite_row(
        "turn of", "turn off", max_confidence=0.4, max_asr_confidence=0.6, max_nlu_confidence=0.0
    )
    answer = table(row).look_up("turn of", "ann", confidence, parts=parts)
    assert answer.reason is (None if is_served else AbstainReason.UNDERSTOOD_SURELY)


@pytest.mark.parametrize("parts", ["product", "asr", "nlu"])
def test_the_one_limit_of_a_row_holds_for_whatever_is_known(parts: KnownParts) -> None:
    rows = table(rewrite_row("turn of", "turn off", max_confidence=0.6))
    assert text_of(rows.look_up("turn of", "ann", 0.59, parts=parts)) == "turn off"
    assert text_of(rows.look_up("turn of", "ann", 0.6, parts=parts)) is None


def test_a_row_may_have_no_limit_for_one_confidence_alone() -> None:
    rows = table(rewrite_row("turn of", "turn off", max_confidence=0.0, max_asr_confidence=1.0))
    assert text_of(rows.look_up("turn of", "ann", 1.0, parts="asr")) == "turn off"
    assert text_of(rows.look_up("turn of", "ann", 0.0, parts="product")) is None
    assert text_of(rows.look_up("turn of", "ann")) is None


def test_an_unguarded_rewrite_is_for_every_request() -> None:
    for confidence in (None, 0.0, 1.0):
        assert (
            text_of(table(rewrite_row("turn of", "turn off")).look_up("turn of", "ann", confidence))
            == "turn off"
        )


STATUSES: list[RewriteStatus] = ["candidate", "shadow", "live", "blocked", "retired"]
CHANGES = st.lists(
    st.builds(
        rewrite_row,
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["x", "y"]),
        scope=st.sampled_from([GLOBAL, user_scope(UserId("ann"))]),
        status=st.sampled_from(STATUSES),
        method=st.sampled_from(["chain", "rephrase"]),
    )
)


@given(st.lists(CHANGES, max_size=5))
def test_changes_one_after_the_other_give_the_table_read_at_once(changes: Sequence[list[Rewrite]]) -> None:
    followed = LookupTable.empty(HOME)
    rows: dict[str, Rewrite] = {}
    for number, change in enumerate(changes, start=1):
        followed = followed.with_changes(TableVersion(number), change)
        rows |= {changed.rewrite_id: changed for changed in change}
    read = LookupTable.of(HOME, followed.version, rows.values())
    assert followed.counts == read.counts
    assert len(read) == sum(kept.status == "live" for kept in rows.values())
    for text in ("a", "b", "c", "d"):
        for user_id in ("ann", "bob"):
            assert followed.look_up(text, user_id) == read.look_up(text, user_id)


@given(st.text(), st.text())
def test_any_text_of_any_user_gets_an_answer(text: str, user_id: str) -> None:
    rows = table(rewrite_row("a", "b"), rewrite_row("a", "c", scope=user_scope(UserId("ann"))))
    text_of(rows.look_up(text, user_id))


def test_a_change_shares_what_it_does_not_touch() -> None:
    rows = LookupTable.of(HOME, V1, (rewrite_row(f"request {number}", "x") for number in range(50_000)))
    gc.collect()
    tracemalloc.start()
    changed = rows.with_changes(V2, [rewrite_row("request 7", "y")])
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert text_of(changed.look_up("request 7")) == "y"
    assert peak_bytes < 100_000  # a copy of all 50,000 rows would take megabytes


def test_a_row_costs_some_hundred_bytes() -> None:
    count = 20_000
    gc.collect()
    tracemalloc.start()
    rows = LookupTable.of(
        HOME,
        V1,
        (rewrite_row(f"play song number {number}", f"play song {number // 3}") for number in range(count)),
    )
    held_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(rows) == count
    assert held_bytes / count < 450
