"""The report on labels: a JSON file for programs, and one HTML file for people.

Neither holds a clock or a path, so the same evaluation gives the same bytes.
"""

from collections.abc import Mapping

from msgspec import Struct
from rich.table import Table

from services.evaluation.common.confidence_interval import Cluster, Estimate
from services.evaluation.common.curve_plots import DrawnSystem, precision_recall_picture, reliability_picture
from services.evaluation.common.plots import colours_of, interval_picture
from services.evaluation.common.report_files import Report, page, systems_table
from services.evaluation.labels.score import LabelScores
from services.evaluation.labels.scored_task import SystemScore, Task, TaskScore

UNKNOWN = Estimate(None, None, None)
"""In place of a measure that a system does not have."""


class TaskWords(Struct, frozen=True, kw_only=True):
    """How a task is told to people."""

    title: str
    explanation: str
    items: str  # what is counted
    positives: str | None = None  # those of which it is true; None: items have classes
    headline: str  # the measure that is drawn


TASK_WORDS: Mapping[Task, TaskWords] = {
    "goals": TaskWords(
        title="Goals",
        explanation="Where a new goal starts, between adjacent turns of a dialogue, or of a user where the "
        "log has no dialogues.",
        items="pairs of turns",
        positives="new goals",
        headline="f1",
    ),
    "defect": TaskWords(
        title="Defects",
        explanation="Turns in which the user did not get what was asked for.",
        items="turns",
        positives="defects",
        headline="average_precision",
    ),
    "defect without signals": TaskWords(
        title="Defects that their own signals do not show",
        explanation="The same, among turns without a bad status, a barge-in, an end or feedback.",
        items="turns",
        positives="defects",
        headline="average_precision",
    ),
    "goal success": TaskWords(
        title="Goal success",
        explanation="Goals that were missed, by the label of their last turn.",
        items="goals",
        positives="missed goals",
        headline="average_precision",
    ),
    "goal success of calls": TaskWords(
        title="Goal success of calls",
        explanation="Turns at which it is known whether the goal was reached, such as calls of a service, by "
        "the label of that very turn.",
        items="calls",
        positives="failed calls",
        headline="average_precision",
    ),
    "satisfaction": TaskWords(
        title="Satisfaction with turns",
        explanation="Turns with which most raters are dissatisfied: they give less than 3. Everyone is held "
        "against the same raters: all but one, each being left out in turn.",
        items="turns",
        positives="dissatisfying turns",
        headline="f1",
    ),
    "dialogue satisfaction": TaskWords(
        title="Satisfaction with dialogues",
        explanation="Dialogues with which most raters are dissatisfied, in the same way.",
        items="dialogues",
        positives="dissatisfying dialogues",
        headline="f1",
    ),
    "domain": TaskWords(
        title="Domain", explanation="What a request is about.", items="turns", headline="accuracy"
    ),
    "intent": TaskWords(
        title="Intent", explanation="What a request asks for.", items="turns", headline="accuracy"
    ),
    "slots": TaskWords(
        title="Slots by their characters",
        explanation="A slot is right if its name and its first and last character are.",
        items="turns",
        positives="slots",
        headline="f1",
    ),
    "slot values": TaskWords(
        title="Slots by their values",
        explanation="A slot is right if its name and its value in lower case are.",
        items="turns",
        positives="slots",
        headline="f1",
    ),
}

