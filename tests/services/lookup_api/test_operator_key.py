"""The operator's key of a server for which none is configured."""

import os
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from typer.testing import CliRunner

from rewriting.table.rewrite import GLOBAL, rewrite_id
from services.cli.commands import app
from services.lookup_api import server
from services.lookup_api.errors import OperatorKeyError
from services.lookup_api.operator_key import operator_key
from services.lookup_api.server import ServerTask
from services.platform.api_keys import new_api_key, new_key, sha256_of
from services.platform.api_settings import LookupApiSettings
from streams.turn import AssistantId

Serving = Callable[..., AbstractContextManager[TestClient[Litestar]]]

HOME, CAR = AssistantId("home"), AssistantId("car")
LAMP_ID = rewrite_id(HOME, GLOBAL, "turn of the lamp")
OPERATORS = [
    ("GET", "/v1/rewrites", None),
    ("GET", f"/v1/rewrites/{LAMP_ID}", None),
    ("GET", f"/v1/rewrites/{LAMP_ID}/explain", None),
    ("POST", f"/v1/rewrites/{LAMP_ID}/block", {"reason": "r"}),
    ("POST", f"/v1/rewrites/{LAMP_ID}/unblock", {"reason": "r"}),
    ("GET", "/v1/rewrites/refused", None),
    ("GET", "/v1/rewrites/guard", None),
    ("POST", f"/v1/rewrites/{LAMP_ID}/allow", {"reason": "r"}),
    ("POST", f"/v1/rewrites/{LAMP_ID}/disallow", {"reason": "r"}),
    ("POST", "/v1/rewrites/block", {"source_text": "play it", "reason": "r"}),
    ("GET", "/v1/table", None),
    ("POST", "/v1/table/rollback", {"version": 1, "reason": "r"}),
    ("POST", "/v1/table/release", {"reason": "r"}),
    ("DELETE", "/v1/users/ann", None),
    ("POST", "/v1/forgotten-users", {"user_id": "ann", "assistant_id": HOME}),
]


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_key_is_kept_in_a_file_for_its_owner_alone(tmp_path: Path) -> None:
    kept = operator_key(LookupApiSettings(), tmp_path / "new" / "state")
    assert kept is not None
    assert kept.path == tmp_path / "new" / "state" / "operator.key"
    assert mode_of(kept.path) == 0o600
    key = kept.path.read_text()
    assert key.startswith("rehear_")
    assert sha256_of(key.strip()) == kept.sha256
    assert list(kept.path.parent.iterdir()) == [kept.path]
    assert operator_key(LookupApiSettings(), kept.path.parent) == kept
    assert kept.path.read_text() == key


def test_the_file_is_never_open_to_others_nor_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    link = os.link

    def watched(source: Path, target: Path) -> None:
        seen.append((mode_of(source), source.stat().st_size))
        link(source, target)

    monkeypatch.setattr(os, "link", watched)
    before = os.umask(0)
    try:
        operator_key(LookupApiSettings(), tmp_path)
    finally:
        os.umask(before)
    assert seen == [(0o600, (tmp_path / "operator.key").stat().st_size)]
    assert seen[0][1] > 40


def test_of_two_servers_that_start_at_once_both_have_the_key_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = new_key()[0]
    link = os.link

    def overtaken(source: Path, target: Path) -> None:
        target.touch(0o600)
        target.write_text(first)
        link(source, target)

    monkeypatch.setattr(os, "link", overtaken)
    kept = operator_key(LookupApiSettings(), tmp_path)
    assert kept is not None
    assert kept.sha256 == sha256_of(first)
    assert [path.name for path in tmp_path.iterdir()] == ["operator.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644, 0o666])
def test_a_file_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    kept = operator_key(LookupApiSettings(), tmp_path)
    assert kept is not None
    kept.path.chmod(mode)
    with pytest.raises(OperatorKeyError, match=f"operator.key .mode {mode:o}.: delete it"):
        operator_key(LookupApiSettings(), tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"secret", b"rehear_short", b"\xff\xfe", b"rehear_" + b"a b" * 20]
)
def test_a_file_without_a_key_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "operator.key"
    file.touch(0o600)
    file.write_bytes(content)
    with pytest.raises(OperatorKeyError, match="holds no key: delete it"):
        operator_key(LookupApiSettings(), tmp_path)


