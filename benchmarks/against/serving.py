"""A lookup API of a side: started by `rehear serve`, asked through HTTP."""

import http.client
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from benchmarks.against.side import RunningCommand, Side
from services.lookup_api.server import free_port

HOST = "127.0.0.1"
ANSWER_TIMEOUT_S = 120.0


class Serving(Struct, frozen=True):
    """A server that is ready."""

    command: RunningCommand
    port: int

    def rewrites(self, bodies: list[bytes]) -> list[bool]:
        """Asks one after the other, and tells for each whether it was rewritten.

        Raises:
            OSError: the server does not answer.
            ValueError: an answer is not 200.
        """
        connection = http.client.HTTPConnection(HOST, self.port, timeout=ANSWER_TIMEOUT_S)
        try:
            return [_is_rewritten(connection, body) for body in bodies]
        finally:
            connection.close()


@contextmanager
def serving(side: Side, state: Path, settings: Mapping[str, str] | None = None) -> Iterator[Serving]:
    """Runs `rehear serve` on a state, and waits until it is ready.

    Raises:
        CommandError: it ends before.
    """
    port = free_port(HOST)
    own = {"REHEAR_API__PORT": str(port), "REHEAR_API__HOST": HOST}
    with side.start("serve", "--state", str(state), settings=own | dict(settings or {})) as command:
        command.wait_until(lambda: is_ready(port))
        yield Serving(command, port)


def is_ready(port: int) -> bool:
    """Whether the server says that it is."""
    connection = http.client.HTTPConnection(HOST, port, timeout=ANSWER_TIMEOUT_S)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def copied_state(state: Path, side: Side) -> Path:
    """A copy of a state in the side's folder: to serve one may bring its database up to date."""
    copy = side.folder / "given-state"
    shutil.copytree(state, copy, ignore=shutil.ignore_patterns("logs", "broker"))
    return copy


def _is_rewritten(connection: http.client.HTTPConnection, body: bytes) -> bool:
    connection.request("POST", "/v1/rewrite", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != http.HTTPStatus.OK:
        raise ValueError(f"{body.decode()} was answered by {answer.status}: {said.decode(errors='replace')}")
    return msgspec.json.decode(said)["rewrite"] is not None
