"""What the consumer loops of a process tell Prometheus."""

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS_BUCKETS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""A step takes milliseconds for a small batch, and up to minutes while a database is away."""


class StreamMetrics:
    """The metrics of all loops of a process; make one for each registry and share it."""

    def __init__(self, registry: CollectorRegistry) -> None:
        counter, gauge = partial(Counter, registry=registry), partial(Gauge, registry=registry)
        self.records = counter("rehear_stream_records", "Records read", ["task", "topic"])
        self.decode_failures = counter(
            "rehear_stream_decode_failures",
            "Records sent to the dead letters, by class of error",
            ["task", "topic", "error"],
        )
        self.batches = counter("rehear_stream_batches", "Batches saved", ["task"])
        self.step_seconds = Histogram(
            "rehear_stream_step_seconds",
            "Time spent in each step of the loop, for a batch, with its retries",
            ["task", "step"],
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        self.retries = counter("rehear_stream_retries", "Failures that were waited out", ["task", "error"])
        self.conflicts = counter(
            "rehear_stream_conflicts",
            "Batches dropped because another worker had saved the partition",
            ["task"],
        )
        self.rebalances = counter("rehear_stream_rebalances", "Assignments received from the group", ["task"])
        self.lag_records = gauge(
            "rehear_stream_lag_records",
            "Records between what is saved and the end of the log",
            ["task", "topic", "partition"],
        )
        self.event_lag_seconds = gauge(
            "rehear_stream_event_lag_seconds", "Age of the last record read, by its own timestamp", ["task"]
        )
