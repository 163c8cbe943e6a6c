"""What the reports of all evaluations share: two files, an HTML page, and numbers as people read them.

Neither file holds a clock or a path, so the same evaluation gives the same bytes.
"""

import base64
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jinja2
import msgspec
from msgspec import Struct
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.evaluation.common.confidence_interval import Estimate


class ReportFiles(NamedTuple):
    """Where a report was written."""

    json: Path
    html: Path


class Report(Struct, frozen=True, kw_only=True):
    """An evaluation as it is told to programs and to people."""

    evaluation: Struct
    html: str  # one page that asks for no other file
    tables: Sequence[Table]
    remarks: Sequence[str] = ()  # to be read beneath the tables, a sentence each
    json_name: str = "evaluation.json"

    def write(self, out_dir: str | Path) -> ReportFiles:
        """Writes JSON and `report.html` to a folder, which is made where there is none."""
        folder = Path(out_dir)
        folder.mkdir(parents=True, exist_ok=True)
        files = ReportFiles(folder / self.json_name, folder / "report.html")
        files.json.write_bytes(report_json(self.evaluation))
        files.html.write_text(self.html, encoding="utf-8", newline="\n")
        return files

    def show(self, files: ReportFiles, console: Console) -> None:
        """Prints the tables, the remarks, and where the report is."""
        for table in self.tables:
            console.print(table)
        for remark in self.remarks:
            console.print(escape(remark), soft_wrap=True, highlight=False)
        console.print(f"report: {files.html} and {files.json}", soft_wrap=True)


def report_json(evaluation: msgspec.Struct) -> bytes:
    """The evaluation as JSON with sorted keys; infinite numbers become "infinity" and "-infinity"."""
    tree = _without_infinity(msgspec.structs.asdict(evaluation))
    text = json.dumps(tree, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def page(
    template: str, *, filters: Mapping[str, Callable[..., str]] = MappingProxyType({}), **values: object
) -> str:
    """One HTML page; what the values hold is shown as it is, never taken for HTML.

    Args:
        template: a file of `evaluation/templates`.
        filters: that it uses beside those of all reports.
        values: what it shows.
    """
    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FileSystemLoader(Path(__file__).parents[1] / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "percent_interval": percent_interval,
        "points": points,
        "image": lambda svg: "data:image/svg+xml;base64," + base64.b64encode(svg).decode(),
        "thousands": lambda number: f"{number:,}",
        **filters,
    }
    return environment.get_template(template).render(**values)


def percent(measure: Estimate) -> str:
    """A share in percent: `22.7 %`."""
    return _number(measure.value, 100, " %")


def percent_interval(measure: Estimate) -> str:
    """The interval of a share: `20.1 to 25.4`."""
    return interval_text(measure, 100)


def points(measure: Estimate) -> str:
    """A difference of shares, with its sign: `+3.1 points`."""
    return "n/a" if measure.value is None else f"{100 * measure.value:+.1f} points"


def with_interval(value: str, interval: str) -> str:
    """A cell of a table: the value, and below it its interval, if there is one."""
    return f"{value}\n[dim]{interval}[/dim]" if interval else value


def share_cell(measure: Estimate) -> str:
    """A cell of a table: a share in percent, and below it its interval."""
    return with_interval(percent(measure), percent_interval(measure))


def systems_table(
    title: str,
    columns: Iterable[str],
    rows: Iterable[tuple[str, Iterable[Estimate]]],
    *,
    resampled: str | None = None,
) -> Table:
    """Systems beside each other.

    Args:
        title: of the table.
        columns: titles of the measures.
        rows: the name of each system, and its measures.
        resampled: what the intervals are over, for the caption; None: there is none.
    """
    table = Table(title=title)
    if resampled is not None:
        table.caption = f"with 95 % confidence intervals over {resampled}"
    table.add_column("system")
    for column in columns:
        table.add_column(column, justify="right")
    for name, measures in rows:
        table.add_row(escape(name), *map(share_cell, measures))
    return table


def interval_text(measure: Estimate, scale: int) -> str:
    """An interval, its ends times `scale`: `6.9 to 11.4`; nothing where it has no end."""
    if measure.low is None or measure.high is None or math.isinf(measure.low):
        return ""  # an interval from infinity says nothing
    return f"{_number(measure.low, scale)} to {_number(measure.high, scale)}"


def _number(value: float | None, scale: int, unit: str = "") -> str:
    if value is None:
        return "n/a"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    return f"{scale * value:.1f}" + unit


def _without_infinity(node: Any) -> Any:
    if isinstance(node, msgspec.Struct):
        node = msgspec.structs.asdict(node)
    if isinstance(node, dict):
        return {key: _without_infinity(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_without_infinity(value) for value in node]
    if isinstance(node, float) and math.isinf(node):
        return "infinity" if node > 0 else "-infinity"
    return node
