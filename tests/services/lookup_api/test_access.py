"""Who may ask the lookup API, and for what."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import Engine

from rewriting.table.rewrite import GLOBAL, rewrite_id
from rewriting.table.rewrite_table import RewriteTable
from services.errors import UnsafeBindingError
from services.platform.api_keys import ApiKey, KeyRing, new_api_key
from services.platform.api_settings import LookupApiSettings, is_loopback
from streams.turn import AssistantId

Keys = dict[str, tuple[str, ApiKey]]
Serving = Callable[..., AbstractContextManager[TestClient[Litestar]]]

HOME, CAR = AssistantId("home"), AssistantId("car")
LAMP_ID = rewrite_id(HOME, GLOBAL, "turn of the lamp")


@pytest.fixture
def keys() -> Keys:
    return {
        "home lookup": new_api_key("kitchen", HOME, "lookup"),
        "home operator": new_api_key("eve", HOME, "operator"),
        "car operator": new_api_key("mallory", CAR, "operator"),
    }


def test_a_key_opens_one_assistant_alone(serving: Serving, keys: Keys) -> None:
    with serving(*(entry for _, entry in keys.values())) as client:

        def status(method: str, path: str, key: str | None, body: object = None) -> int:
            headers = {} if key is None else {"X-API-Key": keys[key][0] if key in keys else key}
            return client.request(method, path, headers=headers, json=body).status_code

        asked: dict[str, object] = {"user_id": "ann", "text": "play it"}
        assert status("POST", "/v1/rewrite", None, asked) == 401
        assert status("POST", "/v1/rewrite", "rehear_guessed", asked) == 401
        assert status("POST", "/v1/rewrite", keys["home lookup"][1].sha256, asked) == 401
        assert status("POST", "/v1/rewrite", "home lookup", asked) == 200
        assert status("POST", "/v1/rewrite", "home lookup", asked | {"assistant_id": HOME}) == 200
        assert status("POST", "/v1/rewrite", "home lookup", asked | {"assistant_id": CAR}) == 403
        assert status("POST", "/v1/rewrite", "home lookup", asked | {"text": 1}) == 400
        assert status("POST", "/v1/rewrite", None, {"text": 1}) == 401
        feedback = {"user_id": "ann", "event_id": "e", "feedback": "positive"}
        assert status("POST", "/v1/feedback", "home lookup", feedback) == 201
        assert status("POST", "/v1/feedback", "home lookup", feedback | {"assistant_id": CAR}) == 403
        reason = {"reason": "r"}
        on_a_rewrite: list[tuple[str, str, object]] = [
            ("GET", f"/v1/rewrites/{LAMP_ID}", None),
            ("GET", f"/v1/rewrites/{LAMP_ID}/explain", None),
            ("POST", f"/v1/rewrites/{LAMP_ID}/block", reason),
            ("POST", f"/v1/rewrites/{LAMP_ID}/unblock", reason),
            ("POST", f"/v1/rewrites/{LAMP_ID}/allow", reason),
            ("POST", f"/v1/rewrites/{LAMP_ID}/disallow", reason),
        ]
        for method, path, body in on_a_rewrite:
            assert status(method, path, None, body) == 401
            assert status(method, path, "home lookup", body) == 403
            assert status(method, path, "car operator", body) == 404
            assert status(method, path + "?assistant_id=home", "car operator", body) == 403
            assert status(method, path, "home operator", body) == 200
        on_the_table: list[tuple[str, str, object]] = [
            ("GET", "/v1/rewrites", None),
            ("GET", "/v1/table", None),
            ("GET", "/v1/rewrites/refused", None),
            ("GET", "/v1/rewrites/guard", None),
            ("POST", "/v1/table/rollback", reason | {"version": 1}),
            ("POST", "/v1/table/release", reason),
            ("DELETE", "/v1/users/ann", None),
            ("POST", "/v1/forgotten-users", {"user_id": "ann", "assistant_id": HOME}),
        ]
        for method, path, body in on_the_table:
            assert status(method, path, None, body) == 401
            assert status(method, path, "home lookup", body) == 403
            assert status(method, path + "?assistant_id=home", "car operator", body) == 403
        for path in ("/healthz", "/readyz", "/metrics", "/schema"):
            assert status("GET", path, None) == 200


def test_answers_are_those_of_the_keys_assistant(serving: Serving, keys: Keys) -> None:
    with serving(*(entry for _, entry in keys.values())) as client:
        for key, target in (("home operator", "play jazz"), ("car operator", "play rock")):
            headers = {"X-API-Key": keys[key][0]}
            answer = client.post(
                "/v1/rewrite", headers=headers, json={"user_id": "bob", "text": "play it"}
            ).json()
            assert answer["rewrite"]["text"] == target
            listed = client.get("/v1/rewrites", headers=headers).json()["rewrites"]
            assert {rewrite["assistant_id"] for rewrite in listed} == {key.split()[0]}


def test_the_key_that_changed_something_is_in_the_history(
    serving: Serving, engine: Engine, keys: Keys
) -> None:
    with serving(keys["home operator"][1]) as client:
        headers = {"X-API-Key": keys["home operator"][0]}
        client.post(f"/v1/rewrites/{LAMP_ID}/block", headers=headers, json={"reason": "wrong"})
    assert RewriteTable(engine, lambda: 0).log(HOME)[0].actor == "eve"


def test_a_key_is_told_by_its_hash_alone() -> None:
    key, entry = new_api_key("kitchen", HOME, "lookup")
    other, _ = new_api_key("kitchen", HOME, "lookup")
    assert key != other
    assert key not in repr(entry)
    ring = KeyRing([entry])
    assert ring.find(key) == entry
    assert [ring.find(wrong) for wrong in (other, "", entry.sha256, key + " ", "\ud800")] == [None] * 5


@pytest.mark.parametrize(
    ("host", "safe"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 (nothing is bound here)
        ("::", False),
        ("192.168.1.5", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_without_keys_only_this_machine_is_served(host: str, safe: bool) -> None:
    assert is_loopback(host) is safe
    LookupApiSettings(host=host, api_keys=(new_api_key("k", HOME, "lookup")[1],)).check_binding()
    if safe:
        LookupApiSettings(host=host).check_binding()
    else:
        with pytest.raises(UnsafeBindingError, match="rehear api-key"):
            LookupApiSettings(host=host).check_binding()
