"""The report on an A/B test: `ab.json` for programs, and one HTML file for people."""

from datetime import UTC, datetime
from typing import Final

from rich.markup import escape
from rich.table import Table

from services.evaluation.ab.measures import MEASURES, PRIMARY, Measure
from services.evaluation.ab.plots import looks_plot, users_plot
from services.evaluation.ab.sample_ratio import THRESHOLD
from services.evaluation.ab.score import FEWEST_USERS, AbScores, ArmDifference, MeasureDifference
from services.evaluation.common.confidence_interval import Estimate
from services.evaluation.common.report_files import (
    Report,
    interval_text,
    page,
    percent,
    percent_interval,
    points,
    with_interval,
)

JSON_NAME: Final = "ab.json"
_TITLES: Final = {measure.name: measure.title for measure in MEASURES}


def ab_report(scores: AbScores) -> Report:
    """The scores as a page with curves by day, and as tables."""
    control = scores.arms[0].arm
    remarks = [*warnings_of(scores), *(verdict(one, control) for one in scores.differences)]
    html = page(
        "ab_report.html",
        scores=scores,
        control=control,
        since=_minute(scores.since_ms),
        until=_minute(scores.until_ms),
        measures=MEASURES,
        titles=_TITLES,
        warnings=warnings_of(scores),
        verdicts={one.arm: verdict(one, control) for one in scores.differences},
        looks={one.arm: looks_plot(one, control) for one in scores.differences},
        users=None if scores.planning is None else users_plot(scores, scores.planning),
        value=value_text,
        interval=_interval_of,
        signed=signed_text,
        threshold=THRESHOLD,
        fewest=FEWEST_USERS,
        primary=PRIMARY,
    )
    tables = [_arms_table(scores), *(_difference_table(one, control) for one in scores.differences)]
    if scores.planning is not None:
        tables.append(_planning_table(scores))
    return Report(evaluation=scores, html=html, tables=tables, remarks=remarks, json_name=JSON_NAME)


def warnings_of(scores: AbScores) -> list[str]:
    """What speaks against trusting the differences, a sentence each; the gravest first."""
    out, control = scores.left_out, scores.arms[0].arm
    ratio = scores.sample_ratio
    said = []
    if ratio is None:
        said.append("Sample ratio: not tested, since no shares were given (--share ARM=SHARE for each arm).")
    elif ratio.mismatch:
        counts = ", ".join(f"{one.arm} {one.users:,} (expected {one.expected:,.0f})" for one in ratio.arms)
        said.append(
            f"WARNING: sample-ratio mismatch (p = {ratio.p:.1g}): users by arm are {counts}. Something other "
            "than chance decides who is in the log of which arm: trust no difference until it is found."
        )
    if out.rewritten_in_control:
        said.append(
            f"WARNING: rewritten turns of users in {control}: {out.rewritten_in_control:,}. It is no arm "
            "without treatment."
        )
    if out.users_in_several_arms:
        said.append(
            f"Users in several arms, who are left out: {out.users_in_several_arms:,}. An experiment keeps a "
            "user in one arm, also where one person has several user ids."
        )
    if out.users_without_arm:
        said.append(
            f"Users without a turn with an arm since the start, who are left out: {out.users_without_arm:,}."
        )
    if out.turns_without_arm:
        said.append(
            "Turns since the start that have no arm themselves, and count for the arm of their user: "
            f"{out.turns_without_arm:,}."
        )
    if out.rewritten_before:
        said.append(
            f"Rewritten turns before the start: {out.rewritten_before:,}. If they depended on the arm, the "
            "differences with the days before are too small."
        )
    if not any(one.users_before for one in scores.arms):
        said.append(
            "No user has turns before the experiment, so nothing is adjusted for them: give the log of the "
            "days before too, or --since."
        )
    few = [one.arm for one in scores.arms if one.users < FEWEST_USERS]
    if few:
        said.append(
            f"Fewer than {FEWEST_USERS} users in {', '.join(few)}: intervals are rough, and there is no "
            "always-valid band."
        )
    return said


