"""Jobs for one assistant, by the clock on the wall."""

from sqlalchemy import Engine

from services.assistant_work import AssistantWork
from services.platform.clock import now_ms
from services.settings import Settings
from streams.turn import AssistantId


def work_on(engine: Engine, assistant_id: str, settings: Settings | None = None) -> AssistantWork:
    return AssistantWork(
        engine=engine,
        settings=settings or Settings(),
        assistant_id=AssistantId(assistant_id),
        clock_ms=now_ms,
    )
