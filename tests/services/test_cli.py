"""The command line, run as a user runs it, on a small simulated log."""

import json
import re
import shutil
from pathlib import Path

import pytest
from forked import rehear

from services.simulator import PlantedPair, planted_log
from streams.turn import encode_turn


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("log")
    rehear("simulate", "--out", folder, "--users", 40, "--days", 4, "--test-days", 1)
    return folder


@pytest.fixture(scope="module")
def learned(log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("learned")
    printed = rehear(
        "learn", "--turns", log / "turns.train.jsonl.gz", "--state", state, "--no-rephrases", "--no-labels"
    )
    assert re.search(r"[1-9][\d,]* live rewrites", printed)
    return state


@pytest.fixture(scope="module")
def learned_pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state in which one rewrite was learned: 'pley jazz' to 'play jazz'."""
    turns = planted_log([PlantedPair(source="pley jazz", target="play jazz", users=5)], assistant_id="a")
    folder = tmp_path_factory.mktemp("planted")
    file = folder / "turns.jsonl"
    file.write_bytes(b"".join(encode_turn(turn) + b"\n" for turn in turns))
    rehear("learn", "--turns", file, "--state", folder / "state")
    return folder / "state"


@pytest.fixture
def planted(learned_pair: Path, tmp_path: Path) -> Path:
    """A copy of that state, to change."""
    return Path(shutil.copytree(learned_pair, tmp_path / "state"))


def rewrite_id(state: Path) -> str:
    shown = rehear("table", "show", "--state", state)
    (found,) = re.findall(r"\b[0-9a-f]{24}\b", shown)
    return str(found)


def test_learning_twice_teaches_nothing_new(log: Path, learned: Path) -> None:
    before = rehear("table", "versions", "--state", learned)
    printed = rehear(
        "learn", "--turns", log / "turns.train.jsonl.gz", "--state", learned, "--no-rephrases", "--no-labels"
    )
    assert "(0 new)" in printed
    assert rehear("table", "versions", "--state", learned) == before


def test_a_log_is_replayed_and_scored(log: Path, learned: Path, tmp_path: Path) -> None:
    answers = tmp_path / "answers.jsonl"
    rehear("rewrite", "--state", learned, "--turns", log / "turns.test.jsonl.gz", "--out", answers)
    lines = [json.loads(line) for line in answers.read_text().splitlines()]
    assert {frozenset(line) for line in lines} == {
        frozenset({"event_id", "rewrite", "method", "scope", "score"})
    }
    assert any(line["rewrite"] for line in lines)
    printed = rehear(
        *("evaluate", "rewrites"),
        *("--turns", log / "turns.test.jsonl.gz"),
        *("--gold", log / "gold.test.jsonl.gz"),
        *("--understanding", log / "nlu.jsonl.gz"),
        *("--rewrites", answers),
        *("--train", log / "turns.train.jsonl.gz"),
        *("--out", tmp_path / "report"),
        *("--resamples", 50),
    )
    assert "text chain" in printed
    report = json.loads((tmp_path / "report" / "evaluation.json").read_text())
    assert report
    assert (tmp_path / "report" / "report.html").stat().st_size > 10_000


def test_answers_go_to_standard_output(log: Path, learned: Path) -> None:
    printed = rehear("rewrite", "--state", learned, "--turns", log / "turns.test.jsonl.gz", "--out", "-")
    assert all(json.loads(line)["event_id"] for line in printed.splitlines())


def test_a_rewrite_is_explained_with_a_session_and_a_picture(planted: Path, tmp_path: Path) -> None:
    picture = tmp_path / "chain.svg"
    printed = rehear("explain", rewrite_id(planted), "--state", planted, "--picture", picture)
    assert "'pley jazz' -> 'play jazz'" in printed
    assert "'play jazz': accepted" in printed
    assert "<svg" in picture.read_text()


def test_a_rewrite_is_blocked_and_stays_so_until_it_is_unblocked(planted: Path) -> None:
    name = rewrite_id(planted)
    assert "[blocked]" in rehear("table", "block", name, "--reason", "wrong", "--state", planted)
    assert "[live]" in rehear("table", "unblock", name, "--reason", "right after all", "--state", planted)


def test_a_text_is_blocked_of_which_the_table_has_no_row(planted: Path) -> None:
    said = ("--text", "Play THAT song!", "--user", "ann", "--reason", "wrong", "--state", planted)
    printed = rehear("table", "block", *said)
    assert "'play that song' -> anything  [blocked]" in printed
    assert "For the user ann, “play that song” is not rewritten." in printed
    name = printed.split()[0]
    assert "[retired]" in rehear("table", "unblock", name, "--reason", "right after all", "--state", planted)


def test_a_rollback_serves_the_earlier_version(planted: Path) -> None:
    rehear("table", "block", rewrite_id(planted), "--reason", "wrong", "--state", planted)
    back = ("table", "rollback", 1, "--reason", "blocked by mistake", "--state", planted)
    assert "version 2 serves what version 1 did, but for 1 that stay blocked" in rehear(*back)
    assert "version 3 serves what version 1 did\n" in rehear(*back, "--lift-blocks")
    assert "live" in rehear("table", "show", "--state", planted)


def test_a_rewrite_goes_with_the_users_that_it_rested_on(planted: Path) -> None:
    for user in range(4):
        rehear("forget-user", f"u0000{user}", "--state", planted)
    assert "retired" in rehear("table", "show", "--state", planted)


def test_a_key_is_shown_once_and_its_hash_can_be_configured(tmp_path: Path) -> None:
    printed = rehear("api-key", "demo-assistant", "--role", "operator")
    assert re.search(r"key, shown only now:  rehear_\S+", printed)
    settings = tmp_path / "rehear.toml"
    settings.write_text(printed[printed.index("[[api.api_keys]]") :])
    assert "demo-assistant" in settings.read_text()
    error = rehear("work", "chains", "--settings", settings, code=1)
    assert "no Kafka is configured" in error  # the settings were read


def test_the_schema_is_json() -> None:
    assert json.loads(rehear("schema"))["title"] == "Turn event"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rewrite", "--turns", "x", "--out", "y", "--state", "nowhere"], "make it with `rehear learn`"),
        (["table", "show", "--state", "nowhere"], "make it with `rehear learn`"),
        (["work", "magic"], "there are sessions, chains"),
        (["work", "sessions"], "under [kafka] in the settings file"),
        (["up", "--settings", "missing.toml"], "missing.toml"),
    ],
)
def test_a_mistake_is_one_clear_line(arguments: list[str], said: str) -> None:
    error = rehear(*arguments, code=1)
    assert said in error
    assert "Traceback" not in error


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "turns.jsonl"
    file.write_text("{}\n")
    assert "turns.jsonl, line 1: not a turn event" in rehear(
        "learn", "--turns", file, "--state", tmp_path, code=1
    )


def test_a_password_is_not_shown() -> None:
    url = "postgresql://me:secret@127.0.0.1:1/nothing"
    error = rehear("learn", "--turns", "-", code=1, environment={"REHEAR_DATABASE": url})
    assert "secret" not in error


@pytest.mark.parametrize(
    "command", ["learn", "label", "rewrite", "up", "serve", "work", "demo", "table", "replay"]
)
def test_help_teaches(command: str) -> None:
    assert len(rehear(command, "--help")) > 200
