import gzip
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from turns import turn_event

from services.evaluation.common.confidence_interval import Estimate, estimate, user_weights
from services.evaluation.common.gold import GoldTurn, ReferenceNlu, read_gold
from services.evaluation.common.understanding import (
    AnswerFile,
    AnswerProgram,
    Meaning,
    load_understanding,
    nlu_meaning,
)
from services.evaluation.errors import EvaluationFileError, MismatchError
from services.evaluation.rewrites.baselines import learn_text_chain, no_rewrite
from services.evaluation.rewrites.prediction import Prediction, read_predictions
from services.evaluation.rewrites.score import RewriteScores, score_rewrites
from services.platform.clock import now_ms
from streams.turn import NluHypothesis, Response, Signals, Slot, Status, TurnEvent
from streams.turn_file import read_turns

HOME = Path(__file__).parents[5] / "shared" / "data" / "home"
DSTC2 = HOME.parent / "dstc2"

# What the assistant of these tests understands: each of the texts is an intent of the same name.
TEXTS = ("lights", "music", "weather")
NO_SIGNALS = Signals()
ASSISTANT = AnswerFile({text: Meaning(None, text, ()) for text in TEXTS})


def request(
    number: int,
    text: str,
    user: str = "u1",
    *,
    status: Status = "ok",
    signals: Signals = NO_SIGNALS,
    at_ms: int | None = None,
) -> TurnEvent:
    return turn_event(
        text,
        event_id=f"e{number}",
        user_id=user,
        ts_ms=1_000_000 * number if at_ms is None else at_ms,
        nlu=(NluHypothesis(intent=text),),
        response=Response(text=f"so: {text}", status=status),
        signals=signals,
    )


def meant(number: int, intent: str, **more: bool | None) -> GoldTurn:
    return GoldTurn(event_id=f"e{number}", reference_nlu=ReferenceNlu(intent=intent), **more)


def answer(number: int, rewrite: str | None, score: float | None = None, **more: str) -> Prediction:
    return Prediction(event_id=f"e{number}", rewrite=rewrite, score=score, **more)


World = tuple[list[TurnEvent], list[GoldTurn], list[Prediction]]


@pytest.fixture
def world() -> World:
    """Eight requests: 2 wins, 1 loss, 1 still wrong, 1 still right, 3 left alone; 4 defects."""
    said_meant_rewritten = [
        ("music", "lights", "lights", 0.9, "chain", "global"),  # win
        ("music", "weather", "weather", 0.5, "chain", "user:u1"),  # win
        ("music", "music", "lights", 0.4, "rephrase", "global"),  # loss
        ("music", "lights", "weather", 0.3, "chain", "global"),  # wrong before and after
        ("lights please", "lights", "lights", 0.2, "chain", "global"),  # right before and after
        ("weather", "weather", "weather", 0.9, "chain", "global"),  # the same text: nothing changed
        ("music", "lights", None, None, None, None),  # a defect that stays
        ("lights", "lights", None, None, None, None),
    ]
    turns, gold, predictions = [], [], []
    for number, (said, reference, rewrite, score, method, scope) in enumerate(said_meant_rewritten):
        turns.append(request(number, said, user=f"u{number % 3}"))
        right = True if said == "lights please" else None
        gold.append(meant(number, reference, correct=right, confused=number < 2))
        predictions.append(
            Prediction(event_id=f"e{number}", rewrite=rewrite, score=score, method=method, scope=scope)
        )
    return turns, gold, predictions


def evaluate(
    turns: Sequence[TurnEvent], gold: Sequence[GoldTurn], predictions: Sequence[Prediction], seed: int = 0
) -> RewriteScores:
    return score_rewrites(turns, gold, {"ours": predictions}, ASSISTANT, resamples=200, seed=seed)


def test_counts_a_world_as_counted_by_hand(world: World) -> None:
    evaluation = evaluate(*world)
    score = evaluation.predictors[0].overall
    assert (evaluation.turns, evaluation.users, evaluation.defects) == (8, 3, 4)
    assert (score.changed, score.wins, score.losses, score.still_wrong, score.still_right) == (5, 2, 1, 1, 1)
    assert score.win_loss.value == 2
    assert score.defect_reduction.value == (2 - 1) / 4
    assert score.trigger_rate.value == 5 / 8
    assert score.precision.value == 3 / 5
    assert score.defect_rate_after.value == 3 / 8


