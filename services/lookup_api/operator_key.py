"""The operator's key that a server keeps where none is configured, in a file that only its owner reads."""

import contextlib
import os
import re
import secrets
import stat
from pathlib import Path
from typing import Final

import structlog
from msgspec import Struct

from services.lookup_api.errors import OperatorKeyError
from services.platform.api_keys import new_key, sha256_of
from services.platform.api_settings import LookupApiSettings

log = structlog.get_logger()

OPERATOR_KEY_FILE: Final = "operator.key"

_OWNER_ALONE: Final = 0o600
_LARGEST_BYTES: Final = 1_000  # ten times what a key and a line end take
_KEY: Final = re.compile(r"rehear_[A-Za-z0-9_-]{43,}")


class OperatorKey(Struct, frozen=True):
    """Where the key is, and its hash; the key itself is nowhere but in the file."""

    path: Path
    sha256: str


def operator_key(settings: LookupApiSettings, state: Path) -> OperatorKey | None:
    """The key in the state folder, made where there is none.

    None where the settings have a key for an operator: that one is used then, and no file is made. None as
    well, with a warning, where the folder cannot be written: lookups do not need the key.

    Raises:
        OperatorKeyError: the file can be read by others, or holds no key.
    """
    if any(key.role == "operator" for key in settings.api_keys):
        return None
    path = state / OPERATOR_KEY_FILE
    try:
        state.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        return OperatorKey(path, sha256_of(_read(path)))
    except OSError as error:
        log.warning("operators' routes are closed: the key cannot be kept", file=str(path), error=str(error))
        return None


def _make(path: Path) -> None:
    """Makes the file, whole and closed to others from the start; one that is there stays."""
    key, _ = new_key()
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    number = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ALONE)
    try:
        with os.fdopen(number, "w", encoding="ascii") as file:
            file.write(key + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another server of this folder was quicker
            os.link(draft, path)
    finally:
        draft.unlink()


def _read(path: Path) -> str:
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        content = file.read(_LARGEST_BYTES)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise OperatorKeyError(
            f"others can read or change {path} (mode {mode:o}): delete it, and the next start makes a new "
            f"key; or, if nobody can have read it, `chmod 600 {path}`"
        )
    key = content.decode("ascii", "replace").strip()
    if not _KEY.fullmatch(key):
        raise OperatorKeyError(f"{path} holds no key: delete it, and the next start makes a new one")
    return key
