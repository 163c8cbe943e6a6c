"""The command before it does anything: Ctrl-C while it loads, its version, where it may keep its state."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner
from waiting import HANGS_AFTER_S

from services.cli.commands import app
from services.errors import ServiceError, SettingsError, StateError

ROOT = Path(__file__).parents[2]

INTERRUPTED_AT = """
import atexit, os, signal, sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            sys.meta_path.remove(self)
            print("interrupted", flush=True)
            os.kill(os.getpid(), signal.SIGINT)

module, handling, *arguments = sys.argv[1:]
signal.signal(signal.SIGINT, {"default": signal.default_int_handler, "ignored": signal.SIG_IGN}[handling])
sys.meta_path.insert(0, Finder())
atexit.register(print, "ended in order")
from services.cli import main
sys.argv = ["rehear", *arguments]
sys.exit(main())
"""
"""The command as its script runs it, with Ctrl-C at the moment at which a module begins to load."""


def interrupted(module: str, *arguments: object, handling: str = "default") -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command that gets Ctrl-C as a module loads."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AT, module, handling, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER_S,
        env=os.environ | {"TERM": "dumb"},
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("module", ["services.cli.commands", "numpy"])
def test_ctrl_c_while_the_commands_load_ends_at_once_and_without_a_traceback(module: str) -> None:
    assert interrupted(module, "--help") == (130, "interrupted\n", "")


def test_ctrl_c_while_a_command_loads_its_own_ends_in_order(tmp_path: Path) -> None:
    arguments = ("rewrite", "--turns", "x", "--out", "y", "--state", tmp_path)
    assert interrupted("alembic", *arguments) == (130, "interrupted\nended in order\n", "")


def test_ctrl_c_that_is_not_for_the_process_does_not_end_it() -> None:
    code, printed, error = interrupted("services.cli.commands", "--version", handling="ignored")
    assert (code, error) == (0, "")
    assert printed.splitlines()[0] == "interrupted"
    assert printed.splitlines()[-1] == "ended in order"


def test_the_version_is_that_of_the_distribution() -> None:
    shown = CliRunner().invoke(app, ["--version"])
    assert (shown.exit_code, shown.stdout) == (0, f"rehear {importlib.metadata.version('rehear')}\n")


def test_the_help_and_the_readme_say_how_long_the_demo_takes() -> None:
    shown = " ".join(CliRunner().invoke(app, ["demo", "--help"], env={"COLUMNS": "200"}).stdout.split())
    assert "some ten minutes" in shown
    assert "some ten minutes" in (ROOT / "README.md").read_text(encoding="utf-8")


# Where the state may be


def refused(*arguments: object) -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    return raised.value


@pytest.mark.parametrize("inside", ["", "deeper/still"])
@pytest.mark.parametrize(
    "command",
    [
        ("learn", "--turns", "x"),
        ("up",),
        ("serve",),
        ("broker",),
        ("work", "sessions"),
        ("rewrite", "--turns", "x", "--out", "y"),
        ("table", "show"),
        ("table", "block", "x", "--reason", "y"),
        ("forget-user", "ann"),
    ],
    ids=" ".join,
)
def test_a_state_path_that_is_a_file_is_named(tmp_path: Path, command: tuple[str, ...], inside: str) -> None:
    file = tmp_path / "taken"
    file.touch()
    error = refused(*command, "--state", file / inside)
    assert isinstance(error, StateError)
    assert str(error).startswith(f"the state folder cannot be {file / inside}")
    assert f"{file} is a file, not a folder" in str(error) or not inside
    assert "name another folder with --state" in str(error)
    assert f"move {file} away" in str(error)
    assert file.read_bytes() == b""


def test_the_same_of_the_environment_a_database_and_a_link_that_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    show = ("table", "show")
    assert "link that leads nowhere" in str(refused(*show, "--state", tmp_path / "link"))
    monkeypatch.setenv("REHEAR_DATABASE", str(tmp_path / "taken" / "rehear.db"))
    assert "the folder of the database cannot be" in str(refused(*show, "--state", tmp_path))
    monkeypatch.delenv("REHEAR_DATABASE")
    monkeypatch.setenv("REHEAR_STATE", str(tmp_path / "taken"))
    assert "or `state` in the settings" in str(refused(*show))


def test_the_folder_of_the_demo_cannot_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    assert "another folder with --out" in str(refused("demo", "--out", tmp_path / "taken"))


def test_a_command_that_keeps_nothing_does_not_mind_a_file_called_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "state").touch()
    monkeypatch.chdir(tmp_path)
    error = refused("replay")
    assert isinstance(error, SettingsError)
    assert "no Kafka is configured" in str(error)


def test_a_state_that_is_not_there_yet_is_made_by_learning(tmp_path: Path) -> None:
    (tmp_path / "turns.jsonl").touch()
    state = tmp_path / "a" / "b"
    done = CliRunner().invoke(app, ["learn", "--turns", str(tmp_path / "turns.jsonl"), "--state", str(state)])
    assert done.exit_code == 0, done.output
    assert (state / "rehear.db").exists()
