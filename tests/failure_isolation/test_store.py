"""What is stored of failures, and which point is said to be the dominant one."""

from collections.abc import Sequence

import msgspec
from letter_failures import LetterFailures
from sqlalchemy import Engine, select
from turns import turn_event

from failure_isolation.dominant_failure import LEAST_TURNS, Source, dominant_failures
from failure_isolation.rule import FAILURE_POINTS
from failure_isolation.store import (
    FAILURE_STORE,
    FAILURES,
    FailureRecord,
    SessionFailures,
    failed_turns,
    failed_turns_of,
    store_failures,
)
from failure_isolation.turn_failure import TurnFailure
from labeling.annotations.annotation import FailurePoint
from labeling.text.question import Question
from streams.session import Session, sessionize
from streams.stores.database_schema import reading
from streams.turn import AssistantId, Response, TurnEvent, UserId

A = AssistantId("a")


def session_of(texts: Sequence[str], user: str = "u", assistant: str = "a", start_ms: int = 0) -> Session:
    (session,) = sessionize(
        turn_event(
            text,
            event_id=f"{user}-{start_ms + 1_000 * number}",
            user_id=user,
            assistant_id=assistant,
            ts_ms=start_ms + 1_000 * number,
        )
        for number, text in enumerate(texts)
    )
    return session


def isolated(session: Session) -> SessionFailures:
    (failures,) = LetterFailures(0.75).isolate([session.turns])
    return SessionFailures(session, "m", failures)


def store(engine: Engine, *items: SessionFailures) -> int:
    with engine.begin() as connection:
        return store_failures(connection, items, 1)


def failing(session: Session, point: FailurePoint, abstains: bool = False) -> SessionFailures:
    """A session, of each of whose turns this is said."""
    said = [
        TurnFailure(
            event_id=turn.event_id, failure_point=point, probabilities={point: 1.0}, abstains=abstains
        )
        for turn in session.turns
    ]
    return SessionFailures(session, "m", said)


def alone(turn: TurnEvent) -> Session:
    (session,) = sessionize([turn])
    return session


def fail(
    engine: Engine, points: Sequence[tuple[str, FailurePoint]], text: str = "play sonk", **fields: object
) -> None:
    """One session for each user and point."""
    with reading(engine) as connection:
        _, number = FAILURE_STORE.counts(connection, A)
    for user, point in points:
        number += 1
        turn = turn_event(
            text, event_id=f"e{number}", user_id=user, assistant_id="a", ts_ms=number * 10**6, **fields
        )
        store(engine, failing(alone(turn), point))


def dominant(engine: Engine, *sources: Source) -> list[FailurePoint | None]:
    with reading(engine) as connection:
        found = dominant_failures(connection, A, sources)
    return [found.get(source) for source in sources]


def test_the_record_is_json_that_reads_back(engine: Engine) -> None:
    session = session_of(["bhush", "bquiet please"])
    store(engine, isolated(session))
    with reading(engine) as connection:
        record = FAILURE_STORE.changes(connection, 1)[0].record
    fields = msgspec.json.decode(msgspec.json.encode(record))
    assert fields == {
        "schema_version": 1,
        "assistant_id": "a",
        "user_id": "u",
        "session_id": session.session_id,
        "ts_ms": 0,
        "model": "m",
        "event_id": "u-0",
        "failure_point": "asr",
        "probabilities": dict.fromkeys(FAILURE_POINTS, 0.05) | {"asr": 0.75},
        "abstains": False,
    }
    assert msgspec.json.decode(msgspec.json.encode(record), type=FailureRecord) == record


def test_a_turn_counts_for_its_source_if_it_has_failed_for_sure(engine: Engine) -> None:
    sessions = [
        session_of(["b maybe!", "b, HUSH?", "bquiet"]),
        session_of(["bhush", "bquiet"], user="v"),
    ]
    store(engine, *map(isolated, sessions))
    with reading(engine) as connection:
        failed = failed_turns(connection, [session.session_id for session in sessions])
        assert {(turn.event_id, turn.source_text) for turn in failed} == {
            ("u-1000", "b hush"),
            ("v-0", "bhush"),
        }
        assert {turn.user_id for turn in failed_turns_of(connection, A, UserId("v"))} == {"v"}
        texts = set(connection.scalars(select(FAILURES.c.source_text)))
    assert texts == {"b hush", "bhush", None}


