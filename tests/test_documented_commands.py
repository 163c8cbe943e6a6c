"""Every command in README, docs and help texts exists, and runs where that is quick."""

import re
import shutil
import sqlite3
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
import typer
from documented_commands import Command, UnknownCommandError, commands_in, documents, options_in, parsed
from litestar.testing import TestClient
from typer.testing import CliRunner
from waiting import eventually

from services.cli.commands import app
from services.errors import SettingsError
from services.lookup_api.app import open_app
from services.lookup_api.operator_key import operator_key
from services.platform.api_settings import LookupApiSettings
from services.platform.clock import now_ms
from services.settings import load_settings
from services.simulator import PlantedPair, SimulationSettings, planted_log, write_simulation
from streams.turn import encode_turn
from streams.turn_file import read_turns

ROOT = Path(__file__).parents[1]
UsageError: type[Exception] = cast(type[Exception], typer.BadParameter.__mro__[1])
REHEAR: Any = typer.main.get_command(app)

RUN = {
    ("annotate", "export"),
    ("annotate", "import"),
    ("api-key",),
    ("evaluate", "rewrites"),
    ("explain",),
    ("forget-user",),
    ("learn",),
    ("report", "guards"),
    ("rewrite",),
    ("schema",),
    ("table", "allow"),
    ("table", "block"),
    ("table", "check"),
    ("table", "disallow"),
    ("table", "guard"),
    ("table", "release"),
    ("table", "rollback"),
    ("table", "serving"),
    ("table", "show"),
    ("table", "unblock"),
    ("table", "versions"),
}
"""Commands that run here, where all of their arguments are given; the others are only read (`NOT_RUN`)."""

_RUNS_ON = "runs until it is stopped"
_NEEDS_MODEL = "needs a model, whose training takes minutes"
NOT_RUN = {
    ("broker",): _RUNS_ON,
    ("serve",): _RUNS_ON,
    ("up",): f"{_RUNS_ON}; the test of examples/lookup_client.py does so",
    ("work",): _RUNS_ON,
    ("replay",): "needs a Kafka with dead letters",
    ("demo",): "takes minutes; CI runs it",
    ("simulate",): "the documented worlds have tens of thousands of turns",
    ("label",): _NEEDS_MODEL,
    ("isolate",): _NEEDS_MODEL,
    ("rephrases",): _NEEDS_MODEL,
    ("report", "failures"): _NEEDS_MODEL,
    ("evaluate", "ablations"): _NEEDS_MODEL,
    ("evaluate", "rephrases"): _NEEDS_MODEL,
    ("evaluate", "labels"): _NEEDS_MODEL,
    ("evaluate", "failures"): _NEEDS_MODEL,
    ("evaluate", "label-variants"): "trains models",
    ("evaluate", "failure-variants"): "trains models",
    ("evaluate", "ab"): "needs the log of an experiment; a test of its own makes one",
    ("evaluate", "loop"): "lives thirty days; a test of its own lives three",
}
NOT_OURS = {
    "cat": "prints files of the machine that is described",
    "systemctl": "starts services of the machine that is described",
    "export": "sets a secret of the machine that is described",
    "pg_dump": "needs a PostgreSQL server with data",
    "pg_restore": "needs a PostgreSQL server",
}
WITHOUT_TRAINING = ("--no-online", "--no-labels", "--no-failures", "--no-rephrases")
PIP_PACKAGES = {"pydtmc": "of the benchmarks, as the Makefile installs it", "httpx": "of the example"}
OPTIONS_OF_OTHERS: set[str] = {"--reset-offsets", "--no-deps"}


def help_texts(command: Any, path: tuple[str, ...] = ("rehear",)) -> Iterator[tuple[str, str]]:
    yield " ".join((*path, "--help")), command.help or ""
    for name, below in getattr(command, "commands", {}).items():
        yield from help_texts(below, (*path, name))


DOCUMENTS = documents(ROOT) | dict(help_texts(REHEAR))
COMMANDS = [command for name, text in DOCUMENTS.items() for command in commands_in(name, text)]


def of(*programs: str) -> list[Command]:
    return [command for command in COMMANDS if command.program in programs]


def read_rehear(words: tuple[str, ...], *, is_mention: bool) -> tuple[tuple[str, ...], bool]:
    """The path of a command of `rehear`, and whether it is complete.

    Raises:
        UsageError: there is no such command, option or argument, or a value is not of its type.
    """
    command, rest = REHEAR, list(words)
    context = command.make_context("rehear", [], resilient_parsing=True)
    path: tuple[str, ...] = ()
    if rest in (["--help"], ["--version"]):
        return path, False
    while hasattr(command, "commands"):
        if not rest or rest[0] not in command.commands:
            if is_mention and not rest:
                return path, False
            raise UsageError(f"no command {' '.join((*path, *rest[:1]))!r}")
        name = rest.pop(0)
        command, path = command.commands[name], (*path, name)
        context = type(context)(command, parent=context, info_name=name)
    try:
        command.make_context(path[-1], rest, parent=context.parent)
    except UsageError as error:
        if is_mention and type(error).__name__ == "MissingParameter":
            return path, False
        raise
    return path, True


