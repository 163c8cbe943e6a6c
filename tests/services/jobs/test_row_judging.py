from pathlib import Path

from sqlalchemy import event

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
