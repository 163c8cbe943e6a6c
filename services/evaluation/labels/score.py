"""Scores of labels against gold, beside baselines and, of satisfaction, beside people.

What is not labelled counts as wrong: as another class, or as not said. So denominators are those of the gold.
"""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from labeling.labels.turn_label import TurnLabel
from services.evaluation.common.arrays import Bools
from services.evaluation.common.confidence_interval import DEFAULT_RESAMPLES, Cluster
from services.evaluation.common.resamples import ClusterResamples, Measures
from services.evaluation.common.same_events import aligned_lines, require_apart
from services.evaluation.common.score_thresholds import precision_recall_curve
from services.evaluation.labels.binary import (
    BinaryAnswers,
    BinaryItems,
    binary_measures,
    coverage_measures,
    reliability,
)
from services.evaluation.labels.classes import (
    ClassItems,
    ClassLabel,
    class_answers,
    class_baselines,
    class_measures,
    gold_class,
)
from services.evaluation.labels.defects import (
    TurnItems,
    defect_answers,
    defect_items,
    prevalence_baseline,
    signal_baselines,
    silent_defect_items,
)
from services.evaluation.labels.goals import (
    GoalItems,
    goal_baselines,
    goal_measures,
    labelled_boundaries,
    says_goals,
)
from services.evaluation.labels.gold import GoldLabel
from services.evaluation.labels.log import LabelLog
from services.evaluation.labels.satisfaction import Rated, RatedItems, satisfaction_answers
from services.evaluation.labels.scored_task import TASKS, Task, TaskBoard, TaskScore
from services.evaluation.labels.slots import (
    SlotForm,
    SlotItems,
    labelled_slots,
    slot_measures,
    understood_slots,
)
from services.evaluation.labels.success import failed_call_items, missed_answers, missed_goal_items
from streams.session import DEFAULT_GAP_MS
from streams.turn import TurnEvent

ONE_RATER = "one rater"
MAJORITY = "majority"

SILENT = "the labels say nothing of it"
NO_GOLD = "the gold says nothing of it"


class NotScored(Struct, frozen=True):
    """What could not be scored."""

    task: Task
    reason: str
    system: str | None = None  # None: no system


class LabelScores(Struct, frozen=True, kw_only=True):
    """All that is known of the labels of a log."""

    turns: int
    users: int
    cluster: Cluster  # what is resampled
    clusters: int
    gold_turns: int  # turns of which gold says anything
    resamples: int
    seed: int
    tasks: tuple[TaskScore, ...]
    not_scored: tuple[NotScored, ...]
    notes: tuple[str, ...] = ()  # what a reader should know, a sentence each


def score_labels(
    turns: Sequence[TurnEvent],
    gold: Sequence[GoldLabel],
    labels: Mapping[str, Sequence[TurnLabel]],
    *,
    train_turns: Sequence[TurnEvent] = (),
    train_gold: Sequence[GoldLabel] = (),
    gap_ms: int = DEFAULT_GAP_MS,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    on_scored: Callable[[Task], None] = lambda task: None,
) -> LabelScores:
    """Scores each label for which there is gold.

    Args:
        turns: the test log.
        gold: of all or some of its turns.
        labels: of each system, a label for each turn, in any order; the first system is compared with all
            others.
        train_turns: a training log; the baselines that learn need it.
        train_gold: what is annotated in it; that of other turns is passed over. Without a training log, it
            tells which classes occur in training.
        gap_ms: as for `sessionize`.
        resamples: of the users, or the dialogues of one user, for the confidence intervals.
        seed: of the resampling, and of the baselines that learn.
        on_scored: called with each of `TASKS` when it is done.

    Raises:
        MismatchError: turns, gold or labels are missing, unknown or repeated, or the training log has turns
            of the test log.
    """
    log = LabelLog.join(turns, gold, gap_ms)
    train = None
    if train_turns and train_gold:
        require_apart(train_turns, log.turns)
        events = {turn.event_id for turn in train_turns}
        train = LabelLog.join(train_turns, [line for line in train_gold if line.event_id in events], gap_ms)
    scoring = _Scoring(
        log,
        {name: aligned_lines(log.turns, lines, f"labels of {name!r}") for name, lines in labels.items()},
        ClusterResamples(log.clusters, resamples, seed),
        train,
        seed,
    )
    classes = train_gold if train is None else train.gold
    for task in TASKS:
        scoring.score(task, classes)
        on_scored(task)
    return LabelScores(
        turns=len(log.turns),
        users=log.users,
        cluster=log.clustered,
        clusters=log.clusters,
        gold_turns=sum(line.says_anything for line in log.gold),
        resamples=resamples,
        seed=seed,
        tasks=tuple(scoring.tasks),
        not_scored=tuple(scoring.not_scored),
        notes=tuple(scoring.notes),
    )


