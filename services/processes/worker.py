"""Workers: a task in its consumer loop, in a process of its own."""

import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import structlog
from msgspec import Struct
from prometheus_client import CollectorRegistry, start_http_server
from sqlalchemy import Engine

from rewriting.table.publication import RewritePublication
from rewriting.table.rewrite_table import RewriteTable
from services.learners.chains import ChainLearner
from services.platform.clock import now_ms
from services.platform.database import open_database
from services.processes.feedback_counts import FeedbackCounts
from services.processes.guard_gauges import GuardGauges
from services.session_models.in_use import CurrentModels
from services.session_models.kind import SessionModelKind
from services.session_models.registry import SESSION_MODELS
from services.settings import Settings
from services.tasks import chain, session
from services.tasks.session_model import SessionModelTask
from streams.consumer_loop import ConsumerLoop, Step
from streams.kafka_settings import KafkaSettings
from streams.stream_metrics import StreamMetrics
from streams.stream_task import StreamTask

log = structlog.get_logger()

Loaders = Mapping[str, Callable[[Path], Any]]
"""By the name of a kind of session models, how these are loaded from their folders instead."""

AS_TRAINED: Final[Loaders] = {}


class Worker(Struct, frozen=True):
    """What a worker does."""

    name: str
    task: Callable[[Engine, KafkaSettings, Settings, Loaders], StreamTask[Any, Any]]


def _session_task(
    engine: Engine, kafka: KafkaSettings, settings: Settings, loaders: Loaders
) -> StreamTask[Any, Any]:
    return session.SessionTask(
        engine,
        kafka.topics,
        now_ms,
        gap_ms=settings.sessions.gap_ms,
        idle_timeout_ms=settings.sessions.idle_timeout_ms,
    )


def _chain_task(
    engine: Engine, kafka: KafkaSettings, settings: Settings, loaders: Loaders
) -> StreamTask[Any, Any]:
    table = RewriteTable(engine, now_ms)
    return chain.ChainTask(
        engine,
        kafka.topics,
        ChainLearner(table, settings, now_ms),
        RewritePublication(engine, table, kafka.topics.rewrites, now_ms),
        settings.evidence,
    )


def _index_task(
    engine: Engine, kafka: KafkaSettings, settings: Settings, loaders: Loaders
) -> StreamTask[Any, Any]:
    # The other workers do without FAISS and ONNX Runtime: 35 MB, and a thread, which no fork would survive.
    from services.learners.index_encoding import IndexEncoding
    from services.learners.index_publishing import IndexPublishing
    from services.learners.requests import RequestLearner
    from services.tasks.index import IndexTask

    state = Path(settings.state)
    return IndexTask(
        engine,
        kafka.topics,
        RequestLearner(settings.online.candidates, settings.evidence),
        IndexEncoding(engine, state),
        IndexPublishing(engine, state),
        settings.evidence,
    )


def session_model_worker(kind: SessionModelKind[Any, Any]) -> Worker:
    """The worker that asks the models of a kind."""

    def task(
        engine: Engine, kafka: KafkaSettings, settings: Settings, loaders: Loaders
    ) -> StreamTask[Any, Any]:
        models = CurrentModels(engine, settings.state_folder, kind, loaders.get(kind.name))
        return SessionModelTask(engine, kafka.topics, kind, models, kind.effect(engine, settings, now_ms))

    return Worker(kind.name, task)


WORKERS: Final = {
    worker.name: worker
    for worker in (
        Worker(session.TASK, _session_task),
        Worker(chain.TASK, _chain_task),
        Worker("index", _index_task),
        *map(session_model_worker, SESSION_MODELS),
    )
}
"""The workers by their names, in the order in which `rehear up` starts them."""


def worker_loop(
    worker: Worker,
    engine: Engine,
    kafka: KafkaSettings,
    settings: Settings,
    registry: CollectorRegistry | None = None,
    on_step: Callable[[Step], None] = lambda step: None,
    loaders: Loaders = AS_TRAINED,
) -> ConsumerLoop[Any, Any]:
    """The loop of a worker, ready to run.

    Args:
        worker: what it does.
        engine: of the database.
        kafka: where the topics are.
        settings: of the sessions and chains, and where models and indexes lie.
        registry: for metrics.
        on_step: called before each step of the loop.
        loaders: of models, where they are not loaded as they are trained.
    """
    task = worker.task(engine, kafka, settings, loaders)
    registry = registry or CollectorRegistry()
    if isinstance(task, chain.ChainTask):
        registry.register(GuardGauges(task))
    if isinstance(task, session.SessionTask):
        registry.register(FeedbackCounts(task))
    return ConsumerLoop(task, kafka, metrics=StreamMetrics(registry), on_step=on_step)


def call_at_end(stop: Callable[[], None]) -> None:
    """Has SIGTERM and SIGINT call a function from now on; in the main thread."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: stop())


def run_worker(
    worker: Worker,
    kafka: KafkaSettings,
    settings: Settings,
    *,
    until_idle: bool = False,
    on_step: Callable[[Step], None] = lambda step: None,
    loaders: Loaders = AS_TRAINED,
) -> None:
    """Runs a worker until SIGTERM or SIGINT, or until all is read; in the main thread of its process.

    Args:
        worker: what it does.
        kafka: where the topics are.
        settings: of the database, sessions and chains.
        until_idle: whether to end when all is read.
        on_step: called before each step of the loop.
        loaders: of models, where they are not loaded as they are trained.
    """
    engine = open_database(settings.database_location)
    registry = CollectorRegistry()
    loop = worker_loop(worker, engine, kafka, settings, registry, on_step, loaders)

    call_at_end(loop.stop)
    if settings.metrics.port:
        start_http_server(settings.metrics.port, settings.metrics.host, registry)
    log.info("worker starts", kind=worker.name, kafka=kafka.bootstrap_servers)
    try:
        loop.run(until_idle=until_idle)
    finally:
        engine.dispose()
    log.info("worker stopped", kind=worker.name)
