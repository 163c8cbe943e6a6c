"""Metrics of the lookup API, in the text format of Prometheus."""

import os
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from services.lookup_api.followers.online import OnlineFollower
from services.lookup_api.followers.table import TableFollower
from streams.turn import AssistantId

_BUCKETS_S: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
)
_OUTCOMES_BY_STATUS: Final = {400: "bad_request", 401: "no_key", 403: "forbidden", 503: "unavailable"}


class ApiMetrics:
    """Counts lookups by assistant, outcome and layer, and how long they and their stages took.

    With several server processes, each writes its counts to files in one folder, and whichever is asked
    reports the sum of all; what tables it holds, each process reports of itself.
    """

    def __init__(
        self,
        follower: TableFollower,
        shared_folder: Path | None = None,
        online: OnlineFollower | None = None,
    ) -> None:
        self._follower = follower
        self._online = online
        self._answering = CollectorRegistry()
        counting = self._answering
        if shared_folder is not None:
            # The library chooses between memory and files at its import, which may lie long behind us.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(shared_folder)
            values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]  # untyped there
            counting = CollectorRegistry()
            MultiProcessCollector(self._answering, path=str(shared_folder))  # type: ignore[no-untyped-call]
        self._answering.register(_TableGauges(follower))
        if online is not None:
            self._answering.register(_OnlineGauges(online))
        counter = partial(Counter, registry=counting)
        histogram = partial(Histogram, buckets=_BUCKETS_S, registry=counting)
        self._requests = counter("rehear_lookup_requests", "Lookups", ["assistant", "outcome"])
        self._seconds = histogram("rehear_lookup_seconds", "Time to answer a lookup", ["assistant"])
        self._layers = counter("rehear_lookup_answers", "Answers by layer, or reason", ["assistant", "layer"])
        self._arms = counter(
            "rehear_lookup_arms",
            "Lookups by arm of the user, and whether a rewrite was kept back",
            ["assistant", "arm", "withheld"],
        )
        self._stages = histogram(
            "rehear_online_stage_seconds", "Time of a stage of online rewriting", ["stage"]
        )
        self._out_of_time = counter(
            "rehear_online_out_of_time",
            "Requests whose budget was spent before they were rewritten online",
            ["assistant"],
        )
        self._failed = counter(
            "rehear_online_failures",
            "Requests that were left out of online rewriting, by reason",
            ["assistant", "reason"],
        )
        self._refused = counter(
            "rehear_requests_refused",
            "Requests that a web page of another site could have sent, by what gave them away",
            ["reason"],
        )
        self._counters: dict[tuple[str, str], Counter] = {}
        self._layer_counters: dict[tuple[str, str], Counter] = {}
        self._arm_counters: dict[tuple[str, str, str], Counter] = {}
        self._histograms: dict[str, Histogram] = {}

    def observe(self, assistant_id: str, outcome: str, seconds: float) -> None:
        """Counts one lookup; assistants that nothing is known of are counted together."""
        assistant_id = self._label(assistant_id)
        counter = self._counters.get((assistant_id, outcome))
        if counter is None:
            counter = self._counters[assistant_id, outcome] = self._requests.labels(assistant_id, outcome)
            self._histograms[assistant_id] = self._seconds.labels(assistant_id)
        counter.inc()
        self._histograms[assistant_id].observe(seconds)

    def count_layer(self, assistant_id: str, layer: str) -> None:
        """Counts one answer."""
        labels = self._label(assistant_id), layer
        counter = self._layer_counters.get(labels)
        if counter is None:
            counter = self._layer_counters[labels] = self._layers.labels(*labels)
        counter.inc()

    def count_arm(self, assistant_id: str, arm: str | None, *, withheld: bool) -> None:
        """Counts one answer; without an arm, while serving is off."""
        labels = self._label(assistant_id), arm or "none", "yes" if withheld else "no"
        counter = self._arm_counters.get(labels)
        if counter is None:
            counter = self._arm_counters[labels] = self._arms.labels(*labels)
        counter.inc()

    def observe_stage(self, stage: str, seconds: float) -> None:
        """Counts how long a stage of online rewriting took."""
        self._stages.labels(stage).observe(seconds)

    def count_out_of_time(self, assistant_id: str) -> None:
        """Counts a request that was not rewritten online in time."""
        self._out_of_time.labels(self._label(assistant_id)).inc()

    def count_failure(self, assistant_id: str, reason: str) -> None:
        """Counts a request that could not be rewritten online."""
        self._failed.labels(self._label(assistant_id), reason).inc()

    def count_refusal(self, reason: str) -> None:
        """Counts a request that was refused before it came to its route."""
        self._refused.labels(reason).inc()

    def _label(self, assistant_id: str) -> str:
        key = AssistantId(assistant_id)
        if key in self._follower.tables or (self._online is not None and key in self._online.parts):
            return assistant_id
        return "unknown"  # else anybody could fill the memory with labels

    def text(self) -> bytes:
        """All metrics, as Prometheus reads them."""
        return generate_latest(self._answering)