def test_a_failed_turn_of_a_dialogue_counts_for_the_question_that_came_before_it(engine: Engine) -> None:
    said = Response(text="What area?"), Response(text="What food?")
    (session,) = sessionize(
        turn_event("bhush", event_id=f"e{number}", ts_ms=number, dialogue_id="d", response=response)
        for number, response in enumerate(said)
    )
    store(engine, failing(session, "asr"))
    with reading(engine) as connection:
        failed = failed_turns(connection, [session.session_id])
    assert {(turn.event_id, turn.question) for turn in failed} == {("e0", ""), ("e1", "what area")}


def test_words_that_are_none_have_no_source(engine: Engine) -> None:
    turn = turn_event("?!", event_id="e", user_id="u", assistant_id="a", ts_ms=0)
    item = failing(alone(turn), "asr")
    store(engine, item)
    with reading(engine) as connection:
        assert failed_turns(connection, [item.session.session_id]) == set()


def test_the_dominant_point_is_that_of_most_failures(engine: Engine) -> None:
    fail(engine, [("u", "nlu"), ("v", "nlu"), ("w", "asr"), *(("x", "correct"),) * 9])
    fail(engine, [("u", "result"), ("v", "result"), ("w", "result")], text="another")
    assert dominant(engine, Source("play sonk"), Source("another"), Source("a third")) == [
        "nlu",
        "result",
        None,
    ]


def test_of_equals_the_earliest_stage_is_it(engine: Engine) -> None:
    fail(engine, [("u", "result"), ("v", "result"), ("w", "entity_resolution"), ("u", "entity_resolution")])
    assert dominant(engine, Source("play sonk")) == ["entity_resolution"]


def test_too_few_failures_or_those_of_one_user_say_nothing_of_all(engine: Engine) -> None:
    fail(engine, [("u", "asr")] * (LEAST_TURNS - 1))
    of_u = Source("play sonk", user_id=UserId("u"))
    assert dominant(engine, Source("play sonk"), of_u) == [None, None]
    fail(engine, [("u", "asr")])
    assert dominant(engine, Source("play sonk"), of_u) == [None, "asr"]
    fail(engine, [("v", "nlu")])
    assert dominant(engine, Source("play sonk"), of_u) == ["asr", "asr"]


def test_abstentions_do_not_count(engine: Engine) -> None:
    fail(engine, [("u", "asr"), ("v", "asr")])
    turn = turn_event("play sonk", event_id="unsure", user_id="w", assistant_id="a", ts_ms=1)
    store(engine, failing(alone(turn), "asr", abstains=True))
    assert dominant(engine, Source("play sonk")) == [None]


def test_a_personal_point_is_of_that_users_requests(engine: Engine) -> None:
    fail(engine, [("u", "asr")] * 3 + [("v", "nlu")] * 5)
    assert dominant(
        engine,
        *(Source("play sonk", user_id=None if user is None else UserId(user)) for user in (None, *"uvw")),
    ) == ["nlu", "asr", "nlu", None]


def test_what_holds_after_a_question_goes_by_requests_after_it(engine: Engine) -> None:
    people = [(user, "asr") for user in "uvw"]
    fail(engine, [("u", "nlu"), ("v", "nlu"), ("w", "nlu"), ("u", "nlu")], text="any")
    fail(engine, [(user, "asr") for user, _ in people], text="any", prompt="What area?")
    assert dominant(
        engine, Source("any"), Source("any", Question("what area")), Source("any", Question("what food"))
    ) == ["nlu", "asr", None]


def test_without_a_question_requests_after_any_question_count(engine: Engine) -> None:
    fail(engine, [("u", "asr"), ("v", "asr")], text="any", prompt="What area?")
    fail(engine, [("w", "asr")], text="any", prompt="What food?")
    assert dominant(engine, Source("any"), Source("any", Question("what area"))) == ["asr", None]


def test_assistants_do_not_mix(engine: Engine) -> None:
    fail(engine, [(user, "asr") for user in "uvw"])
    with reading(engine) as connection:
        assert dominant_failures(connection, AssistantId("b"), [Source("play sonk")]) == {}


def test_the_failure_of_a_rewritten_request_counts_for_what_was_said(engine: Engine) -> None:
    points: list[tuple[str, FailurePoint]] = [(f"u{number}", "result") for number in range(LEAST_TURNS)]
    fail(engine, points, "Play sonk!", executed_text="play song")
    said, run = Source("play sonk", Question(""), None), Source("play song", Question(""), None)
    assert dominant(engine, said, run) == ["result", None]
