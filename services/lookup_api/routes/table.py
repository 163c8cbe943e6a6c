"""Routes for operators: look into the table, ask why, take rewrites back."""

from collections.abc import Callable
from typing import Annotated, Any

from litestar import Request, Router, get, post
from litestar.exceptions import ClientException
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from sqlalchemy import Engine

from labeling.text.normalisation import normalise
from labeling.text.question import question_named
from rewriting.table.rewrite import GLOBAL, Rewrite, RewriteId, RewriteStatus, Scope, TableVersion
from rewriting.table.rewrite_table import RewriteTable
from rewriting.table.text_block import block_text
from services.lookup_api.access import asked_assistant, asking_key, check_printable, guards_for
from services.lookup_api.followers.table import TableFollower
from services.lookup_api.messages import (
    BlockTextBody,
    Explanation,
    ReasonBody,
    RewritePage,
    RollbackBody,
    TableChange,
    TableState,
)
from services.lookup_api.routes.explanation import explanation_words
from services.lookup_api.routes.rewrite_pages import counts_by_status, rewrite_page
from services.platform.api_keys import KeyRing
from streams.turn import AssistantId

LARGEST_PAGE = 1_000  # rows, about 1 MB

_Assistant = Annotated[
    str | None,
    QueryParameter(max_length=512, description="needed only where there are several and no API key tells it"),
]


