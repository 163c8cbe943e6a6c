import json
from collections.abc import Callable
from pathlib import Path

import pytest

from labeling.errors import ArtifactError
from labeling.models.artifact import MANIFEST_NAME, read_manifest, verify_artifact, write_artifact


def write_two(folder: Path) -> None:
    (folder / "numbers.bin").write_bytes(bytes(range(100)))
    (folder / "inner").mkdir()
    (folder / "inner" / "text.txt").write_text("grüße", encoding="utf-8")


def test_what_is_written_is_verified(tmp_path: Path) -> None:
    facts: dict[str, int | float | str] = {"count": 3, "share": 0.5, "whole": 2.0, "encoder": "abc"}
    written = write_artifact(tmp_path / "new" / "one", "thing", write_two, facts=facts)

    assert verify_artifact(tmp_path / "new" / "one", "thing") == written
    assert written.facts == facts
    assert [(file.path, file.size_bytes) for file in written.files] == [
        ("inner/text.txt", 7),
        ("numbers.bin", 100),
    ]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["one"]


def test_nothing_is_left_of_an_artifact_that_could_not_be_written(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        write_two(folder)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_artifact(tmp_path / "one", "thing", fail, facts={})
    assert list(tmp_path.iterdir()) == []


def test_the_same_again_leaves_what_is_there_and_another_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "one"
    first = write_artifact(folder, "thing", write_two, facts={"count": 1})
    assert write_artifact(folder, "thing", write_two, facts={"count": 1}) == first
    with pytest.raises(ArtifactError, match="is there already"):
        write_artifact(folder, "thing", write_two, facts={"count": 2})
    with pytest.raises(ArtifactError, match="is there already"):
        write_artifact(folder, "thing", lambda empty: None, facts={"count": 1})
    assert verify_artifact(folder, "thing") == first
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("mine")
    with pytest.raises(ArtifactError, match="is there already"):
        write_artifact(tmp_path / "one", "thing", write_two, facts={})
    assert (tmp_path / "one").read_text() == "mine"


def flip_a_bit(folder: Path) -> None:
    content = bytearray((folder / "numbers.bin").read_bytes())
    content[50] ^= 1
    (folder / "numbers.bin").write_bytes(content)


def link_elsewhere(folder: Path) -> None:
    (folder / "inner" / "text.txt").unlink()
    (folder / "inner" / "text.txt").symlink_to(folder / "numbers.bin")


def raise_schema_version(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST_NAME).read_text())
    (folder / MANIFEST_NAME).write_text(json.dumps(manifest | {"schema_version": 2}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (flip_a_bit, "numbers.bin is not what was written"),
        (lambda folder: (folder / "numbers.bin").write_bytes(b"short"), "5 bytes instead of 100"),
        (lambda folder: (folder / "numbers.bin").unlink(), "numbers.bin is missing"),
        (lambda folder: (folder / "extra").write_text(""), "extra is not in the manifest"),
        (link_elsewhere, "text.txt is no plain file"),
        (lambda folder: (folder / MANIFEST_NAME).unlink(), "no artifact of kind 'thing'"),
        (lambda folder: (folder / MANIFEST_NAME).write_text('{"kind": "thing"}'), "cannot be read"),
        (lambda folder: (folder / MANIFEST_NAME).write_bytes(b"\xff\x00"), "cannot be read"),
        (raise_schema_version, "schema version 2"),
    ],
)
def test_damage_is_found(tmp_path: Path, damage: Callable[[Path], object], message: str) -> None:
    write_artifact(tmp_path / "one", "thing", write_two, facts={})
    damage(tmp_path / "one")
    with pytest.raises(ArtifactError, match=message):
        verify_artifact(tmp_path / "one", "thing")


def test_another_kind_is_refused(tmp_path: Path) -> None:
    write_artifact(tmp_path / "one", "thing", write_two, facts={})
    with pytest.raises(ArtifactError, match="is of kind 'thing', not 'encoder'"):
        verify_artifact(tmp_path / "one", "encoder")
    with pytest.raises(ArtifactError, match="no artifact"):
        read_manifest(tmp_path / "two", "thing")


@pytest.mark.parametrize("fact", [float("nan"), float("inf"), True])
def test_facts_that_could_not_be_read_back_are_refused(tmp_path: Path, fact: float) -> None:
    with pytest.raises(ArtifactError, match="the fact 'loss'"):
        write_artifact(tmp_path / "one", "thing", write_two, facts={"loss": fact})
    assert list(tmp_path.iterdir()) == []
