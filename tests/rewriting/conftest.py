"""Fixtures of the rewriting tests: a rewrite table in each kind of database."""

import itertools

import pytest
from sqlalchemy import Engine

from rewriting.table.rewrite_table import RewriteTable


@pytest.fixture
def table(engine: Engine) -> RewriteTable:
    """An empty rewrite table, whose clock goes on by a millisecond at each look."""
    clock = itertools.count(1_700_000_000_000)
    return RewriteTable(engine, lambda: next(clock))
