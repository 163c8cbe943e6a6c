"""The request index in the database: what shall be found, the vectors so far, and which base holds them.

Each assistant has a version, which counts the changes that its index must follow: requests that got their
vectors, and requests that were removed. Of a removed one the row alone stays, without its text, until a base
without it is published; who follows an older base learns by it what to leave out.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from msgspec import Struct, structs
from numpy.typing import NDArray
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    Text,
    delete,
    or_,
    select,
    update,
)

from rewriting.errors import VectorError
from rewriting.index.indexed_request import IndexedRequest
from streams.stores.assistant_row import AssistantRows, assistant_table
from streams.stores.database_schema import chunks, is_among, upsert
from streams.turn import AssistantId

INDEXED_REQUEST = assistant_table(
    "indexed_request",
    Column("request_id", BigInteger, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    Column("interpretation", Text, nullable=False),
    Column("vector", LargeBinary),  # (dim,) fp16, little-endian; null while there is none
    Column("encoder_id", Text),  # that made the vector; "" while there is none, null once it is removed
    Column("version", Integer, nullable=False),  # of the index, when it got its vector or was removed
)
Index("ix_indexed_request_changes", INDEXED_REQUEST.c.assistant_id, INDEXED_REQUEST.c.version)
Index("ix_indexed_request_waiting", INDEXED_REQUEST.c.assistant_id, INDEXED_REQUEST.c.encoder_id)

REQUEST_INDEX_STATE = assistant_table(
    "request_index_state",
    Column("version", Integer, nullable=False),
    Column("base_version", Integer, nullable=False),  # of the index, when the base was built
    Column("base_name", Text),  # of the base's artifact; null where there is none
)

_NOT_ENCODED = ""
_FP16 = np.dtype("<f2")
_ROWS_AT_A_TIME = 10_000


class IndexState(Struct, frozen=True):
    """How far the index of an assistant is."""

    version: int = 0
    base_version: int = 0
    base_name: str | None = None


INDEX_STATES: Final = AssistantRows(REQUEST_INDEX_STATE, IndexState)


class IndexChanges(Struct, frozen=True):
    """What has changed after some version."""

    requests: tuple[IndexedRequest, ...]  # new ones, and those that are others now
    vectors: NDArray[np.float16]  # (n, dim), of these; (0, 0) where there are none
    removed: tuple[int, ...]  # ids


def wanted(
    connection: Connection,
    assistant_id: AssistantId,
    put: Sequence[IndexedRequest],
    removed: Iterable[int] = (),
) -> int:
    """Says which requests shall be found, and which no longer.

    New and changed ones wait for their vectors (`not_encoded`); until then, a changed one is found as it was.
    Gives the version from which on, when none waits any more, the index holds nothing of what was before.

    Args:
        connection: in a transaction that writes.
        assistant_id: whose requests.
        put: with different ids; those that are there already, unchanged, stay as they are.
        removed: ids; an id that is put as well is put.
    """
    put_ids = {request.request_id for request in put}
    removed_ids = sorted(set(removed) - put_ids)
    if not put_ids and not removed_ids:
        return INDEX_STATES.of(connection, assistant_id).version
    version = INDEX_STATES.lock(connection, assistant_id).version
    held = _held(connection, assistant_id, put_ids)
    changed = [request for request in put if held.get(request.request_id) != request]
    for some in chunks(changed):
        rows = [_row(assistant_id, request, None, _NOT_ENCODED, version) for request in some]
        # a row that is there keeps its version: its former vector came with it
        upsert(
            connection,
            INDEXED_REQUEST,
            rows,
            update=("text", "interpretation", "vector", "encoder_id"),
        )
    n_removed = 0
    for ids in chunks(removed_ids):
        query = update(INDEXED_REQUEST).where(
            INDEXED_REQUEST.c.assistant_id == assistant_id,
            is_among(connection, INDEXED_REQUEST.c.request_id, ids),
            INDEXED_REQUEST.c.encoder_id.is_not(None),
        )
        values = {"text": "", "interpretation": "", "vector": None, "encoder_id": None}
        n_removed += connection.execute(query.values(**values, version=version + 1)).rowcount
    if n_removed:
        version += 1
        INDEX_STATES.set(connection, assistant_id, version=version)
    return version + 1 if changed else version


def not_encoded(
    connection: Connection, encoder_id: str, limit: int, assistant_id: AssistantId | None = None
) -> dict[AssistantId, list[IndexedRequest]]:
    """Some requests that wait for a vector of this encoder, those with one of another encoder included.

    Args:
        connection: to read from.
        encoder_id: of the encoder in use.
        limit: how many requests at most, of all assistants together.
        assistant_id: whose requests; by default all.
    """
    encoder = INDEXED_REQUEST.c.encoder_id  # null, of a removed one, is neither
    query = select(INDEXED_REQUEST).where(or_(encoder < encoder_id, encoder > encoder_id)).limit(limit)
    if assistant_id is not None:
        query = query.where(INDEXED_REQUEST.c.assistant_id == assistant_id)
    found: dict[AssistantId, list[IndexedRequest]] = {}
    for row in connection.execute(query):
        found.setdefault(AssistantId(row.assistant_id), []).append(_request(row))
    return found


def store_vectors(
    connection: Connection,
    assistant_id: AssistantId,
    encoder_id: str,
    requests: Sequence[IndexedRequest],
    vectors: NDArray[np.float32] | NDArray[np.float16],
) -> int:
    """Stores the vectors of requests as they were read; gives the version of the index after it.

    Requests that were changed or removed since they were read are left out.

    Args:
        connection: in a transaction that writes.
        assistant_id: whose requests.
        encoder_id: of the encoder that made the vectors, not empty.
        requests: n of them, with different ids.
        vectors: (n, dim), each of length 1, in their order.

    Raises:
        VectorError: the shapes do not fit, or a vector has a NaN.
    """
    if vectors.ndim != 2 or len(vectors) != len(requests) or not np.isfinite(vectors).all():
        raise VectorError(
            f"{len(requests)} requests and vectors of shape {vectors.shape}: give a finite (n, dim) for n"
        )
    version = INDEX_STATES.lock(connection, assistant_id).version
    held = _held(connection, assistant_id, {request.request_id for request in requests})
    stored = vectors.astype(_FP16)
    rows = [
        _row(assistant_id, request, stored[i].tobytes(), encoder_id, version + 1)
        for i, request in enumerate(requests)
        if held.get(request.request_id) == request
    ]
    if not rows:
        return version
    for some in chunks(rows):
        upsert(connection, INDEXED_REQUEST, some, update=("vector", "encoder_id", "version"))
    INDEX_STATES.set(connection, assistant_id, version=version + 1)
    return version + 1


def changes_since(
    connection: Connection, assistant_id: AssistantId, version: int, encoder_id: str
) -> IndexChanges:
    """What has changed after a version, for an index with vectors of one encoder.

    Args:
        connection: to read from, in the transaction that the new version was read in.
        assistant_id: whose index.
        version: that the index has.
        encoder_id: of its vectors. Requests that have a vector of another encoder are left out.
    """
    query = (
        select(INDEXED_REQUEST)
        .where(
            INDEXED_REQUEST.c.assistant_id == assistant_id,
            INDEXED_REQUEST.c.version > version,
            or_(INDEXED_REQUEST.c.encoder_id == encoder_id, INDEXED_REQUEST.c.encoder_id.is_(None)),
        )
        .order_by(INDEXED_REQUEST.c.request_id)
    )
    requests, vectors, removed = [], [], []
    for row in connection.execute(query.execution_options(yield_per=_ROWS_AT_A_TIME)):
        if row.encoder_id is None:
            removed.append(row.request_id)
        else:
            requests.append(_request(row))
            vectors.append(row.vector)
    sizes = {len(vector) for vector in vectors}
    if len(sizes) > 1:
        raise VectorError(
            f"the vectors of encoder {encoder_id} in the database have different sizes "
            f"({min(sizes)} and {max(sizes)} bytes): encode the requests of {assistant_id!r} again"
        )
    stacked = np.frombuffer(b"".join(vectors), _FP16).reshape(len(vectors), -1 if vectors else 0)
    return IndexChanges(tuple(requests), stacked.astype(np.float16, copy=False), tuple(removed))


def held_ids(connection: Connection, assistant_id: AssistantId) -> NDArray[np.int64]:
    """The ids of all requests of an assistant that shall be found, in any order."""
    query = select(INDEXED_REQUEST.c.request_id).where(
        INDEXED_REQUEST.c.assistant_id == assistant_id, INDEXED_REQUEST.c.encoder_id.is_not(None)
    )
    rows = connection.scalars(query.execution_options(yield_per=_ROWS_AT_A_TIME))
    return np.fromiter(rows, np.int64)


def set_base(connection: Connection, assistant_id: AssistantId, version: int, name: str) -> bool:
    """Names the artifact that followers begin with; nothing is left of what was removed before it.

    Args:
        connection: in a transaction that writes.
        assistant_id: whose index.
        version: that the base holds.
        name: of its artifact.

    Returns:
        False, and nothing is changed, where there is a base of a later version already.
    """
    if INDEX_STATES.lock(connection, assistant_id).base_version > version:
        return False
    INDEX_STATES.set(connection, assistant_id, base_version=version, base_name=name)
    connection.execute(
        delete(INDEXED_REQUEST).where(
            INDEXED_REQUEST.c.assistant_id == assistant_id,
            INDEXED_REQUEST.c.version <= version,
            INDEXED_REQUEST.c.encoder_id.is_(None),
        )
    )
    return True


def _held(connection: Connection, assistant_id: AssistantId, ids: Iterable[int]) -> dict[int, IndexedRequest]:
    """The requests of some ids that are there and not removed."""
    held = {}
    for some in chunks(sorted(ids)):
        query = select(INDEXED_REQUEST).where(
            INDEXED_REQUEST.c.assistant_id == assistant_id,
            is_among(connection, INDEXED_REQUEST.c.request_id, some),
            INDEXED_REQUEST.c.encoder_id.is_not(None),
        )
        for row in connection.execute(query):
            held[row.request_id] = _request(row)
    return held


def _request(row: Row[tuple[object, ...]]) -> IndexedRequest:
    return IndexedRequest(request_id=row.request_id, text=row.text, interpretation=row.interpretation)


def _row(
    assistant_id: AssistantId, request: IndexedRequest, vector: bytes | None, encoder_id: str, version: int
) -> dict[str, object]:
    columns = {"assistant_id": assistant_id, "vector": vector, "encoder_id": encoder_id, "version": version}
    return columns | structs.asdict(request)


def index_folder(state: Path) -> Path:
    """Where the bases of the request indexes of all assistants lie."""
    return state / "indexes"
