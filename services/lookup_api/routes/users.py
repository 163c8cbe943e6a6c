"""Routes about users: what they say of an answer, and forgetting them."""

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import unquote

from litestar import Request, delete, post
from litestar.exceptions import ClientException
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody, QueryParameter

from rewriting.feedback.store import FeedbackEntry, FeedbackStore, ForgetUser
from services.lookup_api.access import asked_assistant, check_printable, guards_for
from services.lookup_api.messages import FeedbackBody, FeedbackReceipt, ForgetBody
from services.platform.api_keys import KeyRing


def user_routes(
    feedback: FeedbackStore, forget: ForgetUser, keys: KeyRing, clock_ms: Callable[[], int]
) -> list[HTTPRouteHandler]:
    """`POST /v1/feedback`, `DELETE /v1/users/{user_id}` and `POST /v1/forgotten-users`."""

    @post(
        "/v1/feedback",
        status_code=201,
        sync_to_thread=True,
        guards=guards_for(keys, "lookup"),
        opt={"body": FeedbackBody},
        summary="What a user said about a turn or a rewrite; a later word replaces an earlier one",
        tags=["lookup"],
    )
    def give_feedback(request: Request[Any, Any, Any], data: JSONBody[FeedbackBody]) -> FeedbackReceipt:
        if data.event_id is None and data.rewrite_id is None:
            raise ClientException("event_id or rewrite_id is missing: say what the feedback is about")
        for name in ("user_id", "event_id", "rewrite_id"):
            check_printable(name, getattr(data, name))
        entry = FeedbackEntry(
            assistant_id=asked_assistant(request, data.assistant_id),
            user_id=data.user_id,
            event_id=data.event_id,
            rewrite_id=data.rewrite_id,
            feedback=data.feedback,
            comment=None if data.comment is None else data.comment.replace("\x00", " "),
            received_ms=clock_ms(),
        )
        feedback.save(entry)
        return FeedbackReceipt(feedback_id=entry.feedback_id)

    @delete(
        "/v1/users/{user_id:path}",  # an id may hold slashes
        status_code=204,
        sync_to_thread=True,
        guards=guards_for(keys, "operator"),
        summary="Forget a user: their own rewrites and their feedback",
        tags=["users"],
    )
    def forget_named_user(
        request: Request[Any, Any, Any],
        assistant_id: Annotated[str | None, QueryParameter(max_length=512)] = None,
    ) -> None:
        # As it was sent: on its way to a parameter of the route, a path is tidied up.
        path, _, _ = request.scope["raw_path"].decode("ascii").partition("?")  # some servers leave the query
        user_id = unquote(path.partition("/v1/users/")[2])
        check_printable("user_id", user_id)
        forget(asked_assistant(request, assistant_id), user_id)

    @post(
        "/v1/forgotten-users",
        status_code=204,
        sync_to_thread=True,
        guards=guards_for(keys, "operator"),
        opt={"body": ForgetBody},
        summary="The same, for ids that do not survive in a path, such as '..'",
        tags=["users"],
    )
    def forget_user(request: Request[Any, Any, Any], data: JSONBody[ForgetBody]) -> None:
        check_printable("user_id", data.user_id)
        forget(asked_assistant(request, data.assistant_id), data.user_id)

    return [give_feedback, forget_named_user, forget_user]
