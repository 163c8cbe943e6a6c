from collections.abc import Callable
from pathlib import Path

import pytest

from labeling.models.artifact import Manifest, verify_artifact, write_artifact
from services.session_models.model_files import delete_other_models, put_model


def model(contents: str) -> Callable[[Path], Manifest]:
    """What writes a model that consists of one file."""
    return lambda folder: write_artifact(
        folder, "toy", lambda path: _write(path / "weights", contents), facts={}
    )


def _write(path: Path, contents: str) -> None:
    path.write_text(contents)


def test_a_model_is_named_by_its_contents(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "a"
    first, again, other = (put_model(folder, "toy", model(text)) for text in ("one", "one", "two"))
    assert first == again != other
    assert first.startswith("toy-")
    assert {path.name for path in folder.iterdir()} == {first, other}
    assert (folder / first / "weights").read_text() == "one"
    verify_artifact(folder / first, "toy")


def test_a_model_that_was_not_written_to_its_end_leaves_nothing(tmp_path: Path) -> None:
    def breaks_off(path: Path) -> None:
        _write(path / "weights", "half")
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        put_model(tmp_path, "toy", lambda path: write_artifact(path, "toy", breaks_off, facts={}))
    assert not list(tmp_path.iterdir())


def test_models_that_are_in_use_or_being_written_stay(tmp_path: Path) -> None:
    used, former = (put_model(tmp_path, "toy", model(text)) for text in ("one", "two"))
    (tmp_path / ".toy.being-written").mkdir()
    (tmp_path / "note.txt").write_text("not a model")
    delete_other_models(tmp_path, {used})
    assert {path.name for path in tmp_path.iterdir()} == {used, ".toy.being-written", "note.txt"}
    assert former != used


def test_where_nothing_was_ever_put_nothing_is_deleted(tmp_path: Path) -> None:
    delete_other_models(tmp_path / "never", set())
    assert not (tmp_path / "never").exists()
