"""Learning to label: from an assistant's stored sessions to a label model in use, and all sessions labelled.

The labels to learn from are annotations, where somebody has them, and what the log itself shows. Without the
packages of the `train` extra, and where nothing teaches any label, the model in use stays.
"""

from collections.abc import Callable

from msgspec import Struct
from rich.progress import Progress
from sqlalchemy import Engine

from labeling.errors import LabelTrainingError
from labeling.labels.targets import Annotations
from labeling.labels.turn_label import LabelName
from labeling.models.in_use import model_folder
from services.session_models.labels.backfill import LabelAbsorption, label_all
from services.session_models.labels.weak_labels import weak_labels
from services.session_models.model_files import put_model
from services.session_models.training import put_in_use, shown_steps, why_not_trained
from services.settings import Settings
from streams.stores.database_schema import reading
from streams.stores.session_store import all_sessions
from streams.turn import AssistantId


class LabelLearning(Struct, frozen=True, kw_only=True):
    """What was learned for one assistant."""

    assistant_id: AssistantId
    turns: int  # that a new model learned from; 0: none was trained
    learned: tuple[LabelName, ...]  # the labels that it gives
    not_learned: dict[LabelName, str]  # the others, and why
    why_not: str  # where none was trained
    absorbed: LabelAbsorption | None  # what the model in use has labelled; None: there is none

    @property
    def in_words(self) -> str:
        """One line for people."""
        if self.turns:
            said = f"a label model learned {', '.join(self.learned)} from {self.turns:,} turns"
            if self.not_learned:
                said += "; not trained: " + ", ".join(
                    f"{task} ({why})" for task, why in self.not_learned.items()
                )
        else:
            said = f"no new label model: {self.why_not}"
        return said if self.absorbed is None else f"{said}; {self.absorbed.in_words}"


def learn_labels(
    engine: Engine,
    settings: Settings,
    assistant_id: AssistantId,
    clock_ms: Callable[[], int],
    progress: Progress | None = None,
    annotations: Annotations | None = None,
) -> LabelLearning:
    """Trains the label model of one assistant, puts it in use, and labels all of its sessions.

    Args:
        engine: of the database, with the sessions.
        settings: of the labels, and the folder of models.
        assistant_id: whose.
        clock_ms: milliseconds since 1970.
        progress: shows how far it is.
        annotations: by event, where somebody has them; of other assistants too.
    """
    state = settings.state_folder
    turns, why_not = 0, ""
    learned: tuple[LabelName, ...] = ()
    not_learned: dict[LabelName, str] = {}
    try:
        name, turns, learned, not_learned = _learn_model(
            engine, settings, assistant_id, progress, annotations or {}
        )
    except LabelTrainingError as error:
        why_not = str(error)
    else:
        put_in_use(engine, state, assistant_id, "labels", name, clock_ms())
    return LabelLearning(
        assistant_id=assistant_id,
        turns=turns,
        learned=learned,
        not_learned=not_learned,
        why_not=why_not,
        absorbed=label_all(engine, settings, assistant_id, clock_ms, progress),
    )


def _learn_model(
    engine: Engine,
    settings: Settings,
    assistant_id: AssistantId,
    progress: Progress | None,
    annotations: Annotations,
) -> tuple[str, int, tuple[LabelName, ...], dict[LabelName, str]]:
    """Trains a model on all sessions.

    Returns:
        The name of its artifact, how many turns it learned from, its labels, and why it lacks the others.
    """
    if why_not := why_not_trained("labels", train=settings.labels.train):
        raise LabelTrainingError(why_not)
    from labeling.labels.export import export_label_model
    from labeling.labels.training import LabelTraining, train_label_model

    with reading(engine) as connection:
        dialogues = [session.turns for session in all_sessions(connection, assistant_id)]
    weak = weak_labels(dialogues, settings.rephrases)
    trained = train_label_model(
        dialogues, annotations, weak, LabelTraining.of(settings.labels), shown_steps(progress, "label model")
    )
    folder = model_folder(settings.state_folder, assistant_id)
    name = put_model(
        folder,
        "labels",
        lambda path: export_label_model(trained, path, precision=settings.labels.precision),
    )
    return name, trained.turns, trained.model.space.tasks, trained.why_not
