"""Annotation of failure points: turns to a spreadsheet, and back as annotations."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.cli.options import SettingsOption, TurnsOption, settings_alone
from services.errors import SettingsError

if TYPE_CHECKING:
    from services.annotating.agreement import Agreement

annotate = typer.Typer(
    no_args_is_help=True,
    help="Annotate failure points by hand: export turns to a spreadsheet and import the answers.",
)


def register(app: typer.Typer) -> None:
    """Adds the commands to `rehear`."""
    annotate.command("export")(export_command)
    annotate.command("import")(import_command)
    app.add_typer(annotate, name="annotate")


def export_command(
    turns: TurnsOption,
    out: Annotated[Path, typer.Option(help="The sheet, CSV; with --annotator, once for each: a folder.")],
    size: Annotated[int, typer.Option(min=1, help="Number of turns.")] = 500,
    annotator: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Who will fill in a sheet of the same turns, once for each."),
    ] = None,
    troubled: Annotated[
        float,
        typer.Option(
            min=0, max=1, help="Share of turns after which the log shows trouble: failures are rare."
        ),
    ] = 0.5,
    as_they_come: Annotated[
        bool,
        typer.Option(
            "--as-they-come", help="As much trouble as there is in the log: for turns to be scored on."
        ),
    ] = False,
    seed: Annotated[int, typer.Option(help="Random seed; each seed draws different turns.")] = 0,
    settings: SettingsOption = None,
) -> None:
    """Draw turns for people to annotate, with what was said before and after.

    In the column failure_point they write false_wake, asr, nlu, entity_resolution, result or correct, or
    nothing where they cannot tell.

    Example: `rehear annotate export --turns log.jsonl.gz --out sheets --annotator anna --annotator ben`
    """
    from services.annotating.sample import sample_turns
    from services.annotating.sheet import sheet_bytes
    from services.platform.clock import now_ms
    from streams.replaced_file import replaced_file
    from streams.session import sessionize
    from streams.turn_file import read_turns

    names = annotator or []
    if len(set(names)) < len(names) or not all(names) or any("/" in name for name in names):
        raise SettingsError("--annotator: give each a name of its own, without a slash")
    log = [turn for file in turns for turn in read_turns(file, now_ms)]
    sessions = sessionize(log, settings_alone(settings).sessions.gap_ms)
    sample = sample_turns(sessions, size, seed, None if as_they_come else troubled)
    files = {out / f"{name}.csv": name for name in names} or {out: ""}
    for file, name in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        with replaced_file(file) as stream:
            stream.write(sheet_bytes(sample, name))
    typer.echo(f"{len(sample):,} of {len(log):,} turns in {', '.join(map(str, files))}", err=True)


def import_command(
    sheets: Annotated[list[Path], typer.Argument(help="Sheets that people have filled in.")],
    turns: TurnsOption,
    out: Annotated[Path, typer.Option(help="The annotations, JSON Lines, as `rehear learn` takes them.")],
    agreement: Annotated[
        Path | None, typer.Option(help="File for the agreement of the annotators, JSON.")
    ] = None,
) -> None:
    """Read sheets that people have filled in: what most of them say of each turn, and how far they agree.

    A turn on which no class has more votes than any other is left out.

    Example: `rehear annotate import sheets/anna.csv sheets/ben.csv --turns log.jsonl.gz --out said.jsonl`
    """
    from labeling.annotations.annotation import Annotation
    from services.annotating.agreement import agreement_of, majority, votes_of
    from services.annotating.sheet import read_sheets
    from services.platform.clock import now_ms
    from streams.replaced_file import replaced_file
    from streams.turn_file import read_turns

    known = frozenset(turn.event_id for file in turns for turn in read_turns(file, now_ms))
    votes = votes_of(read_sheets(sheets, known))
    found = agreement_of(votes)
    most = majority(votes)
    annotations = [Annotation(event_id=event, failure_point=point) for event, point in most.items()]
    with replaced_file(out) as stream:
        stream.writelines(msgspec.json.encode(one) + b"\n" for one in annotations)
    if agreement is not None:
        with replaced_file(agreement) as stream:
            stream.write(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    console = Console(stderr=True)
    if found.shared_turns:
        for table in agreement_tables(found):
            console.print(table)
    undecided = f", {len(found.undecided):,} left out: no majority" if found.undecided else ""
    typer.echo(
        f"{len(annotations):,} turns annotated by {len(found.annotators)} people{undecided}: {out}", err=True
    )


def agreement_tables(found: "Agreement") -> "Sequence[Table]":
    """Agreement of pairs of annotators, and on each class."""
    alpha = "n/a" if found.alpha is None else f"{found.alpha:.2f}"
    raw = "n/a" if found.raw is None else f"{100 * found.raw:.1f} %"
    pairs = Table(
        title=f"{found.shared_turns:,} turns of several annotators: {raw} of votes agree, "
        f"Krippendorff's alpha {alpha}"
    )
    for column in ("annotators", "turns", "agree", "Cohen's kappa"):
        pairs.add_column(column, justify="left" if column == "annotators" else "right")
    for one in found.pairs:
        kappa = "n/a" if one.kappa is None else f"{one.kappa:.2f}"
        names = escape(f"{one.first}, {one.second}")
        pairs.add_row(names, f"{one.turns:,}", f"{100 * one.raw:.1f} %", kappa)
    classes = Table(title="Where one says it, another does")
    for column in ("class", "votes", "agree"):
        classes.add_column(column, justify="left" if column == "class" else "right")
    for part in found.classes:
        share = "n/a" if part.specific is None else f"{100 * part.specific:.1f} %"
        classes.add_row(part.failure_point, f"{part.named:,}", share)
    return pairs, classes
