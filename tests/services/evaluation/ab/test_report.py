"""The A/B report as a user gets it: on worlds whose effect is known, and on the log of the closed loop."""

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from experiment_world import arm_turns
from html_page import report_page
from report_command import assert_same_twice, run_command, write_lines
from turns import START_MS

from services.errors import SettingsError
from services.evaluation.ab.report import warnings_of
from services.evaluation.ab.score import AbScores, AbSettings, score_ab
from services.evaluation.errors import ExperimentError
from streams.turn import TurnEvent

USERS = {
    "control": [f"c{number}" for number in range(40)],
    "treatment": [f"t{number}" for number in range(60)],
}
HALVES = ("--share", "control=0.4", "--share", "treatment=0.6")


def world(defects: dict[str, float], seed: int = 1, days: int = 6, before: int = 2) -> list[TurnEvent]:
    """Users of arms with chances of a defect, and with days before the experiment."""
    rng = np.random.default_rng(seed)
    turns: list[TurnEvent] = []
    for arm, chance in defects.items():
        users = USERS.get(arm, [f"{arm}{number}" for number in range(40)])
        turns += arm_turns(rng, None, users, days=range(before))
        turns += arm_turns(rng, arm, users, days=range(before, before + days), defects=chance)
    return turns


BETTER = world({"control": 0.3, "treatment": 0.1})
SAME = world({"control": 0.2, "treatment": 0.2})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ab")
    log = write_lines(folder / "log.jsonl", BETTER)
    told = run_command("evaluate", "ab", log, *HALVES, "--out", folder / "report")
    (folder / "told").write_text(told)
    return folder


def read(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "report" / "ab.json").read_bytes())
    return found


def test_an_effect_is_shown_and_since_when(folder: Path) -> None:
    (difference,) = read(folder)["differences"]

    defects = difference["measures"]["defect_rate"]
    assert defects["difference"]["low"] < -0.2 < defects["difference"]["high"] < 0
    assert defects["adjusted"]["high"] < 0
    assert [look["day"] for look in difference["looks"]] == [f"2025-01-{day:02}" for day in range(8, 14)]
    assert difference["shown_on"] in [look["day"] for look in difference["looks"]]
    told = " ".join((folder / "told").read_text().split())
    assert "its defect rate is lower than that of control, shown since 2025-01-" in told
    assert difference["measures"].keys() == {
        "defect_rate",
        "turns_per_goal",
        "session_success",
        "satisfaction",
    }


def test_the_band_of_each_day_is_around_the_estimate_and_wider_than_one_look(folder: Path) -> None:
    (difference,) = read(folder)["differences"]

    for look in difference["looks"]:
        one, always = look["difference"], look["always_valid"]
        assert always["low"] < one["low"] < one["value"] < one["high"] < always["high"]
        assert always["value"] == one["value"]


def test_a_null_experiment_shows_no_effect() -> None:
    shown = [
        difference.shown_on
        for seed in range(12)
        for difference in score_ab(
            world({"control": 0.2, "treatment": 0.2}, seed, days=3, before=0), AbSettings()
        ).differences
    ]

    assert shown == [None] * 12


def test_arms_have_their_users_turns_and_measures(folder: Path) -> None:
    control, treatment = read(folder)["arms"]

    assert (control["users"], control["turns"], control["users_before"]) == (40, 40 * 6 * 3, 40)
    assert (treatment["users"], treatment["turns"]) == (60, 60 * 6 * 3)
    assert control["measures"]["defect_rate"]["low"] < 0.3 < control["measures"]["defect_rate"]["high"]
    assert control["measures"]["satisfaction"] == {"value": None, "low": None, "high": None}
    assert control["measures"]["rewritten"] == {"value": 0, "low": None, "high": None}


