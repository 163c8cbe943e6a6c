"""The lookup API and rows that hold in one locale or for one kind of turn alone."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from rewriting.table.rewrite import GLOBAL

Client = TestClient[Litestar]

AT_HOME = {"assistant_id": "home"}
GOOD = AT_HOME | {"user_id": "bob", "text": "play it"}


def rewritten(client: Client, text: str, **fields: Any) -> str | None:
    answer = client.post("/v1/rewrite", json=GOOD | {"text": text} | fields)
    assert answer.status_code == 200, answer.text
    rewrite = answer.json()["rewrite"]
    return None if rewrite is None else str(rewrite["text"])


@pytest.mark.parametrize(
    ("said", "german", "unasked"),
    [
        ({}, None, "yes please"),
        ({"locale": None, "turn_kind": None, "system_initiated": None}, None, "yes please"),
        ({"locale": ""}, None, "yes please"),
        ({"locale": "DE_de"}, "poison", "yes please"),
        ({"locale": "de"}, None, "yes please"),
        ({"system_initiated": True}, None, "lock the door"),
        ({"turn_kind": "system"}, None, "lock the door"),
        ({"turn_kind": "system", "system_initiated": True}, None, "lock the door"),
        ({"turn_kind": "opening", "system_initiated": False}, None, "yes please"),
        ({"prompt": "What area?"}, None, "the south"),
        ({"previous_turns": [{"text": "hi", "response_text": "What area?"}]}, None, "the south"),
        ({"turn_kind": "answer"}, None, "the south"),
        ({"prompt": "Shall I lock up?", "system_initiated": True}, None, "lock the door"),
        ({"prompt": "What area?", "turn_kind": "opening"}, None, "yes please"),
    ],
)
def test_a_rewrite_of_one_locale_or_kind_of_turn_is_given_there_alone(
    teach: Callable[..., None],
    serving: Callable[[], AbstractContextManager[Client]],
    said: dict[str, Any],
    german: str | None,
    unasked: str,
) -> None:
    teach("gift", "poison", GLOBAL, locale="de-DE")
    teach("yes", "lock the door", GLOBAL, turn_kind="system")
    teach("yes", "the south", GLOBAL, turn_kind="answer")
    teach("yes", "yes please", GLOBAL)
    with serving() as client:
        assert rewritten(client, "gift", **said) == german
        assert rewritten(client, "yes", **said) == unasked


@pytest.mark.parametrize(
    ("wrong", "field", "complaint"),
    [
        ({"locale": "British English"}, "locale", "'British English' is no BCP 47 language tag"),
        ({"locale": "en_US.UTF-8"}, "locale", "give one such as 'en' or 'en-GB'"),
        ({"turn_kind": "any"}, "turn_kind", "Invalid enum value 'any'"),
        ({"turn_kind": "opening", "system_initiated": True}, "turn_kind", "contradicts system_initiated"),
        ({"turn_kind": "system", "system_initiated": False}, "turn_kind", "contradicts system_initiated"),
        ({"system_initiated": "yes"}, "system_initiated", "Expected `bool | null`, got `str`"),
    ],
)
def test_a_locale_or_kind_that_there_is_not_is_refused(
    client: Client, wrong: dict[str, object], field: str, complaint: str
) -> None:
    answer = client.post("/v1/rewrite", json=GOOD | wrong)
    assert answer.status_code == 400
    assert answer.json()["field"] == field
    assert complaint in answer.json()["message"]


def test_a_text_is_blocked_in_one_locale(client: Client) -> None:
    where = {"source_text": "play it", "locale": "en-GB", "turn_kind": "answer"}
    row = client.post("/v1/rewrites/block", params=AT_HOME, json=where | {"reason": "wrong"}).json()
    assert (row["status"], row["locale"], row["turn_kind"]) == ("blocked", "en-GB", "answer")
    words = client.get(f"/v1/rewrites/{row['rewrite_id']}/explain", params=AT_HOME).json()["words"]
    assert words[0] == (
        "For everybody, “play it” in answer to a question in the locale en-GB is not rewritten."
    )
    for wrong in ({"locale": "in English"}, {"turn_kind": "reply"}):
        body = {"source_text": "play it", "reason": "wrong"} | wrong
        answer = client.post("/v1/rewrites/block", params=AT_HOME, json=body)
        assert (answer.status_code, answer.json()["field"]) == (400, *wrong)
