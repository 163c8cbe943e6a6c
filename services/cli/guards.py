"""Guards of the rewrite table, for operators: what they refuse, what is allowed, and how served rows fare."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.cli.opened_table import OpenedTable
from services.cli.options import AssistantOption, SettingsOption, StateOption, settings_alone, settings_of
from services.errors import SettingsError
from streams.turn import AssistantId

if TYPE_CHECKING:
    from rewriting.guards.guarded_rewrites import GuardedRewrite
    from services.jobs.pair_check import CheckedPair, PairCheck

SHOWN_PAIRS = 30

_SHOWN_FIRST = ("blocked", "live", "candidate")

RefusedArgument = Annotated[
    str, typer.Argument(help="Id that the row has or would have, as `rehear table check` lists it.")
]
ByOption = Annotated[str, typer.Option("--by", help="Who decides; kept on record.")]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print all pairs as JSON Lines, one object for each pair.")
]
LimitOption = Annotated[
    int | None, typer.Option(min=0, help="Pairs to print. By default 30, and with --json all.")
]
WhyOption = Annotated[str, typer.Option("--reason", help="Why; kept on record.")]


class ShownState(StrEnum):
    """A state of a pair, for an option."""

    CANDIDATE = "candidate"
    LIVE = "live"
    BLOCKED = "blocked"


def register(table: typer.Typer) -> None:
    """Adds the commands to `rehear table`."""
    table.command()(check)
    table.command()(guard)
    table.command()(allow)
    table.command()(disallow)


def check(
    turns: Annotated[
        list[Path] | None,
        typer.Option(
            help="Instead of the state: turn events (JSON Lines, optionally gzipped; '-' reads standard "
            "input) that are mined in memory. May be repeated."
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            help="Instead of the state: rows as `rehear table show --json` prints them ('-' reads standard "
            "input), judged by their texts alone."
        ),
    ] = None,
    json: JsonOption = False,
    limit: LimitOption = None,
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: AssistantOption = None,
) -> None:
    """Check which rewrites the guards refuse, and why.

    Lists the live rows of the table and the pairs of requests that the guards hold back, judged by what the
    log shows now. It changes nothing. If a live row is refused, the exit status is 1 and standard error says
    how many, by reason: run `rehear learn` to have them withdrawn, or `rehear table allow` to keep one.
    Pairs whose source fewer than `[chain] min_text_users` users have said are not shown.

    Reasons: `not_said_by_these_users` (nobody who said the source went on to the target), `opposite`,
    `number`, `other_name`, `giving_up`, `fragment`, `answer_to_question`, `echo`, `locale`, `few_people`,
    `new_accounts`, `sensitive`, `private`, `small_share`, `no_order`.

    Example: `rehear table check --state state --json`, or before anything is learned:
    `rehear table check --turns log.jsonl.gz`
    """
    from services.jobs.pair_check import check_state, check_turns
    from services.platform.clock import now_ms

    if turns and table is not None:
        raise SettingsError("give --turns or --table, and not both")
    if turns:
        only = None if assistant is None else AssistantId(assistant)
        found = check_turns(turns, settings_alone(settings), now_ms, only)
    elif table is not None:
        found = _check_file(table, settings, assistant)
    else:
        chosen = settings_of(settings, state)
        opened = OpenedTable(chosen, assistant)
        found = check_state(opened.engine, opened.rewrites, chosen, opened.assistant)
    _print(found, json=json, limit=limit)
    if found.faults:
        by_reason = ", ".join(f"{count:,} {reason}" for reason, count in found.faults_by_reason.items())
        hidden = sum(pair.is_fault for pair in found.hidden)
        unseen = f"; {hidden:,} of them not shown, since too few users have said the source" if hidden else ""
        typer.echo(f"{len(found.faults):,} live rows are refused: {by_reason}{unseen}", err=True)
        raise typer.Exit(1)


def guard(
    rewrite_id: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="Only the pairs of the row that has, had or would have this id."),
    ] = None,
    only: Annotated[ShownState | None, typer.Option(help="Only pairs in this state.")] = None,
    json: JsonOption = False,
    limit: LimitOption = None,
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: AssistantOption = None,
) -> None:
    """Show what the guards make of pairs, and how served rows fare by users who did not make them.

    It shows what was found when the chain was last solved. States: `candidate` (the guards of meaning hold
    the pair back), `live` (they let it serve), `blocked` (it was withdrawn for how it fares). A candidate
    tells the first of its reasons, of those that `rehear table check` explains.

    Reasons of the others: `proven` (clearly better than the request as it was said), `undecided`,
    `not_judged` (too few users who did not make it were served it), `does_worse`, `fails_lately`,
    `target_ceased` (the target used to succeed, and does no more).

    Requests count that users made who did not make the pair, and of each user only the last ones: those that
    the row was run for (`run_requests`), and those that were run as they were said (`said_requests`).

    Example: `rehear table guard --state state --only blocked --json`
    """
    import msgspec

    from rewriting.errors import UnknownRewriteError
    from rewriting.guards.guarded_rewrites import guarded_rewrites
    from rewriting.table.rewrite import RewriteId
    from streams.stores.database_schema import reading

    opened = OpenedTable(settings_of(settings, state), assistant)
    of_id = None if rewrite_id is None else RewriteId(rewrite_id)
    with reading(opened.engine) as connection:
        found = guarded_rewrites(connection, opened.assistant, of_id)
    if of_id is not None and not found:
        raise UnknownRewriteError(
            f"the guards of {opened.assistant} know no pair with the id {of_id!r}: `rehear table guard` "
            "lists them"
        )
    wanted = [one for one in found if only in (None, one.state)]
    if json:
        for one in wanted[:limit]:
            typer.echo(msgspec.json.encode(one))
    else:
        _print_guarded(opened.assistant, wanted, SHOWN_PAIRS if limit is None else limit)


def allow(
    rewrite_id: RefusedArgument,
    by: ByOption,
    reason: WhyOption,
    target: Annotated[
        str | None, typer.Option(help="Target text, where several targets of the source are refused.")
    ] = None,
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: AssistantOption = None,
) -> None:
    """Let a pair be a rewrite that the guards refuse.

    The row is live from the next solution of the chain on (seconds under `rehear up`, else the next
    `rehear learn`), if the log warrants it otherwise. `rehear table disallow` takes the approval back.

    Example: `rehear table allow 1be138f899989c827b026d2c --by mia --reason "both names are ours"`
    """
    from rewriting.chains.allowing import allow_rewrite
    from rewriting.table.rewrite import RewriteId
    from services.platform.clock import now_ms

    opened = OpenedTable(settings_of(settings, state), assistant)
    with opened.engine.begin() as connection:
        allowed = allow_rewrite(
            connection,
            opened.assistant,
            RewriteId(rewrite_id),
            target=target,
            reason=reason,
            actor=by,
            now_ms=now_ms(),
        )
    where = f" in {allowed.locale}" if allowed.locale else ""
    pair = f"{allowed.source_text!r}{where} -> {allowed.target_text!r}"
    print(f"{rewrite_id}  {pair}  [allowed by {allowed.actor}]")
    print("it takes effect when the chain is next solved")


def disallow(
    rewrite_id: RefusedArgument,
    by: ByOption,
    reason: WhyOption,
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: AssistantOption = None,
) -> None:
    """Let the guards judge again what `rehear table allow` has approved.

    Example: `rehear table disallow 1be138f899989c827b026d2c --by mia --reason "users complained"`
    """
    from rewriting.chains.allowing import disallow_rewrite
    from rewriting.table.rewrite import RewriteId
    from services.platform.clock import now_ms

    opened = OpenedTable(settings_of(settings, state), assistant)
    with opened.engine.begin() as connection:
        ended = disallow_rewrite(
            connection,
            opened.assistant,
            RewriteId(rewrite_id),
            reason=reason,
            actor=by,
            now_ms=now_ms(),
        )
    for one in ended:
        print(f"{rewrite_id}  {one.source_text!r} -> {one.target_text!r}  [no longer allowed]")
    print("it takes effect when the chain is next solved")


def _check_file(path: Path, settings: Path | None, assistant: str | None) -> "PairCheck":
    import msgspec

    from services.evaluation.common.json_lines import decoded_lines
    from services.jobs.pair_check import TableRow, check_rows

    decode = msgspec.json.Decoder(TableRow).decode
    rows = [row for _, row in decoded_lines(path, decode, "a row of a rewrite table")]
    wanted = [row for row in rows if assistant in (None, row.assistant_id)]
    return check_rows(wanted, settings_alone(settings))


def _print(found: "PairCheck", *, json: bool, limit: int | None) -> None:
    import msgspec

    if json:
        for pair in found.pairs[:limit]:
            typer.echo(msgspec.json.encode(pair))
        return
    shown = found.pairs[: SHOWN_PAIRS if limit is None else limit]
    refused = sum(pair.refused for pair in found.pairs)
    title = f"{len(found.pairs):,} pairs, {refused:,} refused"
    cut = f"the first {len(shown):,}; --limit shows more" if len(shown) < len(found.pairs) else None
    table = Table(title=Text(title), caption=cut, box=box.SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("id", no_wrap=True)
    table.add_column("pair", overflow="fold")
    table.add_column("status", no_wrap=True)
    table.add_column("guards", overflow="fold")
    for pair in shown:
        where = [f"after {pair.question!r}"] * bool(pair.question) + [f"in {pair.locale}"] * bool(pair.locale)
        lines = [", ".join(where)] * bool(where) + [pair.source, f"-> {pair.target}"]
        table.add_row(*map(Text, (pair.rewrite_id, "\n".join(lines), pair.status, _verdict(pair))))
    Console().print(table)


def _verdict(pair: "CheckedPair") -> str:
    if pair.allowed:
        return f"allowed ({', '.join(pair.reasons)})" if pair.reasons else "allowed"
    return ", ".join(pair.reasons) if pair.refused else "fine"


def _print_guarded(assistant_id: AssistantId, guarded: "Sequence[GuardedRewrite]", limit: int) -> None:
    from rewriting.guards.guarded_rewrites import counts_by_guarded_state
    from streams.turn_time import minute_of

    if not guarded:
        print(f"{assistant_id}: no such pairs, as of the last solution of the chain")
        return
    counts = ", ".join(
        f"{count:,} {name}" for name, count in counts_by_guarded_state(guarded).items() if count
    )
    shown = sorted(guarded, key=lambda one: (_SHOWN_FIRST.index(one.state), -one.run_requests))[:limit]
    cut = f"the first {len(shown):,}; --limit shows more" if len(shown) < len(guarded) else None
    table = Table(
        title=Text(f"{assistant_id}: {counts}"),
        caption=cut,
        box=box.SIMPLE,
        padding=(0, 1, 0, 0),
    )
    table.add_column("id", no_wrap=True)
    table.add_column("pair", overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("met", no_wrap=True)
    table.add_column("better", no_wrap=True, justify="right")
    for one in shown:
        where = [f"in {one.locale}"] * bool(one.locale)
        since = [] if one.since_ms is None else [minute_of(one.since_ms).removesuffix(" UTC")]
        met = [f"run  {one.run_success:,} of {one.run_requests:,}"] * bool(one.run_requests)
        met += [f"said {one.said_success:,} of {one.said_requests:,}"] * bool(one.said_requests)
        table.add_row(
            one.rewrite_id,
            Text("\n".join([*where, one.source, f"-> {one.target}"])),
            "\n".join([one.state, one.reason, *since]),
            "\n".join(met),
            f"{one.p_better:.2f}" if one.run_requests else "",
        )
    Console().print(table)
