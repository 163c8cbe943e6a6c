"""API keys: who may ask, for which assistant, and for what."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

Role = Literal["lookup", "operator"]

_PREFIX: Final = "rehear_"  # lets secret scanners recognise a key that got into a repository
_KEY_BYTES: Final = 32  # 256 random bits: nothing to guess, so a plain fast hash protects them well


class ApiKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One key, as it stands in the settings: by its hash, never in clear."""

    name: str  # says whose it is, in logs
    assistant_id: Annotated[str, Meta(min_length=1)]
    role: Role  # lookup: ask and give feedback; operator: everything
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


def new_api_key(name: str, assistant_id: str, role: Role) -> tuple[str, ApiKey]:
    """A new random key: itself, to be given away once, and the entry for the settings."""
    key = _PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    return key, ApiKey(name=name, assistant_id=assistant_id, role=role, sha256=_sha256(key))


class KeyRing:
    """The configured keys; an empty ring means that the API is open."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._keys = tuple(keys)

    def __bool__(self) -> bool:
        return bool(self._keys)

    def find(self, key: str) -> ApiKey | None:
        """The entry of a key; takes equally long whether and where it matches."""
        digest = _sha256(key)
        found = None
        for entry in self._keys:
            if hmac.compare_digest(entry.sha256, digest):
                found = entry
        return found


def _sha256(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
