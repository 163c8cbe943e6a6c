"""How rows fare, in the database: as it is now, and since when each row is in its state."""

from guarded_rows import judged_row
from msgspec.structs import replace
from sqlalchemy import Engine

from rewriting.guards.judged_rewrites import JudgedRewrite, counts_by_state, judged_rewrites, keep_judged
from streams.stores.database_schema import reading
from streams.turn import AssistantId

HOME, CAR = AssistantId("home"), AssistantId("car")
SONG = judged_row("play sonk", "play song")
LAMP = judged_row("turn of the lamp", "turn off the lamp", reason="not_judged")
OTHER_TARGET = judged_row("play sonk", "play bonk", state="blocked", reason="does_worse")


def stored(engine: Engine, assistant_id: AssistantId = HOME) -> list[JudgedRewrite]:
    with reading(engine) as connection:
        return judged_rewrites(connection, assistant_id)


def keep(engine: Engine, *now: JudgedRewrite, at_ms: int, assistant_id: AssistantId = HOME) -> None:
    with engine.begin() as connection:
        before = judged_rewrites(connection, assistant_id)
        kept = keep_judged(connection, assistant_id, before, now, at_ms)
    assert sorted(kept, key=lambda row: row.key) == sorted(
        stored(engine, assistant_id), key=lambda row: row.key
    )


def since(engine: Engine) -> dict[str, int]:
    return {row.target_text: row.since_ms for row in stored(engine)}


def test_what_is_stored_is_how_rows_fare_now(engine: Engine) -> None:
    for number, now in enumerate(
        [[SONG, LAMP, OTHER_TARGET], [LAMP], [LAMP], [], [replace(LAMP, run_requests=3), SONG]]
    ):
        keep(engine, *now, at_ms=number)
        found = [replace(row, since_ms=0) for row in stored(engine)]
        assert found == sorted(now, key=lambda row: (row.source_text, row.target_text))


def test_a_row_is_in_its_state_since_it_came_into_it_whatever_else_changes(engine: Engine) -> None:
    keep(engine, LAMP, SONG, at_ms=10)
    keep(engine, replace(LAMP, reason="proven", run_requests=90), SONG, at_ms=20)
    assert since(engine) == {LAMP.target_text: 10, SONG.target_text: 10}
    blocked = replace(LAMP, state="blocked", reason="target_ceased")
    keep(engine, blocked, SONG, at_ms=30)
    keep(engine, replace(blocked, reason="does_worse"), SONG, at_ms=40)
    assert since(engine) == {LAMP.target_text: 30, SONG.target_text: 10}
    keep(engine, SONG, at_ms=50)
    keep(engine, blocked, SONG, at_ms=60)  # it was gone
    assert since(engine) == {LAMP.target_text: 60, SONG.target_text: 10}


def test_each_assistant_has_its_own_rows(engine: Engine) -> None:
    keep(engine, SONG, at_ms=1)
    keep(engine, LAMP, OTHER_TARGET, at_ms=1, assistant_id=CAR)
    keep(engine, at_ms=2)
    assert stored(engine) == []
    assert len(stored(engine, CAR)) == 2


def test_the_targets_of_one_row_are_found_by_its_id(engine: Engine) -> None:
    keep(engine, SONG, OTHER_TARGET, LAMP, at_ms=1)
    with reading(engine) as connection:
        found = judged_rewrites(connection, HOME, SONG.rewrite_id)
    assert [row.target_text for row in found] == ["play bonk", "play song"]


def test_thousands_of_rows_go_at_once(engine: Engine) -> None:
    keep(engine, *(judged_row(f"wake me at {n}", "wake me") for n in range(2_500)), at_ms=1)
    keep(engine, SONG, at_ms=2)
    assert [row.source_text for row in stored(engine)] == ["play sonk"]


def test_rows_are_counted_by_state_and_reason_in_the_order_in_which_these_are_told() -> None:
    counts = counts_by_state([OTHER_TARGET, LAMP, SONG, LAMP])
    assert list(counts.items()) == [
        (("live", "proven"), 1),
        (("live", "not_judged"), 2),
        (("blocked", "does_worse"), 1),
    ]