class _TableGauges(Collector):
    """What tables this process holds, asked at each scrape."""

    def __init__(self, follower: TableFollower) -> None:
        self._follower = follower

    def collect(self) -> Iterator[GaugeMetricFamily]:
        version = GaugeMetricFamily("rehear_table_version", "Version served", labels=["assistant"])
        live = GaugeMetricFamily("rehear_rewrites_live", "Live rewrites served", labels=["assistant"])
        for assistant_id, table in self._follower.tables.items():
            version.add_metric([assistant_id], table.version)
            live.add_metric([assistant_id], len(table))
        off = GaugeMetricFamily("rehear_serving_off", "1: serving is off", labels=["assistant"])
        for assistant_id in self._follower.tables:
            off.add_metric([assistant_id], self._follower.is_off(assistant_id))
        age_s = self._follower.age_s
        yield version
        yield live
        yield off
        yield GaugeMetricFamily(
            "rehear_table_age_seconds",
            "Since the last look at the database; infinite before the first",
            value=float("inf") if age_s is None else age_s,
        )


class _OnlineGauges(Collector):
    """What models and indexes this process holds, asked at each scrape."""

    def __init__(self, follower: OnlineFollower) -> None:
        self._follower = follower

    def collect(self) -> Iterator[Metric]:
        entries = GaugeMetricFamily("rehear_index_entries", "Requests searched", labels=["assistant"])
        version = GaugeMetricFamily("rehear_index_version", "Version searched", labels=["assistant"])
        size = GaugeMetricFamily("rehear_index_bytes", "Memory of the index", labels=["assistant"])
        models = InfoMetricFamily("rehear_online_model", "Models in use", labels=["assistant", "kind"])
        for assistant_id, parts in self._follower.parts.items():
            for kind, name in sorted(parts.models.items()):
                models.add_metric([assistant_id, kind], {"name": name})
            if parts.index is not None:
                entries.add_metric([assistant_id], len(parts.index))
                version.add_metric([assistant_id], parts.index.version)
                size.add_metric([assistant_id], parts.index.size_bytes)
        trouble = GaugeMetricFamily(
            "rehear_online_trouble",
            "1: models named in the database are not in use",
            labels=["assistant"],
        )
        for assistant_id in self._follower.troubles:
            trouble.add_metric([assistant_id], 1)
        yield from (entries, version, size, models, trouble)


class MeasuredLookups:
    """Middleware that times each lookup and counts it by what the handler or the status says of it."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on."""
        begun_s = time.perf_counter()
        status = 500

        async def send_noting_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_noting_status)
        finally:
            state = scope["state"]
            outcome = state.get("outcome") or _OUTCOMES_BY_STATUS.get(status, f"status_{status}")
            self._metrics.observe(state.get("assistant_id", ""), outcome, time.perf_counter() - begun_s)