def test_breaks_the_score_down(world: World) -> None:
    parts = {
        (part.by, part.group): (part.score.turns, part.score.defects, part.score.wins, part.score.losses)
        for part in evaluate(*world).predictors[0].breakdowns
        if part.by != "day"
    }
    assert parts == {
        ("confused", "yes"): (2, 2, 2, 0),
        ("confused", "no"): (6, 2, 0, 1),
        ("method", "chain"): (8, 4, 2, 0),
        ("method", "rephrase"): (8, 4, 0, 1),
        ("scope", "global"): (8, 4, 1, 1),
        ("scope", "personal"): (8, 4, 1, 0),
        ("layer", "chain"): (8, 4, 2, 0),
        ("layer", "rephrase"): (8, 4, 0, 1),
    }


def test_the_curve_falls_from_the_surest_rewrite_to_all(world: World) -> None:
    curve = evaluate(*world).predictors[0].curve
    assert [(point.threshold, point.changed, point.wins, point.losses) for point in curve] == [
        (0.9, 1, 1, 0),
        (0.5, 2, 2, 0),
        (0.4, 3, 2, 1),
        (0.3, 4, 2, 1),
        (0.2, 5, 2, 1),
    ]
    assert curve[1].defect_reduction == 2 / 4


def test_rewrites_of_equal_score_are_served_together() -> None:
    turns = [request(number, "music") for number in range(3)]
    gold = [meant(0, "lights"), meant(1, "music"), meant(2, "lights")]
    predictions = [answer(0, "lights", 0.5), answer(1, "lights", 0.5), answer(2, "lights")]
    curve = evaluate(turns, gold, predictions).predictors[0].curve
    assert [(point.threshold, point.wins, point.losses) for point in curve] == [(None, 1, 0), (0.5, 2, 1)]


def test_a_rewrite_that_the_assistant_does_not_know_is_not_understood() -> None:
    score = evaluate([request(0, "music")], [meant(0, "music")], [answer(0, "musik")]).predictors[0].overall
    assert (score.wins, score.losses) == (0, 1)


def test_wins_without_a_loss_are_infinite_and_nothing_changed_is_undefined() -> None:
    turns, gold = [request(0, "music")], [meant(0, "lights")]
    won = evaluate(turns, gold, [answer(0, "lights")]).predictors[0].overall
    assert won.win_loss.value == math.inf
    assert (won.win_loss.low, won.win_loss.high) == (math.inf, math.inf)
    idle = evaluate(turns, gold, [answer(0, None)]).predictors[0].overall
    assert (idle.win_loss.value, idle.win_loss.low, idle.win_loss.high) == (None, None, None)
    assert idle.precision.value is None
    assert idle.defect_reduction.value == 0


def test_an_empty_log_has_no_score() -> None:
    score = evaluate([], [], []).predictors[0].overall
    assert (score.turns, score.defect_reduction.value, score.trigger_rate.low) == (0, None, None)


def test_gold_decides_what_was_right_and_disagreements_are_counted() -> None:
    turns = [request(0, "music"), request(1, "music")]
    gold = [meant(0, "music", correct=False), meant(1, "music", correct=True)]
    evaluation = evaluate(turns, gold, [answer(0, None), answer(1, None)])
    assert (evaluation.defects, evaluation.disagreements) == (1, 1)


def test_a_turn_that_ran_a_rewrite_is_judged_by_what_was_said() -> None:
    # The log's NLU output is that of the executed text, "lights"; the user said "music".
    ran = turn_event(
        "music", event_id="e0", user_id="u1", executed_text="lights", nlu=(NluHypothesis(intent="lights"),)
    )
    assert evaluate([ran], [meant(0, "lights")], [answer(0, None)]).defects == 1


