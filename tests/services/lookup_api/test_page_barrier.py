"""What a web page of somebody else can send to the lookup API, and does not get through."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from httpx import Response
from litestar import Litestar
from litestar.routes import HTTPRoute
from litestar.testing import TestClient
from sqlalchemy import create_engine

from rewriting.feedback.store import DatabaseFeedbackStore
from rewriting.table.rewrite_table import RewriteTable
from services.lookup_api.app import build_app, forget_in
from services.platform.api_keys import new_api_key, new_key
from services.platform.api_settings import LookupApiSettings
from services.platform.database import open_database
from streams.turn import AssistantId

Client = TestClient[Litestar]
Serving = Callable[..., AbstractContextManager[Client]]

OPERATOR_KEY, OPERATOR_SHA256 = new_key()
OURS = "127.0.0.1:8420"
THEIRS = "evil.example"
ASKED = {"user_id": "bob", "text": "play it", "assistant_id": "home"}


def app_on(location: str) -> Litestar:
    engine = open_database(location) if location else create_engine("sqlite://")
    feedback = DatabaseFeedbackStore(engine)
    return build_app(
        LookupApiSettings(),
        engine,
        feedback,
        forget_in(engine),
        lambda: 0,
        operator_key_sha256=OPERATOR_SHA256,
    )


def requests_of(app: Litestar) -> list[tuple[str, str]]:
    """Method and path of a request to each route of the application."""
    found = set()
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            path = re.sub(r"\{[^}]*\}", "x", route.path)
            found |= {(method, path) for method in route.methods if method != "OPTIONS"}
    return sorted(found)


REQUESTS = requests_of(app_on(""))
MUTATING = [(method, path) for method, path in REQUESTS if method != "GET"]
SIMPLE_TYPES = ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The API without keys in the settings, asked by somebody who has the operator's key."""
    location = str(tmp_path_factory.mktemp("barrier") / "tables.db")
    with TestClient(app_on(location), base_url=f"http://{OURS}") as client:
        client.headers["X-API-Key"] = OPERATOR_KEY
        yield client
    engine = open_database(location)
    assert RewriteTable(engine, lambda: 0).versions() == {}
    assert DatabaseFeedbackStore(engine).of_assistant(AssistantId("home")) == []
    engine.dispose()


def send(client: Client, method: str, path: str, headers: dict[str, str]) -> Response:
    body = b"" if method == "GET" else b'{"assistant_id": "home"}'
    typed = {} if method == "GET" else {"Content-Type": "application/json"}
    return client.request(method, path, content=body, headers=typed | headers)


def test_all_routes_are_tried() -> None:
    assert {("POST", "/v1/rewrite"), ("POST", "/v1/table/rollback"), ("DELETE", "/v1/users/x")} <= set(
        MUTATING
    )
    assert {("GET", "/metrics"), ("GET", "/schema")} <= set(REQUESTS)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": THEIRS},
        {"Host": f"{THEIRS}:8420"},
        {"Host": f"127.0.0.1.{THEIRS}"},
        {"Host": "localhost:8420@evil"},
        {"Host": ""},
        {"Origin": f"http://{THEIRS}"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},  # another program of this machine
        {"Origin": f"http://{OURS}.{THEIRS}"},
        {"Origin": "http://[evil"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {
            "Host": THEIRS,
            "Origin": f"http://{THEIRS}",
            "Sec-Fetch-Site": "same-origin",
        },  # a name turned to us
        {"Host": THEIRS, "Origin": f"http://{THEIRS}", "Content-Type": "text/plain"},
    ],
    ids=str,
)
@pytest.mark.parametrize(("method", "path"), REQUESTS)
def test_no_route_answers_a_page_of_another_site(
    client: Client, method: str, path: str, headers: dict[str, str]
) -> None:
    answer = send(client, method, path, headers)
    assert answer.status_code == 403
    assert answer.json()["status"] == 403
    assert "allowed_hosts" in answer.json()["message"]
    assert send(client, method, path, {}).status_code != 403  # else it would have gone through


@pytest.mark.parametrize("content_type", SIMPLE_TYPES)
@pytest.mark.parametrize(("method", "path"), MUTATING)
def test_no_route_takes_a_body_that_a_form_can_send(
    client: Client, method: str, path: str, content_type: str
) -> None:
    answer = send(client, method, path, {"Content-Type": content_type})
    assert answer.status_code == 415
    assert "Content-Type: application/json" in answer.json()["message"]


@pytest.mark.parametrize(("method", "path"), [each for each in MUTATING if each[0] == "POST"])
def test_a_body_has_to_say_that_it_is_json(client: Client, method: str, path: str) -> None:
    answer = client.request(method, path, content=b"{}")
    assert answer.status_code == 415
    assert "without Content-Type" in answer.json()["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost"},
        {"Host": "LOCALHOST:1234"},  # a tunnel has another port
        {"Host": "[::1]:8420"},
        {"Origin": f"http://{OURS}"},
        {"Origin": "http://localhost:8420"},
        {"Host": "localhost:9", "Origin": "https://LocalHost:9"},
        {"Origin": f"http://{OURS}", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Content-Type": "application/json; charset=utf-8"},
        {"Content-Type": "Application/JSON"},
    ],
    ids=str,
)
def test_what_comes_from_here_is_answered(client: Client, headers: dict[str, str]) -> None:
    answer = client.post("/v1/rewrite", json=ASKED, headers=headers)
    assert answer.status_code == 200, answer.text


def test_a_front_may_have_other_names(serving: Serving) -> None:
    with serving(allowed_hosts=("Rehear.example", "[0:0::A]")) as client:
        for headers in (
            {"Host": "rehear.example"},
            {"Host": "[::a]:80"},
            {"Origin": "https://rehear.example"},
            {"Host": "rehear.example:8443", "Origin": "https://rehear.example:8443"},
        ):
            assert client.post("/v1/rewrite", json=ASKED, headers=headers).status_code == 200
        assert client.post("/v1/rewrite", json=ASKED, headers={"Host": THEIRS}).status_code == 403


@pytest.mark.parametrize("host", ["", "http://a", "a:80", "a/b", "*", "[::1]:80", "a b"])
def test_a_name_that_no_request_can_have_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="allowed_hosts"):
        LookupApiSettings(allowed_hosts=(host,))


def test_with_keys_any_name_will_do_but_no_other_site(serving: Serving) -> None:
    key, entry = new_api_key("kitchen", "home", "lookup")
    with serving(entry) as client:

        def status(headers: dict[str, str]) -> int:
            headers = {"X-API-Key": key} | headers
            return client.post("/v1/rewrite", json=ASKED, headers=headers).status_code

        assert status({"Host": "rehear.internal"}) == 200
        assert status({"Host": "rehear.internal", "Origin": "https://rehear.internal"}) == 200
        assert status({"Host": "rehear.internal", "Origin": f"https://{THEIRS}"}) == 403
        assert status({"Content-Type": "text/plain"}) == 415


def test_what_is_refused_is_counted(serving: Serving) -> None:
    with serving() as client:
        client.get("/healthz", headers={"Host": THEIRS})
        client.get("/healthz", headers={"Origin": "null"})
        client.post("/v1/rewrite", content=b"{}")
        lines = client.get("/metrics").text.splitlines()
        for reason in ("host", "origin", "content_type"):
            assert f'rehear_requests_refused_total{{reason="{reason}"}} 1.0' in lines
