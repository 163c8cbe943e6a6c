"""What the reports of all evaluations share: two files, an HTML page, and numbers as people read them.

Neither file holds a clock or a path, so the same evaluation gives the same bytes.
"""

import base64
import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jinja2
import msgspec

from services.evaluation.common.confidence_interval import Estimate


class ReportFiles(NamedTuple):
    """Where a report was written."""

    json: Path
    html: Path


def write_report_files(
    out_dir: str | Path, json_bytes: bytes, html: str, json_name: str = "evaluation.json"
) -> ReportFiles:
    """Writes both files of a report to a folder, which is made where there is none."""
    folder = Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    files = ReportFiles(folder / json_name, folder / "report.html")
    files.json.write_bytes(json_bytes)
    files.html.write_text(html, encoding="utf-8", newline="\n")
    return files


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
        "image": _image,
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


def _image(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode()


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
