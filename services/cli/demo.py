"""The demo."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.options import require_folder


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(demo)


def demo(
    logs: Annotated[
        Path | None,
        typer.Option(
            help="Folder with turns.train.jsonl.gz, turns.test.jsonl.gz, ...; else one is simulated."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for everything that the demo makes.")] = Path(
        "demo-output"
    ),
) -> None:
    """Stream a log through Kafka, learn, serve, ask the API, and show what was fixed.

    Takes some ten minutes; nothing is left running. With a test log and gold beside the log it is scored.
    """
    require_folder(out, "the folder of the demo", "with --out")
    from services.demo import run_demo

    run_demo(logs, out)
