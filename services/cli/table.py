"""The rewrite table, for operators: look at it, explain a row, take one back, go back to a version."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.cli import guards, serving
from services.cli.opened_table import OpenedTable
from services.cli.options import AssistantOption, SettingsOption, StateOption, settings_of
from streams.turn import UserId

if TYPE_CHECKING:
    from rewriting.table.rewrite import Rewrite

table = typer.Typer(no_args_is_help=True, help="Look at the rewrite table, and change what it serves.")

SHOWN_ROWS = 30

RewriteArgument = Annotated[str, typer.Argument(help="Id of the rewrite.")]
ReasonOption = Annotated[str, typer.Option(help="Why; kept in the history.")]
ActorOption = Annotated[str, typer.Option(help="Who; kept in the history.")]


class BlockedKind(StrEnum):
    """A kind of turn, for an option."""

    OPENING = "opening"
    ANSWER = "answer"
    SYSTEM = "system"


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    guards.register(table)
    serving.register(table)
    app.add_typer(table, name="table")
    app.command()(explain)
    app.command("forget-user")(forget_user_command)


@table.command()
def show(
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: AssistantOption = None,
    version: Annotated[int | None, typer.Option(help="An earlier version of the table.")] = None,
    text: Annotated[
        str | None,
        typer.Option(
            help="Only rewrites with these words in their source or target; case and punctuation do not "
            "matter."
        ),
    ] = None,
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print whole rows with all their fields: JSON Lines, one object for each rewrite."
        ),
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1, help="Rows to show, those with most sessions first. By default 30, and with --json all."
        ),
    ] = None,
) -> None:
    """Show the rewrites of an assistant, of every status.

    Example: `rehear table show --state state --text lamp --json`
    """
    from rewriting.table.rewrite import TableVersion
    from services.cli.rewrite_display import json_line, print_rewrites, with_text

    opened = OpenedTable(settings_of(settings, state), assistant)
    snapshot = opened.rewrites.read(opened.assistant, None if version is None else TableVersion(version))
    if not snapshot.rewrites:
        typer.echo(opened.why_empty(snapshot.version), err=json)
        return
    rows = list(snapshot.rewrites) if text is None else with_text(snapshot.rewrites, text)
    rows.sort(key=lambda row: (-row.sessions, row.source_text))
    held = opened.rewrites.held_ids(opened.assistant) if version is None else None
    if json:
        for row in rows[:limit]:
            typer.echo(json_line(row, None if held is None else row.rewrite_id in held))
        return
    table_name = f"{opened.assistant}, version {snapshot.version}"
    if not rows:
        print(f"{table_name}: none of {len(snapshot.rewrites):,} rewrites has {text!r} in source or target")
        return
    counts = f"{len(rows):,} rewrites"
    if text is not None:
        counts = f"{len(rows):,} of {len(snapshot.rewrites):,} rewrites, with {text!r}"
    elif held:
        counts += f", {len(held):,} held"
    shown = rows[: limit or SHOWN_ROWS]
    more = f"the first {len(shown):,}; --limit shows more" if len(shown) < len(rows) else ""
    print_rewrites(shown, held or (), f"{table_name}: {counts}", more)


@table.command()
def versions(
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: AssistantOption = None,
    limit: Annotated[int, typer.Option(help="Versions to show, the newest first.")] = 30,
) -> None:
    """Show when the table changed, why, and by whom."""
    opened = OpenedTable(settings_of(settings, state), assistant)
    records = opened.rewrites.log(opened.assistant, limit)
    if not records:
        print(opened.why_empty(0))
        return
    shown = Table(title=Text(opened.assistant))
    for column in ("version", "changes", "reason", "actor"):
        shown.add_column(column)
    for record in records:
        shown.add_row(str(record.version), f"{record.changes:,}", Text(record.reason), Text(record.actor))
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
    locale: Annotated[
        str | None, typer.Option(help="With --text: only in this locale, such as en-GB.")
    ] = None,
    turn_kind: Annotated[
        BlockedKind | None, typer.Option(help="With --text: only for this kind of turn.")
    ] = None,
    actor: ActorOption = "operator",
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: AssistantOption = None,
) -> None:
    """Take a rewrite out of service, whatever is learned later.

    Example: `rehear table block --text "play that song" --reason "it played another"`
    """
    from labeling.text.question import question_named
    from rewriting.table.occasion import ANY_KIND, locale_fault
    from rewriting.table.rewrite import GLOBAL, RewriteId, user_scope
    from rewriting.table.text_block import block_text
    from services.platform.clock import now_ms

    if (rewrite_id is None) == (text is None):
        raise typer.BadParameter("give the id of a rewrite, or --text, and not both")
    if text is None and any(part is not None for part in (user, question, locale, turn_kind)):
        raise typer.BadParameter("--user, --question, --locale and --turn-kind go with --text")
    if (fault := locale_fault(locale)) is not None:
        raise typer.BadParameter(fault, param_hint="--locale")
    opened = OpenedTable(settings_of(settings, state), assistant)
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
                locale=locale or "",
                turn_kind=ANY_KIND if turn_kind is None else turn_kind.value,
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
    from rewriting.table.rewrite import RewriteId

    opened = OpenedTable(settings_of(settings, state), assistant)
    _print_row(opened.rewrites.unblock(opened.assistant, RewriteId(rewrite_id), reason, actor))


@table.command()
def rollback(
    to_version: Annotated[int, typer.Argument(help="The version whose rewrites shall serve again.")],
    reason: ReasonOption,
    actor: ActorOption = "operator",
    lift_blocks: Annotated[
        bool,
        typer.Option(
            "--lift-blocks", help="Serve rewrites of that version too that somebody has blocked since."
        ),
    ] = False,
    limit: Annotated[int, typer.Option(min=0, help="Rewrites to list of each kind of change.")] = SHOWN_ROWS,
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: AssistantOption = None,
) -> None:
    """Serve what an earlier version served, until it is released; what came since is blocked.

    What somebody has blocked stays blocked. Prints what is served again, and what no longer.
    """
    from rewriting.table.rewrite import TableVersion
    from services.cli.rewrite_display import pair_lines

    opened = OpenedTable(settings_of(settings, state), assistant)
    done = opened.rewrites.rollback(
        opened.assistant, TableVersion(to_version), reason, actor, lift_blocks=lift_blocks
    )
    but = f", but for {len(done.still_blocked):,} that stay blocked" if done.still_blocked else ""
    print(f"{opened.assistant}: version {done.version} serves what version {to_version} did{but}")
    for heading, pairs in (
        ("served again", done.served_again),
        ("no longer served", done.no_longer_served),
        ("still blocked (`table unblock` frees one, --lift-blocks all)", done.still_blocked),
    ):
        print(f"{heading}: {len(pairs):,}")
        for line in pair_lines(pairs, limit):
            print(line)


@table.command()
def release(
    reason: ReasonOption,
    actor: ActorOption = "operator",
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: AssistantOption = None,
) -> None:
    """Let the learner change again what a rollback has restored."""
    opened = OpenedTable(settings_of(settings, state), assistant)
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
    """Say why a rewrite is there: its numbers, how it fares, sessions behind it, a picture of its chain."""
    from rewriting.guards.guarded_rewrites import guarded_as
    from rewriting.table.rewrite import RewriteId
    from services.explaining.explanation import draw_rewrite, explanation
    from services.lookup_api.routes.guard_words import guarded_words
    from streams.stores.database_schema import reading

    opened = OpenedTable(settings_of(settings, state), assistant)
    row = opened.rewrites.find(opened.assistant, RewriteId(rewrite_id))
    _print_row(row)
    with reading(opened.engine) as connection:
        guarded = guarded_as(connection, row)
    for line in guarded_words(guarded):
        print(f"  {line}")
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
    from services.learners.chains import ChainLearner
    from services.learners.rephrase_candidates import RephraseLearner
    from services.platform.clock import now_ms
    from services.privacy.forgetting import forget_user

    chosen = settings_of(settings, state)
    opened = OpenedTable(chosen, assistant)
    deleted = forget_user(opened.engine, now_ms, opened.assistant, UserId(user))
    with opened.engine.begin() as connection:
        ChainLearner(opened.rewrites, chosen, now_ms).refresh(connection)
        RephraseLearner(opened.rewrites, chosen.rephrases, now_ms).refresh(connection)
    print(f"{opened.assistant}: {deleted:,} sessions of the user deleted")


def _print_row(row: "Rewrite") -> None:
    from services.cli.rewrite_display import target_words
    from services.lookup_api.routes.explanation import explanation_words, place_words

    when = "".join(f" {words}" for words in place_words(row))
    target = repr(row.target_text) if row.target_text else target_words(row)
    print(f"{row.rewrite_id}  {row.source_text!r}{when} -> {target}  [{row.status}]")
    for line in explanation_words(row):
        print(f"  {line}")
