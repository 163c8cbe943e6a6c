"""The example client, as a newcomer runs it: against a real `rehear up`, and where something is wrong."""

import logging
import os
import re
import runpy
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from rewrites import rewrite_row
from waiting import HANGS_AFTER_S

from rewriting.table.rewrite_table import RewriteTable
from services.lookup_api.server import BackgroundServer
from services.platform.api_keys import new_api_key
from services.platform.api_settings import LookupApiSettings
from services.platform.database import open_database
from services.settings import Settings
from streams.turn import AssistantId

ROOT = Path(__file__).parents[1]
CLIENT = ROOT / "examples" / "lookup_client.py"
HOME = AssistantId("home")
LEARNED = rewrite_row("pley jazz", "play jazz")
IN_CONTROL = "u15"  # by the default settings, as 5 % of the users are; "somebody" is not

Fields = dict[str, str | int | None]
AsMeant = Callable[..., tuple[str, Fields]]


def fields(rewrite_id: str | None, **others: str) -> Fields:
    """What the client says is to be logged."""
    fields: Fields = {"rewrite_id": rewrite_id, "table_version": 1, "arm": "treatment"}
    return fields | {"withheld_rewrite_id": None} | others


class Up(NamedTuple):
    """A running `rehear up`."""

    printed: str
    url: str
    state: Path


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def learned_in(state: Path) -> str:
    """The location of a database in which one rewrite is live."""
    location = Settings(state=str(state)).database_location
    state.mkdir(parents=True)
    engine = open_database(location)
    with engine.begin() as connection:
        RewriteTable(engine, lambda: 1).put(connection, HOME, [LEARNED], [], "learned", 1)
    engine.dispose()
    return location


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("up")
    learned_in(folder / "state")
    (folder / "rehear.toml").write_text(
        f"broker_port = {free_port()}\n[api]\nport = 0\n[serving]\nexploration = 0\n"
    )
    command = [
        sys.executable,
        "-c",
        "from services.cli import main; main()",
        "up",
        "--settings",
        "rehear.toml",
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REHEAR_")}
    environment["PYTHONPATH"] = str(ROOT)
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        assert process.stdout is not None
        printed = ""
        while "Ctrl-C" not in printed:
            line = process.stdout.readline()
            assert line, (folder / "log").read_text()
            printed += line
        found = re.search(r"lookup API:   (\S+) ", printed)
        assert found is not None
        yield Up(printed, found[1], folder / "state")
        process.send_signal(signal.SIGINT)
        assert process.wait(HANGS_AFTER_S) == 0


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., AsMeant]]:
    """Runs the file, and gives its function."""
    ran: list[dict[str, Any]] = []

    def run(url: str, key: str | None = None) -> AsMeant:
        monkeypatch.setenv("LOOKUP_API_URL", url)
        monkeypatch.delenv("LOOKUP_API_KEY", raising=False)
        if key is not None:
            monkeypatch.setenv("LOOKUP_API_KEY", key)
        ran.append(runpy.run_path(str(CLIENT)))
        as_meant: AsMeant = ran[-1]["as_meant"]
        return as_meant

    yield run
    for module in ran:
        module["rehear"].close()


def answers(as_meant: AsMeant, expected: tuple[str, Fields]) -> None:
    """Asks until the answer comes within the client's own limit of time, which a busy machine can miss."""
    ends_s = time.monotonic() + HANGS_AFTER_S
    while (answer := as_meant("Pley jazz!", "somebody")) != expected:
        assert answer == ("Pley jazz!", {})
        assert time.monotonic() < ends_s, f"did not come: {expected}"


def test_readme_shows_the_client_as_it_is() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert blocks == [CLIENT.read_text()]
    assert "def " not in (ROOT / "docs" / "lookup-api.md").read_text()  # another client would drift away


def test_a_newcomers_first_call_is_rewritten(up: Up, client: Callable[..., AsMeant]) -> None:
    answers(client(up.url), ("play jazz", fields(LEARNED.rewrite_id)))
    assert client(up.url)("something else", "somebody", 0.4) == ("something else", fields(None))


