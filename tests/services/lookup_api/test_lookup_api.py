"""The lookup API on a real database, without its server process: what it answers to what."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import quote

import pytest
from httpx import Response
from litestar import Litestar
from litestar.testing import TestClient
from rewrites import put, rewrite_row
from sqlalchemy import Engine
from waiting import eventually

from rewriting.chains.store import unsolved
from rewriting.feedback.store import DatabaseFeedbackStore
from rewriting.guards.allowed_rewrites import allowed_pairs
from rewriting.guards.refused_rewrites import RefusedRewrite, keep_refused
from rewriting.table.rewrite import GLOBAL, rewrite_id, user_scope
from rewriting.table.rewrite_table import RewriteTable
from services.lookup_api.strict_request import field_of
from streams.stores.database_schema import reading
from streams.turn import AssistantId, UserId
from streams.turn_time import AHEAD_MS, EARLIEST_MS

Client = TestClient[Litestar]

HOME, CAR = AssistantId("home"), AssistantId("car")
AT_HOME: dict[str, str] = {"assistant_id": HOME}
LAMP = "turn of the lamp"
LAMP_ID = rewrite_id(HOME, GLOBAL, LAMP)
NOW_MS = 1_700_000_000_000


def ask(client: Client, text: str, **fields: Any) -> dict[str, Any]:
    body = {"assistant_id": HOME, "user_id": "bob", "text": text} | fields
    answer = client.post("/v1/rewrite", json=body)
    assert answer.status_code == 200, answer.text
    decoded: dict[str, Any] = answer.json()
    assert set(decoded) == {"rewrite", "reason", "table_version", "arm", "withheld", "request_id"}
    assert (decoded["rewrite"] is None) != (decoded["reason"] is None)
    return decoded


def rewritten(client: Client, text: str, **fields: Any) -> str | None:
    rewrite = ask(client, text, **fields)["rewrite"]
    return None if rewrite is None else rewrite["text"]


def test_a_known_request_gets_its_rewrite(client: Client) -> None:
    assert ask(client, "Turn OF the lamp!", request_id="r-1") == {
        "rewrite": {
            "id": LAMP_ID,
            "text": "turn off the lamp",
            "method": "chain",
            "scope": "global",
            "score": 0.75,
        },
        "reason": None,
        "table_version": 2,
        "arm": "treatment",
        "withheld": None,
        "request_id": "r-1",
    }


def test_scopes_and_assistants_are_kept_apart(client: Client) -> None:
    assert rewritten(client, "play it") == "play jazz"
    assert rewritten(client, "play it", user_id="ann") == "play blues"
    assert rewritten(client, "play it", user_id="ann", assistant_id=CAR) == "play rock"
    assert rewritten(client, LAMP, assistant_id=CAR) is None


def test_all_that_an_assistant_can_say_is_accepted(client: Client) -> None:
    everything = {
        "asr_confidence": 0.71,
        "nlu": {"domain": "home", "intent": "unknown", "confidence": 0.2},
        "device": {"type": "speaker", "has_screen": False},
        "locale": "en-GB",
        "previous_turns": [{"text": "is anybody home", "response_text": "no"}, {"text": "well"}],
        "request_id": "r",
    }
    assert rewritten(client, LAMP, **everything) == "turn off the lamp"


@pytest.mark.parametrize(
    ("said", "rewrite"),
    [
        ({}, None),
        ({"prompt": "Welcome. What area?"}, "south"),
        ({"prompt": "What food?"}, None),
        ({"previous_turns": [{"text": "hi", "response_text": "What area?"}]}, "south"),
        ({"previous_turns": [{"text": "hi", "response_text": "What area?"}, {"text": "er"}]}, None),
        ({"previous_turns": [{"text": "hi", "response_text": "What area?"}], "prompt": "Hm."}, None),
        (
            {"previous_turns": [{"text": "hi", "response_text": "What food?"}], "prompt": "What area?"},
            "south",
        ),
    ],
)
def test_a_rewrite_after_a_question_is_given_after_that_question(
    teach: Callable[..., None],
    serving: Callable[[], AbstractContextManager[Client]],
    said: dict[str, Any],
    rewrite: str | None,
) -> None:
    teach("no", "south", GLOBAL, "what area")
    with serving() as client:
        assert rewritten(client, "no", **said) == rewrite


@pytest.mark.parametrize(
    ("asr", "nlu", "reason"),
    [
        (None, None, "understood_surely"),
        (0.5, None, None),
        (0.7, None, "understood_surely"),
        (0.7, 0.8, None),  # 0.56 together
        (1, 1, "understood_surely"),
        (None, 17.5, "understood_surely"),  # some understandings do not keep to 0..1
        (None, -3.5, None),
    ],
)
def test_a_guarded_rewrite_looks_at_the_confidences(
    client: Client, asr: float | None, nlu: float | None, reason: str | None
) -> None:
    understood = {"asr_confidence": asr, "nlu": {"intent": "x", "confidence": nlu}}
    assert ask(client, "guarded", **understood)["reason"] == reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty_text"),
        (" \t\r\n\u3000", "empty_text"),
        ("\x00\x01\x1f\x7f\u200b", "empty_text"),
        ("x" * 10_000, "text_too_long"),
        ("\U0001f600" * 300, "empty_text"),
        ("выключи лампу", "no_rewrite_known"),
        ("关灯", "no_rewrite_known"),
        ("أطفئ المصباح", "no_rewrite_known"),
        ("'; DROP TABLE rewrites; --", "no_rewrite_known"),
    ],
)
def test_no_text_is_too_strange(client: Client, text: str, reason: str) -> None:
    assert ask(client, text)["reason"] == reason


def test_unknown_users_and_assistants_are_no_errors(client: Client) -> None:
    assert rewritten(client, "play it", user_id="nobody ever") == "play jazz"
    assert rewritten(client, "play it", user_id="ж\x00\n\U0001f600") == "play jazz"
    answer = ask(client, "play it", assistant_id="garden")
    assert (answer["reason"], answer["table_version"]) == ("no_table", 0)


GOOD = {"assistant_id": "home", "user_id": "bob", "text": "play it"}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"text": 1}, "text"),
        ({"text": None}, "text"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": 7}, "user_id"),
        ({"user_id": "u" * 513}, "user_id"),
        ({"assistant_id": ""}, "assistant_id"),
        ({"asr_confidence": "0.5"}, "asr_confidence"),
        ({"asr_confidence": 1.5}, "asr_confidence"),
        ({"asr_confidence": -0.1}, "asr_confidence"),
        ({"nlu": "play"}, "nlu"),
        ({"nlu": {}}, "nlu.intent"),
        ({"nlu": {"intent": "play", "confidence": "high"}}, "nlu.confidence"),
        ({"nlu": {"intent": "play", "slots": {}}}, "nlu.slots"),
        ({"device": {"type": "speaker", "has_screen": "no"}}, "device.has_screen"),
        ({"locale": 5}, "locale"),
        ({"previous_turns": {}}, "previous_turns"),
        ({"previous_turns": [{"text": "a"}, {"text": 2}]}, "previous_turns[1].text"),
        ({"previous_turns": [{"text": "a"}] * 51}, "previous_turns"),
        ({"texts": "play it"}, "texts"),
    ],
)
def test_a_wrong_field_is_named(client: Client, wrong: dict[str, object], field: str) -> None:
    answer = client.post("/v1/rewrite", json=GOOD | wrong)
    assert answer.status_code == 400
    assert answer.json()["status"] == 400
    assert answer.json()["field"] == field
    assert answer.json()["message"]


@pytest.mark.parametrize(
    ("ts_ms", "complaint"),
    [
        (
            NOW_MS // 1_000,
            "times are milliseconds since 1970-01-01 UTC, and this looks like seconds",
        ),
        (0, "before the year 2000"),
        (-1, "before the year 2000"),
        (NOW_MS * 1_000, "this looks like microseconds; divide it by 1,000"),
        (NOW_MS + AHEAD_MS + 1, "more than a day ahead of the clock here, 2023-11-14 22:13 UTC"),
    ],
)
@pytest.mark.parametrize("field", ["ts_ms", "previous_turns[1].ts_ms"])
def test_a_time_in_another_unit_or_of_a_wrong_clock_is_named(
    client: Client, ts_ms: int, complaint: str, field: str
) -> None:
    wrong: dict[str, object] = {"ts_ms": ts_ms}
    if field != "ts_ms":
        wrong = {"previous_turns": [{"text": "a", "ts_ms": NOW_MS}, {"text": "b", "ts_ms": ts_ms}]}
    answer = client.post("/v1/rewrite", json=GOOD | wrong)
    assert answer.status_code == 400
    assert answer.json()["field"] == field
    assert answer.json()["message"].startswith(f"{field} {ts_ms} is ")
    assert complaint in answer.json()["message"]


@pytest.mark.parametrize("ts_ms", [EARLIEST_MS, NOW_MS, NOW_MS + AHEAD_MS])
def test_times_from_2000_to_tomorrow_are_taken(client: Client, ts_ms: int) -> None:
    earlier = [{"text": "a", "ts_ms": ts_ms}]
    assert rewritten(client, "play it", ts_ms=ts_ms, previous_turns=earlier) == "play jazz"


def test_a_byte_order_mark_in_front_of_a_body_is_named(client: Client) -> None:
    body = json.dumps(GOOD)
    for encoding, complaint in (
        ("utf-8-sig", "the body is not JSON: it starts with a byte order mark (EF BB BF)"),
        ("utf-16", "the body is not JSON: it is UTF-16, by its byte order mark"),
    ):
        headers = {"content-type": "application/json"}
        answer = client.post("/v1/rewrite", content=body.encode(encoding), headers=headers)
        assert answer.status_code == 400
        assert complaint in answer.json()["message"]


@pytest.mark.parametrize("missing", ["text", "user_id", "assistant_id"])
def test_a_missing_field_is_named(client: Client, missing: str) -> None:
    answer = client.post("/v1/rewrite", json={key: GOOD[key] for key in GOOD if key != missing})
    assert answer.status_code == 400
    assert missing in answer.json()["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"play it"',
        b"not json",
        b"\xff\xfe\x00",
        b'{"text": "\xff", "user_id": "bob", "assistant_id": "home"}',
        b'{"text": "\\ud800", "user_id": "bob", "assistant_id": "home"}',
        b'{"text": NaN}',
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_json_object_is_refused(client: Client, body: bytes) -> None:
    answer = client.post("/v1/rewrite", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_a_body_of_megabytes_is_refused(client: Client) -> None:
    answer = client.post("/v1/rewrite", json=GOOD | {"text": "x" * 2_000_000})
    assert answer.status_code == 413
    assert rewritten(client, "play it") == "play jazz"


def test_wrong_methods_and_paths_are_refused_in_the_same_form(client: Client) -> None:
    for answer, status in ((client.get("/v1/rewrite"), 405), (client.get("/v1/nothing"), 404)):
        assert answer.status_code == status
        assert answer.json()["status"] == status


def test_rewrites_are_read_and_explained(client: Client) -> None:
    found = client.get(f"/v1/rewrites/{LAMP_ID}", params=AT_HOME)
    assert (found.status_code, found.json()["target_text"]) == (200, "turn off the lamp")
    explained = client.get(f"/v1/rewrites/{LAMP_ID}/explain", params=AT_HOME).json()
    assert explained["rewrite"] == found.json()
    assert explained["history"] == [found.json()]
    assert explained["evidence"] == ["s-1", "s-2"]
    words = " ".join(explained["words"])
    for number in ("14 sessions", "9 users", "12% of 40 requests", "90% of 1,200 requests"):
        assert number in words


@pytest.mark.parametrize("path", ["", "/explain"])
@pytest.mark.parametrize("unknown", ["0" * 24, "nothing", "%E2%82%AC", "'"])
def test_unknown_rewrites_are_not_found(client: Client, path: str, unknown: str) -> None:
    answer = client.get(f"/v1/rewrites/{unknown}{path}", params=AT_HOME)
    assert answer.status_code == 404
    assert "no rewrite" in answer.json()["message"]


def test_unprintable_ids_are_refused(client: Client) -> None:
    assert client.get("/v1/rewrites/a%00b", params=AT_HOME).status_code == 400
    assert client.get("/v1/table", params={"assistant_id": "ho\x00me"}).status_code == 400


def test_rewrites_are_listed_in_pages(client: Client) -> None:
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    for _ in range(4):
        page = client.get("/v1/rewrites", params=AT_HOME | {"limit": "1"} | after).json()
        found += page["rewrites"]
        after = {"after": page["next_after"]}
    assert page["next_after"] is None
    assert len({listed["rewrite_id"] for listed in found}) == 4
    whole = client.get("/v1/rewrites", params=AT_HOME).json()
    assert whole == {"rewrites": found, "next_after": None}


@pytest.mark.parametrize(
    ("wanted", "sources"),
    [
        ({"text": "Lamp!"}, {LAMP}),
        ({"text": "Play Blues"}, {"play it"}),
        ({"text": "%"}, set()),
        ({"text": "nowhere"}, set()),
        ({"status": "live"}, {LAMP, "play it", "guarded"}),
        ({"status": "blocked"}, set()),
    ],
)
def test_rewrites_are_listed_by_status_and_text(
    client: Client, wanted: dict[str, str], sources: set[str]
) -> None:
    page = client.get("/v1/rewrites", params=AT_HOME | wanted).json()
    assert {listed["source_text"] for listed in page["rewrites"]} == sources


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "all"}, "limit"),
        ({"status": "x"}, "status"),
    ],
)
def test_wrong_parameters_are_named(client: Client, wrong: dict[str, str], field: str) -> None:
    answer = client.get("/v1/rewrites", params=AT_HOME | wrong)
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_a_rewrite_is_blocked_and_unblocked(client: Client) -> None:
    blocked = client.post(
        f"/v1/rewrites/{LAMP_ID}/block", params=AT_HOME, json={"reason": "wrong lamp", "actor": "eve"}
    )
    assert (blocked.status_code, blocked.json()["status"]) == (200, "blocked")
    eventually(lambda: ask(client, LAMP)["reason"] == "blocked")
    state = client.get("/v1/table", params=AT_HOME).json()
    assert state == {
        "assistant_id": HOME,
        "version": 3,
        "served_version": 3,
        "rewrites": {"blocked": 1, "live": 3},
        "held": 0,
    }
    client.post(f"/v1/rewrites/{LAMP_ID}/unblock", params=AT_HOME, json={"reason": "the right lamp"})
    eventually(lambda: rewritten(client, LAMP) == "turn off the lamp")
    history = client.get(f"/v1/rewrites/{LAMP_ID}/explain", params=AT_HOME).json()["history"]
    assert [then["status"] for then in history] == ["live", "blocked", "live"]
    assert [then["reason"] for then in history] == ["learned", "wrong lamp", "the right lamp"]


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": 1}, {"reason": "x", "why": "y"}])
def test_a_block_needs_its_reason(client: Client, body: dict[str, object]) -> None:
    for verb in ("block", "unblock"):
        answer = client.post(f"/v1/rewrites/{LAMP_ID}/{verb}", params=AT_HOME, json=body)
        assert answer.status_code == 400


NAP_TO_MAP = RefusedRewrite("play nap", "play map", "", ("other_name", "few_people"))
NAP_TO_CAP = RefusedRewrite("play nap", "play cap", "", ("other_name",))


def refuse(engine: Engine, *refused: RefusedRewrite) -> str:
    """Keeps what guards refuse, as a learner does; gives the id of the first pair."""
    with engine.begin() as connection:
        keep_refused(connection, HOME, (), refused)
    return refused[0].rewrite_id(HOME)


def test_a_refused_pair_is_allowed_and_that_is_undone(client: Client, engine: Engine) -> None:
    key = refuse(engine, NAP_TO_MAP)
    listed = client.get("/v1/rewrites/refused", params=AT_HOME).json()
    assert listed == {
        "assistant_id": HOME,
        "by_reason": {"other_name": 1, "few_people": 1},
        "refused": [
            {
                "rewrite_id": key,
                "source_text": "play nap",
                "target_text": "play map",
                "locale": "",
                "reasons": ["other_name", "few_people"],
            }
        ],
        "allowed": [],
    }
    body = {"reason": "it is a game", "actor": "eve"}
    answer = client.post(f"/v1/rewrites/{key}/allow", params=AT_HOME, json=body)
    allowed = answer.json()
    assert (answer.status_code, allowed["target_text"], allowed["actor"]) == (200, "play map", "eve")
    with reading(engine) as connection:
        assert allowed_pairs(connection, HOME) == {("play nap", "play map", "")}
        assert HOME in unsolved(connection)  # whoever holds the chain makes it anew
    assert client.get("/v1/rewrites/refused", params=AT_HOME).json()["allowed"] == [allowed]
    undone = client.post(f"/v1/rewrites/{key}/disallow", params=AT_HOME, json=body)
    assert (undone.status_code, undone.json()) == (200, {"ended": [allowed]})
    assert client.post(f"/v1/rewrites/{key}/disallow", params=AT_HOME, json=body).status_code == 404
    with reading(engine) as connection:
        assert allowed_pairs(connection, HOME) == frozenset()


def test_of_several_refused_targets_one_has_to_be_named(client: Client, engine: Engine) -> None:
    allow = f"/v1/rewrites/{refuse(engine, NAP_TO_MAP, NAP_TO_CAP)}/allow"
    answer = client.post(allow, params=AT_HOME, json={"reason": "r"})
    assert answer.status_code == 409
    assert "name one of 'play cap', 'play map'" in answer.json()["message"]
    answer = client.post(allow, params=AT_HOME, json={"reason": "r", "target_text": "Play cap!"})
    assert (answer.status_code, answer.json()["target_text"]) == (200, "play cap")
    unknown = client.post("/v1/rewrites/none/allow", params=AT_HOME, json={"reason": "r"})
    assert unknown.status_code == 404
    for wrong in ({}, {"reason": "r", "target": "x"}):
        assert client.post(allow, params=AT_HOME, json=wrong).status_code == 400


def test_the_table_is_rolled_back(client: Client) -> None:
    answer = client.post("/v1/table/rollback", params=AT_HOME, json={"version": 1, "reason": "bad day"})
    assert answer.status_code == 200
    told = answer.json()
    gone = [(row["source_text"], row["target_text"]) for row in told.pop("no_longer_served")]
    assert told == {"assistant_id": HOME, "version": 3, "served_again": [], "still_blocked": []}
    assert gone == [("play it", "play jazz"), ("play it", "play blues")]
    eventually(lambda: rewritten(client, "play it") is None)
    assert rewritten(client, LAMP) == "turn off the lamp"
    assert client.get("/v1/table", params=AT_HOME).json()["held"] > 0
    answer = client.post("/v1/table/release", params=AT_HOME, json={"reason": "learn again"})
    assert (answer.status_code, answer.json()) == (200, {"assistant_id": HOME, "version": 3})
    assert client.get("/v1/table", params=AT_HOME).json()["held"] == 0
    assert client.post("/v1/table/release", params=AT_HOME, json={}).status_code == 400
    for version, status in ((99, 404), (-1, 400), (2**63, 400), ("1", 400)):
        answer = client.post(
            "/v1/table/rollback", params=AT_HOME, json={"version": version, "reason": "bad day"}
        )
        assert answer.status_code == status


def test_a_rollback_keeps_blocks_unless_it_is_told_to_lift_them(client: Client) -> None:
    client.post(f"/v1/rewrites/{LAMP_ID}/block", params=AT_HOME, json={"reason": "wrong lamp"})
    back = {"version": 2, "reason": "bad day"}
    kept = client.post("/v1/table/rollback", params=AT_HOME, json=back).json()
    assert (kept["version"], kept["served_again"], kept["no_longer_served"]) == (3, [], [])
    pair = {
        "rewrite_id": LAMP_ID,
        "scope": "global",
        "source_text": LAMP,
        "question": "",
        "target_text": "turn off the lamp",
        "max_confidence": None,
        "max_asr_confidence": None,
        "max_nlu_confidence": None,
        "locale": "",
        "turn_kind": "any",
    }
    assert kept["still_blocked"] == [pair]
    eventually(lambda: ask(client, LAMP)["reason"] == "blocked")
    lifted = client.post("/v1/table/rollback", params=AT_HOME, json=back | {"lift_blocks": True}).json()
    assert (lifted["served_again"], lifted["still_blocked"]) == ([pair], [])
    eventually(lambda: rewritten(client, LAMP) == "turn off the lamp")
    wrong = client.post("/v1/table/rollback", params=AT_HOME, json=back | {"lift_blocks": "yes"})
    assert (wrong.status_code, wrong.json()["field"]) == (400, "lift_blocks")


def test_an_explanation_says_below_which_confidence_a_row_is_served(client: Client) -> None:
    def words(source: str) -> str:
        key = rewrite_id(HOME, GLOBAL, source)
        return " ".join(client.get(f"/v1/rewrites/{key}/explain", params=AT_HOME).json()["words"])

    assert "only for requests understood with a confidence below 0.6;" in words("guarded")
    assert "confidence" not in words(LAMP)
    key = rewrite_id(HOME, GLOBAL, "guarded")
    client.post(f"/v1/rewrites/{key}/block", params=AT_HOME, json={"reason": "wrong"})
    assert "confidence" not in words("guarded")


@pytest.mark.parametrize(
    ("known", "text"),
    [
        ({"asr_confidence": 0.7}, "play jazz"),
        ({"asr_confidence": 0.8}, None),
        ({"asr_confidence": 0.7, "nlu": {"intent": "play", "confidence": 0.5}}, "play jazz"),
        ({"asr_confidence": 0.7, "nlu": {"intent": "play", "confidence": 0.9}}, None),
        ({"nlu": {"intent": "play", "confidence": 0.1}}, None),
        ({}, None),
    ],
)
def test_the_limit_is_that_of_the_confidences_in_the_request(
    client: Client, engine: Engine, known: dict[str, object], text: str | None
) -> None:
    limits = {"max_confidence": 0.4, "max_asr_confidence": 0.75, "max_nlu_confidence": 0.0}
    row = rewrite_row("play jess", "play jazz", **limits)
    put(RewriteTable(engine, lambda: NOW_MS), engine, [row])
    sure = {"asr_confidence": 0.1, "nlu": {"intent": "play", "confidence": 0.1}}
    eventually(lambda: rewritten(client, "play jess", **sure) == "play jazz")
    assert rewritten(client, "play jess", **known) == text
    told = client.get(f"/v1/rewrites/{row.rewrite_id}", params=AT_HOME).json()
    assert limits.items() <= told.items()
    why = client.get(f"/v1/rewrites/{row.rewrite_id}/explain", params=AT_HOME).json()["words"]
    assert any("for a confidence below 0.75 where only the recogniser's is known" in line for line in why)
    assert any("for no confidence where only the NLU's is known" in line for line in why)


def test_feedback_is_kept_once(client: Client, engine: Engine) -> None:
    said = {"assistant_id": HOME, "user_id": "ann", "event_id": "e-1", "feedback": "negative"}
    first = client.post("/v1/feedback", json=said | {"comment": "no!\x00"})
    second = client.post("/v1/feedback", json=said | {"feedback": "positive"})
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    (kept,) = DatabaseFeedbackStore(engine).of_assistant(HOME)
    assert (kept.user_id, kept.event_id, kept.rewrite_id) == ("ann", "e-1", None)
    assert (kept.feedback, kept.comment, kept.received_ms) == ("positive", None, NOW_MS)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"feedback": "meh"}, "feedback"),
        ({"event_id": None}, "event_id"),
        ({"event_id": "a\x00b"}, "event_id"),
        ({"user_id": "a\nb"}, "user_id"),
        ({"stars": 5}, "stars"),
        ({"comment": "x" * 2_001}, "comment"),
    ],
)
def test_wrong_feedback_is_refused(client: Client, wrong: dict[str, object], named: str) -> None:
    said = {"assistant_id": HOME, "user_id": "ann", "event_id": "e-1", "feedback": "negative"}
    answer = client.post("/v1/feedback", json=said | wrong)
    assert answer.status_code == 400
    assert named in answer.json()["message"]


def forget_by_path(client: Client, user_id: str) -> Response:
    return client.delete(f"/v1/users/{quote(user_id, safe='')}", params=AT_HOME)


def forget_by_body(client: Client, user_id: str) -> Response:
    return client.post("/v1/forgotten-users", json=AT_HOME | {"user_id": user_id})


@pytest.mark.parametrize(
    ("forget", "user_id"),
    [
        *((forget_by_path, user_id) for user_id in ("ann", "a/b c/", "/a", "ж?#", "a%2Fb", "forget")),
        *((forget_by_body, user_id) for user_id in ("ann", "a/b c/", "..", "/", "forget")),
    ],
)
def test_a_user_is_forgotten(
    client: Client,
    engine: Engine,
    teach: Callable[..., None],
    forget: Callable[[Client, str], Response],
    user_id: str,
) -> None:
    teach("mine", "my own", user_scope(UserId(user_id)))
    said = AT_HOME | {"event_id": "e", "feedback": "negative"}
    for name in (user_id, "bob"):
        client.post("/v1/feedback", json=said | {"user_id": name})
    eventually(lambda: rewritten(client, "mine", user_id=user_id) == "my own")
    assert forget(client, user_id).status_code == 204
    eventually(lambda: rewritten(client, "mine", user_id=user_id) is None)
    assert rewritten(client, "play it", user_id=user_id) == "play jazz"
    assert [kept.user_id for kept in DatabaseFeedbackStore(engine).of_assistant(HOME)] == ["bob"]


def test_metrics_count_lookups_by_assistant_and_outcome(client: Client) -> None:
    for text in (LAMP, LAMP, "nothing known"):
        ask(client, text)
    ask(client, LAMP, assistant_id="garden")
    client.post("/v1/rewrite", json={"text": 1})
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = set(answer.text.splitlines())
    for outcome, count in (("rewritten", 2.0), ("no_rewrite_known", 1.0)):
        assert f'rehear_lookup_requests_total{{assistant="home",outcome="{outcome}"}} {count}' in lines
    assert 'rehear_lookup_requests_total{assistant="unknown",outcome="no_table"} 1.0' in lines
    assert 'rehear_lookup_requests_total{assistant="unknown",outcome="bad_request"} 1.0' in lines
    assert 'rehear_lookup_seconds_count{assistant="home"} 3.0' in lines
    assert any(
        line.startswith('rehear_lookup_seconds_bucket{assistant="home",le="0.0001"}') for line in lines
    )
    assert 'rehear_table_version{assistant="home"} 2.0' in lines
    assert 'rehear_rewrites_live{assistant="home"} 4.0' in lines
    assert any(line.startswith("rehear_table_age_seconds 0.") for line in lines)


def test_every_route_is_in_the_schema(client: Client) -> None:
    schema = client.get("/schema").json()
    assert set(schema["paths"]) == {
        "/v1/rewrite",
        "/v1/feedback",
        "/v1/users/{user_id}",
        "/v1/forgotten-users",
        "/v1/rewrites",
        "/v1/rewrites/block",
        "/v1/rewrites/{rewrite_id}",
        "/v1/rewrites/{rewrite_id}/explain",
        "/v1/rewrites/{rewrite_id}/block",
        "/v1/rewrites/{rewrite_id}/unblock",
        "/v1/rewrites/refused",
        "/v1/rewrites/guard",
        "/v1/rewrites/{rewrite_id}/allow",
        "/v1/rewrites/{rewrite_id}/disallow",
        "/v1/table",
        "/v1/table/release",
        "/v1/table/rollback",
        "/v1/serving",
        "/v1/serving/off",
        "/v1/serving/on",
        "/healthz",
        "/readyz",
        "/metrics",
    }
    body = schema["paths"]["/v1/rewrite"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["$ref"].endswith("RewriteQuery")
    query = schema["components"]["schemas"]["RewriteQuery"]["properties"]
    assert {"locale", "turn_kind", "system_initiated"} <= set(query)
    assert "BCP 47" in query["locale"]["description"]
    assert schema["components"]["securitySchemes"]["api_key"]["name"] == "X-API-Key"


def test_fields_are_found_in_messages() -> None:
    assert field_of("Expected `str`, got `int` - at `$.nlu.intent`") == "nlu.intent"
    assert field_of("Object missing required field `intent` - at `$.nlu`") == "nlu.intent"
    assert field_of("Object contains unknown field `x`") == "x"
    assert field_of("Expected `object`, got `array`") is None