def test_slot_values_are_compared_as_they_are_spoken() -> None:
    said = nlu_meaning("play", "music", [Slot(name="song", value="On The Road please"), Slot(name="x")])
    annotated = nlu_meaning("play", "music", [Slot(name="x", value=""), Slot(name="song", value="road")])
    assert said == annotated
    assert said != nlu_meaning("play", "music", [Slot(name="song", value="roads"), Slot(name="x")])
    assert said != nlu_meaning("play", "music", [Slot(name="song", value="road")])


def test_a_program_hears_the_prompt_or_else_the_previous_response() -> None:
    heard = []

    def understand(text: str, prompt: str) -> list[tuple[str, str]]:
        heard.append((text, prompt))
        return [(text, prompt)]

    first, second = request(0, "one", at_ms=0), request(1, "two", at_ms=1000)
    asked = turn_event("three", event_id="e2", user_id="u1", ts_ms=2000, prompt="which?")
    later = request(3, "four", at_ms=500_000)
    gold = [GoldTurn(event_id=f"e{number}", reference_frame=()) for number in range(4)]
    gold[1] = GoldTurn(event_id="e1", reference_frame=(("two", "so: one"),))
    evaluation = score_rewrites(
        [first, second, asked, later],
        gold,
        {"ours": [answer(0, None), answer(1, None), answer(2, "drei"), answer(3, None)]},
        AnswerProgram(understand, "test"),
        resamples=10,
    )
    assert heard == [
        ("one", ""),
        ("two", "so: one"),
        ("three", "which?"),
        ("four", ""),
        ("drei", "which?"),
    ]
    assert evaluation.defects == 3


@pytest.mark.parametrize(
    ("turns", "gold", "predictions", "message"),
    [
        ([0, 1], [0, 1], [0], "1 turns have no line in the predictions of 'ours'"),
        ([0, 1], [0, 1], [0, 1, 7], r"belong to no turn \(e7\): make them from this very turns file"),
        ([0, 1], [0, 1], [0, 1, 1], r"more than once in the predictions of 'ours' \(e1\)"),
        ([0, 1], [0], [0, 1], r"1 turns have no line in the gold \(e1\)"),
        ([0, 0], [0], [0], "more than once in the turns"),
    ],
)
def test_refuses_files_that_do_not_belong_together(
    turns: list[int], gold: list[int], predictions: list[int], message: str
) -> None:
    lines = [meant(number, "x") for number in gold], [answer(number, None) for number in predictions]
    with pytest.raises(MismatchError, match=message):
        evaluate([request(number, "x") for number in turns], *lines)


