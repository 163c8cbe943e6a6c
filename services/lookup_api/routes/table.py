"""Routes for operators: look into the table, ask why, take rewrites back."""

from collections.abc import Callable
from typing import Annotated, Any

from litestar import Request, Router, get, post
from litestar.exceptions import ClientException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from msgspec import Struct
from sqlalchemy import Engine

from labeling.text.normalisation import normalise
from labeling.text.question import question_named
from rewriting.chains.allowing import allow_rewrite, disallow_rewrite
from rewriting.guards.allowed_rewrites import AllowedRewrite, allowed_rewrites
from rewriting.guards.guarded_rewrites import GuardedState, guarded_as
from rewriting.guards.refused_rewrites import counts_by_reason, refused_rewrites
from rewriting.table.rewrite import GLOBAL, Rewrite, RewriteId, RewriteStatus, Scope, TableVersion
from rewriting.table.rewrite_table import RewriteTable
from rewriting.table.text_block import block_text
from services.lookup_api.access import (
    AssistantParameter,
    actor_of,
    asked_assistant,
    check_printable,
    guards_for,
)
from services.lookup_api.followers.table import TableFollower
from services.lookup_api.messages import (
    AllowBody,
    BlockTextBody,
    Disallowed,
    Explanation,
    GuardedPage,
    GuardState,
    ReasonBody,
    RefusedPair,
    RewritePage,
    RollbackBody,
    TableChange,
    TableState,
)
from services.lookup_api.query_occasion import check_locale
from services.lookup_api.routes.explanation import explanation_words
from services.lookup_api.routes.guard_words import guarded_words
from services.lookup_api.routes.guarded_pages import guarded_page
from services.lookup_api.routes.rewrite_pages import counts_by_status, rewrite_page
from services.platform.api_keys import KeyRing
from streams.stores.database_schema import reading
from streams.turn import AssistantId

LARGEST_PAGE = 1_000  # rows, about 1 MB

_Asking = Request[Any, Any, Any]
_Reason = JSONBody[ReasonBody]


def table_routes(
    table: RewriteTable,
    engine: Engine,
    follower: TableFollower,
    keys: KeyRing,
    clock_ms: Callable[[], int],
) -> Router:
    """`/v1/rewrites` and `/v1/table`; all of them ask the database."""
    return Router(
        "/v1",
        route_handlers=[
            *_read_rewrites(table, engine),
            *_block_rewrites(table, engine, clock_ms),
            *_guarded_rewrites(engine, clock_ms),
            *_whole_table(table, engine, follower),
        ],
        guards=guards_for(keys, "operator"),
        tags=["table"],
    )


def _read_rewrites(table: RewriteTable, engine: Engine) -> list[HTTPRouteHandler]:
    @get("/rewrites", sync_to_thread=True, summary="Rewrites of every status, in pages")
    def list_rewrites(
        request: _Asking,
        assistant_id: AssistantParameter = None,
        status: FromQuery[RewriteStatus | None] = None,
        text: Annotated[str | None, QueryParameter(max_length=1_000)] = None,
        after: Annotated[str | None, QueryParameter(max_length=100)] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=LARGEST_PAGE)] = 100,
    ) -> RewritePage:
        check_printable("text", text)
        check_printable("after", after)
        return rewrite_page(
            engine,
            _assistant(request, assistant_id),
            status=status,
            text=text,
            after=None if after is None else RewriteId(after),
            limit=limit,
        )

    @get("/rewrites/{rewrite_id:str}", sync_to_thread=True, summary="One rewrite")
    def read_rewrite(
        request: _Asking, rewrite_id: FromPath[str], assistant_id: AssistantParameter = None
    ) -> Rewrite:
        return table.find(*_asked(request, assistant_id, rewrite_id))

    @get("/rewrites/{rewrite_id:str}/explain", sync_to_thread=True, summary="Why a rewrite is as it is")
    def explain_rewrite(
        request: _Asking, rewrite_id: FromPath[str], assistant_id: AssistantParameter = None
    ) -> Explanation:
        history = table.history(*_asked(request, assistant_id, rewrite_id))
        rewrite = history[-1]
        with reading(engine) as connection:
            guarded = guarded_as(connection, rewrite)
        return Explanation(
            rewrite=rewrite,
            words=(*explanation_words(rewrite), *guarded_words(guarded)),
            guard=tuple(guarded),
            evidence=rewrite.evidence,
            history=tuple(history),
        )

    return [list_rewrites, read_rewrite, explain_rewrite]


