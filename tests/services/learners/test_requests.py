import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from rewritten_turns import said, session_of, sessions_of
from sqlalchemy import Engine, event, select
from streaming import store_log

from labeling.text.question import NO_QUESTION
from rewriting.index.indexed_request import request_id
from rewriting.index.store import INDEXED_REQUEST
from rewriting.ranking.candidates import CandidateSettings
from rewriting.requests.counts import RequestCounts, SharedStatistics
from rewriting.requests.session_store import REQUEST_STORE
from rewriting.requests.statistics_store import REQUEST_STATISTICS, StoredStatistics
from rewriting.requests.step import RequestText, SessionRequests, session_requests
from services.learners.requests import RequestLearner
from services.simulator import PlantedPair, SimulationSettings, planted_log, simulate
from streams.session import sessionize
from streams.stores.database_schema import reading
from streams.turn import AssistantId, TurnEvent, UserId

PLANTED = AssistantId("planted-assistant")


def requests(turns: list[TurnEvent]) -> list[SessionRequests]:
    return [session_requests(session) for session in sessionize(turns)]


@pytest.fixture
def planted() -> list[SessionRequests]:
    """A second try of four users, one of two users, and what one user alone says."""
    return requests(
        planted_log(
            [
                PlantedPair(source="play sonk", target="play song", users=4),
                PlantedPair(source="call mop", target="call mom", users=2),
            ],
            successes={"my pin is four seven": 1},
        )
    )


@pytest.fixture(scope="module")
def demo() -> list[SessionRequests]:
    return requests([turn.event for turn in simulate(SimulationSettings(users=40, days=4, test_days=0))])


def absorb(engine: Engine, learner: RequestLearner, sessions: list[SessionRequests]) -> None:
    with engine.begin() as connection:
        learner.refresh(connection)
        learner.absorb(connection, sessions)
        learner.write(connection)


def tables(engine: Engine) -> tuple[list[Any], dict[str, str]]:
    """All statistics, and the texts that the index shall hold by interpretation."""
    with reading(engine) as connection:
        statistics = connection.execute(select(REQUEST_STATISTICS).order_by(*REQUEST_STATISTICS.primary_key))
        held = select(INDEXED_REQUEST).where(INDEXED_REQUEST.c.encoder_id.is_not(None))
        return list(statistics), {row.interpretation: row.text for row in connection.execute(held)}


def counts_of(sessions: list[SessionRequests]) -> RequestCounts:
    counts = RequestCounts(CandidateSettings().min_users)
    for session in sessions:
        counts.add(session)
    return counts


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """Those that are run meanwhile, without the begin of transactions."""
    run: list[str] = []

    def listen(*arguments: Any) -> None:
        if not arguments[2].startswith("BEGIN"):
            run.append(arguments[2])

    event.listen(engine, "before_cursor_execute", listen)
    try:
        yield run
    finally:
        event.remove(engine, "before_cursor_execute", listen)


def test_what_is_stored_is_what_the_counts_tell(engine: Engine, demo: list[SessionRequests]) -> None:
    absorb(engine, RequestLearner(), demo)
    counts = counts_of(demo)
    shared = SharedStatistics(counts)
    texts, interpretations = list(counts.texts), list(counts.interpretations)
    with reading(engine) as connection:
        stored = StoredStatistics(connection, demo[0].assistant_id)
        with statements(engine) as run:
            stored.prefetch(texts, interpretations[::2], counts.questions)
            assert len(run) == 1
            stored.prefetch(texts, interpretations[::2])
            assert all(stored.text(*key) == shared.text(*key) for key in texts)
            assert all(stored.question(key) == shared.question(key) for key in counts.questions)
            assert len(run) == 1
        assert all(stored.interpretation(key) == shared.interpretation(key) for key in interpretations)
        another = StoredStatistics(connection, AssistantId("another"))
        another.prefetch(texts)
        assert not any(another.text(*key) for key in texts)
    assert any(shared.text(*key) for key in texts)
    assert any(shared.text(*key) is None for key in texts)


def test_no_order_no_batches_and_no_detours_matter(engine: Engine, demo: list[SessionRequests]) -> None:
    absorb(engine, RequestLearner(), demo)
    expected = tables(engine)
    assert len(expected[1]) > 10
    rng = random.Random(7)
    mixed = rng.sample(demo, len(demo))
    with engine.begin() as connection:
        connection.execute(REQUEST_STATISTICS.delete())
        forgotten = sorted({session.user_id for session in demo})
        for user in forgotten:
            REQUEST_STORE.forget_user(connection, demo[0].assistant_id, user)
    learner = RequestLearner()
    for start in range(0, len(mixed), 50):
        some = mixed[start : start + 50]
        revised = rng.choice(some)
        absorb(engine, learner, [cut(revised, 1)])
        absorb(engine, learner, some)
        if rng.random() < 0.3:
            learner = RequestLearner()  # another worker
    assert tables(engine) == expected


def cut(session: SessionRequests, requests: int = 0) -> SessionRequests:
    """A session with its first requests alone; by default with none: withdrawn."""
    steps = session.steps[:requests]
    return SessionRequests(session.session_id, session.assistant_id, session.user_id, steps)


