"""The lookup API as a server process, asked over HTTP."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import msgspec
import pytest
from databases import opened
from rewrites import put, rewrite_row
from sqlalchemy import Engine
from waiting import HANGS_AFTER_S, eventually

from rewriting.table.rewrite_table import RewriteTable
from services.errors import UnsafeBindingError
from services.lookup_api.errors import ServerStartError
from services.lookup_api.server import BackgroundServer
from services.platform.api_keys import new_api_key, new_key
from services.platform.api_settings import LookupApiSettings
from streams.turn import AssistantId

HOME = AssistantId("home")
OPERATOR_KEY, OPERATOR_SHA256 = new_key()
AS_OPERATOR = {"X-API-Key": OPERATOR_KEY}
JSON = {"Content-Type": "application/json"}
SETTINGS = LookupApiSettings(port=0, stale_after_s=0.5, stop_timeout_s=5)


def write(engine: Engine, source: str, target: str) -> None:
    put(RewriteTable(engine, lambda: 1), engine, [rewrite_row(source, target)])


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "tables.db"


@pytest.fixture
def engine(database: Path) -> Iterator[Engine]:
    with opened(database) as engine:
        write(engine, "turn of the lamp", "turn off the lamp")
        yield engine


def ask(server: BackgroundServer, text: str) -> str | None:
    body = {"assistant_id": HOME, "user_id": "ann", "text": text}
    answer = httpx.post(f"{server.url}/v1/rewrite", json=body, timeout=HANGS_AFTER_S)
    assert answer.status_code == 200, answer.text
    rewrite = answer.json()["rewrite"]
    return None if rewrite is None else rewrite["text"]


def served(server: BackgroundServer, target: str) -> bool:
    return ask(server, "play it") == target


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=1).status_code == 200
    except httpx.TransportError:
        return False


def address(url: str) -> tuple[str, int]:
    return "127.0.0.1", int(url.rpartition(":")[2])


def accepts(url: str) -> bool:
    try:
        with socket.create_connection(address(url), timeout=1):
            return True
    except OSError:
        return False


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.usefixtures("engine")
def test_requests_of_every_kind_are_answered(database: Path) -> None:
    with BackgroundServer(
        SETTINGS, str(database), start_timeout_s=HANGS_AFTER_S, operator_key_sha256=OPERATOR_SHA256
    ) as server:
        assert ask(server, "Turn of the LAMP") == "turn off the lamp"
        assert ask(server, "") is None
        assert ask(server, "\x00 ж 关灯 " * 1_000) is None
        with httpx.Client(base_url=server.url, headers=AS_OPERATOR) as client:
            assert client.get("/healthz").json() == {"status": "up"}
            assert client.get("/readyz").json()["ready"] is True
            assert "rehear_lookup_requests_total" in client.get("/metrics").text
            assert client.get("/schema").json()["openapi"].startswith("3.")
            assert client.post("/v1/rewrite", content=b"{", headers=JSON).status_code == 400
            assert client.post("/v1/rewrite", content=b"x" * 5_000_000, headers=JSON).status_code == 413
            assert client.delete("/v1/users/a%2Fb%2F..", params={"assistant_id": HOME}).status_code == 204
            assert client.get("/v1/rewrites/%00", params={"assistant_id": HOME}).status_code == 400
        with socket.create_connection(address(server.url)) as raw:
            raw.sendall(b"\x16\x03\x01 not HTTP\r\n\r\n")
            raw.recv(1_000)
        assert ask(server, "turn of the lamp") == "turn off the lamp"
    assert not answers(server.url)


def test_a_change_is_served_within_a_second_of_its_commit(database: Path, engine: Engine) -> None:
    with BackgroundServer(SETTINGS, str(database)) as server:
        for number in range(5):
            wanted = f"play song {number}"
            write(engine, "play it", wanted)
            eventually(partial(served, server, wanted))


def test_while_the_database_is_away_lookups_go_on(database: Path, engine: Engine) -> None:
    with (
        BackgroundServer(SETTINGS, str(database), operator_key_sha256=OPERATOR_SHA256) as server,
        httpx.Client(base_url=server.url, headers=AS_OPERATOR) as client,
    ):
        away = database.with_name("away.db")
        database.rename(away)
        eventually(lambda: client.get("/readyz").status_code == 503)
        assert "lookups go on" in client.get("/readyz").json()["message"]
        assert client.get("/healthz").status_code == 200
        assert ask(server, "turn of the lamp") == "turn off the lamp"
        assert client.get("/v1/table").status_code == 503
        assert client.delete("/v1/users/ann").status_code == 503
        age_s = next(
            float(line.split()[1])
            for line in client.get("/metrics").text.splitlines()
            if line.startswith("rehear_table_age_seconds")
        )
        assert age_s > SETTINGS.stale_after_s
        away.rename(database)
        eventually(lambda: client.get("/readyz").status_code == 200)
        write(engine, "play it", "play jazz")
        eventually(lambda: ask(server, "play it") == "play jazz")


def test_several_workers_serve_and_count_together(database: Path, engine: Engine) -> None:
    settings = msgspec.structs.replace(SETTINGS, workers=2)
    with BackgroundServer(settings, str(database)) as server:
        assert server.pid is not None
        workers = children(server.pid)
        assert len(workers) == 2
        for _ in range(40):  # each on a connection of its own, which either worker may take
            assert ask(server, "turn of the lamp") == "turn off the lamp"
        counted = 'rehear_lookup_requests_total{assistant="home",outcome="rewritten"} 40.0'
        for _ in range(4):
            assert counted in httpx.get(f"{server.url}/metrics").text.splitlines()
        write(engine, "play it", "play jazz")
        eventually(lambda: all(ask(server, "play it") == "play jazz" for _ in range(20)))
    assert not any(map(is_running, workers))


def test_requests_in_flight_are_answered_before_the_end(database: Path, engine: Engine) -> None:
    with (
        BackgroundServer(SETTINGS, str(database), operator_key_sha256=OPERATOR_SHA256) as server,
        subprocess.Popen(
            [sys.executable, "-c", FORGET, server.url, OPERATOR_KEY], stdout=subprocess.PIPE
        ) as asking,
    ):
        assert server.pid is not None
        assert asking.stdout is not None
        with engine.begin():  # a writer, for whom the request has to wait
            asking.stdout.readline()
            time.sleep(0.5)  # until the request has arrived; if it has not, it finds no server, and we fail
            os.kill(server.pid, signal.SIGTERM)
            eventually(lambda: not accepts(server.url))
            assert asking.poll() is None
        assert asking.wait(timeout=HANGS_AFTER_S) == 0
    assert not answers(server.url)


FORGET = """
import sys, httpx
print("asking", flush=True)
url = f"{sys.argv[1]}/v1/users/ann?assistant_id=home"
answer = httpx.delete(url, headers={"X-API-Key": sys.argv[2]}, timeout=20)
print(answer.status_code, answer.text)
sys.exit(answer.status_code != 204)
"""


def test_workers_do_not_outlive_a_killed_server(database: Path, engine: Engine) -> None:
    with BackgroundServer(SETTINGS, str(database)) as server:
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        eventually(lambda: not answers(server.url))


OWNER = """
import sys, time
from services.platform.api_settings import LookupApiSettings
from services.lookup_api.server import BackgroundServer
server = BackgroundServer(LookupApiSettings(port=0), sys.argv[1])
server.start()
print(server.url, flush=True)
time.sleep(60)
"""


@pytest.mark.usefixtures("engine")
def test_a_background_server_does_not_outlive_its_killed_owner(database: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, str(database)], stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        url = owner.stdout.readline().decode().strip()
        assert answers(url)
        owner.kill()
        eventually(lambda: not answers(url))


@pytest.mark.usefixtures("engine")
def test_a_taken_port_is_a_clear_error(database: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        server = BackgroundServer(msgspec.structs.replace(SETTINGS, port=port), str(database))
        with pytest.raises(ServerStartError, match=f"cannot listen on 127.0.0.1:{port}"):
            server.start()
        assert server.pid is None


def test_a_server_that_cannot_start_says_what_it_printed(tmp_path: Path) -> None:
    (tmp_path / "tables.db").write_text("this is no database, and long enough to be read as one" * 100)
    server = BackgroundServer(SETTINGS, str(tmp_path / "tables.db"), start_timeout_s=HANGS_AFTER_S)
    with pytest.raises(ServerStartError, match="is no SQLite database"):
        server.start()
    assert server.pid is None


def test_an_open_network_needs_keys(database: Path) -> None:
    outside = msgspec.structs.replace(SETTINGS, host="0.0.0.0")  # noqa: S104 (the subject of the test)
    with pytest.raises(UnsafeBindingError):
        BackgroundServer(outside, str(database))


@pytest.mark.usefixtures("engine")
def test_with_keys_every_address_is_served(database: Path) -> None:
    key, entry = new_api_key("kitchen", HOME, "lookup")
    outside = msgspec.structs.replace(SETTINGS, host="0.0.0.0", api_keys=(entry,))  # noqa: S104 (with keys)
    with BackgroundServer(outside, str(database)) as server:
        asked = {"user_id": "ann", "text": "turn of the lamp"}
        assert httpx.post(f"{server.url}/v1/rewrite", json=asked).status_code == 401
        answer = httpx.post(f"{server.url}/v1/rewrite", json=asked, headers={"X-API-Key": key})
        assert answer.json()["rewrite"]["text"] == "turn off the lamp"


HEAVY = {
    "torch",
    "transformers",
    "sentence_transformers",
    "datasets",
    "lightgbm",
    "scipy",
    "sklearn",
    "pandas",
}
HEAVY |= {"pyarrow", "matplotlib", "networkx", "kafka"}


def test_the_server_imports_nothing_heavy() -> None:
    program = "import services.lookup_api.server, sys; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {module.partition(".")[0] for module in printed.stdout.split()}
    assert loaded & HEAVY == set()
    assert loaded >= {"onnxruntime", "faiss"}  # before the workers are forked, who share them
