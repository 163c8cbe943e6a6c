from pathlib import Path
from typing import Any

import msgspec
import pytest
from letter_detector import LIKELY, NAME, LetterDetector, letter_log
from sqlalchemy import Engine, select
from streaming import everything, feed, record_of, row_count, store_log

from labeling.models.in_use import set_models
from rewriting.evidence.rephrase_link import RephraseDetector
from rewriting.evidence_settings import EvidenceSettings
from rewriting.rephrases.settings import RephraseSettings
from rewriting.rephrases.store import REPHRASE_PAIR, REPHRASE_SESSION, STALE_CANDIDATE, links_of
from rewriting.table.lookup import LookupTable
from rewriting.table.publication import RewritePublication
from rewriting.table.rewrite import Rewrite
from rewriting.table.rewrite_table import RewriteTable
from services.explaining.explanation import explanation
from services.learners.chains import ChainLearner
from services.lookup_api.routes.explanation import explanation_words
from services.platform.clock import now_ms
from services.privacy.forgetting import forget_user
from services.session_models.in_use import CurrentModels
from services.session_models.rephrases.kind import KIND
from services.settings import Settings
from services.tasks.chain import ChainTask
from services.tasks.session_model import SessionModelTask
from streams.session import sessionize
from streams.session_record import SessionRecord, decode_session
from streams.stores.database_schema import reading
from streams.stream_task import OffsetRange, Received
from streams.topic_names import Topics
from streams.turn import AssistantId, TurnEvent, UserId

LETTERS = AssistantId("letters")
SETTINGS = RephraseSettings(in_chains=True)


@pytest.fixture
def log() -> list[TurnEvent]:
    return letter_log("ab")


def use_detector(engine: Engine, name: str = NAME) -> None:
    with engine.begin() as connection:
        set_models(connection, LETTERS, {"rephrase": name}, now_ms())


def new_task(
    engine: Engine, detector: RephraseDetector | None = None, settings: RephraseSettings = SETTINGS
) -> SessionModelTask[Any, Any]:
    """A task as a worker has it that has just got its partitions."""
    detectors = CurrentModels(engine, Path("state"), KIND, lambda folder: detector or LetterDetector())
    effect = KIND.effect(engine, Settings(rephrases=settings), now_ms)
    task = SessionModelTask(engine, Topics(), KIND, detectors, effect)
    task.assigned([0])
    return task


def chain_task(engine: Engine) -> ChainTask:
    table = RewriteTable(engine, now_ms)
    publication = RewritePublication(engine, table, Topics().rewrites, now_ms)
    task = ChainTask(
        engine,
        Topics(),
        ChainLearner(table, Settings(), now_ms),
        publication,
        EvidenceSettings.of(SETTINGS),
    )
    task.assigned([0])
    return task


def announced(task: SessionModelTask[Any, Any]) -> list[SessionRecord]:
    """What the task announces, and the broker then has."""
    records = [decode_session(record.value) for record in task.outgoing()]
    task.produced()
    return records


def rows(engine: Engine, method: str | None = None) -> list[Rewrite]:
    found = RewriteTable(engine, now_ms).read(LETTERS).rewrites
    return [row for row in found if row.status != "retired" and method in (None, row.method)]


def sources(engine: Engine, method: str) -> set[str]:
    return {row.source_text for row in rows(engine, method)}


