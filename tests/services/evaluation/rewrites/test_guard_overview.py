"""The report on the guards: every pair under each of its reasons, and what is allowed."""

import json
from pathlib import Path

import pytest
from databases import new_database
from guarded_rows import judged_row
from html_page import Page
from report_command import assert_same_twice, run_command

from rewriting.guards.allowed_rewrites import AllowedRewrite, add_allowed
from rewriting.guards.judged_rewrites import REASONS_BY_STATE, keep_judged
from rewriting.guards.reason import REFUSAL_REASONS
from rewriting.guards.refused_rewrites import RefusedRewrite, keep_refused
from rewriting.table.rewrite import GLOBAL, rewrite_id
from rewriting.table.rewrite_table import RewriteTable
from services.evaluation.rewrites.guard_overview import MEANINGS
from services.lookup_api.routes.guard_words import STATE_MEANINGS
from services.platform.database import open_database
from streams.turn import AssistantId

HOME = AssistantId("home")
REFUSED = (
    RefusedRewrite("lock <it>", "unlock it", "en-gb", ("opposite", "sensitive")),
    *(RefusedRewrite(f"wake me at {hour}", "wake me", "", ("number",)) for hour in range(5)),
)

JUDGED = (
    *(judged_row(f"play sonk {n}", "play <song>", run_requests=n, run_success=n) for n in range(2, 6)),
    judged_row("dim it", "dim the light", state="blocked", reason="target_ceased"),
)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    engine = open_database(new_database(tmp_path / "rehear.db"))
    with engine.begin() as connection:
        RewriteTable(engine, lambda: 1).put(connection, HOME, [], [], "learned", 1)
        keep_refused(connection, HOME, (), REFUSED)
        keep_judged(connection, HOME, (), JUDGED, 1_736_157_600_000)
        allowed = AllowedRewrite(
            rewrite_id=rewrite_id(HOME, GLOBAL, "play nap"),
            source_text="play nap",
            target_text="play map",
            locale="",
            reason="it is a game",
            actor="mia",
            allowed_ms=1,
        )
        add_allowed(connection, HOME, allowed)
    engine.dispose()
    return tmp_path


def report(state: Path, out: Path, *options: object) -> str:
    return run_command("report", "guards", "--state", state, "--assistant", "home", "--out", out, *options)


def test_each_pair_is_listed_under_each_of_its_reasons(state: Path, tmp_path: Path) -> None:
    printed = report(state, tmp_path / "out", "--limit", 3)
    assert "home: the guards hold back 6 pairs" in printed
    told = json.loads((tmp_path / "out" / "guards.json").read_text())
    assert {one["reason"]: one["pairs"] for one in told["reasons"]} == {
        "opposite": 1,
        "number": 5,
        "sensitive": 1,
    }
    assert [len(one["shown"]) for one in told["reasons"] if one["reason"] == "number"] == [3]
    page = Page((tmp_path / "out" / "report.html").read_text())
    for words in ("lock <it>", "unlock it", "en-gb", "opposite, sensitive", "wake me at 2"):
        assert words in page.words
    assert "wake me at 3" not in page.words
    assert "The first 3 of 5 pairs." in page.words
    for words in ("play map", "mia", "it is a game", REFUSED[0].rewrite_id(HOME)):
        assert words in page.words


def test_rows_are_listed_by_how_they_fare(state: Path, tmp_path: Path) -> None:
    printed = report(state, tmp_path / "out", "--limit", 3)
    assert "target_ceased" in printed
    told = json.loads((tmp_path / "out" / "guards.json").read_text())
    assert [(one["state"], one["reason"], one["rows"], len(one["shown"])) for one in told["judged"]] == [
        ("live", "proven", 4, 3),
        ("blocked", "target_ceased", 1, 1),
    ]
    page = Page((tmp_path / "out" / "report.html").read_text())
    for words in ("How served rows fare", "play <song>", "play sonk 5", "5 of 5", "dim the light"):
        assert words in page.words
    assert "play sonk 2" not in page.words  # the rows with most requests come first
    assert "The first 3 of 4 rows, by requests." in page.words
    assert "2025-01-06 10:00 UTC" in page.words


def test_every_reason_of_a_row_is_explained() -> None:
    assert set(STATE_MEANINGS) == {reason for reasons in REASONS_BY_STATE.values() for reason in reasons}


def test_the_same_refusals_are_the_same_report(state: Path, tmp_path: Path) -> None:
    assert_same_twice(lambda out: report(state, out), tmp_path, "guards.json")


def test_every_reason_is_explained() -> None:
    assert tuple(MEANINGS) == REFUSAL_REASONS
