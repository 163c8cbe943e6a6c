"""Reports, and the way from files to them."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from html_page import report_page
from report_command import assert_same_twice, run_command, write_lines
from rich.console import Console
from turns import turn_event

from rewriting.evidence.rephrase_link import Rephrase, RephraseLink
from rewriting.rephrases.settings import RephraseSettings
from services.errors import SettingsError
from services.evaluation.common.evaluation_run import run_evaluation
from services.evaluation.errors import EvaluationFileError, EvaluationStateError
from services.evaluation.rephrases.baselines import LIKENESSES, EditSimilarity, TextPairDetector
from services.evaluation.rephrases.evaluation import RephraseEvaluation
from services.evaluation.rephrases.gold import GoldRephrase
from services.evaluation.rephrases.report import rephrase_report
from services.evaluation.rephrases.score import Predictions, RephraseScores, score_rephrases
from services.evaluation.rephrases.system import RankedRephrase
from streams.turn import EventId, Response, Signals, TurnEvent

HOSTILE = "<script>alert('x')</script> & co"

NLU_FAILED = Response(text=f"sorry {HOSTILE}", status="error")
OK = Response(text="here it is", status="ok")


def talk(user: int, *texts: str, gap_s: float = 12) -> list[TurnEvent]:
    """Requests of a user; the first one fails."""
    return [
        turn_event(
            text,
            event_id=f"u{user}-{number}",
            user_id=f"u{user}",
            ts_ms=1_700_000_000_000 + user * 10_000_000 + int(number * gap_s * 1000),
            response=OK if number else NLU_FAILED,
            signals=Signals(barge_in=True) if not number else Signals(),
        )
        for number, text in enumerate(texts)
    ]


LOG = [turn for user in range(6) for turn in talk(user, f"play {HOSTILE} {user}", "play that", "and stop")]
GOLD = [
    GoldRephrase(
        event_id=EventId(turn.event_id),
        rephrase_of=EventId(turn.event_id[:-1] + "0") if turn.event_id.endswith("1") else None,
        derived=True,
    )
    for turn in LOG
]


def said(turns: Sequence[TurnEvent], right_until: int) -> list[Rephrase]:
    """Right for some users; of the others, the third request is taken for a rephrase of the second."""
    lines = []
    for turn in turns:
        user, number = int(turn.event_id[1]), int(turn.event_id[-1])
        named = {1: 0} if user < right_until else {2: 1}
        lines.append(
            Rephrase(
                event_id=EventId(turn.event_id),
                rephrase_of=EventId(f"u{user}-{named[number]}") if number in named else None,
                score=0.9 if number in named else 0.1,
            )
        )
    return lines


@pytest.fixture
def evaluation() -> RephraseScores:
    """Four of six rephrases are found, two are missed, and two requests are falsely taken for one."""
    lines = [
        RankedRephrase(
            event_id=line.event_id,
            named=line.rephrase_of,
            score=line.score,
            said=line.rephrase_of is not None,
        )
        for line in said(LOG, 4)
    ]
    silent = [RankedRephrase(event_id=line.event_id, named=None, score=0, said=False) for line in lines]
    return score_rephrases(
        LOG,
        GOLD,
        [
            Predictions(name=HOSTILE, lines=lines, threshold=0.5),
            Predictions(name="silent", lines=silent, baseline=True),
        ],
        resamples=20,
        notes=[f"note {HOSTILE}"],
    )


def test_the_page_shows_figures_and_examples_and_runs_nothing(evaluation: RephraseScores) -> None:
    page = report_page(rephrase_report(evaluation).html)
    assert len(page.sources) == 2
    assert "66.7 %" in page.words
    assert "The gold is derived" in page.words
    for words in (
        f"note {HOSTILE}",
        f"play {HOSTILE} 0",
        f"sorry {HOSTILE}",
        "error, interrupted",
        "+12.0 s",
    ):
        assert words in page.words
    for title in ("Found", "Missed", "False: says no earlier turn again"):
        assert title in page.words
    assert "Wrong source:" not in page.words


def test_a_log_without_answers_has_a_report() -> None:
    evaluation = score_rephrases([], [], [Predictions(name="idle", lines=[])], resamples=5)
    assert "n/a" in report_page(rephrase_report(evaluation).html).words


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    gold = [
        {"event_id": line.event_id, "derived": {"rephrase_of": line.rephrase_of}, "dialogue": None}
        for line in GOLD
    ]
    return {
        "turns": write_lines(tmp_path / "turns.jsonl", LOG),
        "gold": write_lines(tmp_path / "gold.jsonl", gold),
        "rephrases": write_lines(tmp_path / "rephrases.jsonl", said(LOG, 4)),
    }


def run(files: dict[str, Path], out: Path, **more: Any) -> tuple[RephraseScores, str]:
    """The scores, and what is printed."""
    printed = io.StringIO()
    train = more.pop("train", [])
    scores = run_evaluation(
        RephraseEvaluation(resamples=20, **more),
        turns=files["turns"],
        gold=files["gold"],
        lines={"rehear": files["rephrases"]} if "rephrases" in files else {},
        train_turns=train,
        out=out,
        console=Console(file=printed, width=200),
    )
    return scores, printed.getvalue()


def test_the_command_writes_a_report(files: dict[str, Path], tmp_path: Path) -> None:
    arguments = [part for name, path in files.items() for part in (f"--{name}", str(path))]
    out = tmp_path / "report"
    printed = run_command("evaluate", "rephrases", *arguments, "--out", out, "--resamples", 20)
    assert "66.7 %" in printed
    report = json.loads((out / "evaluation.json").read_text())
    (system,) = report["systems"]
    assert (system["overall"]["gold"], system["overall"]["right"]) == (6, 4)
    # Of the turns below the threshold it is not known what would be named: they are not ranked.
    assert [point["threshold"] for point in system["ranking"]["curve"]] == [0.9]
    assert any("at or above its threshold" in note for note in report["notes"])
    assert "Rephrases, evaluated" in (out / "report.html").read_text()


def test_the_same_files_give_the_same_bytes(files: dict[str, Path], tmp_path: Path) -> None:
    assert_same_twice(lambda out: run(files, out), tmp_path)


def test_what_is_missing_is_said(files: dict[str, Path], tmp_path: Path) -> None:
    arguments = ["--turns", str(files["turns"]), "--gold", str(files["gold"]), "--out", str(tmp_path / "r")]
    more = ["--rephrases", str(files["rephrases"]), "--ablations"]
    for options, problem in (
        ([], "give --state, or --rephrases"),
        (more, "give the logs to learn from with --t"),
    ):
        with pytest.raises(SettingsError, match=problem):
            run_command("evaluate", "rephrases", *arguments, *options)


@pytest.mark.parametrize(
    "line", [{"event_id": "x"}, {"event_id": "x", "rephrase_of": None, "score": 1.5}, {"event_id": 1}]
)
def test_a_line_that_is_no_rephrase_is_named(
    files: dict[str, Path], tmp_path: Path, line: dict[str, Any]
) -> None:
    write_lines(files["rephrases"], [*said(LOG, 4), line])
    with pytest.raises(EvaluationFileError, match=f"rephrases.jsonl, line {len(LOG) + 1}: "):
        run(files, tmp_path / "r")
    assert not (tmp_path / "r").exists()


class Previous:
    """Links each second request of a session to the first."""

    def detect(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[RephraseLink]]:
        return [[RephraseLink(0, 1, 0.4)] if len(turns) > 1 else [] for turns in sessions]


def test_a_detector_is_ranked_below_its_threshold_too(files: dict[str, Path], tmp_path: Path) -> None:
    del files["rephrases"]
    evaluation, _ = run(files, tmp_path / "r", detector_of=lambda _: Previous())
    (system,) = evaluation.systems
    assert system.overall.said == 0
    assert system.ranking.average_precision.value == 1
    assert evaluation.notes == ()


def test_an_assistant_without_a_detector_is_named(files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(EvaluationStateError, match="no detector of rephrases for the assistant 'a'"):
        run(files, tmp_path / "r", detector_of=lambda _: None)


def test_baselines_and_variants_stand_beside_it(
    files: dict[str, Path], tmp_path: Path, tiny_base: Path
) -> None:
    """Users who fail say nearly the same soon; users who succeed ask for something else later."""
    songs = ["jazz", "rock", "blues", "folk", "opera"]
    train = []
    for number in range(120):
        song, other = songs[number % 5], songs[(number + 2) % 5]
        train += talk(1000 + 2 * number, f"play {song} musik", f"play {song} music", gap_s=6)
        pleased = talk(1001 + 2 * number, f"play {song} music", f"tell me about {other}", gap_s=40)
        train += [msgspec.structs.replace(turn, response=OK, signals=Signals()) for turn in pleased]
    settings = RephraseSettings(base=str(tiny_base), layers=1)
    detector = TextPairDetector(EditSimilarity(LIKENESSES["letters"]), settings)
    evaluation, printed = run(
        files,
        tmp_path / "r",
        train=[write_lines(tmp_path / "train.jsonl", train)],
        train_detector=lambda sessions, settings, hidden: detector,
        settings=settings,
    )
    assert [(one.name.split(" (")[0], one.baseline) for one in evaluation.systems] == [
        ("rehear", False),
        ("no time gaps", False),
        ("no responses", False),
        ("no signals", False),
        ("window of 2 turns", False),
        ("window of 5 turns", False),
        ("window of all turns", False),
        ("weak labels", False),
        ("edit similarity", True),
        ("bi-encoder", True),
        ("cross-encoder", True),
        ("signal rule", True),
    ]
    assert "cross-encoder" in printed
    assert len(evaluation.differences) == 8 * 4
    report_page(rephrase_report(evaluation).html)
