"""`GET /v1/rewrites/guard`, and what the explanation of a row says of its guards."""

from typing import Any

import pytest
from guarded_rows import judged_row
from litestar.testing import TestClient
from sqlalchemy import Engine

from rewriting.guards.judged_rewrites import JudgedRewrite, keep_judged
from rewriting.guards.refused_rewrites import RefusedRewrite, keep_refused
from streams.turn import AssistantId

HOME = AssistantId("home")
AT_HOME = {"assistant_id": "home"}
SINCE_MS = 1_736_157_600_000
LAMP = judged_row("turn of the lamp", "turn off the lamp")
GONE = judged_row("play nupe", "play rupe", state="blocked", reason="target_ceased")

Client = TestClient[Any]


def keep(engine: Engine, judged: list[JudgedRewrite], refused: list[RefusedRewrite]) -> None:
    """Keeps what guards have found, as a learner does."""
    with engine.begin() as connection:
        keep_judged(connection, HOME, (), judged, SINCE_MS)
        keep_refused(connection, HOME, (), refused, SINCE_MS)


def test_pairs_are_listed_with_how_they_fare(client: Client, engine: Engine) -> None:
    nap = RefusedRewrite("play nap", "play map", "", ("other_name", "few_people"))
    keep(engine, [LAMP, GONE], [nap])
    told = client.get("/v1/rewrites/guard", params=AT_HOME).json()
    assert told["by_state"] == {"candidate": 1, "live": 1, "blocked": 1}
    assert told["next_after"] is None
    by_source = {one["source"]: one for one in told["rewrites"]}
    assert by_source["turn of the lamp"] == {
        "rewrite_id": LAMP.rewrite_id,
        "source": "turn of the lamp",
        "target": "turn off the lamp",
        "locale": "",
        "state": "live",
        "since_ms": SINCE_MS,
        "said_success": 6,
        "said_requests": 18,
        "run_success": 107,
        "run_requests": 128,
        "judges": 55,
        "makers": 4,
        "p_better": 0.99,
        "reason": "proven",
    }
    assert (by_source["play nap"]["state"], by_source["play nap"]["reason"]) == ("candidate", "other_name")
    assert client.get("/v1/rewrites/guard", params={"assistant_id": "car"}).json()["rewrites"] == []


def test_pages_hold_each_pair_once_though_sources_have_several_targets(
    client: Client, engine: Engine
) -> None:
    pairs = [RefusedRewrite(f"play {n // 3}", f"play it {n}", "", ("number",)) for n in range(20)]
    keep(engine, [LAMP], pairs)
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    for _ in range(7):
        page = client.get("/v1/rewrites/guard", params={**AT_HOME, "limit": 3, **after}).json()
        found += page["rewrites"]
        if page["next_after"] is None:
            break
        after = {"after": page["next_after"]}
    assert len(found) == 21
    assert {one["target"] for one in found} == {"turn off the lamp", *(pair.target_text for pair in pairs)}
    assert [one["rewrite_id"] for one in found] == sorted(one["rewrite_id"] for one in found)


def test_one_state_is_listed_alone_and_another_is_refused(client: Client, engine: Engine) -> None:
    keep(engine, [LAMP, GONE], [])
    told = client.get("/v1/rewrites/guard", params={**AT_HOME, "state": "blocked"}).json()
    assert [one["source"] for one in told["rewrites"]] == ["play nupe"]
    assert told["by_state"] == {"candidate": 0, "live": 1, "blocked": 1}
    assert client.get("/v1/rewrites/guard", params={**AT_HOME, "state": "shadow"}).status_code == 400


@pytest.mark.parametrize("limit", [0, 1_001])
def test_a_page_of_an_odd_length_is_refused(client: Client, limit: int) -> None:
    assert client.get("/v1/rewrites/guard", params={**AT_HOME, "limit": limit}).status_code == 400


def test_a_row_is_explained_with_how_it_fares(client: Client, engine: Engine) -> None:
    path = f"/v1/rewrites/{LAMP.rewrite_id}/explain"
    before = client.get(path, params=AT_HOME).json()
    assert before["guard"] == []
    keep(engine, [LAMP, GONE], [])
    told = client.get(path, params=AT_HOME).json()
    assert [(one["state"], one["reason"], one["since_ms"]) for one in told["guard"]] == [
        ("live", "proven", SINCE_MS)
    ]
    assert told["words"] == [
        *before["words"],
        "The guards let it serve since 2025-01-06 10:00 UTC: proven.",
        "By the last requests of each user: served 128 times for 55 users who did not make it, 107 of them "
        "were met; as it was said 6 of 18; better with probability 0.99.",
    ]
