"""Settings of the lookup API."""

import ipaddress
import re
from typing import Final

from msgspec import Struct

from rewriting.guards.settings import GuardSettings, SensitiveSettings
from rewriting.ranking.online_settings import OnlineSettings
from services.errors import UnsafeBindingError
from services.platform.api_keys import ApiKey

_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]?")


class LookupApiSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the lookup API listens, whom it lets in, and how closely it follows the rewrite table."""

    host: str = "127.0.0.1"
    port: int = 8420
    workers: int = 1  # processes; each holds its own copy of the tables (about 320 bytes a live rewrite)
    api_keys: tuple[ApiKey, ...] = ()  # none: open, and then only on a loopback address
    allowed_hosts: tuple[str, ...] = ()  # other names of the server, as of a front; without port
    poll_interval_s: float = 0.25  # between looks at the table's version; over 1 s, changes show up late
    stale_after_s: float = 10.0  # without a look at the database for so long, /readyz says no
    stop_timeout_s: int = 10  # for requests in flight when the server is told to stop

    def __post_init__(self) -> None:
        """Refuses hosts that no request could name.

        Raises:
            ValueError: one has a scheme, a port or a path.
        """
        for host in self.allowed_hosts:
            if not _HOST.fullmatch(host):
                raise ValueError(
                    f"allowed_hosts: {host!r} is no host: give a name or an address, without port"
                )

    def check_binding(self) -> None:
        """Refuses to serve a network without API keys.

        Raises:
            UnsafeBindingError: no key is configured, and `host` is not a loopback address.
        """
        if self.api_keys or is_loopback(self.host):
            return
        raise UnsafeBindingError(
            f"the lookup API has no API keys, so whoever reaches {self.host}:{self.port} could read and "
            "change rewrites: make a key with `rehear api-key` and put its hash into the settings, or set "
            "the host to 127.0.0.1"
        )


class OnlineTask(Struct, frozen=True, kw_only=True):
    """What a server process needs to rewrite requests online."""

    state: str  # absolute path of the folder of models and indexes
    settings: OnlineSettings = OnlineSettings()
    guards: GuardSettings = GuardSettings()
    sensitive: SensitiveSettings = SensitiveSettings()


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches this host name or address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
