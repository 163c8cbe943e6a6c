"""The application: the routes of the lookup API, put together from their parts."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from litestar import Litestar
from litestar.middleware import DefineMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from rewriting.chains.store import CHAIN_STORE
from rewriting.feedback.store import (
    DatabaseFeedbackStore,
    FeedbackStore,
    ForgetUser,
)
from rewriting.guards.pair_guard import PairGuard
from rewriting.ranking.candidate_guard import CandidateGuard
from rewriting.serving.hold_out import HoldOut
from rewriting.serving.settings import SERVE_ALL, ServingSettings
from rewriting.table.lookup_loading import load_lookup_table
from rewriting.table.rewrite_table import RewriteTable
from services.lookup_api.access import API_KEY_HEADER
from services.lookup_api.api_metrics import ApiMetrics
from services.lookup_api.followers.online import OnlineFollower
from services.lookup_api.followers.switch_memory import SwitchMemory
from services.lookup_api.followers.table import TableFollower
from services.lookup_api.followers.verdict_memory import VerdictMemory, VerdictWriter
from services.lookup_api.online_answers import OnlineAnswers
from services.lookup_api.page_barrier import PageBarrier
from services.lookup_api.routes.health import health_routes
from services.lookup_api.routes.lookup import lookup_route
from services.lookup_api.routes.serving import serving_routes
from services.lookup_api.routes.table import table_routes
from services.lookup_api.routes.users import user_routes
from services.lookup_api.strict_request import EXCEPTION_HANDLERS, StrictRequest
from services.platform.api_keys import KeyRing
from services.platform.api_settings import LookupApiSettings, OnlineTask
from services.platform.clock import now_ms
from services.platform.database import is_retriable, open_database
from services.privacy.forgetting import forget_user
from streams.stores.database_schema import reading
from streams.turn import AssistantId, UserId

log = structlog.get_logger()

LARGEST_BODY_BYTES: Final = 1_000_000  # a long dialogue is some 10 kB; bounds what one request may hold
_OPEN_AGAIN_S: Final = 1.0


def build_app(
    settings: LookupApiSettings,
    engine: Engine,
    feedback: FeedbackStore,
    forget: ForgetUser,
    clock_ms: Callable[[], int],
    metrics_folder: Path | None = None,
    online: OnlineTask | None = None,
    online_engine: Engine | None = None,
    operator_key_sha256: str | None = None,
    serving: ServingSettings = SERVE_ALL,
) -> Litestar:
    """The application; while it runs, it follows the rewrite table, and models and indexes.

    Args:
        settings: keys, and how closely to follow; where it listens is the server's business.
        engine: the database of the rewrite table.
        feedback: where feedback goes.
        forget: deletes all that is known of a user.
        clock_ms: milliseconds since 1970, for the time of feedback, and what is the future.
        metrics_folder: where several processes add up their counts; None for one process.
        online: where models and indexes lie; None: requests are answered from the table alone.
        online_engine: the same database, whose statements do not wait long; by default `engine`.
        operator_key_sha256: hash of a key that opens operators' routes, beside those in the settings.
        serving: who is served rewrites; by default everybody.
    """
    table = RewriteTable(engine, clock_ms)
    keys = KeyRing(settings.api_keys, operator_key_sha256)
    verdicts = VerdictMemory(engine, online_engine)
    follower = TableFollower(
        table,
        partial(load_lookup_table, engine),
        settings.poll_interval_s,
        read_assistants=assistants_in(engine),
        verdicts=verdicts,
        switches=SwitchMemory(engine, off=serving.off),
    )
    models = None
    if online is not None:
        guard = CandidateGuard(PairGuard(online.guards, online.sensitive))
        models = OnlineFollower(engine, Path(online.state), online.settings, guard, settings.poll_interval_s)
    metrics = ApiMetrics(follower, metrics_folder, models)
    answers = None if models is None else OnlineAnswers(online_engine or engine, models, metrics, clock_ms)
    followers = [follower] if models is None else [follower, models, VerdictWriter(verdicts)]

    @asynccontextmanager
    async def following(_: Litestar) -> AsyncIterator[None]:
        for each in followers:
            each.start()
        try:
            yield
        finally:
            for each in followers:
                await asyncio.to_thread(each.stop)
            if answers is not None:
                answers.close()

    app = Litestar(
        [
            lookup_route(follower, answers, HoldOut(serving), keys, metrics, clock_ms),
            *user_routes(feedback, forget, keys, clock_ms),
            table_routes(table, engine, follower, keys, clock_ms),
            serving_routes(engine, follower, serving, keys, clock_ms),
            *health_routes(follower, models, metrics, settings.stale_after_s),
        ],
        middleware=[DefineMiddleware(PageBarrier, settings=settings, metrics=metrics)],
        request_class=StrictRequest,
        request_max_body_size=LARGEST_BODY_BYTES,
        exception_handlers=EXCEPTION_HANDLERS,
        lifespan=[following],
        openapi_config=_openapi(),
        logging_config=None,
    )

    def known_assistants() -> AbstractSet[AssistantId]:
        return follower.assistants if models is None else follower.assistants | models.parts.keys()

    app.state.known_assistants = known_assistants  # asked where a request names none
    return app


def open_app(
    settings: LookupApiSettings,
    database_url: str,
    metrics_folder: Path | None = None,
    online: OnlineTask | None = None,
    operator_key_sha256: str | None = None,
    serving: ServingSettings = SERVE_ALL,
) -> Litestar:
    """The application on the database of this URL; waits for a database that is away."""
    engine = _open_patiently(database_url)
    online_engine = None
    if online is not None:
        online_engine = _open_patiently(database_url, online.settings.budget_ms / 1000)
    return build_app(
        settings,
        engine,
        DatabaseFeedbackStore(engine),
        forget_in(engine),
        now_ms,
        metrics_folder,
        online,
        online_engine,
        operator_key_sha256,
        serving,
    )


def forget_in(engine: Engine) -> ForgetUser:
    """Deletes what a database holds of a user."""

    def forget(assistant_id: str, user_id: str) -> None:
        forget_user(engine, now_ms, AssistantId(assistant_id), UserId(user_id))

    return forget


def assistants_in(engine: Engine) -> Callable[[], frozenset[AssistantId]]:
    """Reads the assistants that have sessions: one small query, whatever the tables hold."""

    def read() -> frozenset[AssistantId]:
        with reading(engine) as connection:
            return frozenset(CHAIN_STORE.epochs.all(connection))

    return read


def _open_patiently(database_url: str, lock_wait_s: float | None = None) -> Engine:
    """Waits: a server that gave up would have to be started again by hand when the database is back."""
    while True:
        try:
            return open_database(database_url, lock_wait_s)
        except DBAPIError as error:
            if not is_retriable(error):
                raise
            log.warning("database not open yet", error=str(error.orig))
        time.sleep(_OPEN_AGAIN_S)


def _openapi() -> OpenAPIConfig:
    key = SecurityScheme(type="apiKey", name=API_KEY_HEADER, security_scheme_in="header")
    return OpenAPIConfig(
        title="Rehear lookup API",
        version="1",
        description="What should this request have been? Answers from rewrites that users' own second tries "
        "have taught, says why, and takes them back.",
        path="/schema",
        render_plugins=[JsonRenderPlugin(path="/")],
        components=Components(security_schemes={"api_key": key}),
        security=[{"api_key": []}],
    )
