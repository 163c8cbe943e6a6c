"""Finds the commands that README, docs and help texts tell people to type."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = frozenset(
    {
        "rehear",
        "make",
        "python",
        "pip",
        "curl",
        "sqlite3",
        "pg_dump",
        "pg_restore",
        "cat",
        "systemctl",
        "export",
    }
)
"""What a command can begin with; anything else in a block of commands is an error."""

DATA_LANGUAGES = frozenset({"python", "json", "toml", "ini", "yaml"})
_DATA_BEGINS = ("{", "POST /", "… ", "b'", "rehear: ")  # bodies, lines of logs, records, messages
_FENCED = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(?P<code>[^`]+)`")
_OPTIONAL = re.compile(r"\[(--[^\]]+)\]")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*=")
_PROGRAM_PATHS = {".venv/bin/rehear": "rehear", ".venv/bin/python": "python"}


class UnknownCommandError(Exception):
    """A line in a block of commands begins with no known program."""


@dataclass(frozen=True)
class Command:
    """A command, and where it stands."""

    place: str  # document and line
    words: tuple[str, ...]  # the program by its name, without the path to it
    environment: tuple[str, ...] = ()  # NAME=value before it
    is_mention: bool = False  # in running text, where arguments may be left out
    output: str = ""  # that the document shows below it

    @property
    def program(self) -> str:
        return self.words[0]

    def __str__(self) -> str:
        return f"{self.place}: {' '.join(self.words)}"


def commands_in(name: str, text: str) -> list[Command]:
    """All commands of a Markdown document, in their order.

    Raises:
        UnknownCommandError: a line of a fenced block is neither a command of a known program nor data.
    """
    found: list[tuple[int, Command]] = []
    for block in _FENCED.finditer(text):
        first = text.count("\n", 0, block.start("body")) + 1
        for line, command in _commands_of_block(name, first, block["language"], block["body"]):
            found.append((line, command))
    prose = _FENCED.sub(lambda block: "\n" * block[0].count("\n"), text)
    for paragraph in re.finditer(r"(?:.+\n?)+", prose):
        for code in _INLINE.finditer(paragraph[0]):
            line = prose.count("\n", 0, paragraph.start() + code.start()) + 1
            command = _inline(f"{name}:{line}", " ".join(code["code"].split()))
            if command is not None:
                found.append((line, command))
    return [command for _, command in sorted(found, key=lambda pair: pair[0])]


def options_in(text: str) -> set[str]:
    """Options that running text names without their command."""
    prose = _FENCED.sub("", text)
    codes = (code["code"] for code in _INLINE.finditer(prose))
    return {code.split()[0] for code in codes if re.match(r"--\w", code)}


def parsed(place: str, line: str, *, is_mention: bool = False, output: str = "") -> list[Command]:
    """The commands of a line; several where it is a pipe.

    Raises:
        UnknownCommandError: it begins with no known program.
    """
    words = shlex.split(_OPTIONAL.sub(r"\1", line), comments=True)
    environment = []
    while words and _VARIABLE.match(words[0]):
        environment.append(words.pop(0))
    if not words:
        return []
    if "|" in words:
        words = words[: words.index("|")]
    words[0] = _PROGRAM_PATHS.get(words[0], words[0])
    if words[0] not in PROGRAMS:
        raise UnknownCommandError(f"{place}: {line!r}: no command of {', '.join(sorted(PROGRAMS))}")
    return [Command(place, tuple(words), tuple(environment), is_mention, output)]


def _commands_of_block(name: str, first: int, language: str, body: str) -> Iterator[tuple[int, Command]]:
    lines = body.split("\n")
    if language == "ini":
        for number, line in enumerate(lines, first):
            if line.startswith("ExecStart="):  # of a template unit: %i is the kind of worker
                started = re.sub(r"^ExecStart=\S*/", "", line).replace("%i", "sessions")
                yield from ((number, command) for command in parsed(f"{name}:{number}", started))
        return
    if language in DATA_LANGUAGES:
        return
    if language:
        raise UnknownCommandError(f"{name}:{first - 1}: a block of an unknown language {language!r}")
    is_transcript = any(line.startswith("$ ") for line in lines)
    if not is_transcript and body.startswith(_DATA_BEGINS):
        return
    number = 0
    while number < len(lines):
        place, line = first + number, lines[number]
        if is_transcript and not line.startswith("$ "):
            number += 1
            continue
        while line.endswith("\\"):
            number += 1
            line = line.removesuffix("\\") + lines[number]
        number += 1
        output = []
        for below in lines[number:] if is_transcript else []:
            if below.startswith("$ "):
                break
            output.append(below)
        line = line.removeprefix("$ ") if is_transcript else line
        for command in parsed(f"{name}:{place}", line, output="\n".join(output)):
            yield place, command


def _inline(place: str, code: str) -> Command | None:
    first = code.split()[0]
    first = _PROGRAM_PATHS.get(first, first)
    if first not in PROGRAMS or " " not in code:
        return None
    (command,) = parsed(place, code, is_mention=True)
    return command


def documents(root: Path) -> dict[str, str]:
    """README and docs, by name."""
    files = [root / "README.md", *sorted((root / "docs").glob("*.md"))]
    return {str(file.relative_to(root)): file.read_text() for file in files}
