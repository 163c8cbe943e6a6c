"""Databases that are up to date from the start, as copies of one that was migrated once for the run."""

import atexit
import functools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine

from services.platform.database import open_database


def new_database(path: Path) -> str:
    """Puts an empty database in the place of no file; gives its location."""
    assert not path.exists(), path
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(_template(), path)
    return str(path)


@contextmanager
def opened(location: str | Path) -> Iterator[Engine]:
    engine = open_database(location)
    try:
        yield engine
    finally:
        engine.dispose()


@functools.cache
def _template() -> Path:
    folder = tempfile.mkdtemp(prefix="rehear-template-")
    atexit.register(shutil.rmtree, folder)
    path = Path(folder) / "rehear.db"
    open_database(path).dispose()  # the last to close it leaves one file
    return path
