"""Routes for whoever runs the server: is it up, is it ready, what does it count."""

from litestar import MediaType, Response, get
from litestar.handlers import HTTPRouteHandler

from services.lookup_api.api_metrics import ApiMetrics
from services.lookup_api.followers.online import OnlineFollower
from services.lookup_api.followers.table import TableFollower
from services.lookup_api.messages import Liveness, Readiness


def health_routes(
    follower: TableFollower, online: OnlineFollower | None, metrics: ApiMetrics, stale_after_s: float
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
        readiness = _readiness(follower, online, stale_after_s)
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


def _readiness(follower: TableFollower, online: OnlineFollower | None, stale_after_s: float) -> Readiness:
    age_s = follower.age_s
    message = "the tables are up to date"
    if age_s is None:
        message = f"the tables have not been loaded yet: {follower.last_failure or 'being loaded'}"
    elif age_s > stale_after_s:
        message = f"lookups go on from tables last checked {age_s:.1f} s ago: {follower.last_failure}"
    is_loading = False
    if online is not None and online.age_s is None:
        is_loading = True
        message = f"models and indexes have not been loaded yet: {online.last_failure or 'being loaded'}"
    return Readiness(
        ready=age_s is not None and age_s <= stale_after_s and not is_loading,
        message=message,
        table_age_s=age_s,
        assistants=len(follower.tables),
        online={} if online is None else _online_words(online),
    )


def _online_words(online: OnlineFollower) -> dict[str, str]:
    """By assistant, what its requests are rewritten with; the log and the metrics say more."""
    words: dict[str, str] = {}
    for assistant_id, parts in sorted(online.parts.items()):
        held = "no" if parts.index is None else f"{len(parts.index):,}"
        words[assistant_id] = f"rewritten online, with {held} requests in the index"
    for assistant_id in online.troubles:
        served = "by the models before" if assistant_id in words else "from the table alone"
        words[assistant_id] = f"the models in use cannot be loaded, see the log: answered {served}"
    return words
