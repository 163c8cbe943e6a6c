"""Mutations: each fits the code of today, and the runner tells which ones the tests notice."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace
from mutants import chosen
from mutation import Mutation, MutationError, mutated, read_mutations

ROOT = Path(__file__).parents[1]
MUTATIONS = read_mutations(ROOT / "tests/mutations.toml")

ADULT = Mutation(
    path="ticket/price.py",
    line="return age >= 18",
    replacement="return age > 18",
    kind="comparison",
    breaks="who is just 18 pays like a child",
    tests=("tests",),
)

PRICE = '''\
"""Prices."""


def is_adult(age: int) -> bool:
    return age >= 18


def price(age: int, tickets: int) -> int:
    total = 0
    while tickets > 0:
        total = total + (10 if is_adult(age) else 5)
        tickets = tickets - 1
    return total
'''

# The process is in a session of its own, as a database server or a worker would be.
TESTS = """\
import subprocess, sys
from pathlib import Path
from ticket.price import price

def test_tickets_add_up():
    assert price(20, 2) == 20

def test_a_process_is_left_behind():
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"], start_new_session=True)
    with Path({pids!r}).open("a") as file:
        print(left.pid, file=file)
"""

TOML = """\
[[mutation]]
path = "ticket/price.py"
line = "total = total + (10 if is_adult(age) else 5)"
replacement = "total = total - (10 if is_adult(age) else 5)"
kind = "sign"
breaks = "tickets cost less than nothing"
tests = ["tests/test_price.py"]

[[mutation]]
path = "ticket/price.py"
line = "return age >= 18"
replacement = "return age > 18"
kind = "comparison"
breaks = "who is just 18 pays like a child"
tests = ["tests/test_price.py"]

[[mutation]]
path = "ticket/price.py"
line = "return age >= 21"
replacement = "return age > 21"
kind = "comparison"
breaks = "nothing: the line is of an older version"
tests = ["tests/test_price.py"]

