"""Learning to isolate failures: from stored sessions to a failure model in use, and all sessions read by it.

It learns from annotations of failure points, from the faults that a simulation plants, or from both. Without
the packages of the `train` extra, and where nothing teaches it, the model in use stays.
"""

from collections.abc import Callable, Mapping

from msgspec import Struct
from rich.progress import Progress
from sqlalchemy import Engine

from failure_isolation.errors import FailureTrainingError
from labeling.annotations.annotation import Annotation
from labeling.models.in_use import model_folder
from services.session_models.failures.backfill import FailureAbsorption, isolate_all
from services.session_models.failures.planted import planted_failures
from services.session_models.model_files import put_model
from services.session_models.training import put_in_use, shown_steps, why_not_trained
from services.settings import Settings
from streams.stores.database_schema import reading
from streams.stores.session_store import all_sessions
from streams.turn import AssistantId, EventId


class FailureLearning(Struct, frozen=True, kw_only=True):
    """What was learned for one assistant."""

    assistant_id: AssistantId
    turns: int  # with known failure points that a new model learned from; 0: none was trained
    why_not: str  # where none was trained
    absorbed: FailureAbsorption | None  # what the model in use has read; None: there is none

    @property
    def in_words(self) -> str:
        """One line for people."""
        if self.turns:
            said = f"a failure model learned from the failure points of {self.turns:,} turns"
        else:
            said = f"no new failure model: {self.why_not}"
        return said if self.absorbed is None else f"{said}; {self.absorbed.in_words}"


def learn_failures(
    engine: Engine,
    settings: Settings,
    assistant_id: AssistantId,
    clock_ms: Callable[[], int],
    progress: Progress | None = None,
    annotations: Mapping[EventId, Annotation] | None = None,
) -> FailureLearning:
    """Trains the failure model of one assistant, puts it in use, and reads all of its sessions.

    Args:
        engine: of the database, with the sessions.
        settings: of failure isolation, and the folder of models.
        assistant_id: whose.
        clock_ms: milliseconds since 1970.
        progress: shows how far it is.
        annotations: by event, where somebody has them; of other assistants too.
    """
    turns, why_not = 0, ""
    try:
        name, turns = _learn_model(engine, settings, assistant_id, progress, annotations or {})
    except FailureTrainingError as error:
        why_not = str(error)
    else:
        state = settings.state_folder
        put_in_use(engine, state, assistant_id, "failures", name, clock_ms())
    return FailureLearning(
        assistant_id=assistant_id,
        turns=turns,
        why_not=why_not,
        absorbed=isolate_all(engine, settings, assistant_id, clock_ms, progress),
    )


def _learn_model(
    engine: Engine,
    settings: Settings,
    assistant_id: AssistantId,
    progress: Progress | None,
    annotations: Mapping[EventId, Annotation],
) -> tuple[str, int]:
    """Trains a model; returns the name of its artifact, and how many turns it learned from."""
    chosen = settings.failures
    if why_not := why_not_trained("failures", train=chosen.train):
        raise FailureTrainingError(why_not)
    if not chosen.planted_turns and all(one.failure_point is None for one in annotations.values()):
        raise FailureTrainingError(
            "no annotation says where a turn failed; `rehear annotate export` draws turns to annotate, and "
            "[failures] planted_turns learns from simulated ones"
        )
    from failure_isolation.export import export_failure_model
    from failure_isolation.training import FailureTraining, train_failure_model

    with reading(engine) as connection:
        dialogues = [session.turns for session in all_sessions(connection, assistant_id)]
    planted = planted_failures(chosen.planted_turns, chosen.seed)
    trained = train_failure_model(
        [*dialogues, *planted.dialogues],
        {**annotations, **planted.annotations},
        FailureTraining.of(chosen),
        shown_steps(progress, "failure model"),
    )
    folder = model_folder(settings.state_folder, assistant_id)
    name = put_model(
        folder,
        "failures",
        lambda path: export_failure_model(trained, path, coverage=chosen.coverage),
    )
    return name, trained.turns
