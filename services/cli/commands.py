"""The commands of `rehear`, and how their errors are shown."""

import importlib.metadata
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from sqlalchemy.exc import DBAPIError

from services.cli import (
    annotate,
    demo,
    evaluate_ab,
    evaluate_loop,
    evaluate_rephrases,
    evaluations,
    exports,
    jobs,
    learn,
    report,
    running,
    table,
    variants,
)
from services.platform.log_output import configure_log
from streams.errors import RehearError

_EXPECTED = (RehearError, OSError)

app = typer.Typer(
    name="rehear",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    help="Learns from an assistant's dialogue log what its users meant when they had to say it twice, and "
    "serves that as rewrites.\n\n"
    "**Try it**: `rehear demo`.\n\n"
    "**On your log**: `rehear learn --turns log.jsonl.gz --state state`, then `rehear serve --state state`."
    "\n\n"
    "**On Kafka**: `rehear up --settings rehear.toml`.",
)
learn.register(app)
jobs.register(app)
exports.register(app)
evaluate_ab.register(jobs.evaluate)
evaluate_loop.register(jobs.evaluate)
evaluate_rephrases.register(jobs.evaluate)
evaluations.register(jobs.evaluate)
variants.register(jobs.evaluate)
annotate.register(app)
report.register(app)
running.register(app)
table.register(app)
demo.register(app)


def run() -> None:
    """Runs the command; errors that a user can mend are one line, without a traceback."""
    configure_log()
    try:
        app()
    except (*_EXPECTED, DBAPIError) as error:
        message = f"database: {error.orig}" if isinstance(error, DBAPIError) else str(error)
        Console(stderr=True).print(f"[bold red]rehear:[/] {escape(message)}", highlight=False, soft_wrap=True)
        raise SystemExit(1) from error


def _show_version(asked: bool) -> None:
    if asked:
        print(f"rehear {importlib.metadata.version('rehear')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version, and exit."),
    ] = False,
) -> None:
    pass
