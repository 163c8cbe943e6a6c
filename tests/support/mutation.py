"""Mutations: small faults put into the code on purpose, to see whether the tests notice.

A fault is kept as text, not as a line number, so that edits elsewhere in a file leave it valid.
"""

import ast
import warnings
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

Kind = Literal[
    "comparison",  # the wrong way round, or with the wrong side of equality
    "bound",  # a limit left out or moved
    "sign",  # plus for minus, ascending for descending
    "removed call",
    "swapped arguments",
    "condition",  # negated, or one of several left out
    "value",  # something else is stored or returned
]

_Line = Annotated[str, Meta(pattern=r"^\S(.*\S)?\Z")]


class MutationError(Exception):
    """A mutation does not fit the code that it is for; its line has changed, or is there twice."""


class Mutation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault, and the tests that notice it."""

    path: Annotated[str, Meta(pattern=r"^[a-z_]+/[\w/]+\.py\Z")]  # from the root of the repository
    line: _Line  # of code, without its indentation
    replacement: _Line  # put in its place, with the same indentation
    kind: Kind
    breaks: _Line  # what goes wrong then, in one sentence
    tests: Annotated[tuple[str, ...], Meta(min_length=1)]  # files, folders or test ids, as pytest takes them
    after: _Line | None = None
    """An earlier line that the file has once; the first `line` below it is meant. Needed where a file has
    `line` several times."""

    @property
    def package(self) -> str:
        """The top-level package of the code."""
        return self.path.partition("/")[0]

    @property
    def change(self) -> str:
        """What is put in place of what, in one line."""
        return f"{self.line}  ->  {self.replacement}"


class _Mutations(Struct, frozen=True, forbid_unknown_fields=True):
    mutation: tuple[Mutation, ...]


def read_mutations(path: Path) -> tuple[Mutation, ...]:
    """The mutations of a TOML file, `[[mutation]]` each, in its order.

    Raises:
        MutationError: it is no such file.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=_Mutations).mutation
    except (OSError, ValueError) as error:  # msgspec's and tomllib's errors are ValueErrors
        raise MutationError(f"cannot read mutations from {path}: {error}") from error


def mutated(mutation: Mutation, source: str) -> str:
    """The code with the fault in it.

    Raises:
        MutationError: the line is missing or ambiguous, or the result is no Python or means the same.
    """
    lines = source.splitlines(keepends=True)
    stripped = [line.strip() for line in lines]
    found = [number for number, line in enumerate(stripped) if line == mutation.line]
    if mutation.after is not None:
        below = stripped.index(mutation.after) if stripped.count(mutation.after) == 1 else len(lines)
        found = [number for number in found if number > below][:1]
    if len(found) != 1:
        place = "" if mutation.after is None else f" below the only line `{mutation.after}`"
        raise MutationError(
            f"{mutation.path} has the line `{mutation.line}`{place} {len(found)} times; it must be there once"
        )
    lines[found[0]] = lines[found[0]].replace(mutation.line, mutation.replacement)
    result = "".join(lines)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a fault may well look odd to the compiler
            compile(result, mutation.path, "exec")
            unchanged = ast.dump(ast.parse(result)) == ast.dump(ast.parse(source))
    except SyntaxError as error:
        raise MutationError(f"{mutation.path}: `{mutation.change}` is no Python: {error}") from error
    if unchanged:
        raise MutationError(f"{mutation.path}: `{mutation.change}` changes nothing")
    return result
