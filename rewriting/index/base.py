"""The bases of request indexes: artifacts in one folder, of which the database names the one in use."""

import hashlib
import re
import shutil
from pathlib import Path
from typing import Final
from uuid import uuid4

import structlog
from sqlalchemy import Engine

from rewriting.index.request_index import RequestIndex
from rewriting.index.store import INDEX_STATES, set_base
from streams.stores.database_schema import reading
from streams.turn import AssistantId

log = structlog.get_logger()

_NAME: Final = re.compile(r"\.?(?P<assistant>[0-9a-f]{16})-(?P<version>\d+)-[0-9a-f]{8}(\..*)?")


def publish_base(engine: Engine, index: RequestIndex, folder: Path) -> RequestIndex:
    """Makes an index the base that its followers begin with; gives it, compacted.

    1. It is compacted and written into the folder.
    2. One transaction names it in the database and deletes the rows of what was removed before.
    3. Bases older than the one before it are deleted. That one stays for those who are reading it.

    Killed between any two, it leaves the former base in use.

    Args:
        engine: of the database that the index follows.
        index: at some version of it.
        folder: of the bases of all assistants.

    Raises:
        OSError: the folder cannot be written.
    """
    with reading(engine) as connection:
        former = INDEX_STATES.of(connection, index.assistant_id)
    base = index.compacted()
    name = f"{_digest(index.assistant_id)}-{index.version}-{uuid4().hex[:8]}"
    base.save(folder / name)
    with engine.begin() as connection:
        is_named = set_base(connection, index.assistant_id, index.version, name)
    if not is_named:
        shutil.rmtree(folder / name)
        return base
    log.info("base of a request index published", base=name, requests=len(base), version=base.version)
    for path in folder.iterdir():
        match = _NAME.fullmatch(path.name)
        if match and match["assistant"] == _digest(index.assistant_id):
            if path.name not in (name, former.base_name) and int(match["version"]) <= former.base_version:
                shutil.rmtree(path, ignore_errors=True)  # what cannot be deleted now is next time
    return base.following(name, index.version)


def _digest(assistant_id: AssistantId) -> str:
    """An assistant in the name of a folder, whatever characters its id has."""
    return hashlib.blake2b(assistant_id.encode(), digest_size=8).hexdigest()
