"""The team's report counts what it is given, in plain words and without running anything."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from failure_world import WordIsolator, failure_log, said, true_point
from html_page import report_page
from report_command import run_command, write_lines
from turns import turn_event

from failure_isolation.rule import FAILURE_POINTS
from failure_isolation.turn_failure import TurnFailure
from services.errors import SettingsError
from services.evaluation.errors import MismatchError
from services.evaluation.failures.overview import (
    MOST_GROUPS,
    NOT_TOLD,
    OTHERS,
    FailureOverview,
    GroupShares,
    failure_overview,
)
from services.evaluation.failures.overview_page import MEANINGS, failure_overview_report
from streams.session import sessionize
from streams.turn import Device, NluHypothesis, TurnEvent
from streams.verdict import JudgedTurn

LOG = failure_log(range(96), ("asr", "correct", "correct", "result"))
HOSTILE = "<script>alert('x')</script>"


def isolated(log: list[TurnEvent], **changes: Any) -> list[JudgedTurn[TurnFailure]]:
    return [
        JudgedTurn(turn, session.session_id, said(turn, true_point(turn), **changes))
        for session in sessionize(log)
        for turn in session.turns
    ]


def groups(overview: FailureOverview, by: str) -> tuple[GroupShares, ...]:
    (found,) = (one.groups for one in overview.groupings if one.by == by)
    return found


def group(overview: FailureOverview, by: str, name: str) -> GroupShares:
    (found,) = (one for one in groups(overview, by) if one.group == name)
    return found


def test_counts_and_shares() -> None:
    overview = failure_overview(isolated(LOG, confidence=0.75), resamples=50)
    assert (overview.turns, overview.users, overview.failing_turns, overview.abstained) == (384, 12, 192, 0)
    shares = {one.failure_point: one for one in overview.points}
    assert list(shares) == list(FAILURE_POINTS)
    asr = shares["asr"]
    assert (asr.turns, asr.share.value, asr.share.low, asr.share.high) == (96, 0.25, 0.25, 0.25)
    assert asr.expected == pytest.approx(0.25 * 0.75 + 0.75 * 0.05)
    assert shares["nlu"].turns == 0
    assert shares["nlu"].expected == pytest.approx(0.05)


def test_groups_add_up_and_days_are_in_order() -> None:
    """Misheard by the phone alone."""
    log = [
        msgspec.structs.replace(turn, device=Device(type="phone" if true_point(turn) == "asr" else "speaker"))
        for turn in LOG
    ]
    overview = failure_overview(isolated(log), resamples=20)
    phone, speaker = group(overview, "device", "phone"), group(overview, "device", "speaker")
    assert (phone.turns, phone.failing.value, phone.points[1].turns) == (96, 1, 96)
    assert (speaker.turns, speaker.points[1].turns) == (288, 0)
    assert speaker.failing.value == pytest.approx(1 / 3)
    days = groups(overview, "day")
    assert [day.group for day in days] == sorted(day.group for day in days)
    assert days[0].group == "2023-11-14"
    assert sum(day.turns for day in days) == 384
    assert {one.by for one in overview.groupings} == {"domain", "device", "day"}  # of others there is one


def test_rare_groups_are_one_and_what_is_missing_is_told() -> None:
    log = [
        msgspec.structs.replace(
            turn, nlu=(NluHypothesis(intent=f"i{number // 4}"),) if number < 4 * 60 else (), ts_ms=0
        )
        for number, turn in enumerate(LOG)
    ]
    overview = failure_overview(isolated(log), resamples=5)
    intents = groups(overview, "intent")
    assert len(intents) == MOST_GROUPS + 1
    assert (intents[0].group, intents[0].turns) == (NOT_TOLD, 36 * 4)
    assert (intents[-1].group, sum(one.turns for one in intents)) == (OTHERS, 384)
    assert [one.group for one in groups(overview, "domain")] == [NOT_TOLD]
    assert "day" not in {one.by for one in overview.groupings}


def test_requests_that_fail_for_many_users_come_first() -> None:
    log = [
        turn_event(
            text,
            event_id=f"e{number}-{point}",
            user_id=f"u{user}",
            dialogue_id=f"d{number}",
        )
        for number, (text, user, point) in enumerate(
            [("Play Maj", 1, "asr"), ("play maj", 2, "asr"), ("often", 3, "asr"), ("often", 3, "asr"),
             ("often", 3, "asr"), ("play maj", 3, "correct"), (HOSTILE, 1, "nlu")]
        )
    ]  # fmt: skip
    overview = failure_overview(isolated(log), resamples=5)
    found = [
        (one.failure_point, one.text.lower(), one.turns, one.users, one.said_in_all)
        for one in overview.requests
    ]
    assert found == [
        ("asr", "play maj", 2, 2, 3),
        ("asr", "often", 3, 1, 3),
        ("nlu", HOSTILE.lower(), 1, 1, 1),
    ]
    page = report_page(failure_overview_report(overview).html)
    assert HOSTILE in page.words


def test_examples_show_the_dialogue() -> None:
    overview = failure_overview(isolated(LOG[:4]), resamples=5)
    example = overview.requests[0]
    assert [line.role for line in example.lines] == ["asr", "correct", "correct"]
    assert overview.requests[1].lines[-1].role == "result"
    assert overview.requests[1].lines[-1].signals == ("error",)


def test_the_sessions_of_one_user_are_resampled() -> None:
    log = [msgspec.structs.replace(turn, user_id="one", dialogue_id=turn.event_id) for turn in LOG]
    overview = failure_overview(isolated(log), resamples=50)
    assert (overview.users, overview.cluster) == (1, "dialogues")
    share = overview.points[-1].share
    assert share.low < share.value < share.high
    assert "of the dialogues" in " ".join(report_page(failure_overview_report(overview).html).words.split())


def test_an_empty_log_has_a_report() -> None:
    page = report_page(failure_overview_report(failure_overview([], resamples=5)).html)
    assert "0 of 0 turns" in " ".join(page.words.split())


def test_a_log_without_failures_has_a_report() -> None:
    log = failure_log(range(40), ("correct",))
    overview = failure_overview(isolated(log), resamples=5)
    page = report_page(failure_overview_report(overview).html)
    assert page.sources == []
    assert (overview.failing_turns, overview.requests) == (0, ())


def test_every_class_says_what_to_do() -> None:
    assert set(MEANINGS) == set(FAILURE_POINTS)
    assert all(advice for point, (_, advice) in MEANINGS.items() if point != "correct")


def run(*options: object) -> str:
    return run_command("report", "failures", *options, "--resamples", 20)


def test_the_command_writes_the_report(tmp_path: Path) -> None:
    turns = write_lines(tmp_path / "turns.jsonl", LOG)
    sessions = [session.turns for session in sessionize(LOG)]
    found = [one for of_session in WordIsolator().isolate(sessions) for one in of_session]
    failures = write_lines(tmp_path / "failures.jsonl", found)
    files = ("--turns", turns, "--failures", failures)
    printed = run(*files, "--out", tmp_path / "one")
    assert "192 of 384 turns of 12 users failed" in printed
    written = json.loads((tmp_path / "one/failures.json").read_text())
    assert written["points"][1]["turns"] == 96
    page = report_page((tmp_path / "one/report.html").read_text())
    assert len(page.sources) == 1  # the days
    assert page.sources[0].startswith("data:image/svg+xml;base64,")
    for words in ("By device", "What fails at speech recognition", "What to do:", "What fails at result"):
        assert words in page.words
    run(*files, "--out", tmp_path / "two")
    for file in ("failures.json", "report.html"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    with pytest.raises(SettingsError, match="belong together"):
        run("--turns", turns, "--out", tmp_path / "no")
    with pytest.raises(MismatchError, match="turns have no line in the failures"):
        run("--turns", turns, "--failures", write_lines(failures, found[1:]), "--out", tmp_path / "no")
