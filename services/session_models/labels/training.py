"""Training of a label model on the stored sessions of an assistant.

The labels to learn from are annotations, where somebody has them, and what the log itself shows.
"""

from labeling.annotations.annotation import Annotations
from labeling.errors import LabelTrainingError
from services.assistant_work import AssistantWork, shown_steps
from services.session_models.kind import Trained
from services.session_models.labels.weak_labels import weak_labels
from services.session_models.model_files import put_model
from services.session_models.trainability import why_not_trained


def train_labels(work: AssistantWork, annotations: Annotations) -> Trained:
    """Trains a label model.

    Raises:
        LabelTrainingError: the settings forbid it, the `train` extra is missing, or nothing teaches a label.
    """
    settings = work.settings
    if why_not := why_not_trained("labels", train=settings.labels.train):
        raise LabelTrainingError(why_not)
    from labeling.labels.export import export_label_model
    from labeling.labels.training import LabelTraining, train_label_model

    dialogues = [session.turns for session in work.sessions()]
    trained = train_label_model(
        dialogues,
        annotations,
        weak_labels(dialogues, settings.rephrases),
        LabelTraining.of(settings.labels),
        shown_steps(work.progress, "label model"),
    )
    name = put_model(
        work.models,
        "labels",
        lambda path: export_label_model(trained, path, precision=settings.labels.precision),
    )
    said = f"a label model learned {', '.join(trained.model.space.tasks)} from {trained.turns:,} turns"
    if trained.why_not:
        said += "; not trained: " + ", ".join(f"{task} ({why})" for task, why in trained.why_not.items())
    return Trained(name=name, examples=trained.turns, in_words=said)