def test_what_few_have_said_is_not_told(engine: Engine, planted: list[SessionRequests]) -> None:
    absorb(engine, RequestLearner(), planted)
    with reading(engine) as connection:
        stored = StoredStatistics(connection, PLANTED)
        steps = {step.text: step for session in planted for step in session.steps}

        def told(text: str) -> bool:
            step = steps[text]  # type: ignore[index]  # a RequestText
            of_text = stored.text(step.text, NO_QUESTION)
            assert (of_text is None) == (stored.interpretation(step.interpretation) is None)
            return of_text is not None

        assert told("play sonk")
        assert told("play song")
        assert not told("call mom")
        assert not told("my pin is four seven")
    assert list(tables(engine)[1].values()) == ["play song"]


def test_what_too_few_still_say_is_withdrawn(engine: Engine, planted: list[SessionRequests]) -> None:
    learner = RequestLearner()
    absorb(engine, learner, planted)
    users = [session.user_id for session in planted if session.steps[0].text == "play sonk"]
    gone = [cut(session) for session in planted if session.user_id in users[:2]]
    absorb(engine, learner, gone)
    assert tables(engine) == ([], {})
    absorb(engine, learner, planted)
    assert list(tables(engine)[1].values()) == ["play song"]


def test_what_was_not_understood_is_not_indexed(engine: Engine) -> None:
    log = planted_log(
        [PlantedPair(source="play sonk", target="play song", users=4)], understand=lambda text: None
    )
    absorb(engine, RequestLearner(), requests(log))
    assert len(tables(engine)[0]) == 4
    assert tables(engine)[1] == {}


def test_a_forgotten_user_leaves_all_tables_when_the_learner_looks(
    engine: Engine, planted: list[SessionRequests]
) -> None:
    learner = RequestLearner()
    absorb(engine, learner, planted)
    users = sorted({session.user_id for session in planted if session.steps[0].text == "play sonk"})
    with engine.begin() as connection:
        for user in users[:2]:
            REQUEST_STORE.forget_user(connection, PLANTED, user)
    with engine.begin() as connection:
        assert learner.stale(connection) == [PLANTED]
        learner.refresh(connection)
        assert learner.stale(connection) == []
    assert tables(engine) == ([], {})


def test_another_number_of_users_is_followed_by_what_is_stored(
    engine: Engine, planted: list[SessionRequests]
) -> None:
    absorb(engine, RequestLearner(), planted)
    bold = RequestLearner(CandidateSettings(min_users=2))
    with engine.begin() as connection:
        bold.refresh(connection)
    assert sorted(tables(engine)[1].values()) == ["call mom", "play song"]
    strict = RequestLearner(CandidateSettings(min_users=5))
    absorb(engine, strict, [])
    assert tables(engine)[1] == {}


def test_assistants_do_not_mix(engine: Engine) -> None:
    logs = [
        requests(planted_log([PlantedPair(source="a b", target="a c", users=4)], assistant_id=name))
        for name in ("one", "two")
    ]
    learner = RequestLearner()
    absorb(engine, learner, list(itertools.chain(*logs)))
    absorb(engine, learner, [cut(session) for session in logs[0]])
    with reading(engine) as connection:
        rows = connection.execute(select(INDEXED_REQUEST)).all()
    left = {row.assistant_id for row in rows if row.encoder_id is not None}
    assert left == {"two"}
    assert {row.request_id for row in rows} == {request_id(logs[0][0].steps[1].interpretation)}
    assert UserId("u00000") in {session.user_id for session in logs[1]}


def as_it_was_stored(session: SessionRequests) -> SessionRequests:
    """The steps of a session as an earlier version has made them: what was run counts as said."""
    steps = [
        msgspec.structs.replace(step, text=step.executed, surface=step.executed, run=RequestText(""))
        for step in session.steps
    ]
    return msgspec.structs.replace(session, steps=tuple(steps), form=0)


def test_steps_of_an_earlier_version_are_made_anew_from_the_turns(engine: Engine) -> None:
    rewritten = said("play sonk", run="play song")
    log = [*sessions_of(["c", "d", "e"], rewritten), *sessions_of(["a", "b"], said("play song"))]
    store_log(engine, [turn for session in log for turn in session.turns])
    made = [session_requests(session) for session in log]
    lost = as_it_was_stored(session_requests(session_of("gone", said("play blues"))))
    earlier = RequestLearner()
    absorb(engine, earlier, [*map(as_it_was_stored, made), lost])
    before, held = tables(engine)
    assert before
    assert set(held.values()) == {"play song"}
    assistant = made[0].assistant_id
    for learner in RequestLearner(), RequestLearner():
        with engine.begin() as connection:
            learner.refresh(connection, also=[assistant])
        with reading(engine) as connection:
            stored = {session.session_id: session for session in REQUEST_STORE.all(connection, assistant)}
            assert stored == {session.session_id: session for session in [*made, lost]}
            assert earlier.stale(connection) == [assistant]
        assert tables(engine)[1] == {}
    anew, _ = tables(engine)
    absorb(engine, earlier, made)  # who held the counts of before follows
    assert tables(engine)[0] == anew
