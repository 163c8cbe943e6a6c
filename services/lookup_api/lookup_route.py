"""The route in the assistant's request path: what should this request have been?"""

from typing import Any

from litestar import Request, post
from litestar.handlers import HTTPRouteHandler
from litestar.middleware import DefineMiddleware
from litestar.params import JSONBody

from labeling.question import Question, question_of
from rewriting.understanding_confidence import understanding_confidence
from services.lookup_api.access import asked_assistant, guard_for
from services.lookup_api.api_keys import KeyRing
from services.lookup_api.api_metrics import ApiMetrics, MeasuredLookups
from services.lookup_api.messages import RewriteAnswer, RewriteQuery, ServedRewrite
from services.lookup_api.table_follower import TableFollower


def lookup_route(follower: TableFollower, keys: KeyRing, metrics: ApiMetrics) -> HTTPRouteHandler:
    """`POST /v1/rewrite`: answered from memory, without a look at the database."""

    @post(
        "/v1/rewrite",
        status_code=200,
        sync_to_thread=False,
        guards=[guard_for(keys, "lookup")],
        middleware=[DefineMiddleware(MeasuredLookups, metrics=metrics)],
        opt={"body": RewriteQuery},
        summary="The rewrite of a request, or null and the reason for leaving it as it is",
        tags=["lookup"],
    )
    def rewrite(request: Request[Any, Any, Any], data: JSONBody[RewriteQuery]) -> RewriteAnswer:
        assistant_id = asked_assistant(request, data.assistant_id)
        nlu_confidence = None if data.nlu is None else data.nlu.confidence
        confidence = understanding_confidence(data.asr_confidence, nlu_confidence)
        answer = follower.table_of(assistant_id).look_up(
            data.text, data.user_id, confidence, question_asked(data)
        )
        served = None
        if answer.rewrite is not None:
            served = ServedRewrite(
                id=answer.rewrite.rewrite_id,
                text=answer.rewrite.text,
                method=answer.rewrite.method,
                scope=answer.rewrite.scope,
                score=answer.rewrite.score,
            )
        request.scope["state"]["outcome"] = answer.reason or "rewritten"
        return RewriteAnswer(
            rewrite=served,
            reason=answer.reason,
            table_version=answer.table_version,
            request_id=data.request_id,
        )

    return rewrite


def question_asked(query: RewriteQuery) -> Question:
    """What the assistant had asked before a request."""
    last = query.previous_turns[-1].response_text if query.previous_turns else None
    return question_of(query.prompt or last)
