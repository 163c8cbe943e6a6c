"""`rehear table` and `rehear explain`, in process, on tables that are written for the test."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from databases import opened
from rewrites import rewrite_row
from typer.testing import CliRunner

from rewriting.table.rewrite import Rewrite, RewriteId, user_scope
from rewriting.table.rewrite_table import RewriteTable
from services.cli.commands import app
from services.errors import StateError
from services.platform.database import open_database
from services.simulator import PlantedPair, planted_log
from streams.stores.database_schema import reading
from streams.stores.session_store import new_turns, store_turns
from streams.turn import TurnEvent, encode_turn

LEARN_NO_MODELS = ("--no-rephrases", "--no-labels", "--no-failures", "--no-online")
GUARDED = rewrite_row("turn of the lamp", "Turn off the lamp", sessions=20, max_confidence=0.55)
LONG = rewrite_row(
    "what is the wether in lutus tomorrow at nine in the morning",
    "what is the weather in ludus [north] tomorrow at nine in the morning",
    sessions=9,
)
ASKED = rewrite_row("no", "south", sessions=5, question="what part of town", scope=user_scope("ann"))
ROWS = (GUARDED, LONG, ASKED)


def write(state: Path, *versions: tuple[Sequence[Rewrite], Sequence[RewriteId]]) -> None:
    """Makes versions of a table from proposals and withdrawals."""
    with opened(state / "rehear.db") as engine:
        table = RewriteTable(engine, lambda: 1_700_000_000_000)
        for proposals, withdrawn in versions:
            with engine.begin() as connection:
                table.put(connection, proposals[0].assistant_id, proposals, withdrawn, "learned", 1)


def rehear(*arguments: object, columns: int = 80) -> str:
    done = CliRunner().invoke(
        app, [str(argument) for argument in arguments], env={"COLUMNS": str(columns), "TERM": "dumb"}
    )
    assert done.exit_code == 0, done.output + repr(done.exception)
    return done.stdout


def answer_of(*arguments: object) -> list[str]:
    """The lines of the answer, without those of the log, which the command itself sends elsewhere."""
    return [line for line in rehear(*arguments).splitlines() if "[info" not in line]


def refused(*arguments: object) -> str:
    with pytest.raises(StateError) as raised:
        CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    return str(raised.value)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A table with three rows in version 1."""
    write(tmp_path, (ROWS, ()))
    return tmp_path


# What is shown


def test_a_table_of_80_columns_has_whole_ids_and_readable_texts(state: Path) -> None:
    shown = rehear("table", "show", "--state", state)
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    for row in ROWS:
        (line,) = [line for line in lines if row.rewrite_id in line]
        assert f" {row.sessions} " in line
        assert "live" in line
    assert "turn of the lamp" in shown
    assert "-> Turn off the lamp (< 0.55)" in " ".join(shown.split())
    assert "for user ann, after" in shown
    # Nothing is cut off, and no word is broken.
    assert {*LONG.source_text.split(), *LONG.target_text.split()} <= set(shown.split())


def test_a_wide_table_has_a_column_for_each_number(state: Path) -> None:
    shown = rehear("table", "show", "--state", state, columns=180)
    (line,) = [line for line in shown.splitlines() if GUARDED.rewrite_id in line]
    assert line.split() == [
        *(GUARDED.rewrite_id, "everybody", "anything", *"turn of the lamp Turn off the lamp".split()),
        *("<", "0.55", "0.75", "20", "9", "live"),
    ]
    assert "[north]" in shown


def test_limits_for_one_confidence_alone_are_shown_where_they_differ(tmp_path: Path) -> None:
    row = rewrite_row(
        "turn of", "turn off", max_confidence=0.55, max_asr_confidence=0.45, max_nlu_confidence=0.0
    )
    write(tmp_path, ((row,), ()))
    for columns in (80, 180):
        shown = " ".join(rehear("table", "show", "--state", tmp_path, columns=columns).split())
        assert "< 0.55, ASR < 0.45, NLU none" in shown


def test_the_rows_that_were_left_out_are_counted(state: Path) -> None:
    shown = rehear("table", "show", "--state", state, "--limit", 1)
    assert "3 rewrites" in shown
    assert "the first 1; --limit shows more" in shown
    assert GUARDED.rewrite_id in shown
    assert ASKED.rewrite_id not in shown


def test_whole_rows_are_printed_as_json_lines(state: Path) -> None:
    printed = rehear("table", "show", "--state", state, "--json", columns=20)
    rows = [json.loads(line) for line in printed.splitlines()]
    assert [row["rewrite_id"] for row in rows] == [row.rewrite_id for row in ROWS]
    assert set(rows[0]) == {*Rewrite.__struct_fields__, "held"}
    assert rows[1]["target_text"] == LONG.target_text
    assert rows[0]["evidence"] == ["s-1", "s-2"]
    assert not any(row["held"] for row in rows)
    assert len(rehear("table", "show", "--state", state, "--json", "--limit", 2).splitlines()) == 2
    rehear("table", "rollback", 1, "--reason", "hold them", "--state", state)
    held = rehear("table", "show", "--state", state, "--json").splitlines()
    assert [json.loads(line)["held"] for line in held] == [True] * 3
    earlier = rehear("table", "show", "--state", state, "--json", "--version", 1).splitlines()
    assert [json.loads(line)["held"] for line in earlier] == [None] * 3


