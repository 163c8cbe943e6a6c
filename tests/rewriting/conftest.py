"""Fixtures of the rewriting tests: a rewrite table in each kind of database, and a small transformer."""

import itertools
from pathlib import Path

import pytest
from sqlalchemy import Engine
from tiny_encoder import write_tiny_base

from rewriting.rewrite_table import RewriteTable


@pytest.fixture
def table(engine: Engine) -> RewriteTable:
    """An empty rewrite table, whose clock goes on by a millisecond at each look."""
    clock = itertools.count(1_700_000_000_000)
    return RewriteTable(engine, lambda: next(clock))


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small transformer with random weights, to start the training of encoders from."""
    return write_tiny_base(tmp_path_factory.mktemp("base") / "tiny", ["play", "call", "jazz", "mom"])
