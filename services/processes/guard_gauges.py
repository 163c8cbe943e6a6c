"""Guard gauges: what the guards hold back, and how served rows fare, for Prometheus."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from rewriting.guards.judged_rewrites import REASONS_BY_STATE
from rewriting.guards.reason import REFUSAL_REASONS
from services.tasks.chain import ChainTask


class GuardGauges(Collector):
    """Tells pairs and rows by reason, as of the last solution of each chain that a task holds."""

    def __init__(self, task: ChainTask) -> None:
        self._task = task

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """A sample for each assistant and reason, those with nothing too: their fall shows as well."""
        refused = GaugeMetricFamily(
            "rehear_refused_pairs", "Pairs that the guards hold back", labels=["assistant", "reason"]
        )
        for assistant_id, by_reason in sorted(self._task.refused_counts.items()):
            for refusal in REFUSAL_REASONS:
                refused.add_metric([assistant_id, refusal], by_reason[refusal])
        yield refused
        rows = GaugeMetricFamily(
            "rehear_guarded_rows",
            "Rows that the guards of meaning let through, by how they fare",
            labels=["assistant", "state", "reason"],
        )
        for assistant_id, by_state in sorted(self._task.judged_counts.items()):
            for state, reasons in REASONS_BY_STATE.items():
                for reason in reasons:
                    rows.add_metric([assistant_id, state, reason], by_state[state, reason])
        yield rows
