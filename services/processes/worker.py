"""Workers: a task in its consumer loop, in a process of its own."""

import signal
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Any

import structlog
from msgspec import Struct
from prometheus_client import CollectorRegistry, start_http_server
from sqlalchemy import Engine

from failure_isolation.turn_failure import FailureIsolator
from labeling.labels.turn_label import LabelGenerator
from rewriting.evidence.rephrase_link import RephraseDetector
from rewriting.table.publication import RewritePublication
from rewriting.table.rewrite_table import RewriteTable
from services.learners.chains import ChainLearner
from services.platform.clock import now_ms
from services.platform.database import open_database
from services.settings import Settings
from services.tasks.chain import ChainTask
from services.tasks.session import SessionTask
from streams.consumer_loop import ConsumerLoop, Step
from streams.kafka_settings import KafkaSettings
from streams.stream_metrics import StreamMetrics
from streams.stream_task import StreamTask

log = structlog.get_logger()


class ModelLoaders(Struct, frozen=True):
    """How models are loaded from their folders; None: as they are trained."""

    detector: Callable[[Path], RephraseDetector] | None = None
    generator: Callable[[Path], LabelGenerator] | None = None
    isolator: Callable[[Path], FailureIsolator] | None = None


AS_TRAINED = ModelLoaders()


class WorkerKind(StrEnum):
    """What a worker does."""

    SESSIONS = "sessions"  # turns -> sessions
    CHAINS = "chains"  # sessions -> rewrites
    INDEX = "index"  # sessions -> what online rewriting knows
    REPHRASES = "rephrases"  # sessions -> which request is the next try of which, and sessions again
    LABELS = "labels"  # sessions -> labels of their turns
    FAILURES = "failures"  # sessions -> failure points of their turns, and what rewrites mend


def worker_loop(
    kind: WorkerKind,
    engine: Engine,
    kafka: KafkaSettings,
    settings: Settings,
    registry: CollectorRegistry | None = None,
    on_step: Callable[[Step], None] = lambda step: None,
    loaders: ModelLoaders = AS_TRAINED,
) -> ConsumerLoop[Any, Any]:
    """The loop of a worker, ready to run.

    Args:
        kind: of the worker.
        engine: of the database.
        kafka: where the topics are.
        settings: of the sessions and chains, and where models and indexes lie.
        registry: for metrics.
        on_step: called before each step of the loop.
        loaders: of models.
    """
    task: StreamTask[Any, Any]
    if kind is WorkerKind.SESSIONS:
        task = SessionTask(
            engine,
            kafka.topics,
            now_ms,
            gap_ms=settings.sessions.gap_ms,
            idle_timeout_ms=settings.sessions.idle_timeout_ms,
        )
    elif kind is WorkerKind.INDEX:
        task = _index_task(engine, kafka, settings)
    elif kind is WorkerKind.REPHRASES:
        task = _rephrase_task(engine, kafka, settings, loaders)
    elif kind is WorkerKind.LABELS:
        task = _label_task(engine, kafka, settings, loaders)
    elif kind is WorkerKind.FAILURES:
        task = _failure_task(engine, kafka, settings, loaders)
    else:
        table = RewriteTable(engine, now_ms)
        task = ChainTask(
            engine,
            kafka.topics,
            ChainLearner(table, settings.chain, now_ms, settings.answers),
            RewritePublication(engine, table, kafka.topics.rewrites, now_ms),
            settings.evidence,
        )
    metrics = StreamMetrics(registry or CollectorRegistry())
    return ConsumerLoop(task, kafka, metrics=metrics, on_step=on_step)


def _index_task(engine: Engine, kafka: KafkaSettings, settings: Settings) -> StreamTask[Any, Any]:
    # The other workers do without FAISS and ONNX Runtime: 35 MB, and a thread, which no fork would survive.
    from services.learners.index_encoding import IndexEncoding
    from services.learners.index_publishing import IndexPublishing
    from services.learners.requests import RequestLearner
    from services.tasks.index import IndexTask

    state = Path(settings.state)
    return IndexTask(
        engine,
        kafka.topics,
        RequestLearner(settings.online.candidates),
        IndexEncoding(engine, state),
        IndexPublishing(engine, state),
        settings.evidence,
    )


def _rephrase_task(
    engine: Engine, kafka: KafkaSettings, settings: Settings, loaders: ModelLoaders
) -> StreamTask[Any, Any]:
    # As above: it loads ONNX Runtime.
    from services.learners.rephrase_candidates import RephraseLearner
    from services.session_models.in_use import CurrentModels
    from services.session_models.rephrases.kind import KIND
    from services.tasks.rephrase import RephraseTask

    return RephraseTask(
        engine,
        kafka.topics,
        RephraseLearner(RewriteTable(engine, now_ms), settings.rephrases, now_ms),
        CurrentModels(engine, settings.state_folder, KIND, loaders.detector),
    )


def _label_task(
    engine: Engine, kafka: KafkaSettings, settings: Settings, loaders: ModelLoaders
) -> StreamTask[Any, Any]:
    from services.session_models.in_use import CurrentModels
    from services.session_models.labels.kind import KIND
    from services.tasks.label import LabelTask

    generators = CurrentModels(engine, settings.state_folder, KIND, loaders.generator)
    return LabelTask(engine, kafka.topics, generators, now_ms, settings.evidence)


def _failure_task(
    engine: Engine, kafka: KafkaSettings, settings: Settings, loaders: ModelLoaders
) -> StreamTask[Any, Any]:
    from services.session_models.failures.kind import KIND
    from services.session_models.in_use import CurrentModels
    from services.tasks.failure import FailureTask

    isolators = CurrentModels(engine, settings.state_folder, KIND, loaders.isolator)
    return FailureTask(engine, kafka.topics, isolators, now_ms)


def run_worker(
    kind: WorkerKind,
    kafka: KafkaSettings,
    settings: Settings,
    *,
    until_idle: bool = False,
    on_step: Callable[[Step], None] = lambda step: None,
    loaders: ModelLoaders = AS_TRAINED,
) -> None:
    """Runs a worker until SIGTERM or SIGINT, or until all is read; in the main thread of its process.

    Args:
        kind: of the worker.
        kafka: where the topics are.
        settings: of the database, sessions and chains.
        until_idle: whether to end when all is read.
        on_step: called before each step of the loop.
        loaders: of models.
    """
    engine = open_database(settings.database_location)
    registry = CollectorRegistry()
    loop = worker_loop(kind, engine, kafka, settings, registry, on_step, loaders)

    def stop(number: int, frame: FrameType | None) -> None:
        loop.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if settings.metrics.port:
        start_http_server(settings.metrics.port, settings.metrics.host, registry)
    log.info("worker starts", kind=kind.value, kafka=kafka.bootstrap_servers)
    try:
        loop.run(until_idle=until_idle)
    finally:
        engine.dispose()
    log.info("worker stopped", kind=kind.value)