def test_links_candidates_and_announcements_come_of_sessions(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    use_detector(engine)
    sessions = sessionize(log)
    task = new_task(engine)
    feed(task, [record_of(session) for session in sessions])
    with reading(engine) as connection:
        links = links_of(connection, sessions)
    assert len(links) == len(sessions) == 12
    assert {link.score for found in links.values() for link in found} == {LIKELY, 0.1}
    assert row_count(engine, REPHRASE_PAIR) == 8
    assert sources(engine, "rephrase") == {"ahush", "bhush"}
    for row in rows(engine):
        assert (row.status, row.users, row.score) == ("candidate", 4, LIKELY)
        assert row.target_text == row.source_text[0] + "quiet please"
        assert len(row.evidence) == 4
    assert {record.session_id for record in announced(task)} == links.keys()  # each is judged otherwise
    assert announced(task) == []


def test_announcing_ends_and_a_replay_changes_nothing(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    use_detector(engine)
    detector = LetterDetector()
    task = new_task(engine, detector)
    records = [record_of(session) for session in sessionize(log)]
    place = feed(task, records)
    again = announced(task)
    before = everything(engine).replace(f"\n{place}\n", "\n")
    version = RewriteTable(engine, now_ms).version(LETTERS)
    for fed in (again, records):
        place = feed(task, fed, place)
        assert announced(task) == []
    assert detector.judged == 12
    assert everything(engine).replace(f"\n{place}\n", "\n") == before
    assert RewriteTable(engine, now_ms).version(LETTERS) == version


def test_chains_go_by_the_links_whichever_worker_comes_first(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    use_detector(engine)
    records = [record_of(session) for session in sessionize(log)]
    chains, task = chain_task(engine), new_task(engine)
    place = feed(chains, records)
    while (work := chains.idle(now_ms())) is not None:
        chains.write(work, {})
        list(chains.outgoing())
        chains.produced()
    assert sources(engine, "chain") == {"play sonk"}  # by their words
    feed(task, records)
    feed(chains, announced(task), place)
    while (work := chains.idle(now_ms())) is not None:
        chains.write(work, {})
        list(chains.outgoing())
        chains.produced()
    assert sources(engine, "chain") == {"ahush", "bhush"}
    assert sources(engine, "rephrase") == {"ahush", "bhush"}  # beside them
    table = LookupTable.of(LETTERS, RewriteTable(engine, now_ms).version(LETTERS), rows(engine))
    served = table.look_up("ahush").rewrite
    assert served is not None
    assert served.method == "chain"


def test_nothing_is_announced_where_chains_do_not_go_by_links(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    use_detector(engine)
    task = new_task(engine, settings=RephraseSettings(in_chains=False))
    feed(task, [record_of(session) for session in sessionize(log)])
    assert announced(task) == []
    assert sources(engine, "rephrase") == {"ahush", "bhush"}


def test_another_detector_judges_anew_what_comes(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    use_detector(engine)
    records = [record_of(session) for session in sessionize(log)]
    task = new_task(engine)
    place = feed(task, records)
    announced(task)
    use_detector(engine, "rephrase-stricter")
    stricter = new_task(engine, LetterDetector(likely=0.25))
    feed(stricter, records, place)
    assert rows(engine) == []
    assert len(announced(stricter)) == 8


def test_a_session_that_has_grown_is_judged_as_it_is(engine: Engine, log: list[TurnEvent]) -> None:
    first_tries = [turn for turn in log if "quiet" not in turn.request.text]
    store_log(engine, first_tries)
    use_detector(engine)
    old = [record_of(session) for session in sessionize(first_tries)]
    task = new_task(engine)
    place = feed(task, old)
    assert rows(engine) == []
    store_log(engine, log)
    sessions = sessionize(log)
    place = feed(task, [record_of(session) for session in sessions], place)
    assert sources(engine, "rephrase") == {"ahush", "bhush"}
    before = everything(engine).replace(f"\n{place}\n", "\n")
    place = feed(task, old, place)  # old records
    assert everything(engine).replace(f"\n{place}\n", "\n") == before
    later = [
        msgspec.structs.replace(turn, event_id=f"later-{turn.event_id}", ts_ms=turn.ts_ms + 9_000)
        for turn in log
        if "quiet" in turn.request.text
    ]
    store_log(engine, later)
    with reading(engine) as connection:
        assert len(links_of(connection, sessionize([*log, *later]))) == 4  # only of what has not changed


def test_a_forgotten_user_is_in_no_table_and_does_not_come_back(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    use_detector(engine)
    settings = RephraseSettings(in_chains=True, min_users=4)
    task = new_task(engine, settings=settings)
    records = [record_of(session) for session in sessionize(log)]
    place = feed(task, records)
    announced(task)
    assert len(rows(engine)) == 2
    forgotten = UserId("u00001")
    evidence = {record.session_id for record in records if record.user_id == forgotten}
    work = task.process([Received(record, 0, place + i, 0) for i, record in enumerate(records)])
    forget_user(engine, now_ms, LETTERS, forgotten)
    assert row_count(engine, STALE_CANDIDATE) == 2
    idle = task.idle(now_ms())
    assert idle is not None
    task.write(idle, {})
    assert rows(engine) == []
    task.write(work, {0: OffsetRange(place, place + len(records))})  # judged before, written after
    feed(new_task(engine, settings=settings), records, place + len(records))
    assert forgotten not in everything(engine)
    assert row_count(engine, STALE_CANDIDATE) == 0
    with reading(engine) as connection:
        kept = set(connection.scalars(select(REPHRASE_SESSION.c.session_id)))
    assert kept.isdisjoint(evidence)
    assert len(kept) == 9
    assert task.idle(now_ms()) is None


def test_a_candidate_is_explained_by_what_was_said_instead(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    use_detector(engine)
    feed(new_task(engine), [record_of(session) for session in sessionize(log)])
    candidate = rows(engine)[0]
    source, target = candidate.source_text, candidate.target_text
    lines = list(explanation(engine, candidate, 1))
    assert lines[1:] == [f"    {source!r}: tried again as {target!r}, likelihood 0.94", f"    {target!r}"]
    words = " ".join(explanation_words(candidate))
    assert f"“{source}” could be run as “{target}”" in words
    assert "In these sessions" in words
    assert "not served" in words