def _block_rewrites(
    table: RewriteTable, engine: Engine, clock_ms: Callable[[], int]
) -> list[HTTPRouteHandler]:
    text_summary = "Keep a text from being rewritten at all, online too; the id of its row unblocks it"

    @_change("/rewrites/block", BlockTextBody, text_summary)
    def block_rewrites_of_text(
        request: _Asking, data: JSONBody[BlockTextBody], assistant_id: AssistantParameter = None
    ) -> Rewrite:
        assistant = _assistant(request, assistant_id)
        check_printable("scope", data.scope)
        if data.scope != GLOBAL and not data.scope.removeprefix("user:"):
            raise ClientException("scope: give global, or user:<user_id>")
        if data.scope != GLOBAL and not data.scope.startswith("user:"):
            raise ClientException(f"scope: {data.scope!r} is neither global nor user:<user_id>")
        if not normalise(data.source_text):
            raise ClientException("source_text: it has no letter and no digit, so there is nothing to block")
        check_locale(data.locale)
        with engine.begin() as connection:
            return block_text(
                connection,
                assistant,
                Scope(data.scope),
                data.source_text,
                question_named(data.question),
                reason=data.reason,
                actor=actor_of(request, data.actor),
                changed_ms=clock_ms(),
                locale=data.locale or "",
                turn_kind=data.turn_kind,
            )

    path = "/rewrites/{rewrite_id:str}"

    @_change(f"{path}/block", ReasonBody, "Take a rewrite out of service, whatever the learner finds")
    def block_rewrite(
        request: _Asking,
        rewrite_id: FromPath[str],
        data: _Reason,
        assistant_id: AssistantParameter = None,
    ) -> Rewrite:
        return table.block(
            *_asked(request, assistant_id, rewrite_id), data.reason, actor_of(request, data.actor)
        )

    @_change(f"{path}/unblock", ReasonBody, "Let a blocked rewrite serve again")
    def unblock_rewrite(
        request: _Asking,
        rewrite_id: FromPath[str],
        data: _Reason,
        assistant_id: AssistantParameter = None,
    ) -> Rewrite:
        return table.unblock(
            *_asked(request, assistant_id, rewrite_id), data.reason, actor_of(request, data.actor)
        )

    return [block_rewrites_of_text, block_rewrite, unblock_rewrite]


