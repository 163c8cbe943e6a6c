"""Index publishing: new bases of request indexes, where so much has changed that one is worth its time.

Also where a base may hold what is to be forgotten: no text of the database's is left in an older artifact.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import ColumnElement, Connection, Engine, func, or_, select

from labeling.errors import ArtifactError
from labeling.models.in_use import current_encoders, model_folder
from rewriting.encoders.text_encoder import TextEncoder, encoder_id
from rewriting.index.base import publish_base
from rewriting.index.follower import follow
from rewriting.index.request_index import RequestIndex
from rewriting.index.store import INDEX_STATES, INDEXED_REQUEST, IndexState, index_folder
from rewriting.requests.session_store import REQUEST_STORE
from streams.stores.database_schema import reading
from streams.turn import AssistantId

LEAST_CHANGES: Final = 1_000
"""Entries outside the base, or dead in it, that are never worth a new base: 0.1 ms of a search."""

MOST_CHANGES: Final = 0.1
"""The same, as a share of the base. Raised, searches grow slower and the memory of the dead is held longer;
lowered, the base, whose graph takes minutes for a million, is built more often."""


class IndexPublishing:
    """Finds the indexes that need a new base, and publishes one."""

    def __init__(self, engine: Engine, state: Path) -> None:
        self._engine = engine
        self._state = state
        self._looked: dict[AssistantId, tuple[IndexState, int]] = {}  # what needed no base as it was then

    def due(self) -> list[AssistantId]:
        """The assistants whose index needs a new base."""
        with reading(self._engine) as connection:
            encoders = current_encoders(connection)
            epochs = REQUEST_STORE.epochs.all(connection)
            found = []
            for assistant_id, state in sorted(INDEX_STATES.all(connection).items()):
                clean_version = epochs[assistant_id].clean_version if assistant_id in epochs else 0
                if assistant_id not in encoders or self._looked.get(assistant_id) == (state, clean_version):
                    continue
                folder = model_folder(self._state, assistant_id) / encoders[assistant_id]
                if _needs_base(connection, assistant_id, state, clean_version, folder):
                    found.append(assistant_id)
                else:
                    self._looked[assistant_id] = state, clean_version
        return found

    def publish(self, assistant_id: AssistantId) -> None:
        """Publishes a base of an index as it is now.

        Raises:
            ArtifactError: there is no encoder that can be used.
            OSError: the folder of the bases cannot be written.
        """
        with reading(self._engine) as connection:
            name = current_encoders(connection).get(assistant_id)
        if name is None:
            raise ArtifactError(f"assistant {assistant_id!r} has no text encoder any more: learn one")
        folder = model_folder(self._state, assistant_id) / name
        dimension = TextEncoder.load(folder).dimension
        empty = RequestIndex.empty(assistant_id, encoder_id(folder), dimension)
        bases = index_folder(self._state)
        with reading(self._engine) as connection:
            index = follow(empty, connection, bases)
        publish_base(self._engine, index, bases)


def _needs_base(
    connection: Connection, assistant_id: AssistantId, state: IndexState, clean_version: int, encoder: Path
) -> bool:
    def count(*conditions: ColumnElement[bool]) -> int:
        query = select(func.count()).where(INDEXED_REQUEST.c.assistant_id == assistant_id, *conditions)
        return int(connection.execute(query).scalar_one())

    try:
        current = encoder_id(encoder)
    except ArtifactError:
        return False  # nothing is encoded then, and whoever encodes has said why
    encoded_by = INDEXED_REQUEST.c.encoder_id
    waiting = count(or_(encoded_by < current, encoded_by > current))
    if state.base_name is not None and state.base_version < clean_version <= state.version:
        return waiting == 0
    changes = count(INDEXED_REQUEST.c.version > state.base_version) - waiting
    if changes <= LEAST_CHANGES or waiting > LEAST_CHANGES:  # more is to come soon
        return False
    return changes > MOST_CHANGES * (count() - changes)
