"""What is stored of labels; of what holds for all stores of turns: `test_turn_stores`."""

import msgspec
from letter_labels import FULL_LABEL, LetterLabels
from sqlalchemy import Engine
from turns import turn_event

from labeling.labels.store import LABEL_STORE, SessionLabels, store_labels
from labeling.labels.turn_label import TurnLabel
from streams.session import Session, sessionize
from streams.stores.database_schema import reading


def session_of(*texts: str) -> Session:
    (session,) = sessionize(
        turn_event(text, event_id=f"u-{ts_ms}", user_id="u", assistant_id="a", ts_ms=ts_ms)
        for text, ts_ms in zip(texts, range(0, 10**6, 1_000), strict=False)
    )
    return session


def store(engine: Engine, labels: SessionLabels) -> int:
    with engine.begin() as connection:
        return store_labels(connection, [labels], 1)


def stored(engine: Engine, session: Session) -> list[TurnLabel]:
    with reading(engine) as connection:
        records = LABEL_STORE.records(connection, [session.session_id]).get(session.session_id, [])
    return [
        TurnLabel(**{name: getattr(record, name) for name in TurnLabel.__struct_fields__})
        for record in records
    ]


def test_a_turn_of_which_nothing_is_said_and_one_of_which_all_is(engine: Engine) -> None:
    session = session_of("x", "y")
    nothing = TurnLabel(event_id="u-0", goal_id="u-0", goal_start=True)
    everything = msgspec.structs.replace(FULL_LABEL, event_id="u-1000", goal_id="u-1000")
    store(engine, SessionLabels(session, "m", [nothing, everything]))
    assert stored(engine, session) == [nothing, everything]


def test_names_of_the_log_that_no_database_takes_lose_what_it_does_not_take(engine: Engine) -> None:
    session = session_of("x")
    label = TurnLabel(event_id="u-0", goal_id="u-0", goal_start=True, domain="d\x00", intent="\x00i")
    store(engine, SessionLabels(session, "m", [label]))
    (found,) = stored(engine, session)
    assert (found.domain, found.intent) == ("d", "i")
    assert store(engine, SessionLabels(session, "m", [label])) == 0


def test_the_record_is_json_that_reads_back(engine: Engine) -> None:
    session = session_of("ahush")
    (labels,) = LetterLabels().label([session.turns])
    store(engine, SessionLabels(session, "m", labels))
    with reading(engine) as connection:
        (change,) = LABEL_STORE.changes(connection, 100)
    fields = msgspec.json.decode(msgspec.json.encode(change.record))
    assert fields["slots"] == [{"name": "rest", "value": "hush", "start": 1, "end": 5}]
    assert fields["satisfaction"] is None
    assert (fields["assistant_id"], fields["user_id"], fields["session_id"], fields["model"]) == (
        "a",
        "u",
        session.session_id,
        "m",
    )
