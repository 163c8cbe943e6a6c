"""The report of an evaluation: a JSON file for programs, and one HTML file for people.

Neither holds a clock or a path, so the same evaluation gives the same bytes.
"""

import base64
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import msgspec

from services.evaluation.common.confidence_interval import Estimate
from services.evaluation.common.plots import interval_plot, tradeoff_plot, wins_losses_plot
from services.evaluation.common.training_log import TEXT_SEEN, USER_SEEN
from services.evaluation.rewrites.score import RewriteEvaluation, Score

TABLED_BREAKDOWNS = (
    "recording heard before",
    "confused",
    USER_SEEN,
    TEXT_SEEN,
    "layer",
    "method",
    "scope",
)
"""Breakdowns shown as a table; the others, with many groups, are drawn."""

DRAWN_BREAKDOWNS = ("domain", "day")


class ReportFiles(NamedTuple):
    """Where a report was written."""

    json: Path
    html: Path


def write_report(evaluation: RewriteEvaluation, out_dir: str | Path) -> ReportFiles:
    """Writes `evaluation.json` and `report.html` to a folder, which is made where there is none."""
    return write_report_files(out_dir, report_json(evaluation), report_html(evaluation))


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


def report_html(evaluation: RewriteEvaluation) -> str:
    """The evaluation as one HTML page that asks for no other file."""
    return page(
        "report.html",
        evaluation=evaluation,
        headlines=[
            one
            for one in evaluation.predictors
            if (one.name == evaluation.main if evaluation.main is not None else not one.baseline)
        ],
        intervals=interval_plot(evaluation),
        tradeoff=tradeoff_plot(evaluation),
        tabled=TABLED_BREAKDOWNS,
        drawn={
            one.name: [plot for by in DRAWN_BREAKDOWNS if (plot := wins_losses_plot(one, by)) is not None]
            for one in evaluation.predictors
        },
    )


def page(template: str, **values: object) -> str:
    """One HTML page; what the values hold is shown as it is, never taken for HTML.

    Args:
        template: a file of `evaluation/templates`.
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
        "win_loss": win_loss,
        "win_loss_interval": win_loss_interval,
        "points": points,
        "image": _image,
        "thousands": lambda number: f"{number:,}",
    }
    return environment.get_template(template).render(**values)


def percent(measure: Estimate) -> str:
    """A share in percent: `22.7 %`."""
    return _number(measure.value, 100, " %")


def percent_interval(measure: Estimate) -> str:
    """The interval of a share: `20.1 to 25.4`."""
    return _interval(measure, 100)


def points(measure: Estimate) -> str:
    """A difference of shares, with its sign: `+3.1 points`."""
    return "n/a" if measure.value is None else f"{100 * measure.value:+.1f} points"


def win_loss(score: Score) -> str:
    """Wins for each loss: `8.8 : 1`, or `12 : 0` where nothing was lost, or `n/a` where nothing changed."""
    if score.losses:
        return f"{score.wins / score.losses:.1f} : 1"
    return f"{score.wins} : 0" if score.wins else "n/a"


def win_loss_interval(score: Score) -> str:
    """The interval of wins for each loss: `6.9 to 11.4`."""
    return _interval(score.win_loss, 1)


def _interval(measure: Estimate, scale: int) -> str:
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
