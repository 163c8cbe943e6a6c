"""Fixtures of the services' tests: worker processes."""

from collections.abc import Iterator

import pytest
from streaming import WorkerPool


@pytest.fixture(scope="session")
def _pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerPool]:
    pool = WorkerPool(tmp_path_factory.mktemp("workers"))
    yield pool
    pool.close()


@pytest.fixture
def workers(_pool: WorkerPool) -> Iterator[WorkerPool]:
    """Starts worker processes; those that are left end with the test."""
    yield _pool
    _pool.end_workers()
