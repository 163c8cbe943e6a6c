"""The off switch of an assistant, in the database, so that all processes follow it and it outlives them.

Each turn of the switch is kept, with who turned it and why; the last one holds.
"""

from typing import Final

from msgspec import Struct
from sqlalchemy import BigInteger, Boolean, Column, Connection, Integer, Table, Text, func, select, tuple_

from rewriting.table.row_change import storable_text
from streams.stores.assistant_row import assistant_table
from streams.turn import AssistantId

SERVING_SWITCHES: Final[Table] = assistant_table(
    "serving_switches",
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1 on, in the order of time
    Column("off", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("changed_ms", BigInteger, nullable=False),
)


class ServingSwitch(Struct, frozen=True):
    """How the switch was last turned."""

    off: bool  # whether requests are left as they are
    reason: str
    actor: str  # who turned it
    changed_ms: int  # milliseconds since 1970


_ROWS: Final = SERVING_SWITCHES.c
_FIELDS: Final = [_ROWS[name] for name in ServingSwitch.__struct_fields__]


def serving_switches(connection: Connection) -> dict[AssistantId, ServingSwitch]:
    """The switch of each assistant for which it was ever turned."""
    newest = select(_ROWS.assistant_id, func.max(_ROWS.number)).group_by(_ROWS.assistant_id)
    found = connection.execute(
        select(_ROWS.assistant_id, *_FIELDS).where(tuple_(_ROWS.assistant_id, _ROWS.number).in_(newest))
    )
    return {AssistantId(assistant_id): ServingSwitch(*row) for assistant_id, *row in found}


def turn_serving(
    connection: Connection, assistant_id: AssistantId, *, off: bool, reason: str, actor: str, now_ms: int
) -> ServingSwitch:
    """Turns the switch; turning it to where it is keeps the new reason.

    Args:
        connection: in a transaction that writes.
        assistant_id: whose requests.
        off: whether they are left as they are from now on.
        reason: why.
        actor: who turns it.
        now_ms: milliseconds since 1970.
    """
    last = connection.scalar(select(func.max(_ROWS.number)).where(_ROWS.assistant_id == assistant_id)) or 0
    switch = ServingSwitch(off, storable_text(reason), storable_text(actor), now_ms)
    row = {name: getattr(switch, name) for name in ServingSwitch.__struct_fields__}
    connection.execute(SERVING_SWITCHES.insert().values(assistant_id=assistant_id, number=last + 1, **row))
    return switch
