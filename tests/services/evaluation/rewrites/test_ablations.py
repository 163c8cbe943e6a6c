"""Ablations of a world in which it is known which layer can mend which request."""

import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest
from ablation_world import CALLED, SONGS, TEST_DAYS, AblationWorld, write_world
from msgspec import Struct
from numpy.typing import NDArray
from request_sessions import repaired, session, step
from rich.console import Console

from rewriting.ranking.features import CANDIDATE_FEATURES, REQUEST_FEATURES, Features
from rewriting.ranking.gates import CLOSED, RewriteGates
from rewriting.ranking.ranker import Judgement
from rewriting.requests.silent_failures import NONE_SILENT
from services.evaluation.common.evaluation_run import run_evaluation
from services.evaluation.common.understanding import load_understanding
from services.evaluation.errors import EvaluationStateError
from services.evaluation.rewrites.ablations import AblationEvaluation
from services.evaluation.rewrites.nearest_request import (
    EditNearness,
    MakeNearness,
    VectorNearness,
    WordNearness,
    known_requests,
    nearness_gates,
)
from services.evaluation.rewrites.score import PredictorEvaluation, RewriteScores, Score
from services.evaluation.rewrites.simple_judges import SimilarityJudge, UngatedJudge
from services.evaluation.rewrites.variants import (
    ALL_LAYERS,
    GLOBAL_ALONE,
    NEAREST,
    NO_VECTORS,
    TABLE_ALONE,
    VARIANTS,
    AblationSettings,
)

N_CALLS = TEST_DAYS * len(CALLED)
N_SONGS = TEST_DAYS * len(SONGS) * 2


class LetterCounts:
    """An encoder whose vectors count letters."""

    dimension = 26

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        counts = np.array([[text.count(chr(97 + i)) for i in range(26)] for text in texts], dtype=np.float32)
        lengths: NDArray[np.float32] = np.linalg.norm(counts, axis=1, keepdims=True)
        return counts / lengths


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> AblationWorld:
    return write_world(tmp_path_factory.mktemp("ablations"))


def run(world: AblationWorld, out: Path, gold: Path | None = None) -> tuple[RewriteScores, str]:
    stream = io.StringIO()
    evaluation = run_evaluation(
        AblationEvaluation(
            settings=AblationSettings(world.settings),
            understanding=load_understanding(world.understanding),
            resamples=20,
        ),
        turns=world.turns,
        gold=gold or world.gold,
        lines={},
        out=out,
        console=Console(file=stream, width=160),
    )
    return evaluation, stream.getvalue()


@pytest.fixture(scope="module")
def ran(world: AblationWorld, tmp_path_factory: pytest.TempPathFactory) -> tuple[RewriteScores, str, Path]:
    out = tmp_path_factory.mktemp("report")
    return (*run(world, out), out)


def of(evaluation: RewriteScores, name: str) -> PredictorEvaluation:
    (found,) = [one for one in evaluation.predictors if one.name == name]
    return found


def part(one: PredictorEvaluation, by: str, group: str) -> Score:
    (found,) = [part.score for part in one.breakdowns if (part.by, part.group) == (by, group)]
    return found


def test_only_the_personal_layer_mends_what_only_one_user_says(
    ran: tuple[RewriteScores, str, Path],
) -> None:
    evaluation, printed, _ = ran
    system, of_everybody = of(evaluation, ALL_LAYERS), of(evaluation, GLOBAL_ALONE)
    assert evaluation.defects == N_CALLS + N_SONGS
    assert (system.overall.wins, system.overall.losses) == (N_CALLS + N_SONGS, 0)
    assert (of_everybody.overall.wins, of_everybody.overall.losses) == (N_SONGS, 0)
    assert part(system, "layer", "personal").wins == N_CALLS
    share = 100 * N_CALLS / (N_CALLS + N_SONGS)
    assert f"removes a further {share:.1f} percent points of all defects" in " ".join(printed.split())


def test_every_variant_and_baseline_is_in_one_report(ran: tuple[RewriteScores, str, Path]) -> None:
    evaluation, printed, out = ran
    names = [one.name for one in evaluation.predictors]
    assert names == [*VARIANTS, *NEAREST, "text chain", "no rewrite"]
    page = (out / "report.html").read_text()
    assert all(name in printed and name in page for name in names)
    assert {one.predictor for one in evaluation.differences} == {ALL_LAYERS}
    assert len(evaluation.differences) == len(names) - 1


def test_users_and_texts_that_training_never_saw_are_apart(
    ran: tuple[RewriteScores, str, Path],
) -> None:
    system = of(ran[0], ALL_LAYERS)
    strangers = part(system, "user seen in training", "no")
    assert (strangers.defects, strangers.wins) == (TEST_DAYS * len(SONGS),) * 2
    assert part(system, "text said in training", "yes").turns == ran[0].turns


def test_the_table_and_no_vectors_are_what_they_are_called(ran: tuple[RewriteScores, str, Path]) -> None:
    methods = {part.group for part in of(ran[0], TABLE_ALONE).breakdowns if part.by == "method"}
    assert methods <= {"chain", "answer"}
    assert of(ran[0], NO_VECTORS).overall.wins == N_CALLS + N_SONGS


def test_the_same_twice_and_nothing_but_the_scoring_sees_gold(
    world: AblationWorld, ran: tuple[RewriteScores, str, Path], tmp_path: Path
) -> None:
    run(world, tmp_path / "again")
    assert (tmp_path / "again" / "evaluation.json").read_bytes() == (ran[2] / "evaluation.json").read_bytes()
    other, _ = run(world, tmp_path / "other", world.other_gold)
    assert other.defects == other.turns
    for one, same in zip(ran[0].predictors, other.predictors, strict=True):
        assert one.overall.changed == same.overall.changed, one.name
        assert [point.threshold for point in one.curve] == [point.threshold for point in same.curve]


