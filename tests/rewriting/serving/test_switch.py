"""The off switch in the database."""

from sqlalchemy import Engine

from rewriting.serving.switch import SERVING_SWITCHES, ServingSwitch, serving_switches, turn_serving
from streams.stores.database_schema import reading
from streams.turn import AssistantId

HOME, CAR = AssistantId("home"), AssistantId("car")


def turn(engine: Engine, assistant: AssistantId, *, off: bool, reason: str, now_ms: int) -> ServingSwitch:
    with engine.begin() as connection:
        return turn_serving(connection, assistant, off=off, reason=reason, actor="eve", now_ms=now_ms)


def switches(engine: Engine) -> dict[AssistantId, ServingSwitch]:
    with reading(engine) as connection:
        return serving_switches(connection)


def test_the_last_turn_of_each_assistants_switch_holds_and_the_others_are_kept(engine: Engine) -> None:
    assert switches(engine) == {}
    turn(engine, HOME, off=True, reason="complaints", now_ms=1)
    off = turn(engine, CAR, off=True, reason="a trial\x00", now_ms=2)
    on = turn(engine, HOME, off=False, reason="mended", now_ms=3)
    assert (off.reason, on) == ("a trial", ServingSwitch(False, "mended", "eve", 3))
    assert switches(engine) == {HOME: on, CAR: off}
    with reading(engine) as connection:
        kept = connection.execute(SERVING_SWITCHES.select().order_by("changed_ms")).all()
    assert [tuple(row) for row in kept] == [
        (HOME, 1, True, "complaints", "eve", 1),
        (CAR, 1, True, "a trial", "eve", 2),
        (HOME, 2, False, "mended", "eve", 3),
    ]


def test_a_clock_that_goes_back_does_not_turn_the_switch_back(engine: Engine) -> None:
    turn(engine, HOME, off=True, reason="complaints", now_ms=9)
    turn(engine, HOME, off=False, reason="mended", now_ms=5)
    assert not switches(engine)[HOME].off
