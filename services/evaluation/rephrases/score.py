"""Scores of what systems say about rephrases, turn by turn, against gold.

A turn is found where the right earlier turn is named:

    precision = right / said        recall = right / gold        F1 = 2 right / (said + gold)

Which turn of a run of tries is the right one is a convention (the first, or the one before), so the same is
also counted **as runs**: turns that are connected make a run, and each turn of it after the first is linked
to the one before it, in gold and predictions alike.

In a breakdown a rephrase counts in the group of the turn that it says again: as gold by the right turn, as
said by the named one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from msgspec import Struct

from services.evaluation.common.arrays import Bools, Floats, Ints
from services.evaluation.common.breakdown import Breakdown
from services.evaluation.common.confidence_interval import DEFAULT_RESAMPLES, Estimate, estimate
from services.evaluation.common.resamples import (
    ClusterResamples,
    Measures,
    agreement,
    differences,
    estimates,
    numbered,
    share,
)
from services.evaluation.common.same_events import require_same_events
from services.evaluation.errors import MismatchError
from services.evaluation.rephrases.examples import Example, examples_of
from services.evaluation.rephrases.gold import GoldRephrase
from services.evaluation.rephrases.groups import GROUPINGS
from services.evaluation.rephrases.ranking import Ranked, RankingScore, ranking_measures, ranking_score
from services.evaluation.rephrases.system import RankedRephrase
from streams.turn import TurnEvent

CALIBRATION_BINS = 10

NOTHING = -1
"""In place of the number of a turn."""


class Score(Struct, frozen=True, kw_only=True):
    """Right answers among a group of turns."""

    gold: int
    said: int
    right: int
    precision: Estimate  # not defined where nothing was said
    recall: Estimate
    f1: Estimate


class CalibrationBin(Struct, frozen=True):
    """Turns whose score lies in a tenth of 0..1, and for which some turn is named."""

    turns: int
    mean_score: float
    share_right: float


class SystemScore(Struct, frozen=True, kw_only=True):
    """All that is known of one system."""

    name: str
    baseline: bool
    threshold: float | None  # None: not told
    overall: Score
    as_runs: Score
    ranking: RankingScore
    calibration_error: Estimate  # mean of |score - share that is right|, over bins by their turns
    calibration: tuple[CalibrationBin, ...]  # those with any turn, from the lowest
    breakdowns: tuple[Breakdown[Score], ...]  # by groups of pairs of turns
    examples: tuple[Example, ...]  # of systems that are no baselines


class Difference(Struct, frozen=True, kw_only=True):
    """How much better a system is than a baseline, on the same resampled users."""

    system: str
    baseline: str
    f1: Estimate
    relative_f1: Estimate  # the difference as a share of the baseline's
    average_precision: Estimate


class RephraseScores(Struct, frozen=True, kw_only=True):
    """Systems, baselines last, scored on the same turns."""

    turns: int
    users: int
    rephrases: int
    derived: bool  # the gold, or part of it, was made by a rule
    resamples: int
    seed: int
    systems: tuple[SystemScore, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...] = ()  # what a reader should know, a sentence each


class Predictions(Struct, frozen=True, kw_only=True):
    """What one system says of all turns."""

    name: str
    lines: Sequence[RankedRephrase]  # one for each turn, in any order
    threshold: float | None = None
    baseline: bool = False


def score_rephrases(
    turns: Iterable[TurnEvent],
    gold: Iterable[GoldRephrase],
    systems: Sequence[Predictions],
    *,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    notes: Sequence[str] = (),
    on_scored: Callable[[str], None] = lambda name: None,
) -> RephraseScores:
    """Scores each system on all turns.

    Args:
        turns: the test log.
        gold: a line for each turn.
        systems: with different names.
        resamples: of the users, for the confidence intervals.
        seed: of the resampling, and of the choice of examples.
        notes: for the reader of the report.
        on_scored: called with a system's name when it is done.

    Raises:
        MismatchError: turns, gold or predictions are missing, unknown or repeated.
    """
    log = _Log.join(list(turns), list(gold))
    drawn = ClusterResamples(log.users, resamples, seed)
    scores: list[SystemScore] = []
    draws: dict[str, Measures] = {}
    for one in sorted(systems, key=lambda one: one.baseline):
        score, draws[one.name] = log.answer(one).evaluate(one, drawn, seed)
        scores.append(score)
        on_scored(one.name)
    return RephraseScores(
        turns=len(log.turns),
        users=log.users,
        rephrases=int((log.gold != NOTHING).sum()),
        derived=log.derived,
        resamples=resamples,
        seed=seed,
        systems=tuple(scores),
        differences=tuple(
            Difference(
                system=score.name, baseline=baseline.name, **_more(draws[score.name], draws[baseline.name])
            )
            for score in scores
            for baseline in scores
            if baseline.baseline and not score.baseline
        ),
        notes=tuple(notes),
    )


class _Log(Struct, frozen=True, kw_only=True):
    """The turns, those of a user after each other, and which of them each says again."""

    turns: Sequence[TurnEvent]
    numbers: Mapping[str, int]  # of the events
    gold: Ints  # (turns,) number of a turn, or NOTHING
    derived: bool
    user: Ints  # (turns,), 0..users-1
    users: int

    @classmethod
    def join(cls, turns: Sequence[TurnEvent], gold: Sequence[GoldRephrase]) -> "_Log":
        require_same_events([turn.event_id for turn in turns], [line.event_id for line in gold], "gold")
        in_order = sorted(
            turns, key=lambda turn: (turn.assistant_id, turn.user_id, turn.ts_ms, turn.event_id)
        )
        numbers = {turn.event_id: number for number, turn in enumerate(in_order)}
        user, users = numbered(turn.key for turn in in_order)
        log = cls(
            turns=in_order,
            numbers=numbers,
            gold=np.full(len(in_order), NOTHING, dtype=np.int64),
            derived=any(line.derived for line in gold),
            user=user,
            users=users,
        )
        for line in gold:
            log.gold[numbers[line.event_id]] = log.number_of(line.rephrase_of, line.event_id, "gold")
        return log

    def number_of(self, named: str | None, event_id: str, what: str) -> int:
        """The number of a turn that is named for another; NOTHING for None."""
        if named is None:
            return NOTHING
        number = self.numbers.get(named)
        if number is None:
            raise MismatchError(
                f"{named!r}, which {event_id!r} rephrases by the {what}, is no event of the turns: give the "
                "turns file that it was made from"
            )
        if number >= self.numbers[event_id] or self.user[number] != self.user[self.numbers[event_id]]:
            raise MismatchError(
                f"{named!r}, which {event_id!r} rephrases by the {what}, is not an earlier turn of the same "
                "user: correct the line"
            )
        return number

    def answer(self, system: Predictions) -> "_Answers":
        what = f"predictions of {system.name!r}"
        require_same_events(list(self.numbers), [line.event_id for line in system.lines], what)
        named = np.full(len(self.turns), NOTHING, dtype=np.int64)
        said = np.zeros(len(self.turns), dtype=np.bool_)
        scores = np.zeros(len(self.turns))
        for line in system.lines:
            number = self.numbers[line.event_id]
            named[number] = self.number_of(line.named, line.event_id, what)
            said[number], scores[number] = line.said, line.score
        return _Answers(log=self, named=named, said_so=said, scores=scores)


class _Answers(Struct, frozen=True, kw_only=True):
    """What one system says; arrays are parallel to the turns."""

    log: _Log
    named: Ints  # number of a turn, or NOTHING
    said_so: Bools
    scores: Floats

    @property
    def said(self) -> Ints:
        """The turns that are named at the threshold of the system."""
        return np.where(self.said_so, self.named, NOTHING)

    def evaluate(
        self, system: Predictions, resamples: ClusterResamples, seed: int
    ) -> tuple[SystemScore, Measures]:
        """The score, and the measures that systems are compared by."""
        log = self.log
        ranked = self._ranked()
        ranking = ranking_measures(ranked, resamples)
        error, bins = self._calibration(resamples)
        overall, agrees = _scored(self.counts(log.gold, self.said), resamples)
        examples: tuple[Example, ...] = ()
        if not system.baseline:
            examples = examples_of(log.turns, log.gold, self.said, self.scores, seed)
        score = SystemScore(
            name=system.name,
            baseline=system.baseline,
            threshold=system.threshold,
            overall=overall,
            as_runs=_scored(self.counts(as_runs(log.gold), as_runs(self.said)), resamples)[0],
            ranking=ranking_score(ranked, ranking),
            calibration_error=error,
            calibration=bins,
            breakdowns=tuple(self._breakdowns(resamples)),
            examples=examples,
        )
        return score, {"f1": agrees["f1"], "average_precision": ranking["average_precision"]}

    def counts(self, gold: Ints, said: Ints) -> Floats:
        """Gold, said and right links of each user: (users, 3)."""
        columns = (gold != NOTHING, said != NOTHING, (said != NOTHING) & (said == gold))
        return np.stack([self._by_user(column) for column in columns], axis=1)

    def _by_user(self, turns: Bools) -> Floats:
        return np.bincount(self.log.user[turns], minlength=self.log.users).astype(np.float64)

    def _ranked(self) -> Ranked:
        tells = self.named != NOTHING
        right = self.named == self.log.gold
        return Ranked(
            self.scores[tells], right[tells], self.log.user[tells], self._by_user(self.log.gold != NOTHING)
        )

    def _calibration(self, resamples: ClusterResamples) -> tuple[Estimate, tuple[CalibrationBin, ...]]:
        tells = self.named != NOTHING
        right = tells & (self.named == self.log.gold)
        bins = np.minimum((self.scores * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
        cell = (self.log.user * CALIBRATION_BINS + bins)[tells]  # of a table (users, bins)
        sums = (
            np.stack(
                [
                    np.bincount(cell, values[tells], self.log.users * CALIBRATION_BINS)
                    for values in (np.ones(len(tells)), self.scores, right.astype(np.float64))
                ]
            )
            .reshape(3, self.log.users, CALIBRATION_BINS)
            .astype(np.float64)
        )
        turns, scored, hits = sums.sum(axis=1)  # (bins,) each
        filled = tuple(
            CalibrationBin(int(turns[k]), float(scored[k] / turns[k]), float(hits[k] / turns[k]))
            for k in np.flatnonzero(turns)
        )
        value = _calibration_error(sums.sum(axis=1)[:, None, :])[0]
        return estimate(float(value), _calibration_error(resamples.of(sums))[1:]), filled

    def _breakdowns(self, resamples: ClusterResamples) -> Iterable[Breakdown[Score]]:
        log, said = self.log, self.said
        for grouping in GROUPINGS:
            of_gold = grouping.of_pairs(log.turns, log.gold)
            of_said = grouping.of_pairs(log.turns, said)
            for group in grouping.groups:
                gold_here = np.where(of_gold == group, log.gold, NOTHING)
                said_here = np.where(of_said == group, said, NOTHING)
                if (gold_here != NOTHING).any() or (said_here != NOTHING).any():
                    score, _ = _scored(self.counts(gold_here, said_here), resamples)
                    yield Breakdown(by=grouping.name, group=group, score=score)


def as_runs(named: Ints) -> Ints:
    """Links each turn of a run to the one before it.

    Args:
        named: (turns,) for each turn an earlier one with which it belongs together, or NOTHING.

    Returns:
        (turns,) the turn before it in the same run; NOTHING for the first of a run and for turns in none.
    """
    first: list[int] = []
    last: dict[int, int] = {}
    before = np.full(len(named), NOTHING, dtype=np.int64)
    for turn, earlier in enumerate(named.tolist()):
        run = turn if earlier == NOTHING else first[earlier]
        first.append(run)
        before[turn] = last.get(run, NOTHING)
        last[run] = turn
    return before


def _scored(counts: Floats, resamples: ClusterResamples) -> tuple[Score, Measures]:
    """The measures of counts: (users, 3), as `_Answers.counts` gives."""
    drawn = resamples.of(counts)  # (draws, 3)
    gold, said, right = drawn[0].astype(int).tolist()
    measures = agreement(drawn[:, 2], drawn[:, 0], drawn[:, 1])
    return Score(gold=gold, said=said, right=right, **estimates(measures)), measures


def _calibration_error(sums: Floats) -> Floats:
    """Of sums over turns, scores and right answers, (3, draws, bins): (draws,)."""
    turns, scored, hits = sums
    return share(np.abs(scored - hits).sum(axis=1), turns.sum(axis=1))


def _more(measures: Measures, others: Measures) -> dict[str, Estimate]:
    """How much more the measures of a system are than those of a baseline."""
    more = measures["f1"] - others["f1"]
    return differences(measures, others) | estimates({"relative_f1": share(more, others["f1"])})
