"""Artifacts: folders that are written once, whole, and verified when they are read.

Beside its files, an artifact has a `manifest.json` with their sizes and hashes. It is written to a temporary
name and renamed, so that a name either holds a whole artifact or nothing, whenever the writer is killed.
"""

import hashlib
import math
import os
import shutil
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final
from uuid import uuid4

import msgspec
from msgspec import Struct

from labeling.errors import ArtifactError

MANIFEST_NAME: Final = "manifest.json"

SCHEMA_VERSION: Final = 1
"""Of the manifest. To be raised when artifacts of older versions can no longer be read."""

_READ_BYTES: Final = 2**20  # hashed at a time: large models never lie in memory for it
_PARTIAL_SUFFIX: Final = ".partial"


class ArtifactFile(Struct, frozen=True, forbid_unknown_fields=True):
    """One file of an artifact."""

    path: str  # below the folder of the artifact, parts joined by "/"
    size_bytes: int
    sha256: str  # in hexadecimal


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an artifact is, and what is in it."""

    schema_version: int
    kind: str  # what sort of thing this is, such as "request-index"
    code_version: str  # of Rehear, when it was written
    facts: dict[str, int | float | str]  # what a reader must know before it loads the files
    files: tuple[ArtifactFile, ...]  # by path


def write_artifact(
    folder: Path, kind: str, write: Callable[[Path], None], *, facts: Mapping[str, int | float | str]
) -> Manifest:
    """Writes an artifact: all of it, or nothing.

    Writing the same artifact again leaves the one that is there.

    Args:
        folder: where it shall lie; made with its parents.
        kind: what `verify_artifact` must be asked for.
        write: writes the files into the empty folder that it is given; its errors are passed on.
        facts: for the manifest.

    Raises:
        ArtifactError: another artifact, or anything else, lies at `folder`; or `write` has made a link, or
            a fact is no finite number.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.parent / f".{folder.name}.{uuid4().hex}{_PARTIAL_SUFFIX}"
    partial.mkdir()
    try:
        write(partial)
        manifest = Manifest(
            schema_version=SCHEMA_VERSION,
            kind=kind,
            code_version=version("rehear"),
            facts=dict(facts),
            files=tuple(_described(partial, path) for path in _paths(partial)),
        )
        (partial / MANIFEST_NAME).write_bytes(_encoded(manifest))
        # All of it is to be on the disk, files before the folders that name them.
        for path in (*sorted(partial.rglob("*"), reverse=True), partial):
            _sync_one(path)
        try:
            partial.rename(folder)
        except OSError as error:
            if not os.path.lexists(folder):
                raise
            if _is_same(folder, manifest):
                return verify_artifact(folder, kind)
            raise ArtifactError(
                f"{folder} is there already, with other contents: remove it or choose another name"
            ) from error
        _sync_one(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return manifest


def verify_artifact(folder: Path, kind: str) -> Manifest:
    """Reads the manifest of an artifact and checks every file against it, by size and hash.

    Args:
        folder: of the artifact.
        kind: of artifact that is wanted.

    Raises:
        ArtifactError: missing, of another kind or a newer version, or a file was changed, added or lost.
    """
    manifest = read_manifest(folder, kind)
    listed = {file.path: file for file in manifest.files}
    found = set(_paths(folder)) - {MANIFEST_NAME}
    if missing := sorted(listed.keys() - found):
        raise ArtifactError(f"{folder / missing[0]} is missing: {_REPAIR}")
    if extra := sorted(found - listed.keys()):
        raise ArtifactError(f"{folder / extra[0]} is not in the manifest of its artifact: remove that file")
    for path, file in listed.items():
        size_bytes = (folder / path).stat().st_size
        if size_bytes != file.size_bytes:
            raise ArtifactError(
                f"{folder / path} has {size_bytes:,} bytes instead of {file.size_bytes:,}: {_REPAIR}"
            )
        if _described(folder, path) != file:
            raise ArtifactError(f"{folder / path} is not what was written (another sha256): {_REPAIR}")
    return manifest


def read_manifest(folder: Path, kind: str) -> Manifest:
    """The manifest of an artifact; its files are not looked at.

    Raises:
        ArtifactError: missing, unreadable, of another kind or a newer version.
    """
    path = folder / MANIFEST_NAME
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except OSError as error:
        raise ArtifactError(
            f"no artifact of kind {kind!r} at {folder} ({MANIFEST_NAME}: {error.strerror}): {_REPAIR}"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{path} cannot be read ({error}): {_REPAIR}") from error
    if manifest.schema_version > SCHEMA_VERSION:
        raise ArtifactError(
            f"{path} has schema version {manifest.schema_version}, and this version of Rehear reads up to "
            f"{SCHEMA_VERSION}: upgrade Rehear, or build the artifact again"
        )
    if manifest.kind != kind:
        raise ArtifactError(f"{folder} is of kind {manifest.kind!r}, not {kind!r}: name another folder")
    return manifest


def contents_id(manifest: Manifest) -> str:
    """A hash of the files of an artifact, in hexadecimal: equal files, equal id, whatever it is called."""
    return hashlib.sha256(msgspec.json.encode(manifest.files)).hexdigest()


_REPAIR: Final = "build the artifact again, or copy it anew"


def _encoded(manifest: Manifest) -> bytes:
    for name, fact in manifest.facts.items():
        if isinstance(fact, bool) or (isinstance(fact, float) and not math.isfinite(fact)):
            raise ArtifactError(f"the fact {name!r} of an artifact is {fact}: give a finite number or a text")
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def _is_same(folder: Path, wanted: Manifest) -> bool:
    try:
        found = read_manifest(folder, wanted.kind)
    except ArtifactError:
        return False
    return found.facts == wanted.facts and found.files == wanted.files


def _paths(folder: Path) -> list[str]:
    """All files below a folder, sorted; anything but a plain file is an error."""
    paths = []
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ArtifactError(f"{path} is no plain file, which an artifact cannot have: replace it by one")
        if path.is_file():
            paths.append(path.relative_to(folder).as_posix())
    return sorted(paths)


def _described(folder: Path, path: str) -> ArtifactFile:
    digest = hashlib.sha256()
    size_bytes = 0
    with (folder / path).open("rb") as file:
        while read := file.read(_READ_BYTES):
            digest.update(read)
            size_bytes += len(read)
    return ArtifactFile(path, size_bytes, digest.hexdigest())


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