MEASURES: Mapping[str, tuple[str, str]] = {
    "accuracy": ("accuracy", "Right decisions of all."),
    "precision": ("precision", "Right of all that was said."),
    "recall": ("recall", "Right of all that there is."),
    "f1": ("F1", "2 right / (said + all that there is)."),
    "window_diff": (
        "WindowDiff",
        "The share of windows of turns in which the number of new goals is wrong; 0 is best.",
    ),
    "average_precision": ("PR-AUC", "Average precision over all thresholds of the score."),
    "roc_auc": ("ROC-AUC", "How likely one that is true has a higher score than one that is not."),
    "calibration_error": (
        "calibration error",
        "How far scores are from the share that is true, in tenths of scores; 0 is best.",
    ),
    "accuracy_of_all": ("accuracy, all raters", "Held against the majority of all raters."),
    "f1_of_all": ("F1, all raters", "Held against the majority of all raters."),
    "average_precision_of_all": ("PR-AUC, all raters", "Held against the majority of all raters."),
    "found_at_human_precision": (
        "found at a rater's precision",
        "The most of what is dissatisfying that is found by the score with at least the precision of one "
        "rater; compare it with the rater's recall.",
    ),
    "named_at_human_precision": (
        "named at a rater's precision",
        "The share of all items that is then called dissatisfying.",
    ),
    "decided_at_human_accuracy": (
        "decided at a rater's accuracy",
        "The most items, the surest first, that are decided either way with at least the accuracy of one "
        "rater.",
    ),
    "macro_f1": ("macro F1", "The mean F1 of the classes that occur in the gold."),
    "sure_accuracy": ("accuracy where sure", "Right of what is not abstained from."),
    "sure_share": ("share sure", "What is not abstained from."),
    "seen_accuracy": (
        "accuracy on known classes",
        "On turns whose class occurs in the training annotations: others cannot be named.",
    ),
}
"""Title and meaning of each measure, in the order of the columns."""

MOST_IN_TABLE = 5  # columns of measures that a terminal has room for


def label_report(scores: LabelScores) -> Report:
    """The scores as a page, and as a table for each task."""
    not_scored = []
    for one in scores.not_scored:
        who = "" if one.system is None else f", {one.system}"
        not_scored.append(f"not scored: {TASK_WORDS[one.task].title}{who}: {one.reason}")
    return Report(
        evaluation=scores,
        html=page(
            "label_report.html",
            scores=scores,
            words=TASK_WORDS,
            measures=MEASURES,
            columns={task.task: measures_of(task) for task in scores.tasks},
            unknown=UNKNOWN,
            pictures={task.task: _pictures(task) for task in scores.tasks},
            used=[name for name in MEASURES if any(name in measures_of(task) for task in scores.tasks)],
        ),
        tables=[_table(task, scores.cluster) for task in scores.tasks],
        remarks=[*not_scored, *scores.notes, "Intervals are 95 %, over users."],
    )


def measures_of(task: TaskScore) -> list[str]:
    """The measures that any system of a task has, in the order of `MEASURES`."""
    return [name for name in MEASURES if any(name in one.measures for one in task.systems)]


def _table(task: TaskScore, cluster: Cluster) -> Table:
    words = TASK_WORDS[task.task]
    positives = "" if task.positives is None else f", {task.positives:,.0f} {words.positives}"
    columns = measures_of(task)[:MOST_IN_TABLE]
    return systems_table(
        f"{words.title}: {task.items:,} {words.items} of {task.clusters:,} {cluster}{positives}",
        [MEASURES[name][0] for name in columns],
        [(one.name, [one.measures.get(name, UNKNOWN) for name in columns]) for one in task.systems],
    )


def _pictures(task: TaskScore) -> list[tuple[str, bytes]]:
    """Description and SVG of each picture of a task."""
    words = TASK_WORDS[task.task]
    title = MEASURES[words.headline][0]
    rows = [
        (one.name, colour, one.measures[words.headline])
        for one, colour in zip(task.systems, colours_of(task.systems), strict=True)
        if words.headline in one.measures
    ]
    pictures: list[tuple[str, bytes | None]] = [
        (f"{title} of each system", interval_picture(rows, f"{words.title}: {title}, %"))
    ]
    if words.positives is not None:
        drawn = [_drawn(one) for one in task.systems]
        pictures += [
            (
                "Precision against recall as the threshold falls",
                precision_recall_picture(drawn, recall_of=words.positives),
            ),
            (
                "How often what has a score is true",
                reliability_picture(drawn, true=f"share of {words.positives}", items=words.items),
            ),
        ]
    return [(name, picture) for name, picture in pictures if picture is not None]


def _drawn(system: SystemScore) -> DrawnSystem:
    return DrawnSystem(
        name=system.name,
        baseline=system.baseline,
        curve=system.curve,
        recall=system.measures.get("recall", UNKNOWN).value,
        precision=system.measures.get("precision", UNKNOWN).value,
        reliability=system.reliability,
    )