def table_routes(
    table: RewriteTable,
    engine: Engine,
    follower: TableFollower,
    keys: KeyRing,
    clock_ms: Callable[[], int],
) -> Router:
    """`/v1/rewrites` and `/v1/table`; all of them ask the database."""

    @get("/rewrites", sync_to_thread=True, summary="Rewrites of every status, in pages")
    def list_rewrites(
        request: Request[Any, Any, Any],
        assistant_id: _Assistant = None,
        status: FromQuery[RewriteStatus | None] = None,
        text: Annotated[str | None, QueryParameter(max_length=1_000)] = None,
        after: Annotated[str | None, QueryParameter(max_length=100)] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=LARGEST_PAGE)] = 100,
    ) -> RewritePage:
        check_printable("text", text)
        check_printable("after", after)
        return rewrite_page(
            engine,
            AssistantId(asked_assistant(request, assistant_id)),
            status=status,
            text=text,
            after=None if after is None else RewriteId(after),
            limit=limit,
        )

    @get("/rewrites/{rewrite_id:str}", sync_to_thread=True, summary="One rewrite")
    def read_rewrite(
        request: Request[Any, Any, Any], rewrite_id: FromPath[str], assistant_id: _Assistant = None
    ) -> Rewrite:
        return table.find(*_asked(request, assistant_id, rewrite_id))

    @get("/rewrites/{rewrite_id:str}/explain", sync_to_thread=True, summary="Why a rewrite is as it is")
    def explain_rewrite(
        request: Request[Any, Any, Any], rewrite_id: FromPath[str], assistant_id: _Assistant = None
    ) -> Explanation:
        history = table.history(*_asked(request, assistant_id, rewrite_id))
        rewrite = history[-1]
        return Explanation(
            rewrite=rewrite,
            words=explanation_words(rewrite),
            evidence=rewrite.evidence,
            history=tuple(history),
        )

    @post(
        "/rewrites/block",
        status_code=200,
        sync_to_thread=True,
        opt={"body": BlockTextBody},
        summary="Keep a text from being rewritten at all, online too; the id of its row unblocks it",
    )
    def block_rewrites_of_text(
        request: Request[Any, Any, Any], data: JSONBody[BlockTextBody], assistant_id: _Assistant = None
    ) -> Rewrite:
        assistant = AssistantId(asked_assistant(request, assistant_id))
        check_printable("scope", data.scope)
        if data.scope != GLOBAL and not data.scope.removeprefix("user:"):
            raise ClientException("scope: give global, or user:<user_id>")
        if data.scope != GLOBAL and not data.scope.startswith("user:"):
            raise ClientException(f"scope: {data.scope!r} is neither global nor user:<user_id>")
        if not normalise(data.source_text):
            raise ClientException("source_text: it has no letter and no digit, so there is nothing to block")
        with engine.begin() as connection:
            return block_text(
                connection,
                assistant,
                Scope(data.scope),
                data.source_text,
                question_named(data.question),
                reason=data.reason,
                actor=_actor(request, data),
                changed_ms=clock_ms(),
            )

    @post(
        "/rewrites/{rewrite_id:str}/block",
        status_code=200,
        sync_to_thread=True,
        opt={"body": ReasonBody},
        summary="Take a rewrite out of service, whatever the learner finds",
    )
    def block_rewrite(
        request: Request[Any, Any, Any],
        rewrite_id: FromPath[str],
        data: JSONBody[ReasonBody],
        assistant_id: _Assistant = None,
    ) -> Rewrite:
        return table.block(*_asked(request, assistant_id, rewrite_id), data.reason, _actor(request, data))

    @post(
        "/rewrites/{rewrite_id:str}/unblock",
        status_code=200,
        sync_to_thread=True,
        opt={"body": ReasonBody},
        summary="Let a blocked rewrite serve again",
    )
    def unblock_rewrite(
        request: Request[Any, Any, Any],
        rewrite_id: FromPath[str],
        data: JSONBody[ReasonBody],
        assistant_id: _Assistant = None,
    ) -> Rewrite:
        return table.unblock(*_asked(request, assistant_id, rewrite_id), data.reason, _actor(request, data))

    @get("/table", sync_to_thread=True, summary="Versions of the table, and rows by status")
    def read_table(request: Request[Any, Any, Any], assistant_id: _Assistant = None) -> TableState:
        assistant = AssistantId(asked_assistant(request, assistant_id))
        return TableState(
            assistant_id=assistant,
            version=table.version(assistant),
            served_version=follower.table_of(assistant).version,
            rewrites=counts_by_status(engine, assistant),
            held=len(table.held_ids(assistant)),
        )

    @post(
        "/table/rollback",
        status_code=200,
        sync_to_thread=True,
        opt={"body": RollbackBody},
        summary="Serve what was served at an earlier version, as a new version",
    )
    def roll_back(
        request: Request[Any, Any, Any], data: JSONBody[RollbackBody], assistant_id: _Assistant = None
    ) -> TableChange:
        assistant = AssistantId(asked_assistant(request, assistant_id))
        done = table.rollback(
            assistant,
            TableVersion(data.version),
            data.reason,
            _actor(request, data),
            lift_blocks=data.lift_blocks,
        )
        return TableChange(
            assistant_id=assistant,
            version=done.version,
            served_again=done.served_again,
            no_longer_served=done.no_longer_served,
            still_blocked=done.still_blocked,
        )

    @post(
        "/table/release",
        status_code=200,
        sync_to_thread=True,
        opt={"body": ReasonBody},
        summary="Let the learner change what a rollback has restored",
    )
    def release_table(
        request: Request[Any, Any, Any], data: JSONBody[ReasonBody], assistant_id: _Assistant = None
    ) -> TableChange:
        assistant = AssistantId(asked_assistant(request, assistant_id))
        version = table.release(assistant, data.reason, _actor(request, data))
        return TableChange(assistant_id=assistant, version=version)

    return Router(
        "/v1",
        route_handlers=[
            list_rewrites,
            read_rewrite,
            explain_rewrite,
            block_rewrites_of_text,
            block_rewrite,
            unblock_rewrite,
            read_table,
            roll_back,
            release_table,
        ],
        guards=guards_for(keys, "operator"),
        tags=["table"],
    )


def _asked(
    request: Request[Any, Any, Any], assistant_id: str | None, rewrite_id: str
) -> tuple[AssistantId, RewriteId]:
    check_printable("the id of the rewrite", rewrite_id)
    return AssistantId(asked_assistant(request, assistant_id)), RewriteId(rewrite_id)


def _actor(request: Request[Any, Any, Any], body: ReasonBody) -> str:
    """Who did it, for the table's history."""
    key = asking_key(request)
    return body.actor or (key.name if key is not None else "operator")
