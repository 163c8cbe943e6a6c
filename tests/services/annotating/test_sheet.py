"""Turns go to people as sheets and come back as annotations, through spreadsheet programs."""

import csv
import io
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from failure_world import failure_log
from hypothesis import given
from hypothesis import strategies as st
from report_command import invoke, write_lines
from rewritten_turns import said, session_of
from turns import turn_event

from labeling.annotations.annotation_file import read_annotations
from labeling.text.outcome import judge_turns
from services.annotating.agreement import agreement_of, majority
from services.annotating.sample import sample_turns
from services.annotating.sheet import COLUMNS, guarded, read_sheets, sheet_bytes, unguarded
from services.errors import AnnotationSheetError, SettingsError
from streams.session import sessionize
from streams.turn import EventId, NluHypothesis, Recognition, Request, Response, TurnEvent

LOG = failure_log(range(50))
SESSIONS = sessionize(LOG)


def test_a_sample_is_half_trouble_and_always_the_same() -> None:
    sample = sample_turns(SESSIONS, 40)
    assert len(sample) == 40
    assert sample == sample_turns(SESSIONS, 40)
    assert sample != sample_turns(SESSIONS, 40, seed=1)
    reasons = [judge_turns(one.session.turns)[one.position].reason for one in sample]
    assert sum(reason in ("failed", "rephrased") for reason in reasons) == 20
    events = [one.session.turns[one.position].event_id for one in sample]
    assert len(set(events)) == 40
    order = [turn.event_id for session in SESSIONS for turn in session.turns]
    assert sorted(events, key=order.index) == events
    grown = sample_turns(sessionize([*LOG, *failure_log([50])]), 40)
    kept = {one.session.turns[one.position].event_id for one in grown} & set(events)
    assert len(kept) >= 36


def test_turns_as_they_come() -> None:
    """One turn of a dialogue shows an error, and two are followed by much the same words."""
    reasons = [one.reason for session in SESSIONS for one in judge_turns(session.turns)]
    troubled = sum(reason in ("failed", "rephrased") for reason in reasons) / len(reasons)
    sample = sample_turns(SESSIONS, 40, troubled=None)
    drawn = [judge_turns(one.session.turns)[one.position].reason for one in sample]
    assert len(drawn) == 40
    assert sum(reason in ("failed", "rephrased") for reason in drawn) == pytest.approx(40 * troubled, abs=1)


def test_every_domain_has_its_share_and_no_turn_is_lost_in_rounding() -> None:
    log = [
        turn_event(event_id=f"e{n}", user_id=f"u{n}", nlu=(NluHypothesis(domain="abc"[n % 3], intent="i"),))
        for n in range(30)
    ]
    sample = sample_turns(sessionize(log), 10)
    domains = Counter(one.session.turns[one.position].nlu[0].domain for one in sample)
    assert sorted(domains.values()) == [3, 3, 4]


def test_where_one_half_is_small_the_other_fills_up() -> None:
    assert len(sample_turns(SESSIONS, 40, troubled=1.0)) == 40
    quiet = sessionize([turn_event(event_id=f"e{n}", user_id=f"u{n}") for n in range(30)])
    assert len(sample_turns(quiet, 20)) == 20
    assert len(sample_turns(quiet, 500)) == 30
    assert sample_turns([], 5) == []


def rows(sheet: bytes, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(sheet.decode("utf-8-sig"), newline=""), delimiter=delimiter))


HOSTILE = (
    "=1+1",
    "+49 30",
    "-5",
    "@SUM(A1)",
    "'quoted",
    "\ttab",
    'say "hi"; a,b',
    "1-2",
    "007",
    "Mar 5",
    "TRUE",
)


def hostile_log() -> list[TurnEvent]:
    return [
        turn_event(
            event_id=text.strip() or "e",
            ts_ms=10_000 * number,
            request=Request(text=text, asr=(Recognition(text=text), Recognition(text="=2"))),
            response=Response(text="=HYPERLINK(1)", status="error"),
        )
        for number, text in enumerate(HOSTILE)
    ]


def test_no_cell_is_a_formula_and_events_come_back(tmp_path: Path) -> None:
    log = hostile_log()
    sheet = sheet_bytes(sample_turns(sessionize(log), 100), "anna")
    assert sheet.startswith(b"\xef\xbb\xbf")
    table = rows(sheet)
    assert tuple(table[0]) == COLUMNS
    assert len(table) == len(log)
    for row in table:
        for cell in row.values():
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert table[0]["alternatives"] == "'=2"
    assert table[1]["previous_turns"].startswith("user: =1+1\nassistant: =HYPERLINK(1) [error]")
    for row in table:
        row["failure_point"] = "asr"
    lines = read_sheets([write_sheet(tmp_path / "anna.csv", table)], frozenset(one.event_id for one in log))
    assert [line.event_id for line in lines] == [turn.event_id for turn in log]
    assert {line.annotator for line in lines} == {"anna"}


