"""The logs of trouble themselves: enough of each class, always the same, and independent of the product."""

import ast
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from trouble import Asked, Case, all_cases
from waiting import HANGS_AFTER_S

ROOT = Path(__file__).parents[1]
PRODUCT = {"streams", "labeling", "rewriting", "failure_isolation", "services"}


def test_each_class_has_ten_frames_in_three_languages_with_and_without_understanding() -> None:
    by_class: dict[str, list[Case]] = defaultdict(list)
    for case in all_cases():
        if case.harmful:
            by_class[case.letter].append(case)
    assert sorted(by_class) == list("ABCDEFGHIJK")
    for letter, cases in by_class.items():
        kinds = {"-".join(case.name.split("-")[1:-2]) for case in cases}
        assert len(kinds) >= 10, (letter, kinds)
        assert len({case.language for case in cases}) >= 3, letter
        assert {case.with_nlu for case in cases} == {True, False}, letter


def test_each_harmful_case_has_a_twin_with_a_correction_that_must_be_served() -> None:
    cases = {case.name: case for case in all_cases()}
    for name, case in cases.items():
        if case.harmful:
            assert not any(asked.must_be for asked in case.asked), name
            twin = cases[f"{name}-twin"]
            assert not twin.harmful
            assert all(asked.must_be for asked in twin.asked), twin.name


def test_a_correction_of_a_twin_failed_visibly_and_was_made_by_three_users() -> None:
    for case in all_cases():
        if case.harmful or case.letter == "G":
            continue
        for asked in case.asked:
            said = [turn for turn in case.turns if turn["request"]["text"] == asked.text]
            assert len({turn["user_id"] for turn in said}) >= 3, case.name
            assert all(
                turn["response"]["status"] != "ok" or turn["signals"]
                for turn in said
                if "executed_text" not in turn
            ), case.name


def test_the_logs_know_nothing_of_the_product() -> None:
    for path in (ROOT / "tests/support/trouble").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert PRODUCT.isdisjoint(name.split(".")[0] for name in names), path


def test_the_command_writes_the_same_logs_and_their_truth(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.trouble", "--only", "F-minus", "--out", str(tmp_path)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=HANGS_AFTER_S, check=True
    )
    cases = [case for case in all_cases() if case.name.startswith("F-minus")]
    assert done.stdout.startswith(f"{len(cases)} logs with ")
    truth = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))
    assert list(truth) == [case.name for case in cases]
    for case in cases:
        lines = (tmp_path / f"{case.name}.jsonl").read_text(encoding="utf-8").splitlines()
        assert tuple(map(json.loads, lines)) == case.turns
        assert [asked["text"] for asked in truth[case.name]["asked"]] == [asked.text for asked in case.asked]


def test_what_may_be_served_is_told_exactly() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        Asked("open the gate", nothing=True, must_be=frozenset({"open the gate"}))
    with pytest.raises(ValueError, match="exactly one"):
        Asked("open the gate")
    must, may, nothing = (
        Asked("opn it", must_be=frozenset({"Open  it"})),
        Asked("opn it", one_of_or_nothing=frozenset({"open it"})),
        Asked("opn it", nothing=True),
    )
    for asked, allowed in ((must, {"open it"}), (may, {"open it", None}), (nothing, {None})):
        assert {served for served in ("open it", "close it", None) if asked.allows(served)} == allowed
    assert nothing.allows("Opn it")  # a text that stays as it is
    assert not must.allows("Opn it")