@pytest.mark.parametrize("command", of("rehear"), ids=str)
def test_the_command_exists_with_its_options_and_arguments(command: Command) -> None:
    path, _ = read_rehear(command.words[1:], is_mention=command.is_mention)
    assert not path or path == ("table",) or (path in RUN) != (path in NOT_RUN), (
        "say whether it runs here, or why not"
    )
    environment = dict(word.split("=", 1) for word in command.environment)
    if "rehear: " in command.output:  # it shows a mistake, and what is said to it
        with pytest.raises(SettingsError) as caught:
            load_settings(None, environment)
        assert f"rehear: {caught.value}" in command.output
    else:
        load_settings(None, environment)


@pytest.mark.parametrize("command", of("make"), ids=str)
def test_the_make_target_exists_and_what_it_runs_does(command: Command) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for word in command.words[1:]:
        name, equals, _ = word.partition("=")
        assert re.search(rf"^{name} \?=" if equals else rf"^{name}:", makefile, re.MULTILINE), word
    recipe = subprocess.run(
        ["make", "-n", *command.words[1:]],  # noqa: S607 (the one that is there)
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.replace("\\\n", " ")
    for line in recipe.splitlines():
        if line.startswith((".venv/bin/rehear ", ".venv/bin/python -m benchmarks")):
            (run,) = parsed(str(command), line, is_mention=True)
            if run.program == "rehear":
                read_rehear(run.words[1:], is_mention=True)
            else:
                read_benchmarks(run.words[3:])


def benchmarks() -> Any:
    from benchmarks.__main__ import main

    single = typer.Typer()
    single.command()(main)
    return typer.main.get_command(single)


def _stand_in(word: str) -> str:
    """A place that is there, for one that may be away or that a reader chooses."""
    if word.endswith(".gz"):
        return str(ROOT / "README.md")
    return str(ROOT) if "/" in word or word == "PATH" else word


def read_benchmarks(words: tuple[str, ...]) -> None:
    words = tuple(_stand_in(word) for word in words)
    words = tuple("lookup" if word == "NAME" else word for word in words)
    benchmarks().make_context("benchmarks", list(words))


@pytest.mark.parametrize("command", of("python"), ids=str)
def test_the_module_that_is_run_exists(command: Command) -> None:
    assert command.words[1] == "-m"
    module, *rest = command.words[2:]
    if module == "pytest":
        assert (ROOT / rest[0]).is_file()
    else:
        assert module == "benchmarks"
        read_benchmarks(tuple(rest))


@pytest.mark.parametrize("command", of("pip"), ids=str)
def test_what_is_installed_exists(command: Command) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert command.words[1] == "install"
    for package in (word for word in command.words[2:] if not word.startswith("--")):
        ours = re.fullmatch(r"rehear\[(\w+)\]", package)
        assert ours[1] in extras if ours else package in PIP_PACKAGES


def test_no_other_program_is_named() -> None:
    known = {"rehear", "make", "python", "pip", "curl", "sqlite3", *NOT_OURS}
    assert {command.program for command in COMMANDS} <= known


def test_options_that_are_named_alone_exist() -> None:
    known = set(OPTIONS_OF_OTHERS)
    commands = [REHEAR, benchmarks()]
    for command in commands:
        commands += getattr(command, "commands", {}).values()
        known |= {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    named = set().union(*map(options_in, DOCUMENTS.values()))
    assert named - known == set()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the documents name: a small log with rewrites in it, and its test log."""
    folder = tmp_path_factory.mktemp("world")
    write_simulation(SimulationSettings(users=6, days=1, test_days=1), folder / "simulated")
    pairs = [PlantedPair(source=f"pley jazz {n}", target=f"play jazz {n}", users=5) for n in range(3)]
    turns = list(read_turns(folder / "simulated" / "turns.train.jsonl.gz", now_ms))
    turns += planted_log(pairs, assistant_id=turns[0].assistant_id)
    log = folder / "log.jsonl"
    log.write_bytes(b"".join(encode_turn(turn) + b"\n" for turn in turns))
    for name in ("log", "june", "july", "train"):
        shutil.copy(log, folder / f"{name}.jsonl.gz")  # plain: what a file is, its first bytes say
    for simulated, name in (("turns.test", "test"), ("gold.test", "gold"), ("nlu", "nlu")):
        shutil.copy(folder / "simulated" / f"{simulated}.jsonl.gz", folder / f"{name}.jsonl.gz")
    said = [{"event_id": turn.event_id, "correct": True} for turn in turns[:5]]
    (folder / "people.jsonl").write_bytes(b"\n".join(map(msgspec.json.encode, said)))
    return folder


def rewrite_in(state: Path) -> str:
    with sqlite3.connect(state / "rehear.db") as database:
        found = database.execute("SELECT rewrite_id FROM rewrites WHERE status = 'live'").fetchone()
    return str(found[0])


def in_the_world(words: tuple[str, ...], state: Path) -> list[str]:
    """The same words, with a rewrite and a user of this log, and without the training of models."""
    typed = list(words)
    if typed[0] == "learn":
        typed += [option for option in WITHOUT_TRAINING if option not in typed]
    else:
        typed = [rewrite_in(state) if re.fullmatch("[0-9a-f]{24}", word) else word for word in typed]
        typed = ["u00000" if word == "u00087" else word for word in typed]
    return [str(path) for word in typed for path in (sorted(Path().glob(word)) if "*" in word else [word])]


def test_quick_commands_run_one_after_the_other(world: Path) -> None:
    run, paths = CliRunner(), set()
    with chdir(world):
        for command in of("rehear"):
            path, is_complete = read_rehear(command.words[1:], is_mention=command.is_mention)
            if path in RUN and is_complete and "--annotations" not in command.words:  # they train models
                done = run.invoke(app, in_the_world(command.words[1:], world / "state"))
                assert done.exit_code == 0, f"{command}: {done.exception}: {done.output}"
                paths.add(path)
        statements = [command for command in of("sqlite3") if not command.words[2].startswith(".")]
        for command in statements:
            assert len(command.words) == 3
            with sqlite3.connect(command.words[1]) as database:
                database.execute(command.words[2])
    assert paths == RUN
    assert statements


def test_what_is_sent_by_hand_is_answered(world: Path) -> None:
    with chdir(world):
        CliRunner().invoke(app, ["learn", "--turns", "log.jsonl.gz", "--state", "state", *WITHOUT_TRAINING])
        key = operator_key(LookupApiSettings(), Path("state"))
        assert key is not None
        api = open_app(LookupApiSettings(), "state/rehear.db", operator_key_sha256=key.sha256)
        with TestClient(api, base_url="http://127.0.0.1:8420") as client:
            eventually(lambda: client.get("/readyz").status_code == 200, "the tables in memory")
            asked = 0
            for command in of("curl"):
                if command.is_mention and not any("/" in word for word in command.words[-1:]):
                    continue  # of an option
                method, url, headers, body = read_curl(command.words[1:])
                if not url.startswith("localhost:8420/"):
                    assert url == "localhost:9101/metrics"  # of a worker
                    continue
                path = url.removeprefix("localhost:8420")
                if not (body or headers):  # else TestClient would send a type of its own
                    assert client.get(path).status_code in (200, 503), str(command)  # 503: not ready yet
                else:
                    answer = client.request(method, path, headers=headers, content=body or b"")
                    assert answer.is_success, f"{command}: {answer.text}"
                asked += 1
    assert asked >= 4


def read_curl(words: tuple[str, ...]) -> tuple[str, str, dict[str, str], str]:
    """Method, address, headers and body of what curl would send, after the shell has done `$(cat FILE)`."""
    rest, method, url, body, headers = list(words), "GET", "", "", {}
    while rest:
        word = rest.pop(0)
        if word == "-H":
            name, _, value = rest.pop(0).partition(": ")
            headers[name] = re.sub(
                r"\$\(cat (\S+)\)", lambda found: Path(found[1]).read_text().strip(), value
            )
        elif word == "-d":
            method, body = "POST", rest.pop(0)
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        elif word != "-s":
            assert not url, word
            url = word
    return method, url, headers, body


@pytest.mark.parametrize(
    "text",
    [
        "```\nreheer learn\n```\n",
        "```\n$ docker run rehear\n```\n",
        "```bash\nls\n```\n",
        "```\nmake demo\nls\n```\n",
    ],
)
def test_a_line_that_is_not_understood_is_an_error(text: str) -> None:
    with pytest.raises(UnknownCommandError):
        commands_in("here", text)


@pytest.mark.parametrize(
    "line",
    [
        "rehear lern --turns x",
        "rehear learn --turn x",
        "rehear api-key --name kitchen --assistant home --role lookup",
        "rehear api-key home --role boss",
        "rehear table show extra",
        "rehear broker --port nine",
        "rehear work",
    ],
)
def test_a_command_that_does_not_exist_is_an_error(line: str) -> None:
    (command,) = parsed("here", line)
    with pytest.raises(UsageError):
        read_rehear(command.words[1:], is_mention=False)


def test_commands_are_found_wherever_they_stand() -> None:
    text = (
        "Say `rehear\nlearn --turns x` or `make demo`, not `rehear` nor `rehear.db`.\n"
        "```\n$ A=1 rehear work sessions --until-idle \\\n  --instance a  # stops\nout\n"
        "$ curl -s x | grep y\n```\n"
        "```ini\nExecStart=/opt/bin/rehear work %i\n```\n"
    )
    assert [(command.words, command.output) for command in commands_in("here", text)] == [
        (("rehear", "learn", "--turns", "x"), ""),
        (("make", "demo"), ""),
        (("rehear", "work", "sessions", "--until-idle", "--instance", "a"), "out"),
        (("curl", "-s", "x"), ""),
        (("rehear", "work", "sessions"), ""),
    ]
