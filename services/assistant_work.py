"""Assistant work: what a job for one assistant works with."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct
from rich.progress import Progress
from sqlalchemy import Engine

from labeling.models.in_use import model_folder
from services.settings import Settings
from streams.session import Session
from streams.stores.database_schema import reading
from streams.stores.session_store import all_sessions
from streams.turn import AssistantId


class AssistantWork(Struct, frozen=True, kw_only=True):
    """One assistant, and where what there is of it lies."""

    engine: Engine  # of the database, with the sessions
    settings: Settings
    assistant_id: AssistantId
    clock_ms: Callable[[], int]  # milliseconds since 1970
    progress: Progress | None = None  # shows how far the job is

    @property
    def models(self) -> Path:
        """The folder of the assistant's models."""
        return model_folder(self.settings.state_folder, self.assistant_id)

    def sessions(self) -> list[Session]:
        """All stored sessions of the assistant, by their start."""
        with reading(self.engine) as connection:
            return list(all_sessions(connection, self.assistant_id))


def shown_steps(progress: Progress | None, title: str) -> Callable[[str, int, int], None]:
    """A callback that shows the steps of a training on a bar of its own.

    Args:
        progress: that the bar belongs to; None shows nothing.
        title: of the bar.

    Returns:
        A function that takes the stage, the steps done and the steps in all.
    """
    bar = progress.add_task(title, total=None) if progress else None

    def show(stage: str, done: int, total: int) -> None:
        if progress and bar is not None:
            progress.update(bar, description=f"{title}: {stage}", completed=done, total=total)

    return show
