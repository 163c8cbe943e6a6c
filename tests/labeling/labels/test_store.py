"""What is stored of labels, and what of it is still to be announced."""

from collections.abc import Sequence

import msgspec
import pytest
from letter_labels import LetterLabels
from sqlalchemy import Engine
from turns import turn_event

from labeling.labels.store import (
    LABEL_STORE,
    PUBLISHING_TASK,
    LabelChange,
    SessionLabels,
    store_labels,
)
from labeling.labels.turn_label import TurnLabel
from streams.session import Session, sessionize
from streams.stores.checkpoint import save_offsets
from streams.stores.database_schema import reading
from streams.stream_task import OffsetRange
from streams.turn import AssistantId, TurnEvent, UserId

A = AssistantId("a")


def dialogue(
    texts: Sequence[str], user: str = "u", assistant: str = "a", start_ms: int = 0
) -> list[TurnEvent]:
    return [
        turn_event(
            text,
            event_id=f"{user}-{start_ms + 1_000 * number}",
            user_id=user,
            assistant_id=assistant,
            ts_ms=start_ms + 1_000 * number,
        )
        for number, text in enumerate(texts)
    ]


def session_of(turns: Sequence[TurnEvent]) -> Session:
    (session,) = sessionize(turns)
    return session


def labelled(session: Session, model: str = "m", third: float = 0.25) -> SessionLabels:
    (labels,) = LetterLabels(third).label([session.turns])
    return SessionLabels(session, model, labels)


def store(engine: Engine, *items: SessionLabels, now_ms: int = 1) -> int:
    with engine.begin() as connection:
        return store_labels(connection, items, now_ms)


def stored(engine: Engine, session: Session) -> list[TurnLabel]:
    with reading(engine) as connection:
        records = LABEL_STORE.records(connection, [session.session_id]).get(session.session_id, [])
    return [
        TurnLabel(**{name: getattr(record, name) for name in TurnLabel.__struct_fields__})
        for record in records
    ]


def announce(engine: Engine, limit: int = 100) -> list[LabelChange]:
    """What the topic lacked, and now has."""
    with reading(engine) as connection:
        changes = LABEL_STORE.changes(connection, limit)
    with engine.begin() as connection:
        LABEL_STORE.mark_announced(connection, changes)
    return changes


def test_what_is_stored_is_what_was_said(engine: Engine) -> None:
    session = session_of(dialogue(["ahush", "aquiet please", "bhush \x00 “é”"]))
    said = labelled(session)
    assert store(engine, said) == 3
    assert stored(engine, session) == list(said.labels)
    with reading(engine) as connection:
        assert LABEL_STORE.known(connection, [session.session_id]) == {
            session.session_id: ("m", session.turns_key)
        }
        assert LABEL_STORE.counts(connection, A) == (1, 3)
        assert LABEL_STORE.counts(connection, AssistantId("b")) == (0, 0)


def test_a_turn_of_which_nothing_is_said_and_one_of_which_all_is(engine: Engine) -> None:
    session = session_of(dialogue(["x", "y"]))
    nothing = TurnLabel(event_id="u-0", goal_id="u-0", goal_start=True)
    everything = TurnLabel(
        event_id="u-1000",
        goal_id="u-1000",
        goal_start=True,
        goal_success=0.1,
        defect=0.0,
        satisfaction=5,
        dissatisfaction=1.0,
        dialogue_satisfaction=1,
        dialogue_dissatisfaction=0.3333,
        domain="d",
        intent="i",
        slots=(),
        confidence={"slots": 0.5},
        abstained=("slots",),
    )
    store(engine, SessionLabels(session, "m", [nothing, everything]))
    assert stored(engine, session) == [nothing, everything]


def test_names_of_the_log_that_no_database_takes_lose_what_it_does_not_take(engine: Engine) -> None:
    session = session_of(dialogue(["x"]))
    label = TurnLabel(event_id="u-0", goal_id="u-0", goal_start=True, domain="d\x00", intent="\x00i")
    store(engine, SessionLabels(session, "m", [label]))
    (found,) = stored(engine, session)
    assert (found.domain, found.intent) == ("d", "i")
    assert store(engine, SessionLabels(session, "m", [label])) == 0


def test_the_same_again_changes_nothing_and_a_change_is_announced_once(engine: Engine) -> None:
    session = session_of(dialogue(["ahush", "aquiet please", "bhush"]))
    assert store(engine, labelled(session)) == 3
    first = announce(engine)
    assert [change.key for change in first] == ["a/u-0", "a/u-1000", "a/u-2000"]
    assert store(engine, labelled(session), now_ms=2) == 0
    assert announce(engine) == []
    assert store(engine, labelled(session, third=0.5)) == 1
    (change,) = announce(engine)
    assert change.record is not None
    assert (change.key, change.record.defect, change.record.user_id) == ("a/u-0", 0.5, "u")
    assert store(engine, labelled(session, model="other", third=0.5)) == 3


