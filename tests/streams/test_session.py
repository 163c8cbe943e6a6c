from collections.abc import Sequence
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from turns import turn_event

from streams.session import DEFAULT_GAP_MS, Session, absorb, sessionize
from streams.turn import Request, TurnEvent


def turn(
    event_id: str, ts_ms: int, user_id: str = "u", dialogue_id: str | None = None, assistant_id: str = "a"
) -> TurnEvent:
    return turn_event(
        event_id=event_id, assistant_id=assistant_id, user_id=user_id, ts_ms=ts_ms, dialogue_id=dialogue_id
    )


def events(sessions: Sequence[Session]) -> list[list[str]]:
    return [[turn.event_id for turn in session.turns] for session in sessions]


@st.composite
def logs(draw: st.DrawFn) -> list[TurnEvent]:
    """Turns of few users at times around the gap, some in dialogues."""
    places = draw(
        st.lists(
            st.tuples(st.integers(0, 12), st.sampled_from("uv"), st.sampled_from([None, None, "d", "e"])),
            max_size=14,
        )
    )
    return [
        turn(f"e{number}", step * 15_000, user, dialogue)
        for number, (step, user, dialogue) in enumerate(places)
    ]


# Cutting


def test_a_gap_of_exactly_the_limit_holds_a_session_together() -> None:
    together = [turn("a", 0), turn("b", DEFAULT_GAP_MS)]
    apart = [turn("a", 0), turn("b", DEFAULT_GAP_MS + 1)]
    assert DEFAULT_GAP_MS == 45_000
    assert events(sessionize(together)) == [["a", "b"]]
    assert events(sessionize(apart)) == [["a"], ["b"]]


def test_the_gap_is_between_neighbours_not_over_the_session() -> None:
    assert events(sessionize(turn(f"e{i}", i * 40_000) for i in range(9))) == [[f"e{i}" for i in range(9)]]


def test_users_and_assistants_have_sessions_of_their_own() -> None:
    turns = [turn("a", 0), turn("b", 1, user_id="v"), turn("c", 2, assistant_id="other"), turn("d", 3)]
    assert events(sessionize(turns)) == [["a", "d"], ["b"], ["c"]]


def test_a_dialogue_is_a_session_however_long_its_silences() -> None:
    turns = [
        turn("a", 0, dialogue_id="d"),
        turn("b", 10),
        turn("c", 20, dialogue_id="e"),
        turn("d", 30),
        turn("e", 10**9, dialogue_id="d"),
    ]
    sessions = sessionize(turns)
    assert events(sessions) == [["a", "e"], ["b", "d"], ["c"]]
    assert [session.dialogue_id for session in sessions] == ["d", None, "e"]


def test_turns_of_one_millisecond_come_in_the_order_of_their_ids() -> None:
    assert events(sessionize([turn("b", 5), turn("a", 5), turn("c", 4)])) == [["c", "a", "b"]]


def test_a_second_event_with_the_same_id_is_the_same_event() -> None:
    assert events(sessionize([turn("a", 7), turn("b", 8), turn("a", 7), turn("a", 9)])) == [["a", "b"]]
    both = sessionize([turn("a", 7), turn("a", 7, assistant_id="other")])
    assert events(both) == [["a"], ["a"]]  # ids are an assistant's own


def test_sessions_know_their_ends_and_have_ids_of_their_own() -> None:
    sessions = sessionize(
        [turn("a", 7), turn("b", 9), turn("c", 10**6), turn("d", 8, dialogue_id="a"), turn("a", 7, "v", "x")]
    )
    assert [(session.start_ms, session.end_ms) for session in sessions[:3]] == [
        (7, 9),
        (8, 8),
        (10**6, 10**6),
    ]
    assert len({session.session_id for session in sessions}) == len(sessions)
    assert {len(session.session_id) for session in sessions} == {24}


# Absorbing


def test_a_late_turn_merges_two_sessions_and_withdraws_the_second() -> None:
    first, second = sessionize([turn("a", 0), turn("c", 80_000)])
    change = absorb([first, second], [turn("b", 40_000)])
    assert events(change.upserts) == [["a", "b", "c"]]
    assert change.upserts[0].session_id == first.session_id
    assert change.withdrawn == (second,)


def test_an_earlier_turn_takes_a_session_over() -> None:
    known = sessionize([turn("b", 1_000)])
    change = absorb(known, [turn("a", 0)])
    assert events(change.upserts) == [["a", "b"]]
    assert change.withdrawn == tuple(known)


def test_known_turns_change_nothing() -> None:
    known = sessionize([turn("a", 0), turn("b", 1)])
    change = absorb(known, [turn("b", 1), turn("a", 0), turn("a", 0)])
    assert (change.upserts, change.withdrawn) == ((), ())


def test_a_batch_may_repeat_itself() -> None:
    change = absorb([], [turn("a", 0), turn("a", 0), turn("b", 1), turn("a", 0)])
    assert events(change.upserts) == [["a", "b"]]


def test_untouched_sessions_are_not_changed() -> None:
    known = sessionize([turn("a", 0), turn("b", 10**6)])
    change = absorb(known, [turn("c", 10**6 + 1)])
    assert events(change.upserts) == [["b", "c"]]


@given(logs(), st.randoms(use_true_random=False), st.integers(1, 5))
def test_any_order_and_any_batches_give_the_sessions_of_the_whole(
    log: list[TurnEvent], rng: object, batch_size: int
) -> None:
    shuffled = [*log, *log[::3]]
    rng.shuffle(shuffled)  # type: ignore[attr-defined]  # a Random that hypothesis can shrink
    known: dict[str, Session] = {}
    for start in range(0, len(shuffled), batch_size):
        change = absorb(list(known.values()), shuffled[start : start + batch_size])
        for session in change.withdrawn:
            assert known.pop(session.session_id) == session
        for session in change.upserts:
            assert known.get(session.session_id) != session
            known[session.session_id] = session
    assert sorted(known.values(), key=lambda session: session.session_id) == sorted(
        sessionize(log), key=lambda session: session.session_id
    )


@given(logs())
def test_every_turn_is_in_one_session(log: list[TurnEvent]) -> None:
    sessions = sessionize(log)
    assert sorted(event for session in events(sessions) for event in session) == sorted(
        turn.event_id for turn in log
    )
    for session in sessions:
        assert {(turn.user_id, turn.dialogue_id) for turn in session.turns} == {
            (session.user_id, session.dialogue_id)
        }
        times = [turn.ts_ms for turn in session.turns]
        assert times == sorted(times)
        if session.dialogue_id is None:
            assert all(later - earlier <= DEFAULT_GAP_MS for earlier, later in pairwise(times))


def test_a_revised_turn_does_not_replace_the_one_that_was_counted() -> None:
    known = sessionize([turn("a", 0)])
    revised = msgspec.structs.replace(turn("a", 0), request=Request(text="something else"))
    assert absorb(known, [revised]).upserts == ()
