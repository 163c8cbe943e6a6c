"""Rows that hold in one locale or for one kind of turn alone, against a plain model of what holds where."""

import gc
import itertools
import tracemalloc
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rewrites import rewrite_row

from rewriting.table import lookup
from rewriting.table.abstain_reason import AbstainReason
from rewriting.table.lookup import LookupAnswer, LookupTable
from rewriting.table.occasion import AskedKind, TurnKind
from rewriting.table.rewrite import GLOBAL, Rewrite, RewriteStatus, Scope, TableVersion, user_scope
from streams.turn import AssistantId, UserId

HOME = AssistantId("home")
V1, V2 = TableVersion(1), TableVersion(2)
ANN = user_scope(UserId("ann"))

SCOPES: tuple[Scope, ...] = (GLOBAL, ANN)
QUESTIONS = ("", "what area")
LOCALES = ("", "en", "en-GB")
KINDS: tuple[TurnKind, ...] = ("any", "opening", "answer", "system")
STATUSES: tuple[RewriteStatus, ...] = ("candidate", "live", "blocked", "retired")

ALL_PLACES = list(itertools.product(SCOPES, QUESTIONS, LOCALES, KINDS, ("chain", "rephrase")))
ASKED_KINDS: tuple[AskedKind | None, ...] = (None, "opening", "answer", "system")
ALL_LOOKUPS = list(
    itertools.product(
        ("ann", "bob", None), ("", "what area", "what food"), (None, "EN", "en_gb", "de"), ASKED_KINDS
    )
)

Lookup = tuple[str | None, str, str | None, AskedKind | None]


def comparable(locale: str | None) -> str:
    return (locale or "").lower().replace("_", "-")


def holding(rows: Iterable[Rewrite], asked: Lookup) -> list[Rewrite]:
    """Those of the rows that hold for a request, the first before all others."""
    user, question, locale, kind = asked

    def holds(row: Rewrite) -> bool:
        return (
            row.scope in (GLOBAL, f"user:{user}")
            and row.question in ("", question)
            and comparable(row.locale) in ("", comparable(locale))
            and row.turn_kind in ("any", kind)
        )

    def order(row: Rewrite) -> tuple[bool, bool, bool, bool, bool]:
        is_everybodys, is_of_any_kind = row.scope == GLOBAL, row.turn_kind == "any"
        return row.method == "rephrase", not row.question, is_everybodys, not row.locale, is_of_any_kind

    return sorted(filter(holds, rows), key=order)


def expected(
    rows: Iterable[Rewrite], asked: Lookup, confidence: float | None
) -> tuple[str | None, str | None]:
    """The id of the row that answers, or the reason why none does."""
    reason = AbstainReason.NO_REWRITE_KNOWN
    for row in holding((row for row in rows if row.status in ("live", "blocked")), asked):
        if row.status == "blocked":
            reason = AbstainReason.BLOCKED
        elif row.max_confidence is not None and (confidence is None or confidence >= row.max_confidence):
            reason = AbstainReason.UNDERSTOOD_SURELY
        else:
            return row.rewrite_id, None
    return None, reason


def look_up(table: LookupTable, asked: Lookup, confidence: float | None = None) -> LookupAnswer:
    user, question, locale, kind = asked
    return table.look_up("No!", user, confidence, question, locale=locale, turn_kind=kind)


def found(answer: LookupAnswer) -> tuple[str | None, str | None]:
    return (answer.rewrite and answer.rewrite.rewrite_id), answer.reason


def row_of(place: tuple[Scope, str, str, TurnKind, str], **changes: object) -> Rewrite:
    scope, question, locale, kind, method = place
    return rewrite_row(
        "no",
        "|".join(place),
        **{"scope": scope, "question": question, "locale": locale, "turn_kind": kind, "method": method}
        | changes,
    )


def test_of_all_places_the_narrowest_answers_and_as_it_goes_the_next() -> None:
    rows = [row_of(place) for place in ALL_PLACES]
    whole = LookupTable.of(HOME, V1, rows)
    assert len(whole) == len({row.rewrite_id for row in rows}) == len(ALL_PLACES) == 96
    for asked in ALL_LOOKUPS:
        order = holding(rows, asked)
        table = whole
        for row in order:
            answer = look_up(table, asked).rewrite
            assert answer is not None
            assert (answer.rewrite_id, answer.text, answer.scope) == (
                row.rewrite_id,
                row.target_text,
                row.scope,
            )
            table = table.with_changes(V2, forgotten=[row.rewrite_id])
        assert look_up(table, asked).reason is AbstainReason.NO_REWRITE_KNOWN
        assert len(table) == len(ALL_PLACES) - len(order)


