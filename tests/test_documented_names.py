"""Examples in docstrings are true, every room says what it owns, and packages export what they name."""

import doctest
import importlib
from pathlib import Path
from types import ModuleType

import pytest

from streams.errors import RehearError

ROOT = Path(__file__).parents[1]
PACKAGES = ("streams", "labeling", "rewriting", "failure_isolation", "services", "benchmarks")
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imported(path: Path) -> ModuleType:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return importlib.import_module(name.removesuffix(".__init__"))


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", [path for path in FILES if ">>> " in path.read_text()], ids=named)
def test_examples_of_a_module_are_true(path: Path) -> None:
    examples = doctest.DocTestFinder(exclude_empty=True).find(imported(path))
    runner = doctest.DocTestRunner(verbose=False)
    for example in examples:
        runner.run(example)
    failed, attempted = runner.summarize(verbose=False)
    assert attempted > 0
    assert failed == 0


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.name == "__init__.py" and "versions" not in path.parts], ids=named
)
def test_a_room_says_what_it_owns_and_has_what_it_exports(path: Path) -> None:
    room = imported(path)
    assert (room.__doc__ or "").strip().partition("\n")[0].endswith(".")
    assert all(hasattr(room, name) for name in getattr(room, "__all__", ()))


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.name == "errors.py" and "benchmarks" not in path.parts], ids=named
)
def test_all_errors_have_one_root(path: Path) -> None:
    module = imported(path)
    errors = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == module.__name__
    ]
    assert errors
    assert all(issubclass(error, RehearError) for error in errors)