def test_the_users_that_a_test_needs_follow_from_the_variance_of_the_log(folder: Path) -> None:
    planning = read(folder)["planning"]

    here, *others = planning["plans"]
    assert here["control_share"] == 0.4
    assert [one["control_share"] for one in others] == [0.05, 0.1, 0.2, 0.5]
    # users are the same, so a user's 18 turns vary as independent ones do: here by p (1 - p) / 18 each
    textbook = (0.3 * 0.7 + 0.1 * 0.9) / 2 / 18 * (1 / 0.4 + 1 / 0.6) * (2.8 / planning["effect"]) ** 2
    assert here["users"] == pytest.approx(textbook, rel=0.35)
    assert here["turns"] == here["users"] * 18
    assert others[0]["users"] > here["users"]


def test_the_page_shows_both_pictures_and_asks_for_no_other_file(folder: Path) -> None:
    page = report_page((folder / "report" / "report.html").read_text("utf-8"))

    assert page.tags.count("img") == 2
    words = " ".join(page.words.split())
    assert "treatment less control" in words
    assert "How many users a test needs" in words
    assert "People: user ids that share a person id are one." in words


def test_the_same_log_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    log = folder / "log.jsonl"
    assert_same_twice(lambda out: run_command("evaluate", "ab", log, "--out", out), tmp_path, "ab.json")


def scored(turns: list[TurnEvent], **settings: Any) -> AbScores:
    return score_ab(turns, AbSettings(**settings))


def test_users_missing_from_an_arm_are_warned_of() -> None:
    scores = scored(SAME, shares={"control": 0.1, "treatment": 0.9})

    assert scores.sample_ratio is not None
    assert scores.sample_ratio.mismatch
    assert warnings_of(scores)[0].startswith("WARNING: sample-ratio mismatch (p = ")
    assert "control 40 (expected 10)" in warnings_of(scores)[0]


def test_shares_that_hold_are_no_warning_and_without_shares_it_is_said_that_nothing_was_tested() -> None:
    assert warnings_of(scored(SAME, shares={"control": 0.4, "treatment": 0.6})) == []
    assert warnings_of(scored(SAME))[0].startswith("Sample ratio: not tested")


def test_what_is_left_out_and_what_is_amiss_is_said() -> None:
    replace = msgspec.structs.replace
    odd = [
        *(
            replace(turn, arm="treatment", event_id="x" + turn.event_id)
            for turn in SAME
            if turn.user_id == "c0"
        ),
        *(replace(turn, user_id="nobody", arm=None, event_id="y" + turn.event_id) for turn in SAME[:12]),
        *(replace(turn, arm=None) for turn in SAME if turn.event_id == "t0-7-0"),
        *(replace(turn, executed_text="lights") for turn in SAME if turn.event_id in ("c1-7-0", "c1-0-0")),
    ]
    changed = {turn.event_id for turn in odd}
    log = [*(turn for turn in SAME if turn.event_id not in changed), *odd]

    said = " ".join(warnings_of(scored(log, since_ms=START_MS + 2 * 86_400_000)))

    assert "WARNING: rewritten turns of users in control: 1." in said
    assert "Users in several arms, who are left out: 1." in said
    assert "count for the arm of their user: 1." in said
    assert "Rewritten turns before the start: 1." in said


def test_without_days_before_nothing_is_adjusted_and_that_is_said() -> None:
    scores = scored(world({"control": 0.3, "treatment": 0.1}, before=0))

    (difference,) = scores.differences
    assert not difference.adjusted
    assert difference.measures["defect_rate"].adjusted.value is None
    assert difference.measures["defect_rate"].variance_reduction is None
    assert scores.planning is not None
    assert scores.planning.plans[0].users_adjusted is None
    assert "No user has turns before the experiment" in " ".join(warnings_of(scores))


def test_each_treated_arm_stands_beside_control() -> None:
    scores = scored(world({"global": 0.1, "personal": 0.4, "control": 0.2}))

    assert [one.arm for one in scores.arms] == ["control", "global", "personal"]
    values = [one.measures["defect_rate"].difference.value or 0 for one in scores.differences]
    assert [one.arm for one in scores.differences] == ["global", "personal"]
    assert values[0] < 0 < values[1]


