"""Feedback counts: what has become of what users say outright, for Prometheus."""

from collections.abc import Iterator
from typing import get_args

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from rewriting.feedback.store import Outcome
from services.tasks.session import SessionTask


class FeedbackCounts(Collector):
    """Tells the entries that a task has settled, by assistant and outcome."""

    def __init__(self, task: SessionTask) -> None:
        self._task = task

    def collect(self) -> Iterator[CounterMetricFamily]:
        """A sample for each outcome of each assistant that feedback has come for."""
        settled = CounterMetricFamily(
            "rehear_feedback", "Feedback by what has become of it", labels=["assistant", "outcome"]
        )
        counts = self._task.feedback_outcomes.copy()
        for assistant_id in sorted({assistant_id for assistant_id, _ in counts}):
            for outcome in get_args(Outcome):
                settled.add_metric([assistant_id, outcome], counts[assistant_id, outcome])
        yield settled
