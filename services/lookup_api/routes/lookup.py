"""The route in the assistant's request path: what should this request have been?"""

from collections.abc import Callable
from typing import Any

from litestar import Request, post
from litestar.handlers import HTTPRouteHandler
from litestar.middleware import DefineMiddleware
from litestar.params import JSONBody
from msgspec import UNSET

from rewriting.evidence.understanding_confidence import value_of
from rewriting.ranking.decision import decided, is_settled, looked_up
from rewriting.serving.hold_out import HoldOut, ServedAnswer, answer_when_off
from rewriting.table.lookup import LookupAnswer
from rewriting.table.rewrite import GLOBAL
from services.lookup_api.access import guards_for, looked_up_assistant
from services.lookup_api.api_metrics import ApiMetrics, MeasuredLookups
from services.lookup_api.followers.table import TableFollower
from services.lookup_api.messages import RewriteAnswer, RewriteQuery, ServedRewrite
from services.lookup_api.online_answers import AnsweredOnline, OnlineAnswers
from services.lookup_api.online_request import confidence_of
from services.lookup_api.query_occasion import query_occasion
from services.lookup_api.routes.query_times import check_times
from services.platform.api_keys import KeyRing
from streams.turn import AssistantId, UserId

_LAYERS = {"answer": "answers"}


def lookup_route(
    follower: TableFollower,
    online: OnlineAnswers | None,
    hold_out: HoldOut,
    keys: KeyRing,
    metrics: ApiMetrics,
    clock_ms: Callable[[], int],
) -> HTTPRouteHandler:
    """`POST /v1/rewrite`: from the table in memory; what that leaves open is asked of the online rewriter."""

    # What memory answers stays in the event loop: sending it to a thread would cost more than the answer.
    @post(
        "/v1/rewrite",
        status_code=200,
        guards=guards_for(keys, "lookup"),
        middleware=[DefineMiddleware(MeasuredLookups, metrics=metrics)],
        opt={"body": RewriteQuery},
        summary="The rewrite of a request, or null and the reason for leaving it as it is",
        tags=["lookup"],
    )
    async def rewrite(request: Request[Any, Any, Any], data: JSONBody[RewriteQuery]) -> RewriteAnswer:
        assistant_id = AssistantId(looked_up_assistant(request, data.assistant_id))
        now_ms = clock_ms()
        check_times(data, now_ms)
        table, occasion = follower.table_of(assistant_id), query_occasion(data)
        if follower.is_off(assistant_id):
            return _told(request, data, answer_when_off(table.version), None)
        user_id, confidence = UserId(data.user_id), confidence_of(data)
        whole = known = looked_up(table, data.text, user_id, confidence, occasion)
        if not assistant_id:  # the first to be known may be any
            return _told(request, data, ServedAnswer(known, None), None)
        arm = hold_out.arm_of(assistant_id, user_id)
        if not hold_out.takes(arm, whole.rewrite):
            known = looked_up(table, data.text, None, confidence, occasion)
        answered = None
        if online is not None and not is_settled(known):
            answered = await online.ask(assistant_id, data, uses_history=hold_out.uses_history(arm))
        asked = None if answered is None else answered.answer
        verdicts = follower.verdicts_of(assistant_id)
        decision = decided(table, data.text, user_id, confidence, occasion, known, asked, verdicts)
        if verdicts is not None and known.rewrite is not None and decision.accepts_row is not None:
            accepted = decision.accepts_row
            verdicts.note(known.rewrite, user_id, value_of(confidence), accepted=accepted)
        answer, passed_over = decision.answer, None
        if known is not whole and answer.rewrite is None and asked is None:
            own = decided(table, data.text, user_id, confidence, occasion, whole, None, verdicts)
            passed_over = own.answer.rewrite
        ts_ms = now_ms if data.ts_ms is None else data.ts_ms
        served = hold_out.served(answer, arm, assistant_id, user_id, data.text, ts_ms, passed_over)
        return _told(request, data, served, answered)

    def _told(
        request: Request[Any, Any, Any],
        query: RewriteQuery,
        served: ServedAnswer,
        answered: AnsweredOnline | None,
    ) -> RewriteAnswer:
        """The answer as it is sent; it is counted."""
        answer, rewrite = served.answer, served.answer.rewrite
        state = request.scope["state"]
        state["outcome"] = answer.reason or "rewritten"
        metrics.count_layer(state["assistant_id"], layer_of(answer))
        metrics.count_arm(state["assistant_id"], served.arm, withheld=served.withheld is not None)
        return RewriteAnswer(
            rewrite=None
            if rewrite is None
            else ServedRewrite(
                id=rewrite.rewrite_id,
                text=rewrite.text,
                method=rewrite.method,
                scope=rewrite.scope,
                score=rewrite.score,
            ),
            reason=answer.reason,
            table_version=answer.table_version,
            arm=served.arm,
            withheld=served.withheld,
            request_id=query.request_id,
            online=answered.details if answered is not None and query.explain else UNSET,
        )

    return rewrite


def layer_of(answer: LookupAnswer) -> str:
    """The layer that a rewrite comes from, or the reason why there is none."""
    if answer.rewrite is None:
        return str(answer.reason)
    if answer.rewrite.method == "retrieval":
        return "global" if answer.rewrite.scope == GLOBAL else "personal"
    return _LAYERS.get(answer.rewrite.method, answer.rewrite.method)