def test_a_few_users_are_compared_without_a_band() -> None:
    few = [turn for turn in SAME if turn.user_id in ("c0", "c1", "c2", "t0", "t1", "t2")]
    scores = scored(few)

    (difference,) = scores.differences
    assert difference.looks == ()
    assert difference.shown_on is None
    assert "Fewer than 20 users in control, treatment" in " ".join(warnings_of(scores))


def test_arms_without_any_defect_give_a_report_too(tmp_path: Path) -> None:
    log = write_lines(tmp_path / "log.jsonl", world({"control": 0.0, "treatment": 0.0}, before=0, days=2))

    told = run_command("evaluate", "ab", log, "--out", tmp_path / "report")

    assert "each arm needs 20 users, some of them with defects" in " ".join(told.split())
    assert read(tmp_path)["planning"] is None


def test_another_control_and_another_start_can_be_named(tmp_path: Path) -> None:
    log = write_lines(tmp_path / "log.jsonl", BETTER)
    options = ("--control", "treatment", "--since", "2025-01-10", "--effect", 0.5)

    run_command("evaluate", "ab", log, *options, "--out", tmp_path / "report")

    found = read(tmp_path)
    assert found["since_ms"] == START_MS + 4 * 86_400_000
    assert [one["arm"] for one in found["differences"]] == ["control"]
    assert found["planning"]["effect"] == pytest.approx(
        0.5 * found["arms"][0]["measures"]["defect_rate"]["value"]
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--share", "control"), "give ARM=SHARE"),
        (("--share", "control=much"), "give ARM=SHARE"),
        (("--share", "control=0.5", "--share", "control=0.5"), "has two shares"),
        (("--share", "control=1"), "the arm 'treatment', which has no share"),
        (("--effect", "0"), "--effect 0: give a share"),
        (("--assistant", "b"), "--assistant 'b': the logs have no turn of it"),
    ],
)
def test_options_that_cannot_be_used_are_refused(
    folder: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        run_command("evaluate", "ab", folder / "log.jsonl", *options, "--out", tmp_path)


def test_of_several_assistants_one_is_to_be_chosen(tmp_path: Path) -> None:
    others = [msgspec.structs.replace(turn, assistant_id="b") for turn in BETTER[:50]]
    log = write_lines(tmp_path / "log.jsonl", [*BETTER, *others])

    with pytest.raises(ExperimentError, match="choose one of a, b with --assistant"):
        run_command("evaluate", "ab", log, "--out", tmp_path)
    run_command("evaluate", "ab", log, "--assistant", "a", "--out", tmp_path / "report")

    assert sum(arm["turns"] for arm in read(tmp_path)["arms"]) == 100 * 6 * 3


def test_the_turns_of_a_closed_loop_are_compared(tmp_path: Path) -> None:
    turns = tmp_path / "loop.jsonl.gz"
    loop = ("evaluate", "loop", "--days", 3, "--users", 60, "--share", 0.5, "--planted-accounts", 0)
    run_command(*loop, "--out", tmp_path / "loop", "--turns", turns)

    halves = ("--share", "control=0.5", "--share", "treatment=0.5")
    run_command("evaluate", "ab", turns, "--since", "2025-01-07", *halves, "--out", tmp_path / "report")

    found = read(tmp_path)
    assert [one["arm"] for one in found["arms"]] == ["control", "treatment"]
    assert sum(one["users"] for one in found["arms"]) == 60
    assert not found["sample_ratio"]["mismatch"]
    loop_days = json.loads((tmp_path / "loop" / "loop.json").read_bytes())["days"]
    for one in found["arms"]:
        lived = sum(
            day["turns"]
            for day in loop_days
            if (day["learner"], day["arm"]) == ("rehear", one["arm"]) and day["day"] > 0
        )
        assert one["turns"] == lived


def test_a_loop_without_the_learner_whose_turns_are_wanted_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="give --learner rehear too"):
        run_command(
            "evaluate", "loop", "--learner", "naive", "--out", tmp_path, "--turns", tmp_path / "t.jsonl.gz"
        )
    assert list(tmp_path.iterdir()) == []