def _guarded_rewrites(engine: Engine, clock_ms: Callable[[], int]) -> list[HTTPRouteHandler]:
    @get("/rewrites/refused", sync_to_thread=True, summary="What the guards hold back, by reason")
    def list_refused(
        request: _Asking,
        assistant_id: AssistantParameter = None,
        limit: Annotated[int, QueryParameter(ge=0, le=LARGEST_PAGE)] = 100,
    ) -> GuardState:
        assistant = _assistant(request, assistant_id)
        with reading(engine) as connection:
            refused = refused_rewrites(connection, assistant)
            allowed = allowed_rewrites(connection, assistant)
        return GuardState(
            assistant_id=assistant,
            by_reason={reason: count for reason, count in counts_by_reason(refused).items()},
            refused=tuple(
                RefusedPair(
                    rewrite_id=pair.rewrite_id(assistant),
                    source_text=pair.source_text,
                    target_text=pair.target_text,
                    locale=pair.locale,
                    reasons=pair.reasons,
                )
                for pair in refused[:limit]
            ),
            allowed=tuple(allowed),
        )

    @get(
        "/rewrites/guard",
        sync_to_thread=True,
        summary="How the guards judge pairs, and how rows fare, in pages",
    )
    def list_guarded(
        request: _Asking,
        assistant_id: AssistantParameter = None,
        in_state: Annotated[GuardedState | None, QueryParameter(name="state")] = None,
        after: Annotated[str | None, QueryParameter(max_length=100)] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=LARGEST_PAGE)] = 100,
    ) -> GuardedPage:
        check_printable("after", after)
        return guarded_page(
            engine, _assistant(request, assistant_id), state=in_state, after=after, limit=limit
        )

    path = "/rewrites/{rewrite_id:str}"

    @_change(f"{path}/allow", AllowBody, "Let a pair be a rewrite that the guards refuse")
    def allow_refused(
        request: _Asking,
        rewrite_id: FromPath[str],
        data: JSONBody[AllowBody],
        assistant_id: AssistantParameter = None,
    ) -> AllowedRewrite:
        check_printable("target_text", data.target_text)
        assistant, key = _asked(request, assistant_id, rewrite_id)
        with engine.begin() as connection:
            return allow_rewrite(
                connection,
                assistant,
                key,
                target=data.target_text,
                reason=data.reason,
                actor=actor_of(request, data.actor),
                now_ms=clock_ms(),
            )

    @_change(f"{path}/disallow", ReasonBody, "Let the guards judge again what was allowed")
    def disallow_refused(
        request: _Asking, rewrite_id: FromPath[str], data: _Reason, assistant_id: AssistantParameter = None
    ) -> Disallowed:
        assistant, key = _asked(request, assistant_id, rewrite_id)
        with engine.begin() as connection:
            ended = disallow_rewrite(
                connection,
                assistant,
                key,
                reason=data.reason,
                actor=actor_of(request, data.actor),
                now_ms=clock_ms(),
            )
        return Disallowed(ended=tuple(ended))

    return [list_refused, list_guarded, allow_refused, disallow_refused]


def _whole_table(table: RewriteTable, engine: Engine, follower: TableFollower) -> list[HTTPRouteHandler]:
    @get("/table", sync_to_thread=True, summary="Versions of the table, and rows by status")
    def read_table(request: _Asking, assistant_id: AssistantParameter = None) -> TableState:
        assistant = _assistant(request, assistant_id)
        return TableState(
            assistant_id=assistant,
            version=table.version(assistant),
            served_version=follower.table_of(assistant).version,
            rewrites=counts_by_status(engine, assistant),
            held=len(table.held_ids(assistant)),
        )

    @_change("/table/rollback", RollbackBody, "Serve what was served at an earlier version, as a new version")
    def roll_back(
        request: _Asking, data: JSONBody[RollbackBody], assistant_id: AssistantParameter = None
    ) -> TableChange:
        assistant = _assistant(request, assistant_id)
        done = table.rollback(
            assistant,
            TableVersion(data.version),
            data.reason,
            actor_of(request, data.actor),
            lift_blocks=data.lift_blocks,
        )
        return TableChange(
            assistant_id=assistant,
            version=done.version,
            served_again=done.served_again,
            no_longer_served=done.no_longer_served,
            still_blocked=done.still_blocked,
        )

    @_change("/table/release", ReasonBody, "Let the learner change what a rollback has restored")
    def release_table(
        request: _Asking, data: _Reason, assistant_id: AssistantParameter = None
    ) -> TableChange:
        assistant = _assistant(request, assistant_id)
        version = table.release(assistant, data.reason, actor_of(request, data.actor))
        return TableChange(assistant_id=assistant, version=version)

    return [read_table, roll_back, release_table]


def _change(path: str, body: type[Struct], summary: str) -> post:
    """A route that changes the table, and answers with what it is then."""
    return post(path, status_code=200, sync_to_thread=True, opt={"body": body}, summary=summary)


def _assistant(request: _Asking, assistant_id: str | None) -> AssistantId:
    return AssistantId(asked_assistant(request, assistant_id))


def _asked(request: _Asking, assistant_id: str | None, rewrite_id: str) -> tuple[AssistantId, RewriteId]:
    check_printable("the id of the rewrite", rewrite_id)
    return _assistant(request, assistant_id), RewriteId(rewrite_id)