def verdict(difference: ArmDifference, control: str) -> str:
    """What the always-valid band says of an arm, in a sentence."""
    if not difference.looks:
        return (
            f"{difference.arm}: nothing can be said of its defect rate beside {control}: each arm needs "
            f"{FEWEST_USERS} users, some of them with defects."
        )
    last = difference.looks[-1]
    band = f"{points(last.difference)}, always-valid band {interval_text(last.always_valid, 100)}"
    if difference.shown_on is None:
        return f"{difference.arm}: no difference from {control} in defect rate is shown so far ({band})."
    first = next(look for look in difference.looks if look.day == difference.shown_on)
    side = "lower" if (first.always_valid.high or 0) < 0 else "higher"
    return (
        f"{difference.arm}: its defect rate is {side} than that of {control}, shown since "
        f"{difference.shown_on} ({band})."
    )


def value_text(measure: Measure, estimate: Estimate) -> str:
    """A measure as people read it."""
    if measure.is_share:
        return percent(estimate)
    return "n/a" if estimate.value is None else f"{estimate.value:.3f}"


def signed_text(measure: Measure, estimate: Estimate) -> str:
    """A difference as people read it, with its sign."""
    if measure.is_share:
        return points(estimate)
    return "n/a" if estimate.value is None else f"{estimate.value:+.3f}"


def _interval_of(measure: Measure, estimate: Estimate) -> str:
    if measure.is_share:
        return percent_interval(estimate)
    if estimate.low is None or estimate.high is None:
        return ""
    return f"{estimate.low:.3f} to {estimate.high:.3f}"


def _arms_table(scores: AbScores) -> Table:
    table = Table(
        title=f"{_minute(scores.since_ms)} to {_minute(scores.until_ms)}: "
        f"{sum(one.turns for one in scores.arms):,} turns of {sum(one.users for one in scores.arms):,} users"
    )
    table.caption = "with 95 % confidence intervals over users"
    table.add_column("")
    for one in scores.arms:
        table.add_column(escape(one.arm), justify="right")
    table.add_row("users", *(f"{one.users:,}" for one in scores.arms))
    table.add_row("with turns before", *(f"{one.users_before:,}" for one in scores.arms))
    table.add_row("turns", *(f"{one.turns:,}" for one in scores.arms))
    for measure in MEASURES:
        cells = [one.measures[measure.name] for one in scores.arms]
        table.add_row(
            measure.title,
            *(with_interval(value_text(measure, one), _interval_of(measure, one)) for one in cells),
        )
    return table


def _difference_table(difference: ArmDifference, control: str) -> Table:
    table = Table(title=f"{escape(difference.arm)} less {escape(control)}")
    for column in ("", "difference", "with the days before", "variance taken away"):
        table.add_column(column, justify="right" if column else "left")
    for measure in MEASURES:
        if (found := difference.measures.get(measure.name)) is not None:
            table.add_row(measure.title, *_cells(measure, found))
    return table


def _cells(measure: Measure, found: MeasureDifference) -> list[str]:
    plain, adjusted = (
        with_interval(signed_text(measure, one), _interval_of(measure, one))
        for one in (found.difference, found.adjusted)
    )
    reduction = found.variance_reduction
    return [plain, adjusted, "n/a" if reduction is None else f"{100 * reduction:.0f} %"]


def _planning_table(scores: AbScores) -> Table:
    planning = scores.planning
    if planning is None:
        raise ValueError("these scores have no planning")
    table = Table(
        title=f"Users that show a difference of {100 * planning.effect:.1f} points "
        f"({100 * scores.settings.effect:.0f} % of control's defect rate) in {planning.days} days, power 80 %"
    )
    for column in ("control", "users", "turns", "with the days before", "looks at any time"):
        table.add_column(column, justify="right")
    for one in planning.plans:
        table.add_row(
            f"{100 * one.control_share:.1f} %",
            f"{one.users:,}",
            f"{one.turns:,}",
            "n/a" if one.users_adjusted is None else f"{one.users_adjusted:,}",
            f"{one.users_any_time:,}",
        )
    return table


def _minute(ts_ms: int) -> str:
    return datetime.fromtimestamp(ts_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