def test_the_interval_is_that_of_users_and_covers_a_known_rate() -> None:
    # 60 users of 10 requests, all of a user's right or all wrong: there are 60 draws, not 600. The share of
    # wrong ones is 1/2, so the interval is about 1/2 +- 1.96 * sqrt(0.25 / 60) = 0.373 .. 0.627.
    turns = [request(number, "music", user=f"u{number // 10}") for number in range(600)]
    gold = [meant(number, "lights" if (number // 10) % 2 else "music") for number in range(600)]
    left = [answer(number, None) for number in range(600)]
    rate = score_rewrites(turns, gold, {"ours": left}, ASSISTANT).predictors[0].overall.defect_rate_after
    assert rate.value == 0.5
    assert rate.low == pytest.approx(0.373, abs=0.025)
    assert rate.high == pytest.approx(0.627, abs=0.025)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    generator = np.random.default_rng(5)
    weights = user_weights(100, 400, seed=1)
    covered = 0
    for _ in range(200):
        sample = generator.binomial(10, 0.3, size=100)
        interval = estimate(sample.mean() / 10, weights @ sample / 1000)
        assert interval.low is not None
        assert interval.high is not None
        covered += interval.low <= 0.3 <= interval.high
    assert 180 <= covered <= 199


def test_an_interval_leaves_out_a_fortieth_of_the_resamples_at_either_end() -> None:
    draws = np.random.default_rng(3).permutation(1000).astype(np.float64)
    assert estimate(500.0, draws) == Estimate(500.0, 25.0, 974.0)  # 25 of 1,000 below, and 25 above
    assert estimate(1.0, np.array([np.nan, 7.0])) == Estimate(1.0, 7.0, 7.0)


def test_the_same_seed_gives_the_same_evaluation(world: World) -> None:
    assert evaluate(*world) == evaluate(*world)


def test_compares_with_the_baseline_on_the_same_users(world: World) -> None:
    turns, gold, predictions = world
    evaluation = score_rewrites(
        turns,
        gold,
        {"nothing": no_rewrite(turns), "ours": predictions, "the same": predictions},
        ASSISTANT,
        baselines=("nothing", "the same"),
        resamples=100,
    )
    assert [one.name for one in evaluation.predictors] == ["ours", "nothing", "the same"]
    against = {one.baseline: one.defect_reduction for one in evaluation.differences}
    assert against["nothing"].value == 0.25
    assert (against["the same"].value, against["the same"].low, against["the same"].high) == (0, 0, 0)


class TestTextChain:
    def sessions(self, count: int, texts: Sequence[str]) -> Iterator[TurnEvent]:
        for session in range(count):
            for position, text in enumerate(texts):
                number = 100 * session + position
                yield request(number, text, at_ms=1_000_000 * session + 10_000 * position)

    def test_learns_where_sessions_that_end_well_end(self) -> None:
        chain = learn_text_chain(self.sessions(2, ["Play  muse sick", "play music"]))
        (prediction,) = chain.predict([request(0, "play muse sick")])
        assert (prediction.rewrite, prediction.score) == ("play music", 1.0)
        assert [one.rewrite for one in chain.predict([request(0, "play music")])] == [None]

    def test_needs_support_and_a_good_end(self) -> None:
        assert not learn_text_chain(self.sessions(1, ["a", "b"])).rewrites
        ends = [
            request(0, "a", at_ms=0),
            request(1, "b", at_ms=1000, signals=Signals(barge_in=True)),
            request(2, "a", at_ms=1_000_000),
            request(3, "b", at_ms=1_001_000, status="error"),
            request(4, "a", at_ms=2_000_000),
            request(5, "b", at_ms=2_001_000, signals=Signals(feedback="negative")),
        ]
        assert not learn_text_chain(ends, minimum_support=1).rewrites

    def test_leaves_a_text_that_is_mostly_the_end_itself(self) -> None:
        log = [request(1000 + n, "a", at_ms=900_000_000 + 1_000_000 * n) for n in range(5)]
        assert not learn_text_chain([*self.sessions(4, ["a", "b"]), *log]).rewrites

    def test_keeps_assistants_apart(self) -> None:
        chain = learn_text_chain(self.sessions(2, ["a", "b"]))
        other = turn_event("a", event_id="x", assistant_id="other")
        assert [one.rewrite for one in chain.predict([other])] == [None]


class TestFiles:
    def test_reads_gold_and_predictions(self, tmp_path: Path) -> None:
        gold = tmp_path / "gold.jsonl.gz"
        with gzip.open(gold, "wt") as stream:
            stream.write('{"event_id":"e0","reference_frame":[["area","north"]],"speech_act":"inform"}\n')
        assert [line.reference for line in read_gold(gold)] == [Meaning(None, None, (("area", "north"),))]
        predictions = tmp_path / "rewrites.jsonl"
        predictions.write_text(
            '{"event_id":"e0","rewrite":null,"method":null,"scope":null,"score":null}\n\n'
            '{"event_id":"e1","rewrite":"b","method":"chain","scope":"global","score":0.5}\n'
        )
        assert [line.rewrite for line in read_predictions(predictions)] == [None, "b"]

    @pytest.mark.parametrize(
        ("reader", "line", "message"),
        [
            (
                read_gold,
                '{"event_id":"e0"}',
                "line 1: event 'e0' has neither reference_nlu nor reference_frame",
            ),
            (read_gold, "[]", "line 1: not gold of a turn"),
            (read_predictions, '{"event_id":"e0"}', "line 1: not a prediction"),
            (read_predictions, '{"event_id":"e0","rewrite":"\udcff"}', "line 1: not a prediction"),
            (load_understanding, '{"text":"a"}', "line 1: not an answer of the assistant"),
            (
                load_understanding,
                '{"text":"a","intent":"b"}\n{"text":"a","intent":"c"}',
                "line 2: a second and different answer to 'a'",
            ),
        ],
    )
    def test_says_what_is_wrong_with_a_line(
        self, tmp_path: Path, reader: object, line: str, message: str
    ) -> None:
        path = tmp_path / "file.jsonl"
        path.write_text(line, errors="surrogateescape")
        assert callable(reader)
        with pytest.raises(EvaluationFileError, match=message):
            list(reader(path))

    def test_loads_a_program_beside_its_data(self, tmp_path: Path) -> None:
        (tmp_path / "slot.txt").write_text("area")
        program = tmp_path / "nlu.py"
        program.write_text(
            "from pathlib import Path\n"
            "SLOT = (Path(__file__).parent / 'slot.txt').read_text()\n"
            "def understand(text, prompt=''):\n"
            "    return {'north': [(SLOT, 'north')], 'odd': 3}.get(text) if text else 1 / 0\n"
        )
        understanding = load_understanding(program)
        assert understanding.understand("north", "") == Meaning(None, None, (("area", "north"),))
        assert understanding.understand("south", "") is None
        with pytest.raises(EvaluationFileError, match=r"must return a list of \(slot, value\) pairs"):
            understanding.understand("odd", "")
        with pytest.raises(EvaluationFileError, match="ZeroDivisionError"):
            understanding.understand("", "")

    @pytest.mark.parametrize(
        ("source", "message"),
        [("x = 1", "no function understand"), ("import", "cannot load"), (None, "cannot")],
    )
    def test_says_why_a_program_cannot_be_used(
        self, tmp_path: Path, source: str | None, message: str
    ) -> None:
        program = tmp_path / "nlu.py"
        if source is not None:
            program.write_text(source)
        with pytest.raises(EvaluationFileError, match=message):
            load_understanding(program)


@pytest.mark.skipif(not HOME.is_dir(), reason="../shared/data/home is not there")
def test_baselines_on_a_real_log() -> None:
    turns = list(read_turns(HOME / "turns.test.jsonl.gz", now_ms))
    chain = learn_text_chain(read_turns(HOME / "turns.train.jsonl.gz", now_ms))
    evaluation = score_rewrites(
        turns,
        read_gold(HOME / "gold.test.jsonl.gz"),
        {"text chain": chain.predict(turns), "no rewrite": no_rewrite(turns)},
        load_understanding(HOME / "nlu.jsonl.gz"),
        baselines=("text chain", "no rewrite"),
        resamples=100,
    )
    with gzip.open(HOME / "gold.test.jsonl.gz") as lines:
        wrong = sum(not json.loads(line)["correct"] for line in lines)
    assert evaluation.defects == wrong == 3349
    assert evaluation.disagreements == 0
    text_chain, nothing = evaluation.predictors
    assert (nothing.overall.changed, nothing.overall.defect_reduction.value) == (0, 0)
    assert text_chain.overall.defect_reduction.low is not None
    assert text_chain.overall.defect_reduction.low > 0.15
    assert text_chain.overall.wins > 5 * text_chain.overall.losses


@pytest.mark.skipif(not DSTC2.is_dir(), reason="../shared/data/dstc2 is not there")
def test_judges_a_real_log_by_a_program() -> None:
    turns = list(read_turns(DSTC2 / "turns.test.jsonl.gz", now_ms))
    gold = list(read_gold(DSTC2 / "gold.test.jsonl.gz"))
    spoken = [
        Prediction(event_id=turn.event_id, rewrite=line.reference_text)
        for turn, line in zip(turns, gold, strict=True)
    ]
    evaluation = score_rewrites(
        turns,
        gold,
        {"what was said": spoken, "no rewrite": no_rewrite(turns)},
        load_understanding(DSTC2 / "restaurant_nlu.py"),
        baselines=("no rewrite",),
        resamples=100,
    )
    assert 0.1 < evaluation.defects / evaluation.turns < 0.4
    said = evaluation.predictors[0].overall
    assert said.losses == 0
    assert said.wins == evaluation.defects