def test_a_turn_that_changes_while_it_is_announced_is_announced_again(engine: Engine) -> None:
    session = session_of(dialogue(["ahush", "aquiet please"]))
    store(engine, labelled(session))
    with reading(engine) as connection:
        told = LABEL_STORE.changes(connection, 100)
    store(engine, labelled(session, third=0.5))
    with engine.begin() as connection:
        LABEL_STORE.mark_announced(connection, told)
    (change,) = announce(engine)
    assert change.record is not None
    assert change.record.defect == 0.5


def test_announcing_goes_on_where_the_limit_has_stopped_it(engine: Engine) -> None:
    sessions = [session_of(dialogue(["ahush", "bhush"], user=f"u{i}")) for i in range(3)]
    store(engine, *map(labelled, sessions))
    told: list[str] = []
    while changes := announce(engine, limit=4):
        told += [change.key for change in changes]
    assert sorted(told) == sorted(f"a/{turn.event_id}" for session in sessions for turn in session.turns)
    assert len(set(told)) == 6


def test_turns_that_are_no_longer_in_a_session_lose_their_labels(engine: Engine) -> None:
    turns = dialogue(["ahush", "aquiet please", "bhush"])
    store(engine, labelled(session_of(turns)))
    announce(engine)
    assert store(engine, labelled(session_of(turns[:2]))) == 1
    assert {change.key: change.record is None for change in announce(engine)} == {"a/u-2000": True}
    assert [label.event_id for label in stored(engine, session_of(turns))] == ["u-0", "u-1000"]


@pytest.mark.parametrize("joined_first", [True, False])
def test_turns_that_move_to_another_session_keep_one_row(engine: Engine, joined_first: bool) -> None:
    early, late = dialogue(["ahush"]), dialogue(["aquiet please"], start_ms=60_000)
    between = dialogue(["amiddle"], start_ms=30_000)
    store(engine, *(labelled(session_of(turns)) for turns in (early, late)))
    announce(engine)
    joined = session_of([*early, *between, *late])
    withdrawn = session_of(late)
    steps = [
        lambda: store(engine, labelled(joined)),
        lambda: _drop(engine, withdrawn),
    ]
    for step in steps if joined_first else reversed(steps):
        step()
    assert [label.goal_id for label in stored(engine, joined)] == ["u-0"] * 3
    assert stored(engine, withdrawn) == []
    assert all(change.record is not None for change in announce(engine))
    with reading(engine) as connection:
        assert LABEL_STORE.counts(connection, A) == (1, 3)


def _drop(engine: Engine, session: Session) -> None:
    with engine.begin() as connection:
        LABEL_STORE.drop(connection, [session.session_id])


def test_events_of_two_assistants_may_have_the_same_id(engine: Engine) -> None:
    sessions = [session_of(dialogue(["ahush"], assistant=key)) for key in "ab"]
    store(engine, *map(labelled, sessions))
    _drop(engine, sessions[1])
    assert stored(engine, sessions[0])
    assert not stored(engine, sessions[1])
    assert {change.key: change.record is None for change in announce(engine)} == {
        "a/u-0": False,
        "b/u-0": True,
    }


@pytest.mark.parametrize("is_published", [True, False])
def test_a_forgotten_user_is_withdrawn_and_others_stay(engine: Engine, is_published: bool) -> None:
    sessions = [
        session_of(dialogue(["ahush", "bhush"], user=user, assistant=assistant))
        for user, assistant in (("u", "a"), ("v", "a"), ("u", "b"))
    ]
    store(engine, *map(labelled, sessions))
    announce(engine, limit=4)
    with engine.begin() as connection:
        if is_published:
            save_offsets(connection, PUBLISHING_TASK, "sessions", {0: OffsetRange(None, 3)})
        LABEL_STORE.forget_user(connection, A, UserId("u"))
    assert [bool(stored(engine, session)) for session in sessions] == [False, True, True]
    told = {change.key: change.record is None for change in announce(engine)}
    withdrawn = {"a/u-0": True, "a/u-1000": True}
    assert {key: gone for key, gone in told.items() if key.startswith("a/u")} == (
        withdrawn if is_published else {}
    )
    with reading(engine) as connection:
        assert not LABEL_STORE.has_changes(connection)


def test_the_record_is_json_that_reads_back(engine: Engine) -> None:
    session = session_of(dialogue(["ahush"]))
    store(engine, labelled(session))
    (change,) = announce(engine)
    assert change.record is not None
    fields = msgspec.json.decode(msgspec.json.encode(change.record))
    assert fields["slots"] == [{"name": "rest", "value": "hush", "start": 1, "end": 5}]
    assert fields["satisfaction"] is None
    assert (fields["assistant_id"], fields["user_id"], fields["session_id"], fields["model"]) == (
        "a",
        "u",
        session.session_id,
        "m",
    )
