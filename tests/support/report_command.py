"""Commands as a user runs them, and the files that they read and write."""

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from click.testing import Result
from typer.testing import CliRunner

from services.cli.commands import app


def write_lines(path: Path, lines: Iterable[object]) -> Path:
    """Writes JSON Lines."""
    path.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    return path


def invoke(*arguments: object) -> Result:
    """Runs `rehear`; an error is raised."""
    result = CliRunner().invoke(app, [str(part) for part in arguments])
    if result.exception:
        raise result.exception
    return result


def run_command(*arguments: object) -> str:
    """What `rehear` prints to standard output."""
    return invoke(*arguments).stdout


def assert_same_twice(write: Callable[[Path], object], folder: Path, json: str = "evaluation.json") -> None:
    """Checks that a report is the same bytes when it is written again."""
    folders = [folder / name for name in ("one", "two")]
    for out in folders:
        write(out)
    for file in (json, "report.html"):
        one, two = ((out / file).read_bytes() for out in folders)
        assert one == two
