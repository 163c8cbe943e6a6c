"""Scores of failure points against gold, of systems beside baselines.

Only turns whose failure point is known are scored. Of these a system says something each time: where it
abstains, its likeliest class counts, and the measures of abstention tell what it would have left out.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from msgspec import Struct

from failure_isolation.rule import FAILURE_POINTS
from failure_isolation.turn_failure import TurnFailure
from labeling.annotations.annotation import FailurePoint
from services.evaluation.common.confidence_interval import DEFAULT_RESAMPLES, Cluster, Estimate
from services.evaluation.common.dialogue_example import ExampleLine, lines_around
from services.evaluation.common.resamples import (
    ClusterResamples,
    Difference,
    Measures,
    differences_of_first,
    estimates,
)
from services.evaluation.common.score_thresholds import ReliabilityBin
from services.evaluation.errors import MismatchError
from services.evaluation.failures.gold import GoldFailure
from services.evaluation.failures.log import FailureAnswers, FailureLog
from services.evaluation.failures.measures import (
    CoveragePoint,
    confusion,
    coverage_curve,
    failure_agreement,
    failure_measures,
    failure_reliability,
)
from streams.session import DEFAULT_GAP_MS
from streams.turn import TurnEvent

EXAMPLES: Final = 3
"""Of each kind: what is right, and what is taken for something else, of each class."""

THIS_TURN: Final = "this turn"


class ClassScore(Struct, frozen=True, kw_only=True):
    """How well one class is found."""

    failure_point: FailurePoint
    support: int  # items of the class
    named: int  # items that are said to be of it
    precision: Estimate
    recall: Estimate
    f1: Estimate


class FailureExample(Struct, frozen=True, kw_only=True):
    """A turn with those around it."""

    truth: FailurePoint
    named: FailurePoint
    confidence: float
    lines: tuple[ExampleLine, ...]


class SystemScore(Struct, frozen=True, kw_only=True):
    """What one system is worth."""

    name: str
    baseline: bool
    measures: dict[str, Estimate]  # of `failure_measures`
    classes: tuple[ClassScore, ...]  # in the order of the stages; those that neither occur nor are named too
    confusion: tuple[tuple[int, ...], ...]  # rows: what is true; columns: what is said
    reliability: tuple[ReliabilityBin, ...]
    coverage: tuple[CoveragePoint, ...]
    examples: tuple[FailureExample, ...] = ()


class FailureScores(Struct, frozen=True, kw_only=True):
    """All that is known of the failures of a log."""

    turns: int
    known_turns: int  # those that are scored
    users: int  # of these
    cluster: Cluster  # what is resampled
    clusters: int
    derived: bool  # a rule made the gold, or some of it
    classes: tuple[FailurePoint, ...]  # that occur in the gold: macro F1 is the mean over them
    resamples: int
    seed: int
    systems: tuple[SystemScore, ...]  # baselines last
    differences: tuple[Difference, ...]  # of the first system and all others
    notes: tuple[str, ...] = ()  # what a reader should know, a sentence each


def score_failures(
    turns: Sequence[TurnEvent],
    gold: Sequence[GoldFailure],
    failures: Mapping[str, Sequence[TurnFailure]],
    baselines: Mapping[str, Sequence[TurnFailure]] | None = None,
    *,
    gap_ms: int = DEFAULT_GAP_MS,
    groups: Mapping[str, str] | None = None,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    notes: Sequence[str] = (),
) -> FailureScores:
    """Scores systems and baselines on the same turns.

    Args:
        turns: the test log.
        gold: of all or some of its turns.
        failures: of each system, one for each turn, in any order; the first is compared with all others.
        baselines: the same of baselines.
        gap_ms: as for `sessionize`.
        groups: of turns by their event, which are resampled where there is one user.
        resamples: for the confidence intervals.
        seed: of the resampling, and of the draw of examples.
        notes: what a reader should know.

    Raises:
        MismatchError: turns, gold or failures are missing, unknown or repeated, or no turn of the log has a
            known failure point.
    """
    log = FailureLog.join(turns, gold, gap_ms, groups)
    if not len(log.items.turn):
        raise MismatchError(
            "the gold names no failure point of any turn of the log: give gold, or annotations, that do"
        )
    drawn = ClusterResamples(log.clusters, resamples, seed)
    systems: list[SystemScore] = []
    draws: list[tuple[str, Measures]] = []
    for name, said in [*failures.items(), *(baselines or {}).items()]:
        answers = log.answers(said, name)
        measures = failure_measures(log.items, answers, drawn)
        examples = _examples(log, answers, seed) if not systems else ()
        baseline = name not in failures
        systems.append(_scored(log, answers, name, measures, drawn, examples, baseline=baseline))
        draws.append((name, measures))
    support = log.items.support
    return FailureScores(
        turns=len(log.turns),
        known_turns=len(log.items.turn),
        users=log.users,
        cluster=log.cluster,
        clusters=log.clusters,
        derived=log.derived,
        classes=tuple(FAILURE_POINTS[number] for number in np.flatnonzero(support).tolist()),
        resamples=resamples,
        seed=seed,
        systems=tuple(systems),
        differences=differences_of_first(draws),
        notes=tuple(notes),
    )


def _scored(
    log: FailureLog,
    answers: FailureAnswers,
    name: str,
    measures: Measures,
    resamples: ClusterResamples,
    examples: Sequence[FailureExample],
    *,
    baseline: bool,
) -> SystemScore:
    of_class = failure_agreement(log.items, answers, resamples).measures
    support = log.items.support
    named = np.bincount(answers.named, minlength=len(FAILURE_POINTS))
    classes = []
    for number, point in enumerate(FAILURE_POINTS):
        found = estimates({measure: draws[:, number] for measure, draws in of_class.items()})
        classes.append(
            ClassScore(failure_point=point, support=int(support[number]), named=int(named[number]), **found)
        )
    return SystemScore(
        name=name,
        baseline=baseline,
        measures=estimates(measures),
        classes=tuple(classes),
        confusion=tuple(tuple(row) for row in confusion(log.items, answers).tolist()),
        reliability=failure_reliability(log.items, answers),
        coverage=coverage_curve(log.items, answers),
        examples=tuple(examples),
    )


def _examples(log: FailureLog, answers: FailureAnswers, seed: int) -> list[FailureExample]:
    """Of each class some that are named rightly, and some that are not, drawn at random."""
    generator = np.random.default_rng(seed)
    right = answers.named == log.items.truth
    session = log.session.tolist()
    examples = []
    for number in range(len(FAILURE_POINTS)):
        for wanted in (True, False):
            items = np.flatnonzero((log.items.truth == number) & (right == wanted))
            for item in sorted(generator.permutation(items)[:EXAMPLES].tolist()):
                turn = int(log.items.turn[item])
                examples.append(
                    FailureExample(
                        truth=FAILURE_POINTS[number],
                        named=FAILURE_POINTS[answers.named[item]],
                        confidence=float(answers.confidence[item]),
                        lines=tuple(lines_around(log.turns, turn, session, {turn: THIS_TURN})),
                    )
                )
    return examples