def test_json_gives_all_rows_where_the_table_shows_thirty(tmp_path: Path) -> None:
    write(tmp_path, ([rewrite_row(f"source {i}", f"target {i}") for i in range(31)], ()))
    assert len(rehear("table", "show", "--state", tmp_path, "--json").splitlines()) == 31
    assert "the first 30" in rehear("table", "show", "--state", tmp_path)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("LAMP!", {GUARDED}),
        ("off, the lamp", {GUARDED}),
        ("ludus [NORTH]", {LONG}),
        ("[", {LONG}),
        ("in", {LONG}),
        ("nowhere", set()),
    ],
)
def test_rows_are_found_by_words_of_source_or_target(state: Path, text: str, found: set[Rewrite]) -> None:
    printed = rehear("table", "show", "--state", state, "--text", text, "--json")
    assert {json.loads(line)["rewrite_id"] for line in printed.splitlines()} == {
        row.rewrite_id for row in found
    }
    shown = rehear("table", "show", "--state", state, "--text", text)
    assert ("none of 3 rewrites has" in shown) == (not found)
    assert ("of 3 rewrites, with" in shown) == bool(found)


def test_an_explanation_says_below_which_confidence_a_row_is_served(state: Path) -> None:
    told = rehear("explain", GUARDED.rewrite_id, "--state", state)
    assert "only for requests understood with a confidence below 0.55" in told
    assert "confidence" not in rehear("explain", LONG.rewrite_id, "--state", state)


PLACED = (
    rewrite_row("gift", "poison", locale="de-DE"),
    rewrite_row("yes", "lock the door", turn_kind="system"),
    rewrite_row("yes", "the south", locale="en-GB", turn_kind="answer", question="what area"),
)


def test_it_is_shown_where_a_row_holds(tmp_path: Path) -> None:
    write(tmp_path, (PLACED, ()))
    narrow = rehear("table", "show", "--state", tmp_path)
    for words in ("in de-DE", "as system", "after 'what area', as answer, in", "en-GB"):
        assert words in narrow
    wide = rehear("table", "show", "--state", tmp_path, columns=180)
    (line,) = [line for line in wide.splitlines() if PLACED[1].rewrite_id in line]
    assert line.split()[1:4] == ["anything", "system", "any"]
    rows = [json.loads(line) for line in rehear("table", "show", "--state", tmp_path, "--json").splitlines()]
    assert {(row["locale"], row["turn_kind"]) for row in rows} == {
        (row.locale, row.turn_kind) for row in PLACED
    }
    told = rehear("explain", PLACED[2].rewrite_id, "--state", tmp_path)
    assert "'yes' after 'what area' as answer in en-GB -> 'the south'" in told
    assert "in answer to a question in the locale en-GB" in told
    undone = rehear("table", "rollback", 0, "--reason", "all wrong", "--state", tmp_path)
    assert "'gift' in de-DE -> 'poison'" in undone


def test_a_text_is_blocked_in_one_locale_for_one_kind_of_turn(tmp_path: Path) -> None:
    write(tmp_path, ([rewrite_row("gift", "present")], ()))
    block = ("table", "block", "--text", "gift", "--reason", "wrong", "--state", tmp_path)
    told = rehear(*block, "--locale", "de-DE", "--turn-kind", "answer")
    assert "'gift' as answer in de-DE -> anything  [blocked]" in told
    for wrong, complaint in (
        (("--locale", "in German"), "is no BCP 47 language tag"),
        (("--turn-kind", "any"), "is not one of"),
    ):
        done = CliRunner().invoke(app, [*map(str, block), *wrong], env={"COLUMNS": "200", "TERM": "dumb"})
        assert done.exit_code == 2
        assert complaint in done.output
    done = CliRunner().invoke(app, ["table", "block", "r", "--locale", "en", "--reason", "x"])
    assert done.exit_code == 2


# Rolling back


