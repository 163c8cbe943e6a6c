"""Keeps web pages of others, open in a browser on this machine, from driving the API.

A browser lets any page send some requests to any address, and tells the server whose page it was (`Origin`,
`Sec-Fetch-Site`) and which name it had for the server (`Host`). What a page may send without being asked
for leave is a form or plain text, never JSON.
"""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from litestar.enums import ScopeType
from litestar.exceptions import HTTPException, PermissionDeniedException
from litestar.types import ASGIApp, Receive, Scope, Send

from services.lookup_api.api_metrics import ApiMetrics
from services.platform.api_settings import LookupApiSettings

_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "::1")
_JSON: Final = b"application/json"
_WITHOUT_BODY: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OTHER_SITES: Final = frozenset({b"cross-site", b"same-site"})  # same-site: another port of this machine, too
_SHOWN: Final = 100  # characters of a header in a message


class PageBarrier:
    """Middleware that refuses what a web page of another site could have sent, on every route.

    - 403 for a `Host` that is not a name of this server, where no API keys are configured: a page can give
      its own name our address, and its requests then count as those of its own site. A page has no key, so
      with keys any name will do. Browsers always send a `Host`, so without one nothing is refused.
    - 403 for an `Origin` that is another server's or has no name ("null"), and for a request of which the
      browser says that it comes from another site.
    - 415 for a body that is not declared as JSON.

    Args:
        app: what the others come to.
        settings: where the server listens, its keys, and other names that it goes by.
        metrics: that count what is refused.
    """

    def __init__(self, app: ASGIApp, settings: LookupApiSettings, metrics: ApiMetrics) -> None:
        self._app = app
        self._metrics = metrics
        self._listed = frozenset(map(_canonical, settings.allowed_hosts))
        self._names = frozenset(map(_canonical, (*_LOOPBACK_NAMES, settings.host))) | self._listed
        self._checks_host = not settings.api_keys
        self._named = f"{settings.host}:{settings.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, or refuses it."""
        if scope["type"] == ScopeType.HTTP:
            headers = dict(scope["headers"])
            host = headers.get(b"host")
            if self._checks_host and host is not None and split_host(host)[0] not in self._names:
                self._refuse_host(host)
            if b"origin" in headers:
                if not self._is_own(headers[b"origin"], host or b""):
                    self._refuse_origin(_shown(headers[b"origin"]))
            elif headers.get(b"sec-fetch-site") in _OTHER_SITES:
                self._refuse_origin("another site, by Sec-Fetch-Site")
            if scope["method"] not in _WITHOUT_BODY:
                self._check_body_type(scope["method"], headers.get(b"content-type"))
        await self._app(scope, receive, send)

    def _is_own(self, origin: bytes, host: bytes) -> bool:
        """Whether an origin is this server's own, or one of the names in the settings."""
        try:
            address = urlsplit(origin.decode("latin-1").lower())
        except ValueError:
            return False
        if not address.netloc:  # as in "null"
            return False
        name, port = split_host(address.netloc.encode("latin-1"))
        if name in self._listed:
            return True
        asked_name, asked_port = split_host(host)
        return port == asked_port and (name == asked_name or name in self._names)

    def _check_body_type(self, method: str, content_type: bytes | None) -> None:
        if content_type == _JSON or (content_type is None and method != "POST"):
            return
        if content_type is not None and content_type.partition(b";")[0].strip().lower() == _JSON:
            return
        self._metrics.count_refusal("content_type")
        given = "without Content-Type" if content_type is None else f"of type {_shown(content_type)}"
        raise HTTPException(
            status_code=415,
            detail=f"the body is {given}: send JSON, with the header Content-Type: application/json",
        )

    def _refuse_host(self, host: bytes) -> None:
        self._metrics.count_refusal("host")
        raise PermissionDeniedException(
            f"the Host {_shown(host)} is not a name of this server: ask it at {self._named}, or add the name "
            "to allowed_hosts under [api] in the settings"
        )

    def _refuse_origin(self, origin: str) -> None:
        self._metrics.count_refusal("origin")
        raise PermissionDeniedException(
            f"the request comes from a web page of another server ({origin}): if its pages may ask, add its "
            "name to allowed_hosts under [api] in the settings"
        )


def split_host(value: bytes) -> tuple[str, str]:
    """Name and port of a `Host` header, in lower case and without brackets; no name where it is malformed.

    >>> split_host(b"LocalHost:8420"), split_host(b"[::1]"), split_host(b"a:b:c")
    (('localhost', '8420'), ('::1', ''), ('', ''))
    """
    text = value.decode("latin-1").lower()
    if text.startswith("["):
        name, _, rest = text[1:].partition("]")
    else:
        name, colon, rest = text.partition(":")
        rest = colon + rest
    if rest and not (rest[0] == ":" and rest[1:].isdecimal()):
        return "", ""
    return name, rest[1:]


def _canonical(host: str) -> str:
    """A host as it is compared: lower case, without brackets, addresses in their shortest form."""
    name = host.lower().removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


def _shown(value: bytes) -> str:
    return repr(value[:_SHOWN].decode("latin-1"))
