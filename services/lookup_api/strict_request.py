"""Strict reading of bodies, and one form for everything that can be wrong with a request."""

import re
import traceback
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, SerializationException, ValidationException
from sqlalchemy.exc import DBAPIError, TimeoutError

from rewriting.errors import (
    RewriteConflictError,
    RewriteTableError,
    UnknownRewriteError,
    UnknownVersionError,
)
from services.lookup_api.messages import ErrorBody
from streams.byte_order_mark import json_fault

log = structlog.get_logger()

_PATH = re.compile(r" - at `\$\.?(?P<field>.*)`$")
_FIELD = re.compile(r"field `(?P<field>[^`]+)`")


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON body is read as the type that its route names in `opt["body"]`.

    The framework's own reading would take "1" for 1 and let unknown fields pass in part.
    """

    async def json(self) -> Any:
        """The body.

        Raises:
            msgspec.ValidationError: it is JSON, but not of the type.
            SerializationException: it is not JSON.
        """
        body_type = self.route_handler.opt.get("body")
        if body_type is None:
            return await super().json()
        try:
            body = await self.body()
            return msgspec.json.decode(body, type=body_type)
        except msgspec.ValidationError:
            raise
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise SerializationException(f"the body is not JSON: {json_fault(body, error)}") from error


def field_of(message: str) -> str | None:
    """The field that a message of msgspec is about, with its path.

    >>> field_of("Expected `str`, got `int` - at `$.nlu.intent`")
    'nlu.intent'
    >>> field_of("Object missing required field `text`")
    'text'
    """
    path = _PATH.search(message)
    name = _FIELD.search(message)
    parts = [match["field"] for match in (path, name) if match is not None and match["field"]]
    return ".".join(parts) or None


def answer_invalid_body(_: Request[Any, Any, Any], error: msgspec.ValidationError) -> Response[ErrorBody]:
    """400 for a body that is JSON, but not what the route takes."""
    return _refusal(400, str(error), field_of(str(error)))


def answer_invalid_parameter(_: Request[Any, Any, Any], error: ValidationException) -> Response[ErrorBody]:
    """400 for a parameter that is missing or wrong, or for a body that is missing."""
    (first, *_rest) = error.extra if isinstance(error.extra, list) and error.extra else [{}]
    field = first.get("key")
    if field in (None, "data"):
        return _refusal(400, "the body is missing: send a JSON object")
    return _refusal(400, f"{field}: {first.get('message', error.detail)}", field)


def answer_http_error(_: Request[Any, Any, Any], error: HTTPException) -> Response[ErrorBody]:
    """What a route or the framework refuses."""
    return _refusal(error.status_code, error.detail, headers=error.headers)


def answer_table_error(_: Request[Any, Any, Any], error: RewriteTableError) -> Response[ErrorBody]:
    """404 for a rewrite or version that there is not; 409 for what the table refuses."""
    unknown = isinstance(error, UnknownRewriteError | UnknownVersionError)
    return _refusal(404 if unknown else 409, str(error))


def answer_conflict(_: Request[Any, Any, Any], error: RewriteConflictError) -> Response[ErrorBody]:
    """409 where somebody else changed the table at the same moment."""
    return _refusal(409, f"{error}; try again")


def answer_database_error(request: Request[Any, Any, Any], error: Exception) -> Response[ErrorBody]:
    """503 while the database is away; lookups go on without it."""
    log.warning("database error", path=request.url.path, error=str(error))
    return _refusal(503, "the database does not answer now; try again", headers={"Retry-After": "1"})


def answer_unforeseen(request: Request[Any, Any, Any], error: Exception) -> Response[ErrorBody]:
    """500, with nothing of our insides; they go to the log, without the values of variables."""
    trace = "".join(traceback.format_exception(error))
    log.error("request failed", path=request.url.path, method=request.method, traceback=trace)
    return _refusal(500, "this is a fault of the server; its log says more")


def _refusal(
    status: int, message: str, field: str | None = None, headers: dict[str, str] | None = None
) -> Response[ErrorBody]:
    return Response(
        ErrorBody(status=status, message=message, field=field), status_code=status, headers=headers
    )


EXCEPTION_HANDLERS: dict[int | type[Exception], Any] = {
    msgspec.ValidationError: answer_invalid_body,
    ValidationException: answer_invalid_parameter,
    HTTPException: answer_http_error,
    RewriteTableError: answer_table_error,
    RewriteConflictError: answer_conflict,
    DBAPIError: answer_database_error,
    TimeoutError: answer_database_error,
    Exception: answer_unforeseen,
}
