"""Routes for whoever runs the server: is it up, is it ready, what does it count."""

from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

from services.lookup_api.api_metrics import ApiMetrics
from services.lookup_api.messages import Liveness, Readiness
from services.lookup_api.table_follower import TableFollower


def health_routes(
    follower: TableFollower, metrics: ApiMetrics, stale_after_s: float
) -> list[HTTPRouteHandler]:
    """`/healthz`, `/readyz` and `/metrics`: they need no key, and tell no text and no user."""

    @get("/healthz", sync_to_thread=False, summary="The process answers", tags=["health"])
    def healthz() -> Liveness:
        return Liveness()

    @get(
        "/readyz",
        sync_to_thread=False,
        summary="Whether lookups are answered from an up-to-date table; 503 where not",
        tags=["health"],
    )
    def readyz() -> Response[Readiness]:
        readiness = _readiness(follower, stale_after_s)
        return Response(readiness, status_code=200 if readiness.ready else 503)

    @get(
        "/metrics",
        sync_to_thread=True,  # several processes' counts are read from files
        media_type=MediaType.TEXT,
        summary="Metrics for Prometheus",
        tags=["health"],
    )
    def scrape() -> Response[bytes]:
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    return [healthz, readyz, scrape]


def _readiness(follower: TableFollower, stale_after_s: float) -> Readiness:
    age_s = follower.age_s
    message = "the tables are up to date"
    if age_s is None:
        message = f"the tables have not been loaded yet: {follower.last_failure or 'being loaded'}"
    elif age_s > stale_after_s:
        message = f"lookups go on from tables last checked {age_s:.1f} s ago: {follower.last_failure}"
    return Readiness(
        ready=age_s is not None and age_s <= stale_after_s,
        message=message,
        table_age_s=age_s,
        assistants=len(follower.tables),
    )
