"""Training of a failure model on the stored sessions of an assistant.

It learns from annotations of failure points, from the faults that a simulation plants, or from both.
"""

from failure_isolation.errors import FailureTrainingError
from labeling.annotations.annotation import Annotations
from services.assistant_work import AssistantWork, shown_steps
from services.session_models.failures.planted import planted_failures
from services.session_models.kind import Trained
from services.session_models.model_files import put_model
from services.session_models.trainability import why_not_trained


def train_failures(work: AssistantWork, annotations: Annotations) -> Trained:
    """Trains a failure model.

    Raises:
        FailureTrainingError: the settings forbid it, the `train` extra is missing, or no failure point is
            known.
    """
    chosen = work.settings.failures
    if why_not := why_not_trained("failures", train=chosen.train):
        raise FailureTrainingError(why_not)
    if not chosen.planted_turns and all(one.failure_point is None for one in annotations.values()):
        raise FailureTrainingError(
            "no annotation says where a turn failed; `rehear annotate export` draws turns to annotate, and "
            "[failures] planted_turns learns from simulated ones"
        )
    from failure_isolation.export import export_failure_model
    from failure_isolation.training import FailureTraining, train_failure_model

    planted = planted_failures(chosen.planted_turns, chosen.seed)
    trained = train_failure_model(
        [*(session.turns for session in work.sessions()), *planted.dialogues],
        {**annotations, **planted.annotations},
        FailureTraining.of(chosen),
        shown_steps(work.progress, "failure model"),
    )
    name = put_model(
        work.models, "failures", lambda path: export_failure_model(trained, path, coverage=chosen.coverage)
    )
    said = f"a failure model learned from the failure points of {trained.turns:,} turns"
    return Trained(name=name, examples=trained.turns, in_words=said)