[[mutation]]
path = "ticket/price.py"
line = "tickets = tickets - 1"
replacement = "tickets = tickets - 0"
kind = "bound"
breaks = "counting tickets never ends"
tests = ["tests/test_price.py"]
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A git repository with a tiny package, two tests of it, and mutations."""
    root = tmp_path / "project"
    files = {
        "ticket/__init__.py": "",
        "ticket/price.py": PRICE,
        "tests/test_price.py": TESTS.format(pids=str(tmp_path / "pids")),
        "tests/mutations.toml": TOML,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    subprocess.run(["git", "init", "--quiet", str(root)], check=True)  # noqa: S607 - as installed
    return root


def run_mutants(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "tests/support/mutants.py"), "--root", str(root), *arguments]
    plain = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # the tiny project needs none
    return subprocess.run(command, env=plain, capture_output=True, text=True, timeout=600, check=False)


def verdicts(output: str) -> dict[str, str]:
    """By number of the mutation."""
    lines = [line.split(" s  ") for line in output.splitlines() if " s  " in line and "ticket/" in line]
    return {after.split()[0]: before.rsplit(None, 1)[0].strip() for before, after in lines}


def test_every_mutation_fits_the_code_of_today() -> None:
    for mutation in MUTATIONS:
        source = (ROOT / mutation.path).read_text()
        assert mutated(mutation, source) != source
    assert len({(mutation.path, mutation.change, mutation.after) for mutation in MUTATIONS}) == len(MUTATIONS)


def test_every_mutation_names_tests_that_there_are() -> None:
    for mutation in MUTATIONS:
        for test in mutation.tests:
            module, _, function = test.partition("::")
            assert module.startswith("tests/")
            assert (ROOT / module).exists(), module
            assert not function or f"def {function.partition('[')[0]}(" in (ROOT / module).read_text(), test


def test_every_package_has_mutations_of_several_kinds() -> None:
    for package in ("streams", "labeling", "rewriting", "failure_isolation", "services"):
        kinds = Counter(mutation.kind for mutation in MUTATIONS if mutation.package == package)
        assert kinds.total() >= 3, package
        assert len(kinds) >= 3, package
    there = {mutation.kind for mutation in MUTATIONS}
    assert there >= {"comparison", "bound", "sign", "removed call", "swapped arguments"}


def test_a_mutation_keeps_the_indentation_and_all_other_lines() -> None:
    assert mutated(ADULT, PRICE) == PRICE.replace("    return age >= 18\n", "    return age > 18\n")


@pytest.mark.parametrize(
    ("mutation", "problem"),
    [
        (replace(ADULT, line="return age >= 21"), "0 times; it must be there once"),
        (replace(ADULT, line="return age >= 18", after="no such line"), "0 times"),
        (replace(ADULT, replacement="return age >"), "is no Python"),
        (replace(ADULT, replacement="return (age >= 18)  # the same"), "changes nothing"),
    ],
)
def test_a_mutation_that_does_not_fit_is_refused(mutation: Mutation, problem: str) -> None:
    with pytest.raises(MutationError, match=problem):
        mutated(mutation, PRICE)


def test_of_equal_lines_the_first_below_a_given_line_is_meant() -> None:
    source = "a = 1\nb = 2\na = 1\na = 1\n"
    mutation = replace(ADULT, line="a = 1", replacement="a = 3")
    with pytest.raises(MutationError, match="3 times"):
        mutated(mutation, source)
    assert mutated(replace(mutation, after="b = 2"), source) == "a = 1\nb = 2\na = 3\na = 1\n"


def test_a_file_with_an_unknown_field_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "mutations.toml"
    path.write_text(TOML.replace("breaks", "brakes", 1))
    with pytest.raises(MutationError, match=r"mutations\.toml: .*brakes"):
        read_mutations(path)


def test_mutations_are_chosen_by_number_or_by_part_of_the_path() -> None:
    others = [ADULT, replace(ADULT, path="ticket/sale.py"), replace(ADULT, path="seat/row.py")]
    assert [number for number, _ in chosen(others, [])] == [1, 2, 3]
    assert [number for number, _ in chosen(others, ["3", "sale"])] == [2, 3]
    with pytest.raises(MutationError, match="'4'"):
        chosen(others, ["4"])


def test_what_is_caught_what_survives_and_what_does_not_apply_are_told_apart(project: Path) -> None:
    done = run_mutants(project, "1", "2", "3")
    assert verdicts(done.stdout) == {"1": "caught", "2": "survived", "3": "unusable"}, done.stderr
    assert "by tests/test_price.py::test_tickets_add_up - " in done.stdout
    assert "though who is just 18 pays like a child" in done.stdout
    assert "1 of 3 mutations caught" in done.stdout
    assert done.returncode == 1
    assert (project / "ticket/price.py").read_text() == PRICE
    for pid in map(int, (project.parent / "pids").read_text().split()):  # whoever started it
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_mutation_that_hangs_is_ended_and_counts_as_caught(project: Path) -> None:
    done = run_mutants(
        project, "4", "--limit-s", "3"
    )  # it would never end, so no machine is too slow for this
    assert verdicts(done.stdout) == {"4": "time limit"}, done.stderr
    assert done.returncode == 0


def test_nothing_is_mutated_where_the_tests_fail_anyway(project: Path) -> None:
    tests = project / "tests/test_price.py"
    tests.write_text(tests.read_text().replace("== 20", "== 21"))
    done = run_mutants(project, "1")
    assert (done.stdout, done.returncode) == ("", 1)
    assert "tests fail without any mutation" in done.stderr
    assert "test_tickets_add_up" in done.stderr


def test_tests_that_would_import_an_installed_package_are_refused(project: Path) -> None:
    (project / "ticket").rename(project / "streams")
    (project / "streams/__init__.py").unlink()  # so that the copy is passed over for the installed one
    toml = project / "tests/mutations.toml"
    toml.write_text(toml.read_text().replace("ticket/", "streams/"))
    done = run_mutants(project, "1")
    assert (done.stdout, done.returncode) == ("", 1)
    assert "would import streams from" in done.stderr
