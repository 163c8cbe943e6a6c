"""Nothing but a kind's own module does one thing or another by the name of a kind of session model."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.session_models.registry import SESSION_MODELS

ROOT = Path(__file__).parents[1]
PACKAGES = "streams", "labeling", "rewriting", "failure_isolation", "services"
NAMES = {name for kind in SESSION_MODELS for name in (kind.name, kind.artifact)}
METHOD = "method"
"""Of a rewrite, whose `rephrase` is a way to learn it and no kind."""


def choices(source: str) -> Iterator[tuple[int, str]]:
    """Where something is compared with a kind's name, matched or looked up by it: the line and the code."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(METHOD in (getattr(side, "attr", ""), getattr(side, "id", "")) for side in sides):
                continue
        elif isinstance(node, ast.Dict):
            sides = [key for key in node.keys if key is not None]
        elif isinstance(node, ast.MatchValue):
            sides = [node.value]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) != "Literal":
            sides = [node.slice]
        else:
            continue
        constants = (one for side in sides for one in ast.walk(side) if isinstance(one, ast.Constant))
        if any(one.value in NAMES for one in constants):
            yield node.lineno, ast.unparse(node)


def test_no_code_chooses_by_the_name_of_a_kind() -> None:
    rooms = [ROOT / "services/session_models" / name for name in ("rephrases", "labels", "failures")]
    found = {
        f"{path.relative_to(ROOT)}:{line}": code
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if not any(room in path.parents for room in rooms)
        for line, code in choices(path.read_text())
    }
    # The words for people of a rewrite's method, which are no kinds either.
    words = {key for key in found if key.startswith("services/lookup_api/routes/explanation.py")}
    assert {key: code for key, code in found.items() if key not in words} == {}


@pytest.mark.parametrize(
    "source",
    [
        'if kind.name == "labels": pass',
        'if kind in ("labels", "other"): pass',
        'models = {"failures": 1}',
        'model = models["rephrase"]',
        'match kind:\n    case "rephrases": pass',
    ],
)
def test_choices_by_a_name_are_found(source: str) -> None:
    assert list(choices(source))


@pytest.mark.parametrize("source", ['row.method == "rephrase"', 'put("labels")', 'name = "labels"'])
def test_other_uses_of_a_name_are_none(source: str) -> None:
    assert not list(choices(source))
