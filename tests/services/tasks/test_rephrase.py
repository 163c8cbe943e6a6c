from typing import Any

import msgspec
import pytest
from learning_tasks import chain_task, rest
from letter_detector import LIKELY, LetterDetector, letter_log
from letter_models import CASE_OF
from sqlalchemy import Engine
from streaming import feed, record_of, records_of, row_count, store_log

from rewriting.guards.settings import GuardSettings
from rewriting.rephrases.settings import RephraseSettings
from rewriting.rephrases.store import REPHRASE_PAIR, REPHRASE_SESSION, STALE_CANDIDATE, links_of
from rewriting.table.lookup import LookupTable
from rewriting.table.rewrite import Rewrite
from rewriting.table.rewrite_table import RewriteTable
from services.explaining.explanation import explanation
from services.lookup_api.routes.explanation import explanation_words
from services.platform.clock import now_ms
from services.privacy.forgetting import forget_user
from services.settings import Settings
from services.tasks.session_model import SessionModelTask
from streams.session import sessionize
from streams.session_record import SessionRecord, decode_session
from streams.stores.database_schema import reading
from streams.turn import AssistantId, TurnEvent, UserId

LETTERS = AssistantId("letters")
CASE = CASE_OF["rephrases"]
SETTINGS = RephraseSettings(in_chains=True)

LENIENT = GuardSettings(**dict.fromkeys(GuardSettings.__struct_fields__, 0))
"""Under which it is enough that a detector has linked two requests, though neither seems to fail."""


@pytest.fixture
def log() -> list[TurnEvent]:
    return letter_log("ab")


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
    CASE.use(engine, LETTERS)
    sessions = sessionize(log)
    task = CASE.task(engine)
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


def test_chains_go_by_the_links_whichever_worker_comes_first(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    CASE.use(engine, LETTERS)
    records = records_of(log)
    chains, task = chain_task(engine, Settings(guards=LENIENT, rephrases=SETTINGS)), CASE.task(engine)
    place = feed(chains, records)
    rest(chains)
    assert sources(engine, "chain") == {"play sonk"}  # by their words
    feed(task, records)
    feed(chains, announced(task), place)
    rest(chains)
    assert sources(engine, "chain") == {"ahush", "bhush"}
    assert sources(engine, "rephrase") == {"ahush", "bhush"}  # beside them
    table = LookupTable.of(LETTERS, RewriteTable(engine, now_ms).version(LETTERS), rows(engine))
    served = table.look_up("ahush").rewrite
    assert served is not None
    assert served.method == "chain"


def test_nothing_is_announced_where_chains_do_not_go_by_links(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    CASE.use(engine, LETTERS)
    task = CASE.task(engine, rephrases=RephraseSettings(in_chains=False))
    feed(task, records_of(log))
    assert announced(task) == []
    assert sources(engine, "rephrase") == {"ahush", "bhush"}


def test_another_detector_judges_anew_what_comes(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    CASE.use(engine, LETTERS)
    records = records_of(log)
    task = CASE.task(engine)
    place = feed(task, records)
    announced(task)
    CASE.use(engine, LETTERS, name="rephrase-stricter")
    stricter = CASE.task(engine, LetterDetector(likely=0.25))
    feed(stricter, records, place)
    assert rows(engine) == []
    assert len(announced(stricter)) == 8


def test_links_are_of_sessions_that_have_not_changed_since(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    CASE.use(engine, LETTERS)
    feed(CASE.task(engine), records_of(log))
    later = [
        msgspec.structs.replace(turn, event_id=f"later-{turn.event_id}", ts_ms=turn.ts_ms + 9_000)
        for turn in log
        if "quiet" in turn.request.text
    ]
    with reading(engine) as connection:
        assert len(links_of(connection, sessionize([*log, *later]))) == 4


def test_candidates_that_rest_on_a_forgotten_user_go(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    CASE.use(engine, LETTERS)
    task = CASE.task(engine, rephrases=RephraseSettings(in_chains=True, min_users=4))
    feed(task, records_of(log))
    announced(task)
    assert len(rows(engine)) == 2
    forget_user(engine, now_ms, LETTERS, UserId("u00001"))
    assert row_count(engine, STALE_CANDIDATE) == 2
    idle = task.idle(now_ms())
    assert idle is not None
    task.write(idle, {})
    assert rows(engine) == []
    assert row_count(engine, STALE_CANDIDATE) == 0
    assert row_count(engine, REPHRASE_SESSION) == 9
    assert task.idle(now_ms()) is None


def test_a_candidate_is_explained_by_what_was_said_instead(engine: Engine, log: list[TurnEvent]) -> None:
    store_log(engine, log)
    CASE.use(engine, LETTERS)
    feed(CASE.task(engine), records_of(log))
    candidate = rows(engine)[0]
    source, target = candidate.source_text, candidate.target_text
    lines = list(explanation(engine, candidate, 1))
    assert lines[1:] == [f"    {source!r}: tried again as {target!r}, likelihood 0.94", f"    {target!r}"]
    words = " ".join(explanation_words(candidate))
    assert f"“{source}” could be run as “{target}”" in words
    assert "In these sessions" in words
    assert "not served" in words
