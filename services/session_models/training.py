"""Training: from an assistant's stored sessions to a model in use, and all sessions judged by it."""

from typing import Any

from msgspec import Struct

from labeling.annotations.annotation import Annotations
from labeling.models.in_use import current_models, set_models
from services.assistant_work import AssistantWork
from services.session_models.backfill import Backfill, backfill
from services.session_models.kind import SessionModelKind, Trained
from services.session_models.model_files import delete_other_models
from streams.turn import AssistantId


class Learning(Struct, frozen=True, kw_only=True):
    """What was learned for one assistant."""

    assistant_id: AssistantId
    title: str  # of the model
    trained: Trained | None  # None: no new model
    why_not: str = ""  # where none was trained
    backfill: Backfill | None  # what the model in use has judged; None: there is none

    @property
    def in_words(self) -> str:
        """One line for people."""
        trained = f"no new {self.title}: {self.why_not}" if self.trained is None else self.trained.in_words
        return trained if self.backfill is None else f"{trained}; {self.backfill.in_words}"


def learn(
    kind: SessionModelKind[Any, Any], work: AssistantWork, annotations: Annotations | None = None
) -> Learning:
    """Trains the model of one assistant, puts it in use, and has it judge all sessions.

    Where none can be trained, the model in use stays, and judges what it has not judged yet.

    Args:
        kind: of the model.
        work: whose, and on what.
        annotations: where somebody has them.
    """
    trained, why_not = None, ""
    try:
        trained = kind.train(work, annotations or {})
    except kind.training_error as error:
        why_not = str(error)
    else:
        _put_in_use(kind, work, trained.name)
    return Learning(
        assistant_id=work.assistant_id,
        title=kind.title,
        trained=trained,
        why_not=why_not,
        backfill=backfill(kind, work),
    )


def _put_in_use(kind: SessionModelKind[Any, Any], work: AssistantWork, name: str) -> None:
    """Names the artifact that is used from now on; of older ones, the last in use is kept."""
    with work.engine.begin() as connection:
        before = current_models(connection, work.assistant_id)
        set_models(connection, work.assistant_id, {kind.artifact: name}, work.clock_ms())
    delete_other_models(work.models, {*before.values(), name})
