"""Routes for operators: who is served, and the off switch."""

from collections.abc import Callable
from typing import Any

from litestar import Request, Router, get, post
from litestar.handlers import HTTPRouteHandler
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

    @get("/", sync_to_thread=True, summary="Whether serving is off, and the arms of the users")
    def read_serving(request: _Asking, assistant_id: AssistantParameter = None) -> ServingState:
        asked = AssistantId(asked_assistant(request, assistant_id))
        with reading(engine) as connection:
            switch = serving_switches(connection).get(asked)
        return state_of(asked, switch)

    def turning(path: str, summary: str, *, off: bool) -> HTTPRouteHandler:
        @post(path, status_code=200, sync_to_thread=True, opt={"body": ReasonBody}, summary=summary)
        def turn_switch(
            request: _Asking, data: JSONBody[ReasonBody], assistant_id: AssistantParameter = None
        ) -> ServingState:
            asked = AssistantId(asked_assistant(request, assistant_id))
            with engine.begin() as connection:
                switch = turn_serving(
                    connection,
                    asked,
                    off=off,
                    reason=data.reason,
                    actor=actor_of(request, data.actor),
                    now_ms=clock_ms(),
                )
            return state_of(asked, switch)

        return turn_switch

    return Router(
        "/v1/serving",
        route_handlers=[
            read_serving,
            turning("/off", "Leave all requests of an assistant as they are", off=True),
            turning("/on", "Serve the rewrites of an assistant again", off=False),
        ],
        guards=guards_for(keys, "operator"),
        tags=["serving"],
    )
