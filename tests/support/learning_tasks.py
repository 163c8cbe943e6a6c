"""Tasks that learn from sessions, as a worker has them that has just got its partitions."""

from pathlib import Path

from sqlalchemy import Engine

from rewriting.table.publication import RewritePublication
from rewriting.table.rewrite_table import RewriteTable
from services.learners.chains import ChainLearner
from services.learners.index_encoding import IndexEncoding
from services.learners.index_publishing import IndexPublishing
from services.learners.requests import RequestLearner
from services.platform.clock import now_ms
from services.settings import Settings
from services.tasks.chain import ChainTask
from services.tasks.index import IndexTask
from streams.topic_names import Topics


def chain_task(engine: Engine, settings: Settings | None = None) -> ChainTask:
    settings = settings or Settings()
    table = RewriteTable(engine, now_ms)
    learner = ChainLearner(table, settings, now_ms)
    publication = RewritePublication(engine, table, Topics().rewrites, now_ms)
    task = ChainTask(engine, Topics(), learner, publication, settings.evidence)
    task.assigned([0])
    return task


def index_task(engine: Engine, state: Path, partitions: tuple[int, ...] = (0,)) -> IndexTask:
    task = IndexTask(
        engine, Topics(), RequestLearner(), IndexEncoding(engine, state), IndexPublishing(engine, state)
    )
    task.assigned(partitions)
    return task


def rest(task: ChainTask | IndexTask) -> int:
    """Does what the loop does while nothing comes, until there is nothing to do; how often there was."""
    times = 0
    while (work := task.idle(now_ms())) is not None:
        task.write(work, {})
        list(task.outgoing())
        task.produced()
        times += 1
        assert times < 100
    return times
