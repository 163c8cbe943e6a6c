"""The rewrite table, for operators: look at it, explain a row, take one back, go back to a version."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.cli.options import AssistantOption, SettingsOption, StateOption, require_state, settings_of
from services.errors import StateError
from streams.turn import AssistantId, UserId

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from rewriting.rewrite import Rewrite
    from services.settings import Settings

table = typer.Typer(no_args_is_help=True, help="Look at the rewrite table, and change what it serves.")

RewriteArgument = Annotated[str, typer.Argument(help="Id of the rewrite.")]
ReasonOption = Annotated[str, typer.Option(help="Why; kept in the history.")]
ActorOption = Annotated[str, typer.Option(help="Who; kept in the history.")]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.add_typer(table, name="table")
    app.command()(explain)
    app.command("forget-user")(forget_user_command)


@table.command()
def show(
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: AssistantOption = None,
    version: Annotated[int | None, typer.Option(help="An earlier version of the table.")] = None,
    limit: Annotated[int, typer.Option(help="Rows to show, those with most sessions first.")] = 30,
) -> None:
    """Show the rewrites of an assistant."""
    from rewriting.rewrite import TableVersion

    opened = _Opened(settings_of(settings, state), assistant)
    snapshot = opened.rewrites.read(opened.assistant, None if version is None else TableVersion(version))
    rows = sorted(snapshot.rewrites, key=lambda row: (-row.sessions, row.source_text))
    held = opened.rewrites.held_ids(opened.assistant) if version is None else frozenset()
    counts = f"{len(rows):,} rewrites" + (f", {len(held):,} held" if held else "")
    asked = ["after"] if any(row.question for row in rows[:limit]) else []
    shown = Table(title=f"{opened.assistant}, version {snapshot.version}: {counts}")
    for column in ("id", *asked, "source", "target", "confidence", "score", "sessions", "users", "status"):
        shown.add_column(column, overflow="fold", no_wrap=column == "id")
    for row in rows[:limit]:
        guard = "any" if row.max_confidence is None else f"< {row.max_confidence:g}"
        numbers = (f"{row.score:.2f}", str(row.sessions), str(row.users))
        status = f"{row.status}, held" if row.rewrite_id in held else row.status
        texts = [row.question or "anything"] * len(asked) + [row.source_text, row.target_text]
        shown.add_row(row.rewrite_id, *texts, guard, *numbers, status)
    Console().print(shown)


@table.command()
def versions(
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: AssistantOption = None,
    limit: Annotated[int, typer.Option(help="Versions to show, the newest first.")] = 30,
) -> None:
    """Show when the table changed, why, and by whom."""
    opened = _Opened(settings_of(settings, state), assistant)
    shown = Table(title=opened.assistant)
    for column in ("version", "changes", "reason", "actor"):
        shown.add_column(column)
    for record in opened.rewrites.log(opened.assistant, limit):
        shown.add_row(str(record.version), f"{record.changes:,}", record.reason, record.actor)
    Console().print(shown)


@table.command()
def block(
    reason: ReasonOption,
    rewrite_id: Annotated[str | None, typer.Argument(help="Id of the rewrite.")] = None,
    text: Annotated[
        str | None,
        typer.Option(help="Instead of an id: a text that must not be rewritten at all, online too."),
    ] = None,
    user: Annotated[str | None, typer.Option(help="With --text: only for this user.")] = None,
    question: Annotated[str | None, typer.Option(help="With --text: only after this question.")] = None,
    actor: ActorOption = "operator",
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: AssistantOption = None,
) -> None:
    """Take a rewrite out of service, whatever is learned later.

    Example: `rehear table block --text "play that song" --reason "it played another"`
    """
    from labeling.question import question_named
    from rewriting.rewrite import GLOBAL, RewriteId, user_scope
    from rewriting.text_block import block_text
    from services.clock import now_ms

    if (rewrite_id is None) == (text is None):
        raise typer.BadParameter("give the id of a rewrite, or --text, and not both")
    if text is None and not (user is None and question is None):
        raise typer.BadParameter("--user and --question go with --text")
    opened = _Opened(settings_of(settings, state), assistant)
    if text is not None:
        with opened.engine.begin() as connection:
            row = block_text(
                connection,
                opened.assistant,
                GLOBAL if user is None else user_scope(user),
                text,
                question_named(question),
                reason=reason,
                actor=actor,
                changed_ms=now_ms(),
            )
        _print_row(row)
    elif rewrite_id is not None:
        _print_row(opened.rewrites.block(opened.assistant, RewriteId(rewrite_id), reason, actor))


@table.command()
def unblock(
    rewrite_id: RewriteArgument,
    reason: ReasonOption,
    actor: ActorOption = "operator",
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: AssistantOption = None,
) -> None:
    """Let a blocked rewrite serve again."""
    from rewriting.rewrite import RewriteId

    opened = _Opened(settings_of(settings, state), assistant)
    _print_row(opened.rewrites.unblock(opened.assistant, RewriteId(rewrite_id), reason, actor))


@table.command()
def rollback(
    to_version: Annotated[int, typer.Argument(help="The version whose rewrites shall serve again.")],
    reason: ReasonOption,
    actor: ActorOption = "operator",
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: AssistantOption = None,
) -> None:
    """Serve what an earlier version served, until it is released; what came since is blocked."""
    from rewriting.rewrite import TableVersion

    opened = _Opened(settings_of(settings, state), assistant)
    version = opened.rewrites.rollback(opened.assistant, TableVersion(to_version), reason, actor)
    print(f"{opened.assistant}: version {version} serves what version {to_version} did")


@table.command()
def release(
    reason: ReasonOption,
    actor: ActorOption = "operator",
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: AssistantOption = None,
) -> None:
    """Let the learner change again what a rollback has restored."""
    opened = _Opened(settings_of(settings, state), assistant)
    version = opened.rewrites.release(opened.assistant, reason, actor)
    print(f"{opened.assistant}: version {version} holds nothing")


def explain(
    rewrite_id: RewriteArgument,
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: AssistantOption = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the chain around it to this file (.svg or .png).")
    ] = None,
    sessions: Annotated[int, typer.Option(help="Sessions of its evidence to show.")] = 3,
) -> None:
    """Say why a rewrite is there: its numbers, some of the sessions behind it, and a picture of its chain."""
    from rewriting.rewrite import RewriteId
    from services.explaining import draw_rewrite, explanation

    opened = _Opened(settings_of(settings, state), assistant)
    row = opened.rewrites.find(opened.assistant, RewriteId(rewrite_id))
    _print_row(row)
    for line in explanation(opened.engine, row, sessions):
        print(line)
    if picture is not None:
        draw_rewrite(opened.engine, row, picture)
        print(f"picture: {picture}")


def forget_user_command(
    user: Annotated[str, typer.Argument(help="Id of the user.")],
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: AssistantOption = None,
) -> None:
    """Delete a user's sessions, personal rewrites and feedback, and what rested on them alone."""
    from services.chain_learner import ChainLearner
    from services.clock import now_ms
    from services.forgetting import forget_user
    from services.rephrase_learner import RephraseLearner

    chosen = settings_of(settings, state)
    opened = _Opened(chosen, assistant)
    deleted = forget_user(opened.engine, now_ms, opened.assistant, UserId(user))
    with opened.engine.begin() as connection:
        ChainLearner(opened.rewrites, chosen.chain, now_ms, chosen.answers).refresh(connection)
        RephraseLearner(opened.rewrites, chosen.rephrases, now_ms).refresh(connection)
    print(f"{opened.assistant}: {deleted:,} sessions of the user deleted")


class _Opened:
    """The database, and the assistant that a command is about."""

    def __init__(self, settings: "Settings", assistant: str | None) -> None:
        from rewriting.rewrite_table import RewriteTable
        from services.clock import now_ms
        from services.database import open_database

        require_state(settings)
        self.engine: Engine = open_database(settings.database_location)
        self.rewrites: RewriteTable = RewriteTable(self.engine, now_ms)
        known = sorted(self.rewrites.versions())
        if assistant is None and len(known) != 1:
            raise StateError(
                "nothing has been learned yet: `rehear learn` or `rehear up` does"
                if not known
                else f"say whose table with --assistant: there are {', '.join(known)}"
            )
        self.assistant = AssistantId(assistant) if assistant is not None else known[0]


def _print_row(row: "Rewrite") -> None:
    from rewriting.row_change import ANY_TARGET
    from services.lookup_api.explanation import explanation_words

    when = f" after {row.question!r}" if row.question else ""
    target = "anything" if row.target_text == ANY_TARGET else repr(row.target_text)
    print(f"{row.rewrite_id}  {row.source_text!r}{when} -> {target}  [{row.status}]")
    for line in explanation_words(row):
        print(f"  {line}")
