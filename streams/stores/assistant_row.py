"""Tables with one row for each assistant: how far something of theirs is, and the lock of its writers."""

from typing import Any, Generic, TypeVar

from msgspec import Struct, structs
from sqlalchemy import Column, ColumnElement, Connection, MetaData, Table, Text, select, update

from streams.stores.database_schema import METADATA, upsert
from streams.turn import AssistantId

R = TypeVar("R", bound=Struct)


def assistant_table(name: str, *columns: Column[Any], metadata: MetaData = METADATA) -> Table:
    """A table whose key is the assistant, and the columns among `columns` that belong to the key."""
    return Table(name, metadata, Column("assistant_id", Text, primary_key=True), *columns)


class AssistantRows(Struct, Generic[R], frozen=True):
    """The rows of an `assistant_table`, as values; the table is that of the database that a connection is of.

    Methods that write need a connection in a transaction that writes.
    """

    table: Table  # an `assistant_table`
    kind: type[R]  # its fields are columns of the table, its defaults the row of an assistant without one

    @property
    def _columns(self) -> list[Column[Any]]:
        return [self.table.c[field] for field in self.kind.__struct_fields__]

    def all(self, connection: Connection) -> dict[AssistantId, R]:
        """The row of each assistant that has one."""
        rows = connection.execute(select(self.table.c.assistant_id, *self._columns))
        return {AssistantId(assistant_id): self.kind(*row) for assistant_id, *row in rows}

    def of(self, connection: Connection, assistant_id: AssistantId) -> R:
        """The row of an assistant; of one without, the defaults."""
        found = connection.execute(self._query(assistant_id)).first()
        return self.kind() if found is None else self.kind(*found)

    def lock(self, connection: Connection, assistant_id: AssistantId) -> R:
        """Keeps other writers from what the row stands for until the transaction ends; gives the row."""
        row = {"assistant_id": assistant_id} | structs.asdict(self.kind())
        upsert(connection, self.table, [row], update=())
        return self.kind(*connection.execute(self._query(assistant_id).with_for_update()).one())

    def set(self, connection: Connection, assistant_id: AssistantId, **values: object) -> None:
        """Sets columns of a row that is there; values may be expressions of its columns."""
        of_assistant = self.table.c.assistant_id == assistant_id
        connection.execute(update(self.table).where(of_assistant).values(**values))

    def assistants(self, connection: Connection, condition: ColumnElement[bool]) -> list[AssistantId]:
        """The assistants whose row meets a condition, sorted."""
        assistant_id = self.table.c.assistant_id
        query = select(assistant_id).where(condition).order_by(assistant_id)
        return [AssistantId(key) for key in connection.scalars(query)]

    def _query(self, assistant_id: AssistantId) -> Any:
        return select(*self._columns).where(self.table.c.assistant_id == assistant_id)
