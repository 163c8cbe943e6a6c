"""Follows the request index of an assistant: brings the one in memory to the newest version."""

from pathlib import Path

import numpy as np
import structlog
from sqlalchemy import Connection

from labeling.errors import ArtifactError
from rewriting.index.request_index import RequestIndex
from rewriting.index.store import INDEX_STATES, IndexState, changes_since, held_ids

log = structlog.get_logger()


def follow(index: RequestIndex, connection: Connection, folder: Path) -> RequestIndex:
    """The index at the newest version; the same object where nothing has changed.

    A base that cannot be used is logged and done without: the index then takes all from the rows in the
    database, and is slower to search until the next base.

    Args:
        index: of one assistant and encoder, to begin with `RequestIndex.empty`.
        connection: on which all statements see one state of the database.
        folder: of the bases of all assistants.

    Raises:
        VectorError: the rows have vectors of another size than the index.
    """
    state = INDEX_STATES.of(connection, index.assistant_id)
    if state.version < index.version:
        log.warning(
            "the database has an older request index than memory, as after a restore: reading it anew",
            assistant_id=index.assistant_id,
            memory=index.version,
            database=state.version,
        )
        index = RequestIndex.empty(index.assistant_id, index.encoder_id, index.dimension, index.settings)
    if state.base_name is not None and state.base_name != index.base_name:
        index = _with_base(index, state, connection, folder / state.base_name)
    if state.version == index.version:
        return index
    changes = changes_since(connection, index.assistant_id, index.version, index.encoder_id)
    return index.with_changes(
        state.version,
        changes.requests,
        changes.vectors if changes.requests else None,
        changes.removed,
    )


def _with_base(index: RequestIndex, state: IndexState, connection: Connection, path: Path) -> RequestIndex:
    """The base, or without it the index less what was removed before the base was built."""
    try:
        base = RequestIndex.load(path, index.settings)
        if (base.assistant_id, base.version) != (index.assistant_id, state.base_version):
            raise ArtifactError(
                f"{path} is of assistant {base.assistant_id!r} at version {base.version}, not of "
                f"{index.assistant_id!r} at {state.base_version}: publish the index again"
            )
        if (base.encoder_id, base.dimension) == (index.encoder_id, index.dimension):
            return base
        log.info(
            "the base of a request index is of another encoder: done without it",
            assistant_id=index.assistant_id,
            base=str(path),
            base_encoder=base.encoder_id,
            encoder=index.encoder_id,
        )
    except (ArtifactError, OSError) as error:
        log.error(
            "the base of a request index cannot be used: done without it",
            assistant_id=index.assistant_id,
            error=str(error),
        )
    gone = np.setdiff1d(index.ids, held_ids(connection, index.assistant_id))
    return index.with_changes(index.version, removed=gone.tolist()).following(state.base_name, index.version)
