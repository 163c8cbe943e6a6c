"""Scores rewrites against what users meant.

A rewrite **wins** where it makes a wrong request right, and **loses** where it makes a right one wrong:

    win/loss = wins / losses        defect reduction = (wins - losses) / defects
    trigger rate = changed / turns  precision = right after the rewrite / changed

A defect is a request that the assistant understood otherwise than it was meant. In the breakdowns by method,
scope and layer the turns and defects are those of all turns: what the methods reduce adds up to the whole.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from services.evaluation.common.arrays import Bools, Floats
from services.evaluation.common.breakdown import Breakdown
from services.evaluation.common.confidence_interval import DEFAULT_RESAMPLES, Estimate
from services.evaluation.common.gold import GoldTurn
from services.evaluation.common.resamples import ClusterResamples, Measures, differences, estimates, numbered
from services.evaluation.common.same_events import aligned_lines
from services.evaluation.common.score_thresholds import drawn_of, thresholds_of
from services.evaluation.common.training_log import GroupOf, yes_no
from services.evaluation.common.understanding import Meaning, Understanding, nlu_meaning
from services.evaluation.rewrites.prediction import Prediction
from streams.session import sessionize
from streams.turn import TurnEvent

EXAMPLES = 12
"""Wins and losses to read for each predictor: a screenful of each."""

RETRIEVAL = "retrieval"
"""The method of rewrites that the online layers make; these differ in scope alone."""


class Score(Struct, frozen=True, kw_only=True):
    """What a predictor did to a group of turns."""

    turns: int
    defects: int
    changed: int
    wins: int
    losses: int
    still_wrong: int  # changed, wrong before and after
    still_right: int  # changed, right before and after
    win_loss: Estimate
    defect_reduction: Estimate  # share of the defects; negative where there are more losses than wins
    trigger_rate: Estimate
    precision: Estimate
    defect_rate_after: Estimate  # defects that are left, as a share of the turns


class CurvePoint(Struct, frozen=True):
    """The score when only rewrites of at least this score are served; None: those without a score."""

    threshold: float | None
    changed: int
    wins: int
    losses: int
    defect_reduction: float


class Example(Struct, frozen=True, kw_only=True):
    """A request, its rewrite, and how often it won or lost."""

    text: str
    rewrite: str
    reference_text: str | None
    method: str | None
    count: int


class PredictorEvaluation(Struct, frozen=True, kw_only=True):
    """All that is known of one predictor."""

    name: str
    baseline: bool
    overall: Score
    breakdowns: tuple[Breakdown[Score], ...]  # by groups of turns, and by method and scope of rewrites
    curve: tuple[CurvePoint, ...]  # from the highest threshold to the lowest
    wins: tuple[Example, ...]  # most frequent first
    losses: tuple[Example, ...]


class Difference(Struct, frozen=True, kw_only=True):
    """How much more of the defects a predictor removes than a baseline does, on the same resampled users."""

    predictor: str
    baseline: str
    defect_reduction: Estimate


class RewriteScores(Struct, frozen=True, kw_only=True):
    """Predictors, baselines last, scored on the same turns."""

    turns: int
    users: int
    defects: int
    disagreements: int  # turns whose annotated correctness is not what their understanding says
    resamples: int
    seed: int
    predictors: tuple[PredictorEvaluation, ...]
    differences: tuple[Difference, ...]
    main: str | None = None  # the predictor that the others are compared with
    notes: tuple[str, ...] = ()  # what a reader should know of the predictors, a sentence each


def score_rewrites(
    turns: Iterable[TurnEvent],
    gold: Iterable[GoldTurn],
    predictions: Mapping[str, Iterable[Prediction]],
    understanding: Understanding,
    *,
    baselines: Collection[str] = (),
    main: str | None = None,
    groups: Mapping[str, GroupOf] = MappingProxyType({}),
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    notes: Sequence[str] = (),
    on_scored: Callable[[str], None] = lambda name: None,
) -> RewriteScores:
    """Scores each predictor on all turns.

    Args:
        turns: the test log.
        gold: a line for each turn.
        predictions: by the predictor's name; a prediction for each turn.
        understanding: what the assistant makes of a text.
        baselines: which names of `predictions` are baselines.
        main: the predictor that is compared with all others; None: each is with each baseline.
        groups: further breakdowns, by their names.
        resamples: of the users, for the confidence intervals.
        seed: of the resampling.
        notes: for the reader of the report.
        on_scored: called with a predictor's name when it is done.

    Raises:
        MismatchError: turns, gold or predictions are missing, unknown or repeated.
        EvaluationFileError: the understanding failed.
    """
    log = _Log.join(list(turns), list(gold), understanding, groups)
    drawn = ClusterResamples(log.users, resamples, seed)
    draws: dict[str, Measures] = {}
    predictors = []
    for name in sorted(predictions, key=lambda name: (name in baselines, list(predictions).index(name))):
        served = log.serve(name, predictions[name], understanding)
        predictors.append(served.evaluate(name, name in baselines, drawn))
        reduction = _measures(drawn.of(served.counts()))["defect_reduction"]
        draws[name] = {"defect_reduction": reduction}
        on_scored(name)
    compared = [
        Difference(
            predictor=predictor.name,
            baseline=baseline.name,
            **differences(draws[predictor.name], draws[baseline.name]),
        )
        for predictor in predictors
        for baseline in predictors
        if (
            baseline.baseline and not predictor.baseline
            if main is None
            else predictor.name == main != baseline.name
        )
    ]
    return RewriteScores(
        turns=len(log.turns),
        users=log.users,
        defects=int((~log.right).sum()),
        disagreements=log.disagreements,
        resamples=resamples,
        seed=seed,
        predictors=tuple(predictors),
        differences=tuple(compared),
        main=main,
        notes=tuple(notes),
    )


class _Log(Struct, frozen=True, kw_only=True):
    """The turns with what was meant by them; all sequences are parallel."""

    turns: Sequence[TurnEvent]
    gold: Sequence[GoldTurn]
    prompts: Sequence[str]
    references: Sequence[Meaning]
    right: Bools  # (turns,), before any rewrite
    user: NDArray[np.int64]  # (turns,), 0..users-1
    users: int
    disagreements: int
    groups: Mapping[str, Sequence[str | None]]  # further breakdowns

    @classmethod
    def join(
        cls,
        turns: Sequence[TurnEvent],
        gold: Sequence[GoldTurn],
        understanding: Understanding,
        groups: Mapping[str, GroupOf],
    ) -> "_Log":
        in_order = aligned_lines(turns, gold, "gold")
        prompts = _prompts(turns)
        references = [line.reference for line in in_order]
        computed = [
            _logged_meaning(turn, line, prompt, understanding) == reference
            for turn, line, prompt, reference in zip(turns, in_order, prompts, references, strict=True)
        ]
        right = [
            was_right if line.correct is None else line.correct
            for line, was_right in zip(in_order, computed, strict=True)
        ]
        user, users = numbered(turn.key for turn in turns)
        return cls(
            turns=turns,
            gold=in_order,
            prompts=prompts,
            references=references,
            right=np.array(right, dtype=np.bool_),
            user=user,
            users=users,
            disagreements=sum(a != b for a, b in zip(right, computed, strict=True)),
            groups={by: [group_of(turn) for turn in turns] for by, group_of in groups.items()},
        )

    def serve(self, name: str, predictions: Iterable[Prediction], understanding: Understanding) -> "_Served":
        """Puts the rewrites in place of the requests, and asks the assistant what it makes of them."""
        in_order = aligned_lines(self.turns, predictions, f"predictions of {name!r}")
        changed = np.zeros(len(in_order), dtype=np.bool_)
        after = self.right.copy()
        for i, prediction in enumerate(in_order):
            if prediction.rewrite is not None and prediction.rewrite != self.turns[i].request.text:
                changed[i] = True
                meaning = understanding.understand(prediction.rewrite, self.prompts[i])
                after[i] = meaning == self.references[i]
        return _Served(log=self, predictions=in_order, changed=changed, after=after)


class _Served(Struct, frozen=True, kw_only=True):
    """A log with the rewrites of one predictor; all sequences are parallel to its turns."""

    log: _Log
    predictions: Sequence[Prediction]
    changed: Bools
    after: Bools  # right after the rewrite, where there is one

    def counts(self, group: Bools | None = None, rewrites: Bools | None = None) -> Floats:
        """Counts of each user: (users, 6), in the order of `_measures`.

        Args:
            group: the turns to count; all by default.
            rewrites: the turns whose rewrite counts; on others it is taken for none. All by default.
        """
        right = self.log.right
        changed = self.changed if rewrites is None else self.changed & rewrites
        columns = (
            np.ones_like(right),
            ~right,
            changed,
            changed & ~right & self.after,
            changed & right & ~self.after,
            changed & self.after,
        )
        chosen = np.ones_like(right) if group is None else group
        return np.stack(
            [np.bincount(self.log.user[chosen & column], minlength=self.log.users) for column in columns],
            axis=1,
        ).astype(np.float64)

    def evaluate(self, name: str, baseline: bool, resamples: ClusterResamples) -> PredictorEvaluation:
        log = self.log
        before_after = np.stack([log.right, self.after])
        return PredictorEvaluation(
            name=name,
            baseline=baseline,
            overall=_score(self.counts(), resamples),
            breakdowns=tuple(self._breakdowns(resamples)),
            curve=tuple(self._curve()),
            wins=self._examples(self.changed & ~before_after[0] & before_after[1]),
            losses=self._examples(self.changed & before_after[0] & ~before_after[1]),
        )

    def _breakdowns(self, resamples: ClusterResamples) -> Iterable[Breakdown[Score]]:
        log = self.log
        of_turns: dict[str, Sequence[str | None]] = {
            "recording heard before": [yes_no(line.recording_heard_before) for line in log.gold],
            "confused": [yes_no(line.confused) for line in log.gold],
            "domain": [_domain(turn, line) for turn, line in zip(log.turns, log.gold, strict=True)],
            "day": [_day(turn) for turn in log.turns],
            **log.groups,
        }
        of_rewrites: dict[str, Sequence[str | None]] = {
            "method": [line.method or "unnamed" for line in self.predictions],
            "scope": [_scope(line) for line in self.predictions],
            "layer": [_layer(line) for line in self.predictions],
        }
        for by, labels in of_turns.items():
            for group, members in _groups(labels, np.ones_like(self.changed)):
                yield Breakdown(by=by, group=group, score=_score(self.counts(group=members), resamples))
        for by, labels in of_rewrites.items():
            for group, members in _groups(labels, self.changed):
                yield Breakdown(by=by, group=group, score=_score(self.counts(rewrites=members), resamples))

    def _curve(self) -> Iterable[CurvePoint]:
        scores = np.array([np.inf if line.score is None else line.score for line in self.predictions])
        if not self.changed.any():
            return
        order, ends, thresholds = thresholds_of(scores[self.changed])
        right, after = self.log.right[self.changed][order], self.after[self.changed][order]
        wins, losses = np.cumsum(~right & after), np.cumsum(right & ~after)
        defects = max(int((~self.log.right).sum()), 1)
        for number in drawn_of(len(ends)):
            end, threshold = ends[number], thresholds[number]
            yield CurvePoint(
                threshold=None if np.isinf(threshold) else float(threshold),
                changed=int(end) + 1,
                wins=int(wins[end]),
                losses=int(losses[end]),
                defect_reduction=float(wins[end] - losses[end]) / defects,
            )

    def _examples(self, chosen: Bools) -> tuple[Example, ...]:
        log = self.log
        counts = Counter(
            (
                log.turns[i].request.text,
                self.predictions[i].rewrite or "",
                log.gold[i].reference_text or "",
                self.predictions[i].method or "",
            )
            for i in np.flatnonzero(chosen).tolist()
        )
        most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:EXAMPLES]
        return tuple(
            Example(
                text=text,
                rewrite=rewrite,
                reference_text=reference or None,
                method=method or None,
                count=count,
            )
            for (text, rewrite, reference, method), count in most
        )


def _score(counts: Floats, resamples: ClusterResamples) -> Score:
    drawn = resamples.of(counts)  # (draws, 6)
    turns, defects, changed, wins, losses, right_after = (int(number) for number in drawn[0])
    return Score(
        turns=turns,
        defects=defects,
        changed=changed,
        wins=wins,
        losses=losses,
        still_wrong=changed - right_after - losses,
        still_right=right_after - wins,
        **estimates(_measures(drawn)),
    )


def _measures(counts: Floats) -> dict[str, Floats]:
    """Measures of counts: (..., 6) to (...).

    NaN where there is nothing to measure (no defect to reduce, nothing changed); win/loss is infinite where
    there are wins and no loss.
    """
    turns, defects, changed, wins, losses, right_after = np.moveaxis(counts, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {
            "win_loss": wins / losses,
            "defect_reduction": np.where(defects > 0, (wins - losses) / defects, np.nan),
            "trigger_rate": changed / turns,
            "precision": right_after / changed,
            "defect_rate_after": (defects - wins + losses) / turns,
        }


def _logged_meaning(
    turn: TurnEvent, line: GoldTurn, prompt: str, understanding: Understanding
) -> Meaning | None:
    """What the assistant made of the request as the user said it.

    The log's own NLU output is what it was on that day, so it goes before the answers of today; but it says
    nothing of the request where a rewrite was run in its place, or where gold has another form.
    """
    if line.reference_nlu is not None and turn.executed_text is None and turn.nlu:
        best = turn.nlu[0]
        return nlu_meaning(best.domain, best.intent, best.slots)
    return understanding.understand(turn.request.text, prompt)


def _prompts(turns: Sequence[TurnEvent]) -> list[str]:
    """What the assistant had just said before each turn: its prompt, or else the previous response."""
    said: dict[str, str] = {}
    for session in sessionize(turns):
        before = ""
        for turn in session.turns:
            said[turn.event_id] = before if turn.prompt is None else turn.prompt
            before = (turn.response.text or "") if turn.response is not None else ""
    return [said[turn.event_id] for turn in turns]


def _groups(labels: Sequence[str | None], among: Bools) -> Iterable[tuple[str, Bools]]:
    """Each label that occurs among some turns, and its turns."""
    numbers = {
        label: number
        for number, label in enumerate(sorted({str(label) for label in labels if label is not None}))
    }
    number_of = np.array([-1 if label is None else numbers[label] for label in labels], dtype=np.int64)
    for label, number in numbers.items():
        members = (number_of == number) & among
        if members.any():
            yield label, members


def _scope(prediction: Prediction) -> str:
    if prediction.scope is None:
        return "unnamed"
    return "personal" if prediction.scope.startswith("user:") else prediction.scope


def _layer(prediction: Prediction) -> str:
    """Of what was worked out at run time its scope, of what was known before its method."""
    if prediction.method == RETRIEVAL:
        return _scope(prediction)
    return prediction.method or "unnamed"


def _domain(turn: TurnEvent, line: GoldTurn) -> str | None:
    if line.reference_nlu is not None:
        return line.reference_nlu.domain
    return turn.nlu[0].domain if turn.nlu else None


def _day(turn: TurnEvent) -> str:
    return datetime.fromtimestamp(turn.ts_ms / 1000, UTC).date().isoformat()
