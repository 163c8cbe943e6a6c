"""What the guards make of pairs: held back, let through, or blocked for how they fare."""

from guarded_rows import judged_row
from rewrites import rewrite_row
from sqlalchemy import Engine

from rewriting.guards.guarded_rewrites import (
    GuardedRewrite,
    counts_by_guarded_state,
    guarded_as,
    guarded_rewrites,
)
from rewriting.guards.judged_rewrites import JudgedRewrite, keep_judged
from rewriting.guards.refused_rewrites import RefusedRewrite, keep_refused, refused_rewrites
from rewriting.table.rewrite import Rewrite, user_scope
from streams.stores.database_schema import reading
from streams.turn import AssistantId

HOME = AssistantId("home")
LOCK = RefusedRewrite("lock it", "unlock it", "", ("opposite", "sensitive"))
SONG = judged_row("play sonk", "play song")


def keep(engine: Engine, refused: list[RefusedRewrite], *judged: JudgedRewrite, at_ms: int | None) -> None:
    with engine.begin() as connection:
        keep_refused(connection, HOME, refused_rewrites(connection, HOME), refused, at_ms)
        keep_judged(connection, HOME, (), judged, at_ms or 0)


def found(engine: Engine) -> list[GuardedRewrite]:
    with reading(engine) as connection:
        return guarded_rewrites(connection, HOME)


def of(engine: Engine, row: Rewrite) -> list[tuple[str, str]]:
    with reading(engine) as connection:
        return [(one.locale, one.state) for one in guarded_as(connection, row)]


def test_refused_pairs_are_candidates_beside_the_rows_that_are_judged(engine: Engine) -> None:
    keep(engine, [LOCK], SONG, at_ms=7)
    candidate, live = found(engine)
    assert candidate == GuardedRewrite(
        rewrite_id=LOCK.rewrite_id(HOME),
        source="lock it",
        target="unlock it",
        locale="",
        state="candidate",
        since_ms=7,
        said_success=0,
        said_requests=0,
        run_success=0,
        run_requests=0,
        judges=0,
        makers=0,
        p_better=0.5,
        reason="opposite",
    )
    assert (live.state, live.reason, live.since_ms, live.run_requests) == ("live", "proven", 7, 128)
    assert counts_by_guarded_state([candidate, live]) == {"candidate": 1, "live": 1, "blocked": 0}


def test_a_pair_is_a_candidate_since_it_is_held_back_whatever_the_reasons(engine: Engine) -> None:
    keep(engine, [LOCK], at_ms=7)
    keep(engine, [RefusedRewrite("lock it", "unlock it", "", ("few_people",))], at_ms=8)
    assert [(one.since_ms, one.reason) for one in found(engine)] == [(7, "few_people")]
    keep(engine, [], at_ms=9)
    keep(engine, [LOCK], at_ms=10)
    assert [one.since_ms for one in found(engine)] == [10]


def test_a_pair_that_is_let_through_in_one_way_is_no_candidate(engine: Engine) -> None:
    keep(engine, [RefusedRewrite("play sonk", "play song", "", ("other_name",))], SONG, at_ms=1)
    assert [one.state for one in found(engine)] == ["live"]


def test_a_row_is_told_by_its_own_target(engine: Engine) -> None:
    blocked = judged_row("play sonk", "play bonk", state="blocked", reason="does_worse")
    keep(engine, [LOCK], SONG, blocked, at_ms=1)
    assert of(engine, rewrite_row("play sonk", "Play song!", assistant_id=HOME)) == [("", "live")]
    assert of(engine, rewrite_row("play sonk", "play bonk", assistant_id=HOME)) == [("", "blocked")]
    assert of(engine, rewrite_row("lock it", "unlock it", assistant_id=HOME)) == [("", "candidate")]
    personal = rewrite_row("play sonk", "play song", assistant_id=HOME, scope=user_scope("u1"))
    assert of(engine, personal) == []


def test_a_row_for_all_locales_that_is_served_in_none_is_told_by_each(engine: Engine) -> None:
    in_each = [
        judged_row("play sonk", "play song", locale=locale, state="blocked", reason="target_ceased")
        for locale in ("en-gb", "de-de")
    ]
    keep(engine, [], *in_each, at_ms=1)
    row = rewrite_row("play sonk", "play song", assistant_id=HOME)
    assert of(engine, row) == [("de-de", "blocked"), ("en-gb", "blocked")]
