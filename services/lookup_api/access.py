"""Who is asking: guards in front of the routes, and the assistant that a request is about."""

from collections.abc import Awaitable, Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.exceptions import ClientException, NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler

from services.lookup_api.api_keys import ApiKey, KeyRing, Role

API_KEY_HEADER = "X-API-Key"

Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]


def guard_for(keys: KeyRing, role: Role) -> Guard:
    """A guard that lets in keys of this role, and operators everywhere; everybody where no key is configured.

    The entry of the key that asks is then found with `asking_key`.
    """

    # Without waiting for anything, yet async: the framework would send a plain function to a thread.
    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        if not keys:
            return
        key = connection.headers.get(API_KEY_HEADER)
        if key is None:
            raise NotAuthorizedException(f"an API key is needed, in the header {API_KEY_HEADER}")
        entry = keys.find(key)
        if entry is None:
            raise NotAuthorizedException(f"the key in {API_KEY_HEADER} is not one of this server's")
        if role == "operator" and entry.role != "operator":
            raise PermissionDeniedException(
                f"the key {entry.name!r} may look up and give feedback; this takes an operator's key"
            )
        connection.scope["state"]["key"] = entry

    return guard


def asking_key(connection: ASGIConnection[Any, Any, Any, Any]) -> ApiKey | None:
    """The key that asks; None where no keys are configured."""
    key: ApiKey | None = connection.scope["state"].get("key")
    return key


def asked_assistant(connection: ASGIConnection[Any, Any, Any, Any], named: str | None) -> str:
    """The assistant that a request is about: that of the key, which the request may name as well.

    Raises:
        PermissionDeniedException: the request names another assistant than that of its key.
        ClientException: neither a key nor the request tells it, or the name cannot be printed.
    """
    key = asking_key(connection)
    check_printable("assistant_id", named)
    if key is not None:
        if named is not None and named != key.assistant_id:
            raise PermissionDeniedException(f"the key {key.name!r} is not for the assistant {named!r}")
        assistant_id = key.assistant_id
    elif named is None:
        raise ClientException("assistant_id is missing; it may be left out only where an API key tells it")
    else:
        assistant_id = named
    connection.scope["state"]["assistant_id"] = assistant_id
    return assistant_id


def check_printable(name: str, identifier: str | None) -> None:
    """Refuses an id with control characters, which no database and no log should see.

    Raises:
        ClientException: it has some.
    """
    if identifier is not None and not identifier.isprintable():
        raise ClientException(f"{name} has characters that cannot be printed")
