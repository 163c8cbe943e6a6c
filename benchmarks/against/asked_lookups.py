"""Lookups asked of a side's server, and the CPU that they cost it."""

from collections.abc import Sequence

from benchmarks.against.errors import QuestionError
from benchmarks.against.question import Figure
from benchmarks.against.serving import HOST, Serving
from benchmarks.http_load import Load, http_request, send_load
from benchmarks.report import percentile

CONNECTIONS = 4
"""Each asks again when it has its answer. With fewer, the server wakes up for each request alone; with more,
requests wait for each other and nothing else changes."""

FIGURES = (
    Figure(what="CPU of the server's processes", unit="microseconds per lookup"),
    Figure(what="p50 of the answers", unit="milliseconds"),
    Figure(what="p99 of the answers", unit="milliseconds"),
)


def ask(serving: Serving, bodies: Sequence[bytes], count: int, warm_up: int) -> tuple[float, float, float]:
    """Asks `warm_up` and then `count` lookups, and gives the `FIGURES` of these.

    Raises:
        QuestionError: an answer is not 200.
        CommandError: a process of the server ends meanwhile.
    """
    host = f"{HOST}:{serving.port}"
    requests = tuple(http_request("POST", "/v1/rewrite", host, body) for body in bodies)

    def load(count: int) -> Load:
        return Load(HOST, serving.port, requests, CONNECTIONS, float("inf"), count=count)

    send_load(load(warm_up))
    before = serving.command.cpu_ns()
    answers = send_load(load(count))
    cpu_s = serving.command.cpu_since_s(before)
    if answers.failures:
        raise QuestionError(
            f"{serving.command}: {answers.failures} of {count} answers were not 200:\n"
            f"{serving.command.printed}"
        )
    latencies_ms = [latency * 1e3 for latency in answers.latencies_s]
    return cpu_s / count * 1e6, percentile(latencies_ms, 0.5), percentile(latencies_ms, 0.99)
