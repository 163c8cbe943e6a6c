import io
import json
import re
from pathlib import Path

import msgspec
import pytest
from html_page import report_page
from rich.console import Console
from turns import START_MS, turn_event

from services.evaluation.common.evaluation_run import run_evaluation
from services.evaluation.common.gold import GoldTurn, ReferenceNlu
from services.evaluation.common.report_files import report_json
from services.evaluation.common.understanding import AnswerFile, Meaning, load_understanding
from services.evaluation.errors import MismatchError
from services.evaluation.rewrites.evaluation import RewriteEvaluation
from services.evaluation.rewrites.prediction import Prediction
from services.evaluation.rewrites.report import rewrite_report
from services.evaluation.rewrites.score import RewriteScores, score_rewrites
from streams.turn import NluHypothesis, Response, Slot, TurnEvent

HOSTILE = "<script>alert('x')</script> & co"


def turn(number: int, text: str, user: str) -> TurnEvent:
    return turn_event(
        text,
        event_id=f"e{number}",
        user_id=user,
        ts_ms=START_MS + 20_000_000 * number,
        nlu=(NluHypothesis(intent="play", slots=(Slot(name="song", value=text),)),),
        response=Response(status="ok"),
    )


def meaning(text: str) -> Meaning:
    return Meaning(None, "play", (("song", text),))


def meant(number: int, text: str) -> GoldTurn:
    nlu = ReferenceNlu(intent="play", slots=(Slot(name="song", value=text),))
    return GoldTurn(event_id=f"e{number}", reference_nlu=nlu, reference_text=f"said {HOSTILE}")


@pytest.fixture
def evaluation() -> RewriteScores:
    """Ten requests of five users: "b" was meant by each "a"; the names are hostile."""
    turns = [turn(number, "a", f"u{number % 5}") for number in range(10)]
    predictions = [
        Prediction(
            event_id=f"e{number}", rewrite="b" if number < 8 else None, method=HOSTILE, score=number / 10
        )
        for number in range(10)
    ]
    return score_rewrites(
        turns,
        [meant(number, "b") for number in range(10)],
        {HOSTILE: predictions},
        AnswerFile({text: meaning(text) for text in ("a", "b")}),
        resamples=50,
    )


def test_the_page_shows_texts_and_runs_nothing(evaluation: RewriteScores) -> None:
    page = report_page(rewrite_report(evaluation).html)
    assert page.sources
    assert f"said {HOSTILE}" in page.words
    assert "80.0 %" in page.words
    assert "8 : 0" in page.words


def test_the_same_evaluation_gives_the_same_bytes(evaluation: RewriteScores, tmp_path: Path) -> None:
    first, second = (rewrite_report(evaluation).write(tmp_path / name) for name in ("deep/one", "."))
    assert first.html.read_bytes() == second.html.read_bytes()
    assert first.json.read_bytes() == second.json.read_bytes()


def test_the_json_is_plain_and_complete(evaluation: RewriteScores) -> None:
    text = report_json(evaluation)

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is not JSON")

    tree = json.loads(text, parse_constant=refuse)
    (predictor,) = tree["predictors"]
    assert predictor["overall"]["wins"] == 8
    assert predictor["overall"]["win_loss"] == {"high": "infinity", "low": "infinity", "value": "infinity"}
    assert predictor["overall"]["defect_reduction"]["value"] == 0.8
    assert list(tree) == sorted(tree)


def test_a_log_without_a_rewrite_has_a_report() -> None:
    evaluation = score_rewrites([], [], {"idle": []}, AnswerFile({}), resamples=10)
    assert "n/a" in report_page(rewrite_report(evaluation).html).words


def test_runs_from_files_to_a_report(tmp_path: Path) -> None:
    encode = msgspec.json.encode

    def lines(name: str, values: list[object]) -> Path:
        path = tmp_path / name
        path.write_bytes(b"".join(encode(value) + b"\n" for value in values))
        return path

    train = [
        msgspec.structs.replace(
            turn(number, text, "u1"), ts_ms=START_MS + number * 30_000 + (number // 2) * 900_000
        )
        for number, text in enumerate(["a", "b"] * 4)
    ]
    answers = [{"text": text, "intent": "play", "slots": [{"name": "song", "value": text}]} for text in "ab"]
    files = {
        "turns": lines("turns.jsonl", [turn(number, "a", f"u{number}") for number in range(4)]),
        "gold": lines("gold.jsonl", [meant(number, "b" if number else "a") for number in range(4)]),
    }
    rewrites = lines(
        "rewrites.jsonl",
        [Prediction(event_id=f"e{number}", rewrite="b" if number == 1 else None) for number in range(4)],
    )
    run = RewriteEvaluation(understanding=load_understanding(lines("nlu.jsonl", list(answers))), resamples=50)
    out = io.StringIO()
    console = Console(file=out, width=160)
    evaluation = run_evaluation(
        run,
        **files,
        lines={"rehear": rewrites},
        train_turns=[lines("train.jsonl", list(train))],
        out=tmp_path / "report",
        console=console,
    )
    scores = {one.name: (one.overall.wins, one.overall.losses) for one in evaluation.predictors}
    assert scores == {"rehear": (1, 0), "text chain": (3, 1), "no rewrite": (0, 0)}
    assert [one.baseline for one in evaluation.predictors] == [False, True, True]
    printed = out.getvalue()
    assert re.search(r"text chain.*66\.7 %.*3\.0 : 1", printed)
    assert (tmp_path / "report" / "report.html").is_file()
    assert (tmp_path / "report" / "evaluation.json").is_file()

    rewrites.write_text("")
    with pytest.raises(MismatchError, match="4 turns have no line in the predictions of 'rehear'"):
        run_evaluation(run, **files, lines={"rehear": rewrites}, out=tmp_path / "none", console=console)
    assert not (tmp_path / "none").exists()
