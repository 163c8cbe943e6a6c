"""Routes for operators: who is served, and the off switch."""

from collections.abc import Callable
from typing import Any

from litestar import Request, Router, get, post
from litestar.params import JSONBody
from sqlalchemy import Engine

from rewriting.serving.arm import Arms
from rewriting.serving.settings import ServingSettings
from rewriting.serving.switch import ServingSwitch, serving_switches, turn_serving
from services.lookup_api.access import AssistantParameter, actor_of, asked_assistant, guards_for
from services.lookup_api.followers.table import TableFollower
from services.lookup_api.messages import ReasonBody, ServingState, SwitchState
from services.platform.api_keys import KeyRing
from streams.stores.database_schema import reading
from streams.turn import AssistantId

_Asking = Request[Any, Any, Any]


def serving_routes(
    engine: Engine,
    follower: TableFollower,
    settings: ServingSettings,
    keys: KeyRing,
    clock_ms: Callable[[], int],
) -> Router:
    """`/v1/serving`; all of them ask the database."""
    shares = {str(arm): share for arm, share in Arms(settings).shares.items()}

    def state_of(assistant_id: AssistantId, switch: ServingSwitch | None) -> ServingState:
        return ServingState(
            assistant_id=assistant_id,
            off=settings.off or (switch is not None and switch.off),
            off_in_settings=settings.off,
            off_here=follower.is_off(assistant_id),
            switch=None
            if switch is None
            else SwitchState(
                off=switch.off, reason=switch.reason, actor=switch.actor, changed_ms=switch.changed_ms
            ),
            arms=shares,
            exploration=settings.exploration,
        )

    def turned(request: _Asking, body: ReasonBody, named: str | None, *, off: bool) -> ServingState:
        assistant_id = AssistantId(asked_assistant(request, named))
        with engine.begin() as connection:
            switch = turn_serving(
                connection,
                assistant_id,
                off=off,
                reason=body.reason,
                actor=actor_of(request, body.actor),
                now_ms=clock_ms(),
            )
        return state_of(assistant_id, switch)

    @get(
        "/", sync_to_thread=True, summary="Who is served the rewrites of an assistant, and whether it is off"
    )
    def read_serving(request: _Asking, assistant_id: AssistantParameter = None) -> ServingState:
        asked = AssistantId(asked_assistant(request, assistant_id))
        with reading(engine) as connection:
            switch = serving_switches(connection).get(asked)
        return state_of(asked, switch)

    @post(
        "/off",
        status_code=200,
        sync_to_thread=True,
        opt={"body": ReasonBody},
        summary="Leave all requests of an assistant as they are, until serving is switched on again",
    )
    def switch_off(
        request: _Asking, data: JSONBody[ReasonBody], assistant_id: AssistantParameter = None
    ) -> ServingState:
        return turned(request, data, assistant_id, off=True)

    @post(
        "/on",
        status_code=200,
        sync_to_thread=True,
        opt={"body": ReasonBody},
        summary="Serve rewrites again",
    )
    def switch_on(
        request: _Asking, data: JSONBody[ReasonBody], assistant_id: AssistantParameter = None
    ) -> ServingState:
        return turned(request, data, assistant_id, off=False)

    return Router(
        "/v1/serving",
        route_handlers=[read_serving, switch_off, switch_on],
        guards=guards_for(keys, "operator"),
        tags=["serving"],
    )