def test_a_rollback_keeps_what_was_just_blocked_and_lists_what_changes(tmp_path: Path) -> None:
    gone, new = rewrite_row("gone", "1"), rewrite_row("new", "2")
    write(tmp_path, ([GUARDED, gone], ()), ([new], [gone.rewrite_id]))
    rehear("table", "block", GUARDED.rewrite_id, "--reason", "wrong", "--state", tmp_path)
    told = answer_of("table", "rollback", 1, "--reason", "worse", "--state", tmp_path)
    assert told == [
        "home: version 4 serves what version 1 did, but for 1 that stay blocked",
        "served again: 1",
        f"  {gone.rewrite_id}  'gone' -> '1'",
        "no longer served: 1",
        f"  {new.rewrite_id}  'new' -> '2'",
        "still blocked (`table unblock` frees one, --lift-blocks all): 1",
        f"  {GUARDED.rewrite_id}  'turn of the lamp' -> 'Turn off the lamp', below a confidence of 0.55",
    ]
    assert "[blocked]" in rehear("explain", GUARDED.rewrite_id, "--state", tmp_path)
    told = answer_of(
        *("table", "rollback", 1, "--reason", "it was right", "--lift-blocks", "--state", tmp_path)
    )
    assert told[:2] == ["home: version 5 serves what version 1 did", "served again: 1"]
    assert "[live]" in rehear("explain", GUARDED.rewrite_id, "--state", tmp_path)


def test_a_long_list_of_changes_is_counted_not_listed(tmp_path: Path) -> None:
    write(tmp_path, ([rewrite_row(f"source {i}", "target") for i in range(5)], ()))
    told = rehear("table", "rollback", 0, "--reason", "all wrong", "--limit", 2, "--state", tmp_path)
    assert "no longer served: 5" in told
    assert told.count("'target'") == 2
    assert "and 3 more" in told


# Nothing to show


def turns_of(assistant: str, users: int) -> list[TurnEvent]:
    return planted_log(
        [PlantedPair(source="pley jazz", target="play jazz", users=users)], assistant_id=assistant
    )


def learn(state: Path, assistant: str, users: int) -> None:
    file = state / f"{assistant}.jsonl"
    file.write_bytes(b"".join(encode_turn(turn) + b"\n" for turn in turns_of(assistant, users)))
    rehear("learn", "--turns", file, "--state", state, *LEARN_NO_MODELS)


def test_learning_that_found_no_rewrite_is_not_called_not_learned_yet(tmp_path: Path) -> None:
    learn(tmp_path, "a", users=1)
    told = rehear("table", "show", "--state", tmp_path)
    assert "a: nothing was learned: " in told
    assert "of 1 users were read, and no rewrite was found in them" in told
    for threshold in ("min_users", "min_text_users", "min_requests", "[chain]", "docs/chains.md"):
        assert threshold in told
    assert "yet" not in told
    assert rehear("table", "show", "--state", tmp_path, "--json") == ""  # said on standard error
    assert "nothing was learned" in rehear("table", "versions", "--state", tmp_path)
    blocked = rehear("table", "block", "--text", "play it", "--reason", "no", "--state", tmp_path)
    assert "[blocked]" in blocked  # whose table needs no saying


def test_the_thresholds_are_those_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learn(tmp_path, "a", users=1)
    monkeypatch.setenv("REHEAR_CHAIN__MIN_TEXT_USERS", "77")
    assert "77 who have said it (min_text_users)" in rehear("table", "show", "--state", tmp_path)


def test_with_several_assistants_one_has_to_be_named(tmp_path: Path) -> None:
    learn(tmp_path, "a", users=1)
    learn(tmp_path, "b", users=5)
    assert refused("table", "show", "--state", tmp_path).endswith("--assistant: there are a, b")
    assert "nothing was learned" in rehear("table", "show", "--state", tmp_path, "--assistant", "a")
    assert "play jazz" in rehear("table", "show", "--state", tmp_path, "--assistant", "b")
    assert "of assistant 'c': there are a, b" in refused(
        *("table", "show", "--state", tmp_path, "--assistant", "c")
    )


def test_a_state_without_a_log_says_how_to_begin(tmp_path: Path) -> None:
    open_database(tmp_path / "rehear.db").dispose()
    for arguments in ([], ["--assistant", "a"]):
        told = refused("table", "show", "--state", tmp_path, *arguments)
        assert told.startswith("nothing has been learned yet")
        assert told.endswith("`rehear learn` or `rehear up` does")


def test_sessions_that_nobody_has_learned_from_are_told_from_those_that_taught_nothing(
    tmp_path: Path,
) -> None:
    with opened(tmp_path / "rehear.db") as engine:
        with engine.begin() as connection:
            store_turns(connection, new_turns(connection, turns_of("a", users=5)), {})
        told = rehear("table", "show", "--state", tmp_path)
        assert "nothing was learned from them yet: `rehear learn` does" in told
        with reading(engine) as connection:
            assert RewriteTable(engine, lambda: 0).assistants_without_rewrites() == []


def test_a_table_that_became_empty_says_so(tmp_path: Path) -> None:
    only = rewrite_row("a", "b", scope=user_scope("ann"))
    write(tmp_path, ([only], ()))
    rehear("forget-user", "ann", "--state", tmp_path)
    assert "home: version 2 holds no rewrite; the newest is 2" in rehear("table", "show", "--state", tmp_path)
    first = rehear("table", "show", "--state", tmp_path, "--version", 0)
    assert "version 0 is the empty table before all others; the newest is 2" in first
