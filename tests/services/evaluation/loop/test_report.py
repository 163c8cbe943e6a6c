"""The report on a closed loop as a user gets it: the same bytes, and every number that was asked for."""

import json
from itertools import product
from pathlib import Path

import pytest
from html_page import report_page
from report_command import assert_same_twice, run_command

from services.errors import SettingsError
from services.evaluation.loop.score import LoopSummary

ASKED_FOR = {
    "defects_removed_last_5_days",
    "wins",
    "losses",
    "flips_per_pair",
    "rows_lost_with_their_target",
    "planted_harmed",
    "planted_nights_live",
    "withdrawn_requests_until_demoted",
    "switched_followed_after_7_days",
    "sensitive_to_somebody_else",
}

LOOP = ("evaluate", "loop", "--days", 3, "--users", 20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("loop") / "report"
    told = run_command(*LOOP, "--out", out, "--planted-accounts", 5)
    assert "simulated: 3 days, 20 users, seed 7" in told
    return out


def test_both_learners_have_each_number_and_a_line_for_each_day_and_arm(folder: Path) -> None:
    loop = json.loads((folder / "loop.json").read_bytes())

    assert loop.keys() == {"settings", "days", "sources", "summary"}
    assert loop["summary"].keys() == {"rehear", "naive"}
    assert all(set(LoopSummary.__struct_fields__) == one.keys() for one in loop["summary"].values())
    assert set(LoopSummary.__struct_fields__) >= ASKED_FOR
    lines = [(day["learner"], day["day"], day["arm"]) for day in loop["days"]]
    assert lines == list(product(("rehear", "naive"), range(3), ("control", "treatment")))
    assert {one["kind"] for one in loop["sources"]} == {"planted"}
    assert loop["settings"]["world"]["planted"]["accounts"] == pytest.approx(0.05)


def test_the_page_says_that_all_is_simulated_and_asks_for_no_other_file(folder: Path) -> None:
    page = report_page((folder / "report.html").read_text("utf-8"))

    assert "Simulated: 3 days, 20 users" in " ".join(page.words.split())
    assert page.tags.count("img") == 4


def test_the_same_loop_gives_the_same_bytes(tmp_path: Path) -> None:
    assert_same_twice(
        lambda out: run_command(*LOOP, "--learner", "rehear", "--out", out), tmp_path, "loop.json"
    )


def test_a_learner_that_there_is_not_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'clever' is unknown: give one of rehear, naive"):
        run_command(*LOOP, "--learner", "clever", "--out", tmp_path)