def test_a_user_of_the_control_arm_is_left_alone_and_what_was_kept_back_is_to_be_logged(
    up: Up, client: Callable[..., AsMeant]
) -> None:
    as_meant = client(up.url)
    ends_s = time.monotonic() + HANGS_AFTER_S
    while not (answer := as_meant("Pley jazz!", IN_CONTROL))[1]:
        assert time.monotonic() < ends_s
    kept_back = fields(None, arm="control", withheld_rewrite_id=LEARNED.rewrite_id)
    assert answer == ("Pley jazz!", kept_back)


def test_the_client_prints_what_was_meant(
    up: Up, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOOKUP_API_URL", up.url)
    monkeypatch.setattr(sys, "argv", [str(CLIENT), "pley jazz"])
    ends_s = time.monotonic() + HANGS_AFTER_S
    printed = ""
    while printed != f"play jazz {fields(LEARNED.rewrite_id)}\n":
        assert time.monotonic() < ends_s, printed
        runpy.run_path(str(CLIENT), run_name="__main__")["rehear"].close()
        printed = capsys.readouterr().out


def test_everything_is_where_it_is_said_to_be(up: Up) -> None:
    settings = (up.state.parent / "rehear.toml").read_text()
    (port,) = re.findall(r"broker_port = (\d+)", settings)
    assert f"turns topic:  rehear.turns at 127.0.0.1:{port}\n" in up.printed
    for document in ("README.md", "docs/streams.md", "docs/operating.md"):
        assert f"127.0.0.1:{Settings().broker_port}" in (ROOT / document).read_text()
    assert "operator key: state/operator.key\n" in up.printed
    assert "rehear_" not in up.printed


def test_the_operators_key_opens_what_is_closed_without_it(up: Up) -> None:
    file = up.state / "operator.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert httpx.get(f"{up.url}/v1/table", timeout=HANGS_AFTER_S).status_code == 401
    key = {"X-API-Key": file.read_text().strip()}
    assert httpx.get(f"{up.url}/v1/table", headers=key, timeout=HANGS_AFTER_S).json()["assistant_id"] == HOME
    processes = [*up.state.glob("logs/*.log"), up.state.parent / "log"]
    assert all(key["X-API-Key"] not in log.read_text() for log in processes)


def test_a_refused_key_is_logged_and_the_request_goes_on(
    client: Callable[..., AsMeant], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    key, entry = new_api_key("kitchen", HOME, "lookup")
    settings = LookupApiSettings(port=0, api_keys=(entry,))
    with BackgroundServer(settings, learned_in(tmp_path / "state"), start_timeout_s=HANGS_AFTER_S) as server:
        answers(client(server.url, key), ("play jazz", fields(LEARNED.rewrite_id)))
        ends_s = time.monotonic() + HANGS_AFTER_S
        while not caplog.messages or "is not one of this server's" not in caplog.messages[-1]:
            assert time.monotonic() < ends_s, caplog.messages
            assert client(server.url, "rehear_wrong")("pley jazz", "somebody") == ("pley jazz", {})
    assert "status 401" in caplog.messages[-1]
    assert caplog.records[-1].levelno == logging.ERROR


def test_a_server_that_is_down_is_logged_and_the_request_goes_on(
    client: Callable[..., AsMeant], caplog: pytest.LogCaptureFixture
) -> None:
    assert client(f"http://127.0.0.1:{free_port()}")("pley jazz", "somebody") == ("pley jazz", {})
    assert caplog.records[-1].levelno == logging.WARNING
    assert "no rewrite: Connect" in caplog.messages[-1]


@pytest.mark.parametrize("body", [b"hello", b"[]", b"{}", b'{"rewrite": "x"}'])
def test_an_answer_of_another_server_is_logged_and_the_request_goes_on(
    client: Callable[..., AsMeant], caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer() -> None:
            asking, _ = other.accept()
            with asking:
                asking.recv(10_000)
                asking.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

        thread = threading.Thread(target=answer)
        thread.start()
        as_meant = client(f"http://127.0.0.1:{other.getsockname()[1]}")
        assert as_meant("pley jazz", "somebody") == ("pley jazz", {})
        thread.join(HANGS_AFTER_S)
    assert caplog.messages[-1].startswith("no rewrite: ")


def test_a_server_that_does_not_answer_holds_nothing_up(
    client: Callable[..., AsMeant], caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert client(url)("pley jazz", "somebody") == ("pley jazz", {})
    assert "no rewrite: ReadTimeout" in caplog.messages[-1]