ROWS = st.lists(
    st.builds(
        lambda place, status, limit: row_of(place, status=status, max_confidence=limit),
        st.sampled_from(ALL_PLACES),
        st.sampled_from(STATUSES),
        st.sampled_from([None, None, 0.5]),
    ),
    max_size=12,
)


@given(
    st.lists(ROWS, min_size=1, max_size=3), st.lists(st.sampled_from(ALL_LOOKUPS), min_size=1, max_size=20)
)
def test_any_rows_in_any_order_answer_as_the_plain_model_does(
    changes: Sequence[list[Rewrite]], lookups: Sequence[Lookup]
) -> None:
    table = LookupTable.empty(HOME)
    standing: dict[str, Rewrite] = {}
    for number, change in enumerate(changes, start=1):
        table = table.with_changes(TableVersion(number), change)
        standing |= {row.rewrite_id: row for row in change}
    kept = [row for row in standing.values() if row.status in ("live", "blocked")]
    assert table.counts.in_locale == sum(bool(row.locale) for row in kept)
    assert table.counts.of_kind == sum(row.turn_kind != "any" for row in kept)
    for asked in lookups:
        for confidence in (None, 0.4, 0.6):
            assert found(look_up(table, asked, confidence)) == expected(standing.values(), asked, confidence)
        user, question, locale, kind = asked
        scope = GLOBAL if user is None else user_scope(user)
        blocked = [row for row in holding(kept, asked) if row.status == "blocked" and row.scope == scope]
        assert table.is_blocked("no", scope, question, locale=locale, turn_kind=kind) == bool(blocked)


def test_a_lookup_without_a_locale_or_kind_gets_rows_of_any_alone() -> None:
    table = LookupTable.of(
        HOME,
        V1,
        [
            rewrite_row("gift", "poison", locale="de-DE"),
            rewrite_row("yes", "lock the door", turn_kind="system"),
            rewrite_row("yes", "yes please"),
        ],
    )
    assert look_up_text(table, "gift") is look_up_text(table, "gift", locale="de") is None
    assert look_up_text(table, "gift", locale="a b") is None
    assert look_up_text(table, "Gift", locale="DE_de") == "poison"
    assert look_up_text(table, "yes") == look_up_text(table, "yes", turn_kind="answer") == "yes please"
    assert look_up_text(table, "yes", turn_kind="system") == "lock the door"


def look_up_text(
    table: LookupTable, text: str, locale: str | None = None, turn_kind: AskedKind | None = None
) -> str | None:
    rewrite = table.look_up(text, "bob", locale=locale, turn_kind=turn_kind).rewrite
    return None if rewrite is None else rewrite.text


def test_a_row_that_is_spelled_anew_takes_the_place_of_itself() -> None:
    table = LookupTable.of(HOME, V1, [rewrite_row("no", "south", locale="en-GB")])
    table = table.with_changes(V2, [rewrite_row("no", "north", locale="EN_gb")])
    assert (len(table), table.counts.in_locale) == (1, 1)
    assert look_up_text(table, "no", locale="en-gb") == "north"


def test_a_table_without_such_rows_is_asked_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    everywhere = [rewrite_row("no", "south"), rewrite_row("no", "own", scope=ANN, question="what area")]
    table = LookupTable.of(HOME, V1, everywhere)
    keys: list[str] = []

    class NotedShard(dict):  # type: ignore[type-arg]  # stands for any shard
        def get(self, key: str, default: object = None) -> object:
            keys.append(key)
            return super().get(key, default)

    def not_needed(locale: str | None) -> str:
        raise AssertionError("no row has a locale to compare")

    def noted(table: LookupTable) -> LookupTable:
        shards = tuple(NotedShard(shard) for shard in table._shards)  # noqa: SLF001 (what is asked of them)
        return LookupTable(table.assistant_id, table.version, shards, table.counts)

    asked: Lookup = ("ann", "what food", "en", "answer")
    with monkeypatch.context() as patched:
        patched.setattr(lookup, "locale_key", not_needed)
        assert found(look_up(noted(table), asked))[0] == everywhere[0].rewrite_id
    assert len(keys) == 4
    keys.clear()
    placed = table.with_changes(V2, [rewrite_row("yes", "north", locale="en")])
    look_up(noted(placed), ("ann", "what food", "en", "answer"))
    assert len(keys) == 8


def test_a_row_that_holds_everywhere_costs_no_byte_for_its_place() -> None:
    count = 10_000

    def held_bytes(**place: str) -> int:
        gc.collect()
        tracemalloc.start()
        table = LookupTable.of(
            HOME, V1, (rewrite_row(f"play song number {number}", "play", **place) for number in range(count))
        )
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(table) == count
        return held

    everywhere = held_bytes()
    assert everywhere / count < 450
    assert held_bytes(locale="en-GB", turn_kind="opening") / count < everywhere / count + 40