class _Scoring(Struct):
    """Scores one task after the other."""

    log: LabelLog
    labels: Mapping[str, Sequence[TurnLabel]]
    resamples: ClusterResamples
    train: LabelLog | None
    seed: int
    tasks: list[TaskScore] = []
    not_scored: list[NotScored] = []
    notes: list[str] = []

    def score(self, task: Task, trained_on: Sequence[GoldLabel]) -> None:
        """Scores one task; `trained_on` tells which classes occur in training."""
        scorers: dict[Task, Callable[[], None]] = {
            "goals": self._goals,
            "defect": lambda: self._defects(task, defect_items(self.log), defect_answers),
            "defect without signals": lambda: self._defects(
                task, silent_defect_items(self.log), defect_answers
            ),
            "goal success": lambda: self._defects(task, missed_goal_items(self.log), missed_answers),
            "goal success of calls": lambda: self._defects(task, failed_call_items(self.log), missed_answers),
            "satisfaction": lambda: self._satisfaction(task, "turn"),
            "dialogue satisfaction": lambda: self._satisfaction(task, "dialogue"),
            "domain": lambda: self._classes("domain", trained_on),
            "intent": lambda: self._classes("intent", trained_on),
            "slots": lambda: self._slots(task, "span"),
            "slot values": lambda: self._slots(task, "value"),
        }
        scorers[task]()

    def _goals(self) -> None:
        items = GoalItems.of(self.log)
        if not self._has_gold("goals", len(items.later)):
            return
        board = TaskBoard("goals", len(items.later), float(items.boundary.sum()), items.cluster, items.window)
        self._add_systems(
            board,
            lambda labels: len(items.later) if says_goals(labels) else 0,
            lambda labels: goal_measures(items, labelled_boundaries(items, labels), self.resamples),
        )
        for name, said in goal_baselines(self.log, items).items():
            board.add(name, goal_measures(items, said, self.resamples), baseline=True)
        self._close(board)

    def _defects(
        self,
        task: Task,
        items: TurnItems,
        answers_of: Callable[[TurnItems, Sequence[TurnLabel]], tuple[BinaryAnswers, Bools]],
    ) -> None:
        if not self._has_gold(task, len(items.turn)):
            return
        board = TaskBoard(task, len(items.turn), float(items.items.truth.sum()), items.items.cluster)
        for name, labels in self.labels.items():
            self._add_binary(board, name, items.items, *answers_of(items, labels))
        for name, answers in signal_baselines(self.log, items).items():
            self._add_binary(board, name, items.items, answers)
        self._close(board)

    def _add_binary(
        self,
        board: TaskBoard,
        name: str,
        items: BinaryItems,
        answers: BinaryAnswers,
        there: Bools | None = None,
        more: Measures | None = None,
    ) -> None:
        """Adds a system; `there` tells of which items it says anything, and a baseline has none."""
        if there is not None and not there.any():
            self.not_scored.append(NotScored(board.task, SILENT, name))
            return
        board.add(
            name,
            binary_measures(items, answers, self.resamples) | dict(more or {}),
            baseline=there is None,
            labelled=None if there is None else int(there.sum()),
            curve=precision_recall_curve(answers.score, items.truth),
            reliability=reliability(items, answers.score),
        )

    def _satisfaction(self, task: Task, rated: Rated) -> None:
        items = RatedItems.of(self.log, rated)
        if not self._has_gold(task, len(items.turn)):
            return
        board = TaskBoard(task, len(items.turn), float(items.items.truth.sum()), items.items.cluster)
        if items.left_out:
            self.notes.append(
                f"{task}: {items.left_out:,} {rated}s of one rater alone are left out; others have several."
            )
        systems: list[tuple[str, BinaryAnswers, Bools | None]] = [
            (name, *satisfaction_answers(items, labels, rated)) for name, labels in self.labels.items()
        ]
        if self.train is not None:
            from services.evaluation.labels.baselines import BAG_OF_WORDS, dissatisfaction_baseline

            learned = dissatisfaction_baseline(self.train, self.log, items, rated, self.seed)
            if learned is None:
                self.notes.append(
                    f"{task}: no {BAG_OF_WORDS}: the annotations to learn from do not have both satisfied "
                    "and dissatisfied raters."
                )
            else:
                systems.append((BAG_OF_WORDS, learned, None))
        systems.append((MAJORITY, prevalence_baseline(items.items), None))
        human = items.rater_measures(self.resamples)
        for name, answers, there in systems:
            more = {
                f"{measure}_of_all": draws
                for measure, draws in binary_measures(items.of_all, answers, self.resamples).items()
                if measure in ("accuracy", "f1", "average_precision")
            }
            if human is not None:
                more |= coverage_measures(items.items, answers, human, self.resamples)
            self._add_binary(board, name, items.items, answers, there, more)
        if human is not None:
            board.add(ONE_RATER, human, baseline=True)
        self._close(board)

    def _classes(self, task: ClassLabel, trained_on: Sequence[GoldLabel]) -> None:
        classes = {gold_class(line, task) for line in trained_on} - {None}
        items = ClassItems.of(self.log, task, classes or None)
        if not self._has_gold(task, len(items.turn)):
            return
        board = TaskBoard(task, len(items.turn), None, items.cluster)
        self._add_systems(
            board,
            lambda labels: sum(one is not None for one in class_answers(self.log, items, labels).named),
            lambda labels: class_measures(items, class_answers(self.log, items, labels), self.resamples),
        )
        baselines = class_baselines(self.log, items)
        if self.train is not None:
            from services.evaluation.labels.baselines import BAG_OF_WORDS, class_baseline

            learned = class_baseline(self.train, self.log, items, self.seed)
            if learned is not None:
                baselines = {BAG_OF_WORDS: learned} | baselines
        for name, answers in baselines.items():
            board.add(name, class_measures(items, answers, self.resamples), baseline=True)
        self._close(board)

    def _slots(self, task: Task, form: SlotForm) -> None:
        items = SlotItems.of(self.log, form)
        if not self._has_gold(task, len(items.turn)):
            return
        board = TaskBoard(
            task, len(items.turn), float(sum(one.total() for one in items.truth)), items.cluster
        )
        self._add_systems(
            board,
            lambda labels: sum(labels[turn].slots is not None for turn in items.turn),
            lambda labels: slot_measures(items, labelled_slots(self.log, items, labels), self.resamples),
        )
        understood = understood_slots(self.log, items)
        if understood is not None:
            board.add("NLU of the log", slot_measures(items, understood, self.resamples), baseline=True)
        self._close(board)

    def _add_systems(
        self,
        board: TaskBoard,
        labelled_by: Callable[[Sequence[TurnLabel]], int],
        measures_of: Callable[[Sequence[TurnLabel]], Measures],
    ) -> None:
        """Adds the systems that say something of the task; `labelled_by` counts of how many items."""
        for name, labels in self.labels.items():
            if labelled := labelled_by(labels):
                board.add(name, measures_of(labels), labelled=labelled)
            else:
                self.not_scored.append(NotScored(board.task, SILENT, name))

    def _has_gold(self, task: Task, items: int) -> bool:
        if not items:
            self.not_scored.append(NotScored(task, NO_GOLD))
        return items > 0

    def _close(self, board: TaskBoard) -> None:
        """Keeps the score of a task, if any system says something of it."""
        if any(not one.baseline for one in board.systems):
            self.tasks.append(board.result())
