"""Guard gauges: what the guards hold back, for Prometheus."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from rewriting.guards.reason import REFUSAL_REASONS
from services.tasks.chain import ChainTask


class GuardGauges(Collector):
    """Tells the pairs by reason, as of the last solution of each chain that a task holds."""

    def __init__(self, task: ChainTask) -> None:
        self._task = task

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """A sample for each assistant and reason, those with nothing too: their fall shows as well."""
        refused = GaugeMetricFamily(
            "rehear_refused_pairs", "Pairs that the guards hold back", labels=["assistant", "reason"]
        )
        for assistant_id, counts in sorted(self._task.refused_counts.items()):
            for reason in REFUSAL_REASONS:
                refused.add_metric([assistant_id, reason], counts[reason])
        yield refused
