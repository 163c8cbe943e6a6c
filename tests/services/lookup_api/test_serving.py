"""The lookup API with arms, hold-out and off switch: who gets what, and what the answers and metrics say."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from rewrites import put, rewrite_row
from sqlalchemy import Engine
from waiting import eventually

from rewriting.serving.settings import ArmSettings, ServingSettings
from rewriting.serving.switch import turn_serving
from rewriting.table.rewrite import GLOBAL, rewrite_id, user_scope
from rewriting.table.rewrite_table import RewriteTable
from services.lookup_api.messages import RewriteAnswer
from services.platform.api_keys import new_api_key, new_key
from streams.turn import AssistantId, UserId

Client = TestClient[Litestar]
Serving = Callable[..., AbstractContextManager[Client]]

HOME, CAR = AssistantId("home"), AssistantId("car")
NOW_MS = 1_700_000_000_000
LAMP = "turn of the lamp"
LAMP_ID = rewrite_id(HOME, GLOBAL, LAMP)
JAZZ_ID = rewrite_id(HOME, GLOBAL, "play it")
BLUES_ID = rewrite_id(HOME, user_scope("ann"), "play it")
ALL_CONTROL = ServingSettings(control=1)
ALL_EXPLORED = ServingSettings(control=0, exploration=1)
GLOBAL_ONLY = ServingSettings(
    control=0, exploration=0, arms={"global": ArmSettings(share=1, scopes="global")}
)
IN_CONTROL, TREATED = "u15", "u16"  # by the default settings, in "home"


def ask(client: Client, text: str, user: str = "bob", **fields: Any) -> dict[str, Any]:
    body = {"assistant_id": HOME, "user_id": user, "text": text} | fields
    answer = client.post("/v1/rewrite", json=body)
    assert answer.status_code == 200, answer.text
    decoded: dict[str, Any] = answer.json()
    return decoded


def text_or_reason(answer: dict[str, Any]) -> tuple[str, str | None, str | None]:
    """Rewrite or reason, arm, and what was kept back."""
    found = answer["reason"] if answer["rewrite"] is None else answer["rewrite"]["text"]
    return found, answer["arm"], answer["withheld"]


def metric(client: Client, start: str) -> float:
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.rsplit(maxsplit=1)[1]) for line in lines if line.startswith(start))


# The hold-out


def test_control_users_are_told_what_was_kept_back_and_why(serving: Serving) -> None:
    with serving(who=ServingSettings(exploration=0)) as client:
        assert ask(client, LAMP, IN_CONTROL) == {
            "rewrite": None,
            "reason": "held_out",
            "table_version": 2,
            "arm": "control",
            "withheld": LAMP_ID,
            "request_id": None,
        }
        assert text_or_reason(ask(client, LAMP, TREATED)) == ("turn off the lamp", "treatment", None)


def test_the_users_own_row_is_kept_back_as_well(serving: Serving) -> None:
    with serving(who=ALL_CONTROL) as client:
        assert text_or_reason(ask(client, "play it", "ann")) == ("held_out", "control", BLUES_ID)
        assert text_or_reason(ask(client, "play it")) == ("held_out", "control", JAZZ_ID)


@pytest.mark.parametrize("who", [ALL_CONTROL, ALL_EXPLORED])
def test_where_nothing_would_have_been_rewritten_the_reason_is_the_true_one(
    serving: Serving, who: ServingSettings
) -> None:
    with serving(who=who) as client:
        reasons = {text: ask(client, text) for text in ("quiet", "", "guarded", "x" * 2_000)}
    assert {text[:9]: answer["reason"] for text, answer in reasons.items()} == {
        "quiet": "no_rewrite_known",
        "": "empty_text",
        "guarded": "understood_surely",
        "x" * 9: "text_too_long",
    }
    assert all(answer["withheld"] is None and answer["arm"] for answer in reasons.values())


@pytest.mark.parametrize("who", [ALL_CONTROL, ALL_EXPLORED, GLOBAL_ONLY])
def test_what_a_user_taught_is_served_in_every_arm(
    serving: Serving, engine: Engine, who: ServingSettings
) -> None:
    taught = rewrite_row("my music", "play blues", scope=user_scope(UserId("ann")), method="taught")
    put(RewriteTable(engine, lambda: NOW_MS), engine, [taught])
    with serving(who=who) as client:
        found, _, withheld = text_or_reason(ask(client, "my music", "ann"))
    assert (found, withheld) == ("play blues", None)


def test_a_share_of_the_requests_of_treated_users_is_explored_by_their_time(serving: Serving) -> None:
    with serving(who=ServingSettings(control=0, exploration=0.3)) as client:
        answers = [ask(client, LAMP, TREATED, ts_ms=NOW_MS - n) for n in range(300)]
        again = [ask(client, LAMP, TREATED, ts_ms=NOW_MS - n) for n in range(300)]
        now = [ask(client, LAMP, TREATED) for _ in range(3)]
    assert answers == again
    held_out = [answer for answer in answers if answer["reason"] == "held_out"]
    assert 50 < len(held_out) < 130
    assert {text_or_reason(answer) for answer in answers} == {
        ("held_out", "treatment", LAMP_ID),
        ("turn off the lamp", "treatment", None),
    }
    assert now == answers[:1] * 3  # without a time, it is the clock's


def test_arms_are_those_of_each_assistant(serving: Serving) -> None:
    with serving(who=ServingSettings(exploration=0)) as client:
        car = {
            user: ask(client, "play it", user, assistant_id=CAR)["arm"]
            for user in map("u{}".format, range(60))
        }
        home = {user: ask(client, "play it", user)["arm"] for user in car}
    assert "control" in set(car.values()) & set(home.values())
    assert car != home


def test_an_arm_may_be_served_global_rows_alone(serving: Serving, engine: Engine) -> None:
    own = rewrite_row("my music", "play blues", scope=user_scope(UserId("ann")))
    put(RewriteTable(engine, lambda: NOW_MS), engine, [own])
    with serving(who=GLOBAL_ONLY) as client:
        assert text_or_reason(ask(client, "play it", "ann")) == ("play jazz", "global", None)
        assert text_or_reason(ask(client, "my music", "ann")) == ("held_out", "global", own.rewrite_id)
        assert text_or_reason(ask(client, "my music")) == ("no_rewrite_known", "global", None)


def test_lookups_are_counted_by_arm_and_whether_something_was_kept_back(serving: Serving) -> None:
    with serving(who=ServingSettings(exploration=0)) as client:
        for text, user in ((LAMP, IN_CONTROL), ("quiet", IN_CONTROL), (LAMP, TREATED), (LAMP, TREATED)):
            ask(client, text, user)
        counts = {
            (arm, withheld): metric(
                client, f'rehear_lookup_arms_total{{arm="{arm}",assistant="home",withheld="{withheld}"}}'
            )
            for arm in ("control", "treatment")
            for withheld in ("yes", "no")
        }
        assert metric(client, 'rehear_lookup_requests_total{assistant="home",outcome="held_out"}') >= 1
    assert counts == {
        ("control", "yes"): 1,
        ("control", "no"): 1,
        ("treatment", "yes"): 0,
        ("treatment", "no"): 2,
    }


def test_an_answer_of_before_the_arms_can_still_be_read() -> None:
    answer = RewriteAnswer(rewrite=None, reason=None, table_version=1)
    assert (answer.arm, answer.withheld) == (None, None)


# The off switch


@pytest.fixture
def operator() -> tuple[dict[str, str], str]:
    """Headers of an operator, and the hash of the key."""
    key, sha256 = new_key()
    return {"X-API-Key": key}, sha256


def test_serving_is_switched_off_and_on_in_every_process(
    serving: Serving, operator: tuple[dict[str, str], str]
) -> None:
    headers, sha256 = operator
    at_home = {"assistant_id": HOME}
    with serving(operator_sha256=sha256) as client, serving(operator_sha256=sha256) as other:
        for each in (client, other):
            each.headers.update(headers)
        assert client.get("/v1/serving", params=at_home).json() == {
            "assistant_id": HOME,
            "off": False,
            "off_in_settings": False,
            "off_here": False,
            "switch": None,
            "arms": {"control": 0, "treatment": 1},
            "exploration": 0,
        }
        body = {"reason": "users complain", "actor": "eve"}
        turned = client.post("/v1/serving/off", params=at_home, json=body)
        switch = {"off": True, "reason": "users complain", "actor": "eve", "changed_ms": NOW_MS}
        assert (turned.status_code, turned.json()["off"], turned.json()["switch"]) == (200, True, switch)
        for each in (client, other):
            eventually(lambda each=each: ask(each, LAMP)["reason"] == "serving_off")
            assert text_or_reason(ask(each, "play it", "ann", request_id="r")) == ("serving_off", None, None)
            assert text_or_reason(ask(each, "")) == ("serving_off", None, None)
            assert ask(each, LAMP)["table_version"] == 2
            assert text_or_reason(ask(each, "play it", assistant_id=CAR))[0] == "play rock"
            assert metric(each, 'rehear_serving_off{assistant="home"}') == 1
            assert metric(each, 'rehear_serving_off{assistant="car"}') == 0
            assert metric(each, 'rehear_lookup_arms_total{arm="none",assistant="home",withheld="no"}') >= 3
        assert other.get("/v1/serving", params=at_home).json()["off_here"] is True
        assert client.post("/v1/rewrite", json={"user_id": "u", "text": 1}).status_code == 400
    with serving(operator_sha256=sha256) as restarted:
        restarted.headers.update(headers)
        assert ask(restarted, LAMP)["reason"] == "serving_off"
        restarted.post("/v1/serving/on", params=at_home, json={"reason": "the row is blocked"})
        eventually(lambda: ask(restarted, LAMP)["rewrite"] is not None)
        state = restarted.get("/v1/serving", params=at_home).json()
        assert (state["off"], state["switch"]["reason"]) == (False, "the row is blocked")
        assert state["switch"]["actor"] == "operator"


def test_the_settings_switch_all_assistants_off_whatever_the_switch_says(
    serving: Serving, engine: Engine, operator: tuple[dict[str, str], str]
) -> None:
    with engine.begin() as connection:
        turn_serving(connection, HOME, off=False, reason="on", actor="eve", now_ms=1)
    headers, sha256 = operator
    with serving(operator_sha256=sha256, who=ServingSettings(off=True)) as client:
        client.headers.update(headers)
        for assistant in (HOME, CAR, "garden"):
            assert ask(client, "play it", assistant_id=assistant)["reason"] == "serving_off"
        state = client.get("/v1/serving", params={"assistant_id": HOME}).json()
    assert (state["off"], state["off_in_settings"], state["switch"]["off"]) == (True, True, False)
    assert state["arms"] == pytest.approx({"control": 0.05, "treatment": 0.95})


def test_only_an_operator_of_the_assistant_may_switch(serving: Serving) -> None:
    look_up, lookup_entry = new_api_key("kitchen", HOME, "lookup")
    operate, operator_entry = new_api_key("ops", HOME, "operator")
    with serving(lookup_entry, operator_entry) as client:
        for verb in ("off", "on"):
            route = f"/v1/serving/{verb}"
            body = {"reason": "r"}
            assert client.post(route, json=body).status_code == 401
            assert client.post(route, json=body, headers={"X-API-Key": look_up}).status_code == 403
            asked = {"params": {"assistant_id": CAR}, "headers": {"X-API-Key": operate}}
            assert client.post(route, json=body, **asked).status_code == 403  # type: ignore[arg-type]
            assert client.post(route, json={}, headers={"X-API-Key": operate}).status_code == 400
        turned = client.post("/v1/serving/off", json={"reason": "r"}, headers={"X-API-Key": operate})
        assert turned.json()["switch"]["actor"] == "ops"
