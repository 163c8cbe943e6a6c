"""What the guards refuse, in the database: as it is now, for each assistant by itself."""

from sqlalchemy import Engine

from rewriting.guards.refused_rewrites import RefusedRewrite, counts_by_reason, keep_refused, refused_rewrites
from streams.stores.database_schema import reading
from streams.turn import AssistantId

HOME, CAR = AssistantId("home"), AssistantId("car")
OPPOSITE = RefusedRewrite("lock it", "unlock it", "", ("opposite", "sensitive"))
IN_ENGLISH = RefusedRewrite("lock it", "unlock it", "en-gb", ("opposite",))
OTHER_TARGET = RefusedRewrite("lock it", "block it", "", ("few_people",))
NUMBER = RefusedRewrite("wake me at six", "wake me at ten", "", ("number",))
CHANGED = RefusedRewrite("wake me at six", "wake me at ten", "", ("number", "small_share"))


def stored(engine: Engine, assistant_id: AssistantId = HOME) -> list[RefusedRewrite]:
    with reading(engine) as connection:
        return refused_rewrites(connection, assistant_id)


def keep(engine: Engine, *now: RefusedRewrite, assistant_id: AssistantId = HOME) -> None:
    with engine.begin() as connection:
        keep_refused(connection, assistant_id, refused_rewrites(connection, assistant_id), now)


def test_what_is_stored_is_what_is_refused_now(engine: Engine) -> None:
    for now in (
        [OTHER_TARGET, OPPOSITE, IN_ENGLISH, NUMBER],
        [OPPOSITE, CHANGED],
        [OPPOSITE, CHANGED],
        [OTHER_TARGET],
        [],
        [NUMBER],
    ):
        keep(engine, *now)
        assert set(stored(engine)) == set(now)
        assert len(stored(engine)) == len(now)


def test_each_assistant_has_its_own(engine: Engine) -> None:
    keep(engine, OPPOSITE)
    keep(engine, OPPOSITE, NUMBER, assistant_id=CAR)
    keep(engine)
    assert stored(engine) == []
    assert stored(engine, CAR) == [OPPOSITE, NUMBER]


def test_thousands_go_at_once(engine: Engine) -> None:
    many = [RefusedRewrite(f"wake me at {n}", "wake me", "", ("number",)) for n in range(2_500)]
    keep(engine, *many)
    keep(engine, NUMBER)
    assert stored(engine) == [NUMBER]


def test_the_targets_of_one_row_are_found_by_its_id(engine: Engine) -> None:
    keep(engine, OTHER_TARGET, OPPOSITE, IN_ENGLISH, NUMBER)
    with reading(engine) as connection:
        assert refused_rewrites(connection, HOME, OPPOSITE.rewrite_id(HOME)) == [OTHER_TARGET, OPPOSITE]
        assert refused_rewrites(connection, HOME, IN_ENGLISH.rewrite_id(HOME)) == [IN_ENGLISH]
        assert refused_rewrites(connection, CAR, OPPOSITE.rewrite_id(HOME)) == []


def test_a_pair_counts_for_each_of_its_reasons_in_the_order_of_reasons() -> None:
    counts = counts_by_reason([CHANGED, OPPOSITE, NUMBER])
    assert list(counts.items()) == [("opposite", 1), ("number", 2), ("sensitive", 1), ("small_share", 1)]
