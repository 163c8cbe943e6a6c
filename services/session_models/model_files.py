"""The files of models: artifacts in the folder of an assistant, under names that their contents give."""

import shutil
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from labeling.models.artifact import Manifest, contents_id


def put_model(folder: Path, kind: str, write: Callable[[Path], Manifest]) -> str:
    """Writes an artifact under a name that its contents give; gives the name."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{kind}.{uuid4().hex}"
    manifest = write(partial)
    name = f"{kind}-{contents_id(manifest)[:12]}"
    if (folder / name).exists():
        shutil.rmtree(partial)
    else:
        partial.rename(folder / name)
    return name


def delete_other_models(folder: Path, kept: set[str]) -> None:
    """Deletes the models that were in use before the last ones: nobody reads them any more."""
    for path in folder.iterdir() if folder.exists() else ():
        if path.is_dir() and path.name not in kept and not path.name.startswith("."):
            shutil.rmtree(path, ignore_errors=True)
