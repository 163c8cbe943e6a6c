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


class ServerKey(Struct, frozen=True, kw_only=True):
    """The key in a server's own file `operator.key`, which opens everything for every assistant."""

    sha256: str
    name: str = "operator"
    assistant_id: None = None
    role: Role = "operator"


def new_key() -> tuple[str, str]:
    """A new random key, and its hash."""
    key = _PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    return key, sha256_of(key)


def new_api_key(name: str, assistant_id: str, role: Role) -> tuple[str, ApiKey]:
    """A new random key: itself, to be given away once, and the entry for the settings."""
    key, sha256 = new_key()
    return key, ApiKey(name=name, assistant_id=assistant_id, role=role, sha256=sha256)


class KeyRing:
    """The keys that a server knows.

    Args:
        configured: those in the settings; none: lookups and feedback need no key.
        server_key_sha256: hash of the key in the server's file; None where it keeps none.
    """

    def __init__(self, configured: Iterable[ApiKey] = (), server_key_sha256: str | None = None) -> None:
        keys: list[ApiKey | ServerKey] = list(configured)
        self.is_open = not keys
        if server_key_sha256 is not None:
            keys.append(ServerKey(sha256=server_key_sha256))
        self._keys = tuple(keys)
        self.has_file = server_key_sha256 is not None

    def find(self, key: str) -> ApiKey | ServerKey | None:
        """The entry of a key; takes equally long whether and where it matches."""
        digest = sha256_of(key)
        found = None
        for entry in self._keys:
            if hmac.compare_digest(entry.sha256, digest):
                found = entry
        return found


def sha256_of(key: str) -> str:
    """The hash that a key is told by."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