@given(st.text(max_size=60))
def test_what_is_guarded_comes_back(text: str) -> None:
    shown = "".join(one if one in "\n\t" or one.isprintable() else " " for one in text)
    cell = guarded(text)
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cell in (shown, f"'{shown}")
    if shown == shown.strip():
        assert unguarded(cell) == shown


def write_sheet(
    path: Path, table: Sequence[dict[str, str]], delimiter: str = ",", encoding: str = "utf-8-sig"
) -> Path:
    with path.open("w", encoding=encoding, newline="") as stream:
        writer = csv.DictWriter(stream, list(table[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(table)
    return path


def line(event_id: str, point: str, **more: str) -> dict[str, str]:
    return {"event_id": event_id, "request": "wörds\nof two lines", "failure_point": point} | more


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_sheets_as_programs_save_them(tmp_path: Path, delimiter: str, encoding: str) -> None:
    table = [
        line("a", " ASR "), line("b", "Entity resolution", annotator="ben"), line("c", ""),
        line("d", "false-wake"),
    ]  # fmt: skip
    table = [{"annotator": ""} | row for row in table]
    path = write_sheet(tmp_path / "anna.final.csv", table, delimiter, encoding)
    found = read_sheets([path], frozenset("abcd"))
    assert [(one.event_id, one.annotator, one.failure_point) for one in found] == [
        ("a", "anna", "asr"), ("b", "ben", "entity_resolution"), ("d", "anna", "false_wake"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("last", "problem"),
    [
        (line("c", "tts"), "x.csv, line 6: 'tts' is no failure point: write one of false_wake, asr"),
        (line("z", "asr"), "x.csv, line 6: event 'z' is in none of the logs"),
        (line("a", "nlu"), "x.csv, line 6: annotator 'x' says nlu of event 'a', but asr in .*x.csv, line 2"),
        (line("", "nlu"), "x.csv, line 6: the row has no event_id"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, last: dict[str, str], problem: str) -> None:
    table = [line("a", "asr"), line("b", "asr"), last]  # of two lines each, after the header
    with pytest.raises(AnnotationSheetError, match=problem):
        read_sheets([write_sheet(tmp_path / "x.csv", table)], frozenset("abc"))


def test_what_is_no_sheet_is_named(tmp_path: Path) -> None:
    cases: tuple[tuple[bytes, str], ...] = (
        (b"", "the file is empty"),
        (b"event,point\n1,2\n", "line 1: no column event_id and failure_point"),
        (b"event_id,failure_point\n\xe4,asr\n", "not utf-8-sig"),
        (b'event_id,failure_point\n"a"x,asr\n', "line 2: not CSV"),
    )
    for content, problem in cases:
        path = tmp_path / "x.csv"
        path.write_bytes(content)
        with pytest.raises(AnnotationSheetError, match=problem):
            read_sheets([path], frozenset("a"))
    with pytest.raises(AnnotationSheetError, match="cannot read"):
        read_sheets([tmp_path / "none.csv"], frozenset())


def votes(**said: str) -> dict[EventId, dict[str, Any]]:
    """Of each annotator a letter for each event: a: asr, n: nlu, c: correct, -: nothing."""
    points = {"a": "asr", "n": "nlu", "c": "correct"}
    count = len(next(iter(said.values())))
    return {
        EventId(f"e{i}"): {name: points[letters[i]] for name, letters in said.items() if letters[i] != "-"}
        for i in range(count)
    }


def test_majority_and_ties() -> None:
    found = majority(votes(anna="aanc", ben="acna", cleo="aac-"))
    assert found == {"e0": "asr", "e1": "asr", "e2": "nlu"}
    agreement = agreement_of(votes(anna="aanc", ben="acna", cleo="aac-"))
    assert (agreement.turns, agreement.decided_turns, agreement.undecided) == (4, 3, ("e3",))


def test_agreement_by_hand() -> None:
    """Two annotators agree on 3 of 4 turns, and by chance on 0.375: asr 1/2 * 1/2, correct 1/4 * 1/2."""
    agreement = agreement_of(votes(anna="aanc", ben="aacc"))
    (pair,) = agreement.pairs
    assert (pair.turns, pair.raw, agreement.raw) == (4, 0.75, 0.75)
    assert pair.kappa == pytest.approx((0.75 - 0.375) / (1 - 0.375))
    # Of 8 votes 4 are asr, 1 nlu, 3 correct: 38 of 56 pairs differ by chance, 2 of 8 votes do on their turn.
    assert agreement.alpha == pytest.approx(1 - (2 / 8) / (38 / 56))
    assert {one.failure_point: (one.named, one.specific) for one in agreement.classes} == {
        "asr": (4, 1.0), "nlu": (1, 0.0), "correct": (3, pytest.approx(2 / 3)),
    }  # fmt: skip


def test_alpha_of_a_published_example() -> None:
    """Four observers with gaps, nominal: 0.743 (Krippendorff, Computing Krippendorff's Alpha-Reliability)."""
    names = ("false_wake", "asr", "nlu", "entity_resolution", "result")
    said: dict[EventId, dict[str, Any]] = {}
    units = {
        1: "11-1", 2: "2232", 3: "3333", 4: "3333", 5: "2222", 6: "1234", 7: "4444", 8: "1121",
        9: "2222", 10: "-555", 11: "--11", 12: "--3-",
    }  # fmt: skip
    for unit, letters in units.items():
        said[EventId(f"e{unit}")] = {
            f"observer {i}": names[int(letter) - 1] for i, letter in enumerate(letters) if letter != "-"
        }
    assert agreement_of(said).alpha == pytest.approx(0.743, abs=5e-4)


def test_agreement_of_few() -> None:
    nothing = agreement_of({})
    assert (nothing.turns, nothing.raw, nothing.alpha, nothing.pairs, nothing.classes) == (
        0,
        None,
        None,
        (),
        (),
    )
    alone = agreement_of(votes(anna="ac"))
    assert (alone.turns, alone.shared_turns, alone.raw) == (2, 0, None)
    same = agreement_of(votes(anna="aa", ben="aa"))
    assert (same.raw, same.alpha, same.pairs[0].kappa) == (1, None, None)


def run(*options: object) -> Any:
    return invoke("annotate", *options)


def test_the_way_there_and_back(tmp_path: Path) -> None:
    turns = write_lines(tmp_path / "turns.jsonl", LOG)
    sheets = tmp_path / "sheets"
    named = ("--annotator", "anna", "--annotator", "ben")
    assert "20 of 200 turns" in run("export", "--turns", turns, "--out", sheets, "--size", 20, *named).output
    said: dict[str, list[dict[str, str]]] = {}
    for name in ("anna", "ben"):
        said[name] = rows((sheets / f"{name}.csv").read_bytes())
        assert {row["annotator"] for row in said[name]} == {name}
        for number, row in enumerate(said[name]):
            row["failure_point"] = "nlu" if number % 5 == 0 and name == "ben" else "asr"
        write_sheet(sheets / f"{name}.csv", said[name], ";")
    out, agreement = tmp_path / "said.jsonl", tmp_path / "agreement.json"
    options = ("--turns", turns, "--out", out, "--agreement", agreement)
    printed = run("import", sheets / "anna.csv", sheets / "ben.csv", *options).output
    assert "16 turns annotated by 2 people, 4 left out: no majority" in printed
    assert "80.0 % of votes agree" in " ".join(printed.split())
    found = read_annotations(out)
    assert len(found) == 16
    assert {one.failure_point for one in found.values()} == {"asr"}
    assert json.loads(agreement.read_text())["shared_turns"] == 20
    with pytest.raises(SettingsError, match="give each a name of its own"):
        run("export", "--turns", turns, "--out", sheets, "--annotator", "a/b")


def test_one_sheet_without_a_name(tmp_path: Path) -> None:
    turns = write_lines(tmp_path / "turns.jsonl", LOG[:8])
    run("export", "--turns", turns, "--out", tmp_path / "sheet.csv")
    table = rows((tmp_path / "sheet.csv").read_bytes())
    assert len(table) == 8
    table[0]["failure_point"] = "correct"
    write_sheet(tmp_path / "sheet.csv", table)
    assert (
        "1 turns annotated by 1 people"
        in run("import", tmp_path / "sheet.csv", "--turns", turns, "--out", tmp_path / "said.jsonl").output
    )


def test_a_sheet_shows_what_was_said_and_what_was_run() -> None:
    session = session_of("u", said("play sonk", run="play song", met=False), said("play blues"))
    first, second = rows(sheet_bytes(sample_turns([session], 2)))
    assert first["request"] == "play sonk → run as play song"
    assert second["request"] == "play blues"
    assert second["previous_turns"].startswith("user: play sonk → run as play song\nassistant: ")
