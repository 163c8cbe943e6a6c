"""Scores of answers to logs that are small enough to count by hand."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from turns import turn_event

from rewriting.evidence.rephrase_link import RephraseLink
from services.evaluation.common.confidence_interval import user_weights
from services.evaluation.common.resamples import ClusterResamples
from services.evaluation.errors import MismatchError
from services.evaluation.rephrases.gold import GoldRephrase
from services.evaluation.rephrases.ranking import Ranked, ranking_measures, ranking_score
from services.evaluation.rephrases.score import (
    Predictions,
    SystemScore,
    as_runs,
    score_rephrases,
)
from services.evaluation.rephrases.system import RankedRephrase, RephraseSystem, rank_rephrases
from streams.session import Session, sessionize
from streams.turn import EventId, TurnEvent

GAP_MS = 10_000


def log(*texts: str, user: str = "u", start: int = 0) -> list[TurnEvent]:
    """Turns e0, e1, ... of one user, ten seconds apart."""
    return [
        turn_event(
            text,
            event_id=f"e{start + number}",
            user_id=user,
            ts_ms=1_700_000_000_000 + (start + number) * GAP_MS,
        )
        for number, text in enumerate(texts)
    ]


def gold_of(turns: Sequence[TurnEvent], rephrases: Mapping[int, int]) -> list[GoldRephrase]:
    named = {f"e{later}": EventId(f"e{earlier}") for later, earlier in rephrases.items()}
    return [
        GoldRephrase(event_id=EventId(turn.event_id), rephrase_of=named.get(turn.event_id)) for turn in turns
    ]


def answers(
    turns: Sequence[TurnEvent], named: Mapping[int, tuple[int, float]], threshold: float = 0.5
) -> list[RankedRephrase]:
    """Of some turns the named turn and the score, by their numbers."""
    lines = []
    for turn in turns:
        earlier, score = named.get(int(turn.event_id[1:]), (None, 0.0))
        lines.append(
            RankedRephrase(
                event_id=EventId(turn.event_id),
                named=None if earlier is None else EventId(f"e{earlier}"),
                score=score,
                said=earlier is not None and score >= threshold,
            )
        )
    return lines


def scored(
    turns: Sequence[TurnEvent], rephrases: Mapping[int, int], named: Mapping[int, tuple[int, float]]
) -> SystemScore:
    evaluation = score_rephrases(
        turns,
        gold_of(turns, rephrases),
        [Predictions(name="s", lines=answers(turns, named), threshold=0.5)],
        resamples=20,
    )
    (score,) = evaluation.systems
    return score


EIGHT = log("a", "a", "a", "b", "c", "c", "d", "d")
RIGHT = {1: 0, 2: 0, 5: 4, 7: 6}
NAMED = {1: (0, 0.9), 2: (1, 0.8), 4: (3, 0.7), 5: (4, 0.6), 7: (6, 0.3)}
"""By falling score: right, wrong source, false, right; and right below the threshold of 0.5."""


def test_exact_turns_are_counted() -> None:
    score = scored(EIGHT, RIGHT, NAMED).overall
    assert (score.gold, score.said, score.right) == (4, 4, 2)
    assert score.precision.value == score.recall.value == score.f1.value == 0.5


def test_as_runs_it_does_not_matter_which_turn_of_a_run_is_named() -> None:
    score = scored(EIGHT, RIGHT, NAMED).as_runs
    # Gold: 0-1-2, 4-5, 6-7. Said: 0-1-2, 3-4-5. Links: 1>0, 2>1, 5>4, 7>6 and 1>0, 2>1, 4>3, 5>4.
    assert (score.gold, score.said, score.right) == (4, 4, 3)


def test_runs_link_each_turn_to_the_one_before_it() -> None:
    first = [-1, 0, -1, 0, 2, 0]
    previous = [-1, 0, -1, 1, 2, 3]
    assert as_runs(np.array(first)).tolist() == as_runs(np.array(previous)).tolist() == previous
    joined = [-1, -1, 0, 1, 2]  # two runs, of which the turns alternate
    assert as_runs(np.array(joined)).tolist() == joined


def test_ranking_counts_what_is_never_found_as_missed() -> None:
    ranking = scored(EIGHT, RIGHT | {3: 2}, NAMED).ranking  # a fifth rephrase, of which nothing is known
    # Right at ranks 1, 4 and 5 of five rephrases: each adds 1/5 of the recall.
    assert ranking.average_precision.value == pytest.approx((1 / 1 + 2 / 4 + 3 / 5) / 5)
    assert ranking.recall_at_precision.value == pytest.approx(1 / 5)
    assert ranking.best_f1.value == pytest.approx(2 * 3 / (5 + 5))
    assert ranking.best_threshold == 0.3
    assert [(point.threshold, point.precision, point.recall) for point in ranking.curve] == [
        (0.9, 1, 0.2),
        (0.8, 0.5, 0.2),
        (0.7, pytest.approx(1 / 3), 0.2),
        (0.6, 0.5, 0.4),
        (0.3, 0.6, 0.6),
    ]


@pytest.mark.parametrize("seed", range(3))
def test_average_precision_is_that_of_scikit_learn(seed: int) -> None:
    generator = np.random.default_rng(seed)
    turns, users = 200, 12
    scores = generator.integers(0, 20, turns) / 20  # with many equal ones
    right = generator.random(turns) < scores
    user = generator.integers(0, users, turns)
    missed = generator.integers(0, 3, users)
    gold = np.bincount(user[right], minlength=users) + missed
    ranked = Ranked(scores, right, user, gold.astype(float))
    measures = ranking_measures(ranked, ClusterResamples(users, 5, seed))
    weights = [np.ones(users), *user_weights(users, 5, seed)]

    def expected(drawn: np.ndarray) -> float:
        of_turns = drawn[user]
        found = (of_turns * right).sum() / (drawn * gold).sum()
        return float(average_precision_score(right, scores, sample_weight=of_turns) * found)

    draws = measures["average_precision"]
    assert draws == pytest.approx([expected(drawn) for drawn in weights])
    assert ranking_score(ranked, measures).average_precision.value == draws[0]


def test_scores_are_compared_with_how_often_they_are_right() -> None:
    named = {1: (0, 0.95), 2: (0, 0.97), 4: (3, 0.95), 5: (4, 0.95), 7: (3, 0.25)}
    score = scored(EIGHT, RIGHT, named)
    low, high = score.calibration
    assert (low.turns, low.mean_score, low.share_right) == (1, 0.25, 0)
    assert (high.turns, high.mean_score, high.share_right) == (4, pytest.approx(0.955), 0.75)
    assert score.calibration_error.value == pytest.approx((0.25 + 4 * (0.955 - 0.75)) / 5)


def test_groups_are_those_of_the_right_and_of_the_named_turn() -> None:
    turns = log("play jazz", "play jazz", "call mom", "play jaz", "weather", "what is it like outside")
    score = scored(turns, {1: 0, 3: 0, 5: 4}, {1: (0, 0.9), 3: (1, 0.9), 5: (4, 0.9)})
    found = {
        (part.by, part.group): (part.score.gold, part.score.said, part.score.right)
        for part in score.breakdowns
    }
    assert found == {
        ("turns back", "1"): (2, 2, 2),
        ("turns back", "2"): (0, 1, 0),
        ("turns back", "3"): (1, 0, 0),
        ("wording", "verbatim"): (1, 1, 1),
        ("wording", "similar"): (1, 1, 0),
        ("wording", "dissimilar"): (1, 1, 1),
        ("time since", "5 to 15 s"): (2, 2, 2),
        ("time since", "15 to 45 s"): (1, 1, 0),
    }


def test_examples_show_each_kind_with_its_surroundings() -> None:
    examples = scored(EIGHT, RIGHT, NAMED).examples
    kinds = {
        (example.kind, line.event_id)
        for example in examples
        for line in example.lines
        if "this turn" in (line.role or "")
    }
    assert kinds == {
        ("found", "e1"),
        ("found", "e5"),
        ("missed", "e7"),
        ("false", "e4"),
        ("wrong source", "e2"),
    }
    (wrong,) = [example for example in examples if example.kind == "wrong source"]
    assert [(line.text, line.role, line.gap_s) for line in wrong.lines] == [
        ("a", "right", None),
        ("a", "named", 10),
        ("a", "this turn", 10),
        ("b", None, 10),
    ]


def test_an_example_of_a_long_detour_leaves_turns_out() -> None:
    turns = log(*(f"t{number}" for number in range(40)))
    (example,) = scored(turns, {30: 5}, {30: (5, 0.9)}).examples
    roles = {line.event_id: line.role for line in example.lines if line.role}
    assert roles == {"e5": "named, right", "e30": "this turn"}
    assert len(example.lines) <= 12
    gaps = [line.gap_s for line in example.lines if line.gap_s is not None]
    assert sum(gaps) == 27 * GAP_MS / 1000  # from e4 to e31


def test_users_are_resampled_together() -> None:
    """One user's rephrases are all found and the other's are not: resamples hold 0, 1 or 2 of the first."""
    turns = [*log("a", "a", user="u1"), *log("b", "b", user="u2", start=2)]
    score = scored(turns, {1: 0, 3: 2}, {1: (0, 0.9)}).overall
    assert (score.recall.low, score.recall.value, score.recall.high) == (0, 0.5, 1)


def test_systems_are_compared_with_each_baseline() -> None:
    all_right = {later: (earlier, 0.9) for later, earlier in RIGHT.items()}
    systems = [
        Predictions(name="base", lines=answers(EIGHT, NAMED), baseline=True),
        Predictions(name="ours", lines=answers(EIGHT, all_right)),
    ]
    evaluation = score_rephrases(EIGHT, gold_of(EIGHT, RIGHT), systems, resamples=20)
    assert [one.name for one in evaluation.systems] == ["ours", "base"]
    (difference,) = evaluation.differences
    assert (difference.system, difference.baseline) == ("ours", "base")
    assert difference.f1.value == 0.5
    assert difference.relative_f1.value == 1.0
    assert evaluation.systems[1].examples == ()


def test_a_log_without_rephrases_or_answers_has_measures_that_are_not_defined() -> None:
    turns = log("a", "b")
    silent = scored(turns, {}, {})
    assert silent.overall.f1.value is None
    assert silent.ranking.average_precision.value is None
    assert silent.ranking.best_threshold is None
    assert silent.calibration_error.value is None
    missing = scored(turns, {1: 0}, {})
    assert missing.overall.recall.value == missing.ranking.average_precision.value == 0
    assert missing.overall.precision.value is None
    empty = score_rephrases([], [], [Predictions(name="s", lines=[])], resamples=5)
    assert empty.systems[0].overall.f1.value is None


@pytest.mark.parametrize(
    ("gold", "said"),
    [
        (EIGHT[:7], "1 turns have no line in the gold"),
        ([*EIGHT, EIGHT[0]], "1 events occur more than once in the gold"),
        ([*EIGHT, turn_event(event_id="e9")], "1 lines of the gold belong to no turn"),
    ],
)
def test_gold_of_other_turns_is_refused(gold: Sequence[TurnEvent], said: str) -> None:
    with pytest.raises(MismatchError, match=said):
        score_rephrases(EIGHT, gold_of(gold, {}), [])


@pytest.mark.parametrize(
    ("rephrases", "said"),
    [({1: 77}, "no event of the turns"), ({1: 2}, "not an earlier turn"), ({1: 1}, "not an earlier turn")],
)
def test_what_is_rephrased_must_be_an_earlier_turn(rephrases: Mapping[int, int], said: str) -> None:
    with pytest.raises(MismatchError, match=f"which 'e1' rephrases by the gold, is {said}"):
        score_rephrases(EIGHT, gold_of(EIGHT, rephrases), [])
    named = {later: (earlier, 0.9) for later, earlier in rephrases.items()}
    with pytest.raises(MismatchError, match=f"which 'e1' rephrases by the predictions of 's', is {said}"):
        scored(EIGHT, {}, named)


def session_of(turns: Sequence[TurnEvent]) -> Session:
    (session,) = sessionize(turns)
    return session


def test_below_the_threshold_a_turn_names_what_it_would_at_its_own_score() -> None:
    session = session_of(log("a", "b", "c", "d"))
    links = [RephraseLink(0, 1, 0.9), RephraseLink(1, 2, 0.3), RephraseLink(2, 3, 0.4)]
    ranked = rank_rephrases(session, links, 0.5, "first")
    assert [(line.named, line.score, line.said) for line in ranked] == [
        (None, 0.0, False),
        ("e0", 0.9, True),
        ("e0", 0.3, False),  # at 0.3, e0 to e3 are a run
        ("e2", 0.4, False),  # at 0.4, e2 begins a run of its own
    ]
    assert [line.named for line in rank_rephrases(session, links, 0.5, "previous")] == [
        None,
        "e0",
        "e1",
        "e2",
    ]


def test_a_system_speaks_of_all_turns_of_all_sessions() -> None:
    class Fixed:
        def detect(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[RephraseLink]]:
            return [[RephraseLink(0, 1, 0.7)] if len(turns) > 1 else [] for turns in sessions]

    sessions = sessionize([*log("a", "b"), *log("c", user="v", start=2)])
    lines = RephraseSystem(name="fixed", detector=Fixed(), threshold=0.5).rank(sessions)
    assert [(line.event_id, line.named) for line in lines] == [("e0", None), ("e1", "e0"), ("e2", None)]
