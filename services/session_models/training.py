"""Model training: what the jobs that train a model of an assistant share."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

from rich.progress import Progress
from sqlalchemy import Engine

from labeling.models.in_use import ModelKind, current_models, model_folder, set_models
from services.session_models.model_files import delete_other_models
from streams.turn import AssistantId


def why_not_trained(section: str, *, train: bool) -> str | None:
    """Why nothing can be trained; None: it can.

    Args:
        section: of the settings.
        train: what it says there.
    """
    if not train:
        return f"[{section}] train is false"
    if importlib.util.find_spec("torch") is None:
        return "install rehear with the extra `train`"
    return None


def put_in_use(
    engine: Engine, state: Path, assistant_id: AssistantId, kind: ModelKind, name: str, now_ms: int
) -> None:
    """Names the artifact that is used from now on; of older ones, the last in use is kept."""
    with engine.begin() as connection:
        before = current_models(connection, assistant_id)
        set_models(connection, assistant_id, {kind: name}, now_ms)
    delete_other_models(model_folder(state, assistant_id), {*before.values(), name})


def shown_steps(progress: Progress | None, title: str) -> Callable[[str, int, int], None]:
    """What a training tells of its steps, on a bar of its own."""
    bar = progress.add_task(title, total=None) if progress else None

    def show(stage: str, done: int, total: int) -> None:
        if progress and bar is not None:
            progress.update(bar, description=f"{title}: {stage}", completed=done, total=total)

    return show