def test_a_state_of_another_assistant_is_refused(world: AblationWorld, tmp_path: Path) -> None:
    elsewhere = msgspec.structs.replace(world.settings, state=str(tmp_path))
    with pytest.raises(EvaluationStateError, match=r"planted-assistant.*rehear learn"):
        run(msgspec.structs.replace(world, settings=elsewhere), tmp_path / "out")


WEEK_MS = 7 * 86_400_000
NEAR = (EditNearness, WordNearness, partial(VectorNearness, encoder=LetterCounts()))


@pytest.mark.parametrize("make", NEAR)
def test_the_nearest_text_is_the_one_that_is_most_alike(make: MakeNearness) -> None:
    nearness = make(["play jazz", "call mom", "stop"])
    best, near = nearness.nearest(["pley jazz", "stop", "cal mom"])
    assert best.tolist() == [0, 2, 1]
    assert near[1] == pytest.approx(1.0)
    assert ((near > 0) & (near < 1.0001)).all()
    alone = [nearness.nearest([text]) for text in ("pley jazz", "stop", "cal mom")]
    assert [float(one[1][0]) for one in alone] == pytest.approx(near.tolist())


def test_a_text_in_no_known_letter_is_near_nothing() -> None:
    assert WordNearness(["play jazz", "stop"]).nearest(["日本"])[1].tolist() == [0.0]


def test_only_what_enough_users_succeed_with_is_known() -> None:
    sessions = [session(f"u{i}", step("play jazz")) for i in range(3)]
    sessions += [session(f"u{i}", step("call mom")) for i in range(2)]
    sessions += [session(f"u{i}", step("pley jazz", met=False)) for i in range(3)]
    sessions += [session(f"u{i}", step("pley jazz", run="play jazz"), number=1) for i in range(3)]
    assert [request.text for request in known_requests(sessions, 3)] == ["play jazz"]


@pytest.mark.parametrize("make", NEAR)
def test_near_enough_is_what_the_held_back_days_show(make: MakeNearness) -> None:
    """Of what is near to "play jazz", "pley jazz" was meant so, and "play chess" was not."""
    sessions = []
    for number in range(200):
        user, ts_ms = f"u{number % 20}", number * WEEK_MS // 100
        if number % 10 == 0:
            sessions.append(repaired(user, "pley jazz", "play jazz", number=number, ts_ms=ts_ms))
        elif number % 10 == 1:
            sessions.append(session("chess player", step("play chess", ts_ms=ts_ms), number=number))
        else:
            sessions.append(session(user, step("play jazz", ts_ms=ts_ms), number=number))
    gates = nearness_gates(sessions, WEEK_MS, 3, make, NONE_SILENT, win_loss=5.0)
    _, (misheard, other) = make(["play jazz"]).nearest(["pley jazz", "play chess"])
    assert other < gates.min_win <= misheard
    assert (gates.expected_wins, gates.expected_losses) == (10, 0)


def test_nothing_is_near_enough_where_nothing_was_known() -> None:
    sessions = [session("u", step("play jazz", ts_ms=ts_ms), number=ts_ms) for ts_ms in range(50)]
    assert not nearness_gates(sessions, 0, 3, EditNearness, NONE_SILENT, 5.0).are_open
    assert not nearness_gates([], 0, 3, EditNearness, NONE_SILENT, 5.0).are_open


class FixedJudge(Struct):
    judgement: Judgement
    gates: RewriteGates = CLOSED

    def judge(self, request: Features, candidates: Features) -> Judgement:
        return self.judgement


def candidates(*similarity_and_likeness: tuple[float, float]) -> Features:
    names = [name for name, _ in CANDIDATE_FEATURES]
    table = np.zeros((len(similarity_and_likeness), len(names)), dtype=np.float32)
    table[:, names.index("vector_similarity")] = [similarity for similarity, _ in similarity_and_likeness]
    table[:, names.index("likeness")] = [likeness for _, likeness in similarity_and_likeness]
    return table


def test_without_a_ranker_the_nearest_vector_wins_and_letters_stand_in_where_there_is_none() -> None:
    judge = SimilarityJudge(CLOSED)
    request = np.zeros(len(REQUEST_FEATURES), dtype=np.float32)
    by_vector = judge.judge(request, candidates((0.5, 0.9), (0.75, 0.1)))
    assert (by_vector.best, by_vector.win) == (1, 0.75)
    by_letters = judge.judge(request, candidates((0.5, 0.1), (np.nan, 0.625)))
    assert (by_letters.best, by_letters.win) == (1, 0.625)
    assert judge.judge(request, candidates()).best is None
    assert judge.judge(request, candidates((-0.5, 0.0))).win == 0


@pytest.mark.parametrize(("defect", "meant", "best"), [(0.75, 0.5, 0), (0.25, 0.5, None), (0.5, 0.5, None)])
def test_without_gates_the_likelier_of_request_and_candidate_is_run(
    defect: float, meant: float, best: int | None
) -> None:
    judge = UngatedJudge(FixedJudge(Judgement(defect, 0, meant, 0.5)))
    request = np.zeros(len(REQUEST_FEATURES), dtype=np.float32)
    judged = judge.judge(request, candidates((0.5, 0.5)))
    assert judged.best == best
    assert judge.gates.pass_defect(judged.defect)
    assert judge.gates.pass_win(judged.win)
