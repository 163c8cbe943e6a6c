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


BLOCKS = 24
"""In which the lookups of a run are asked, the servers in turn: what else runs on the machine, and moves a
server's CPU by a third within seconds, is then about the same for all of them."""

WARM_UP_SHARE = 0.25  # of as many lookups, before; they are not measured


def ask_in_turn(
    servers: Sequence[Serving], bodies: Sequence[bytes], count: int
) -> list[tuple[float, float, float]]:
    """Asks each server `count` lookups, in blocks in the order A B B A; gives the `FIGURES` of each.

    Raises:
        QuestionError: an answer is not 200.
        CommandError: a process of a server ends meanwhile.
    """
    for server in servers:
        _ask(server, bodies, int(count * WARM_UP_SHARE) or 1, 0)
    cpu_s = [0.0] * len(servers)
    latencies_s: list[list[float]] = [[] for _ in servers]
    size = -(-count // BLOCKS)
    order = list(enumerate(servers))
    for block, start in enumerate(range(0, count, size)):
        for i, server in order[:: -1 if block % 2 else 1]:
            before = server.command.cpu_ns()
            latencies_s[i] += _ask(server, bodies, min(size, count - start), start)
            cpu_s[i] += server.command.cpu_since_s(before)
    return [
        (cpu / count * 1e6, percentile(some, 0.5) * 1e3, percentile(some, 0.99) * 1e3)
        for cpu, some in zip(cpu_s, map(sorted, latencies_s), strict=True)
    ]


def _ask(server: Serving, bodies: Sequence[bytes], count: int, start: int) -> list[float]:
    """Asks as many, beginning with one of the bodies, and gives the seconds that each took."""
    host = f"{HOST}:{server.port}"
    chosen = (bodies[(start + i) % len(bodies)] for i in range(count))
    requests = tuple(http_request("POST", "/v1/rewrite", host, body) for body in chosen)
    answers = send_load(Load(HOST, server.port, requests, CONNECTIONS, float("inf"), count=count))
    if answers.failures:
        raise QuestionError(
            f"{server.command}: {answers.failures} of {count} answers were not 200:\n{server.command.printed}"
        )
    return answers.latencies_s
