from pathlib import Path
from types import SimpleNamespace

import pytest
from rewrites import put, rewrite_row
from rewritten_turns import said, session_of
from sqlalchemy import Engine, event

from labeling.models.in_use import set_models
from rewriting.ranking.online_rewriter import OnlineAnswer
from rewriting.requests.asked_request import AskedRequest
from rewriting.requests.session_store import REQUEST_STORE
from rewriting.requests.step import session_requests
from rewriting.table.abstain_reason import AbstainReason
from rewriting.table.rewrite_table import RewriteTable
from services.assistant_work import AssistantWork
from services.jobs.row_judging import judge_rows
from services.platform.clock import now_ms
from services.platform.database import open_database
from services.settings import Settings
from streams.turn import AssistantId


def test_without_a_ranker_no_session_is_read(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "rehear.db")
    statements: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        statements.append(statement)

    work = AssistantWork(
        engine=engine, settings=Settings(), assistant_id=AssistantId("a"), clock_ms=now_ms, progress=None
    )
    assert judge_rows(work) == 0
    assert statements
    assert not [statement for statement in statements if "request_session" in statement]
    engine.dispose()


def test_requests_are_judged_as_they_were_said_and_not_where_they_were_rewritten(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The row of what was run must not be judged by those who never said that."""
    assistant = AssistantId("a")
    asked: list[str] = []

    def answer(request: AskedRequest, *rest: object) -> OnlineAnswer:
        asked.append(request.text)
        return OnlineAnswer(None, AbstainReason.NOT_SURE)

    parts = SimpleNamespace(rewriter=SimpleNamespace(answer=answer), index=None)

    def follower(*rest: object, **more: object) -> object:
        return SimpleNamespace(look=lambda: None, parts={assistant: parts})

    monkeypatch.setattr("services.jobs.row_judging.OnlineFollower", follower)
    rows = [
        rewrite_row(source, "play blues", assistant_id=assistant) for source in ("play sonk", "play song")
    ]
    put(RewriteTable(engine, now_ms), engine, rows, assistant=assistant)
    sessions = [
        session_of("u", said("play sonk", run="play song")),
        session_of("v", said("play sonk")),
        session_of("w", said("play sonk", run="play song")),
    ]
    with engine.begin() as connection:
        set_models(connection, assistant, {"ranker": "ranker-1"}, 1)
        REQUEST_STORE.store(connection, map(session_requests, sessions))
    work = AssistantWork(
        engine=engine, settings=Settings(), assistant_id=assistant, clock_ms=now_ms, progress=None
    )
    assert judge_rows(work) == 1
    assert asked == ["play sonk"]
