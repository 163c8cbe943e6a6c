from pathlib import Path

import pytest

from services.errors import StateError
from services.jobs.log_folder import find_logs


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).touch()


def test_everything_but_the_test_log_is_to_learn_from(tmp_path: Path) -> None:
    touch(tmp_path, "turns.dev.jsonl.gz", "turns.train.jsonl.gz", "turns.test.jsonl.gz", "gold.test.jsonl.gz")
    touch(tmp_path, "restaurant_nlu.py")
    found = find_logs(tmp_path)
    assert [path.name for path in found.train] == ["turns.dev.jsonl.gz", "turns.train.jsonl.gz"]
    assert found.test == tmp_path / "turns.test.jsonl.gz"
    assert found.understanding == tmp_path / "restaurant_nlu.py"
    assert found.can_be_scored


def test_answers_go_before_a_program(tmp_path: Path) -> None:
    touch(tmp_path, "turns.jsonl.gz", "nlu.jsonl.gz", "a_nlu.py")
    assert find_logs(tmp_path).understanding == tmp_path / "nlu.jsonl.gz"


@pytest.mark.parametrize("missing", ["turns.test.jsonl.gz", "gold.test.jsonl.gz", "nlu.jsonl.gz"])
def test_without_one_of_them_there_is_no_score(tmp_path: Path, missing: str) -> None:
    names = {"turns.train.jsonl.gz", "turns.test.jsonl.gz", "gold.test.jsonl.gz", "nlu.jsonl.gz"}
    touch(tmp_path, *(names - {missing}))
    assert not find_logs(tmp_path).can_be_scored


def test_a_folder_without_a_log_is_an_error(tmp_path: Path) -> None:
    touch(tmp_path, "turns.test.jsonl.gz")
    with pytest.raises(StateError, match=r"turns\.train\.jsonl\.gz"):
        find_logs(tmp_path)
