"""The off switch of serving, for operators."""

from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.opened_table import OpenedTable
from services.cli.options import AssistantOption, SettingsOption, StateOption, settings_of

if TYPE_CHECKING:
    from rewriting.serving.settings import ServingSettings
    from rewriting.serving.switch import ServingSwitch


def register(table: typer.Typer) -> None:
    """Adds the command to `rehear table`."""
    table.command()(serving)


def serving(
    off: Annotated[
        bool | None,
        typer.Option(
            "--off/--on",
            help="Leave all requests as they are, or serve rewrites again. By default, only show the state.",
            show_default=False,
        ),
    ] = None,
    reason: Annotated[
        str | None, typer.Option(help="Why; needed with --off and --on, and kept on record.")
    ] = None,
    actor: Annotated[str, typer.Option(help="Who; kept on record.")] = "operator",
    state: StateOption = None,
    settings: SettingsOption = None,
    assistant: AssistantOption = None,
) -> None:
    """Show who is served rewrites, or switch serving off and on.

    While serving is off, the lookup API answers every request of the assistant unchanged, with the reason
    `serving_off`; taught rewrites are no exception. The switch is in the database: every server that runs
    follows it within its poll interval (0.25 s by default), and a restart leaves it as it is. Learning goes
    on, and nothing in the table changes. `[serving] off = true` in the settings of a server switches it off
    for all assistants, whatever this switch says.

    Example: `rehear table serving --off --reason "users complain"`, and later
    `rehear table serving --on --reason "the row is blocked"`
    """
    from rewriting.serving.switch import serving_switches, turn_serving
    from services.platform.clock import now_ms
    from streams.stores.database_schema import reading

    if off is None and reason is not None:
        raise typer.BadParameter("say --off or --on with it", param_hint="--reason")
    if off is not None and not (reason or "").strip():
        raise typer.BadParameter("say why: it is kept on record", param_hint="--reason")
    chosen = settings_of(settings, state)
    opened = OpenedTable(chosen, assistant)
    if off is None:
        with reading(opened.engine) as connection:
            switch = serving_switches(connection).get(opened.assistant)
    else:
        with opened.engine.begin() as connection:
            switch = turn_serving(
                connection, opened.assistant, off=off, reason=reason or "", actor=actor, now_ms=now_ms()
            )
    for line in _lines(opened.assistant, switch, chosen.serving):
        print(line)


def _lines(assistant_id: str, switch: "ServingSwitch | None", settings: "ServingSettings") -> tuple[str, ...]:
    from rewriting.serving.arm import Arms
    from streams.turn_time import minute_of

    words = "on; the switch was never turned"
    if switch is not None:
        when = minute_of(switch.changed_ms)
        words = f"{'off' if switch.off else 'on'} since {when}, by {switch.actor}: {switch.reason}"
    lines = [f"{assistant_id}: serving is {words}"]
    if settings.off:
        lines.append("but these settings have it off for all assistants: [serving] off = true")
    arms = ", ".join(f"{share:.4g} {arm}" for arm, share in Arms(settings).shares.items())
    lines.append(f"by these settings, shares of the users: {arms}")
    lines.append(f"share of the other users' requests that are left unchanged: {settings.exploration:g}")
    return tuple(lines)
