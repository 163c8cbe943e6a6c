"""Who is asking: guards in front of the routes, and the assistant that a request is about."""

from collections.abc import Awaitable, Callable, Collection
from typing import Annotated, Any, Final

from litestar.connection import ASGIConnection
from litestar.exceptions import ClientException, NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter

from services.lookup_api.operator_key import OPERATOR_KEY_FILE
from services.platform.api_keys import ApiKey, KeyRing, Role, ServerKey

API_KEY_HEADER = "X-API-Key"

_NAMED: Final = 5  # assistants that a message lists, at most

AssistantParameter = Annotated[
    str | None,
    QueryParameter(max_length=512, description="needed only where there are several and no API key tells it"),
]
"""The assistant that a route for operators is about, in its query."""

Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]


def guards_for(keys: KeyRing, role: Role) -> list[Guard]:
    """The guard that lets in keys of this role, and operators everywhere, if one is needed.

    Where no key is configured, everybody may look up and give feedback: a guard that does nothing would cost
    a tenth of a lookup. Operators need their key all the same. The entry of the key that asks is then found
    with `asking_key`.
    """
    if keys.is_open and role == "lookup":
        return []
    needed = _needed(keys, role)

    # Without waiting for anything, yet async: the framework would send a plain function to a thread.
    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        key = connection.headers.get(API_KEY_HEADER)
        if key is None:
            raise NotAuthorizedException(needed)
        entry = keys.find(key)
        if entry is None:
            raise NotAuthorizedException(f"the key in {API_KEY_HEADER} is not one of this server's")
        if role == "operator" and entry.role != "operator":
            raise PermissionDeniedException(
                f"the key {entry.name!r} may look up and give feedback; this takes an operator's key"
            )
        connection.scope["state"]["key"] = entry

    return [guard]


def _needed(keys: KeyRing, role: Role) -> str:
    """What to do about a key that is missing."""
    needed = f"an API key is needed, in the header {API_KEY_HEADER}"
    if role == "lookup":
        return needed
    needed = needed.replace("an API key", "an operator's key")
    if keys.has_file:
        return f"{needed}: it is in the file {OPERATOR_KEY_FILE} of the server's state folder"
    return f"{needed}: make one with `rehear api-key ASSISTANT --role operator`"


def asking_key(connection: ASGIConnection[Any, Any, Any, Any]) -> ApiKey | ServerKey | None:
    """The key that asks; None where none was needed."""
    key: ApiKey | ServerKey | None = connection.scope["state"].get("key")
    return key


def actor_of(connection: ASGIConnection[Any, Any, Any, Any], named: str | None) -> str:
    """Who asks, for a history: whoever is named, else the key."""
    key = asking_key(connection)
    return named or (key.name if key is not None else "operator")


def asked_assistant(connection: ASGIConnection[Any, Any, Any, Any], named: str | None) -> str:
    """The assistant that a request is about: that of the key, the one that is named, or the only one.

    Raises:
        PermissionDeniedException: the request names another assistant than that of its key.
        ClientException: nothing tells it, or the name cannot be printed.
    """
    assistant_id = looked_up_assistant(connection, named)
    if not assistant_id:
        raise ClientException("assistant_id is missing, and no assistant is known yet: name the one you mean")
    return assistant_id


def looked_up_assistant(connection: ASGIConnection[Any, Any, Any, Any], named: str | None) -> str:
    """The same for a lookup, which is no mistake before anything is known of an assistant: empty then.

    Raises:
        PermissionDeniedException: the request names another assistant than that of its key.
        ClientException: there are several and nothing tells which, or the name cannot be printed.
    """
    key = asking_key(connection)
    check_printable("assistant_id", named)
    assistant_id = named
    if key is not None and key.assistant_id is not None:
        if named is not None and named != key.assistant_id:
            raise PermissionDeniedException(f"the key {key.name!r} is not for the assistant {named!r}")
        assistant_id = key.assistant_id
    if assistant_id is None:
        assistant_id = _only_one(connection.app.state.known_assistants())
    connection.scope["state"]["assistant_id"] = assistant_id
    return assistant_id


def _only_one(assistants: Collection[str]) -> str:
    """The only assistant of a server; empty where there is none.

    Raises:
        ClientException: there are several.
    """
    if len(assistants) > 1:
        names = sorted(assistants)
        listed = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
        raise ClientException(
            f"assistant_id is missing, and this server has several assistants ({listed}): name one in "
            "assistant_id, in the body of /v1/rewrite, /v1/feedback and /v1/forgotten-users, in the query of "
            "other routes; or use an API key, which is for one assistant"
        )
    return next(iter(assistants), "")


def check_printable(name: str, identifier: str | None) -> None:
    """Refuses an id with control characters, which no database and no log should see.

    Raises:
        ClientException: it has some.
    """
    if identifier is not None and not identifier.isprintable():
        raise ClientException(f"{name} has characters that cannot be printed")