def test_where_an_operators_key_is_configured_no_file_is_made(tmp_path: Path) -> None:
    _, lookup = new_api_key("kitchen", HOME, "lookup")
    _, operator = new_api_key("eve", HOME, "operator")
    assert operator_key(LookupApiSettings(api_keys=(lookup, operator)), tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    assert operator_key(LookupApiSettings(api_keys=(lookup,)), tmp_path) is not None


def test_a_state_folder_that_cannot_be_made_closes_operators_routes_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert operator_key(LookupApiSettings(), tmp_path / "file" / "state") is None


@pytest.mark.parametrize("has_file", [True, False])
def test_without_keys_in_the_settings_operators_need_theirs_all_the_same(
    serving: Serving, has_file: bool
) -> None:
    key, sha256 = new_key()
    params = {"assistant_id": HOME}
    with serving(operator_sha256=sha256 if has_file else None) as client:
        for method, path, body in OPERATORS:
            for headers in ({}, {"X-API-Key": new_key()[0]}, {"X-API-Key": sha256}):
                answer = client.request(method, path, json=body, params=params, headers=headers)
                assert answer.status_code == 401
            message = client.request(method, path, json=body, params=params).json()["message"]
            assert ("operator.key" if has_file else "rehear api-key") in message
        asked = {"user_id": "ann", "text": "play it", "assistant_id": HOME}
        assert client.post("/v1/rewrite", json=asked).json()["rewrite"]["text"] == "play blues"  # still hers
        for method, path, body in OPERATORS:
            answer = client.request(method, path, json=body, params=params, headers={"X-API-Key": key})
            assert (answer.status_code < 300) is has_file, answer.text


def test_the_key_holds_for_every_assistant_of_the_server(serving: Serving) -> None:
    key, sha256 = new_key()
    lookup_key, entry = new_api_key("kitchen", HOME, "lookup")
    with serving(entry, operator_sha256=sha256) as client:
        headers = {"X-API-Key": key}
        for assistant in (HOME, CAR):
            asked = {"assistant_id": assistant}
            assert client.get("/v1/table", params=asked, headers=headers).json()["assistant_id"] == assistant
            said = asked | {"user_id": "u", "text": "play it"}
            assert client.post("/v1/rewrite", json=said, headers=headers).json()["rewrite"]
            assert client.post("/v1/rewrite", json=said).status_code == 401
        assert client.get("/v1/table", headers=headers).status_code == 400
        assert client.get("/v1/table", headers={"X-API-Key": lookup_key}).status_code == 403


def test_what_the_key_changes_is_an_operators(serving: Serving) -> None:
    key, sha256 = new_key()
    with serving(operator_sha256=sha256) as client:
        client.headers["X-API-Key"] = key
        client.post(f"/v1/rewrites/{LAMP_ID}/block", params={"assistant_id": HOME}, json={"reason": "wrong"})
        explained = client.get(f"/v1/rewrites/{LAMP_ID}/explain", params={"assistant_id": HOME}).json()
        assert explained["rewrite"]["status"] == "blocked"


def test_serve_prints_where_the_key_is_and_hands_on_its_hash_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks: list[ServerTask] = []
    monkeypatch.setattr(server, "serve", tasks.append)
    done = CliRunner().invoke(app, ["serve", "--state", str(tmp_path / "state")])
    assert done.exit_code == 0, done.output
    file = tmp_path / "state" / "operator.key"
    key = file.read_text().strip()
    assert f"operator key: {file}\n" in done.output
    assert tasks[0].operator_key_sha256 == sha256_of(key)
    assert key not in done.output + repr(tasks[0])
