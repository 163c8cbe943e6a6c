"""The scores of an A/B test: each arm, its difference to control, day by day, and how many users it needs."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from services.errors import SettingsError
from services.evaluation.ab.confidence_sequence import confidence_sequence
from services.evaluation.ab.estimate import (
    NOT_TOLD,
    ArmEstimate,
    UserSums,
    adjusted_difference,
    arm_estimate,
    difference,
    user_variance,
)
from services.evaluation.ab.experiment_log import ExperimentLog, LeftOut
from services.evaluation.ab.measures import MEASURES, PRIMARY, Measure, MeasureName
from services.evaluation.ab.sample_ratio import SampleRatio, sample_ratio
from services.evaluation.ab.sample_size import ANY_TIME, ONE_LOOK, best_variance, users_needed
from services.evaluation.common.confidence_interval import Estimate
from services.evaluation.errors import ExperimentError
from streams.session import DEFAULT_GAP_MS
from streams.turn import TurnEvent

FEWEST_USERS = 20
"""Of each arm, from which a look counts: with fewer, the mean is not near enough to normal for its band."""

CONTROL_SHARES = (0.05, 0.1, 0.2, 0.5)
"""For which the number of users is worked out, beside the share that the log has."""


class AbSettings(Struct, frozen=True, kw_only=True):
    """What an A/B test is asked for."""

    control: str = "control"
    since_ms: int | None = None  # start of the experiment; None: the first turn that has an arm
    shares: Mapping[str, float] = msgspec.field(default_factory=dict)  # of users; empty: not tested
    effect: float = 0.1  # wished, as a share of control's defect rate
    gap_ms: int = DEFAULT_GAP_MS

    def __post_init__(self) -> None:
        if not 0 < self.effect <= 1:
            raise SettingsError(
                f"--effect {self.effect:g}: give a share of control's defect rate, over 0 and at most 1"
            )


class ArmScore(Struct, frozen=True, kw_only=True):
    """One arm."""

    arm: str
    users: int
    turns: int
    users_before: int  # of these, with turns before the experiment
    measures: dict[MeasureName, Estimate]


class MeasureDifference(Struct, frozen=True, kw_only=True):
    """How much more a measure is in a treated arm than in control."""

    difference: Estimate
    adjusted: Estimate  # for what users did before; without a value where nothing is known of that
    variance_reduction: float | None  # share of the variance that adjusting takes away; negative: it adds


class Look(Struct, frozen=True, kw_only=True):
    """The difference of the defect rate by the end of a day."""

    day: str  # YYYY-MM-DD, UTC
    users: int  # of both arms
    difference: Estimate  # as if this were the only look
    always_valid: Estimate  # whenever and as often as one looks


class ArmDifference(Struct, frozen=True, kw_only=True):
    """A treated arm beside control."""

    arm: str
    measures: dict[MeasureName, MeasureDifference]
    adjusted: bool  # whether the looks are adjusted for what users did before
    looks: tuple[Look, ...]  # from the first day on which each arm has enough users
    shown_on: str | None  # the first day on which the always-valid band leaves out 0


class Plan(Struct, frozen=True, kw_only=True):
    """How many users show the wished effect on the defect rate with a power of 80 %, at a control share."""

    control_share: float
    users: int  # of both arms, as active as those of the log
    turns: int
    users_adjusted: int | None  # with as many days before as the log has; None: it has none
    users_any_time: int  # with the always-valid band, adjusted where that is possible


class Planning(Struct, frozen=True, kw_only=True):
    """What an experiment with this assistant needs, by the variance of this log."""

    effect: float  # difference of the defect rate
    days: int  # that the users are followed, as in the log
    user_variance: float  # of one user's influence on the defect rate
    adjusted_variance: float | None  # the same, adjusted for what users did before
    plans: tuple[Plan, ...]  # the first with the control share of this experiment

    @property
    def least_variance(self) -> float:
        """The smaller of the two."""
        known = self.user_variance if self.adjusted_variance is None else self.adjusted_variance
        return min(known, self.user_variance)


class AbScores(Struct, frozen=True, kw_only=True):
    """All that an A/B test showed; `ab.json`."""

    settings: AbSettings
    since_ms: int
    until_ms: int
    days: int
    left_out: LeftOut
    arms: tuple[ArmScore, ...]  # control first
    sample_ratio: SampleRatio | None  # None: no shares were given
    differences: tuple[ArmDifference, ...]
    planning: Planning | None  # None: control has no defects


def score_ab(turns: Sequence[TurnEvent], settings: AbSettings) -> AbScores:
    """Compares the arms of an experiment.

    Args:
        turns: of one assistant, in any order; those before the experiment too.
        settings: of the comparison.

    Raises:
        ExperimentError: there are several assistants, or no arms to compare.
        SettingsError: the shares are not those of the arms.
    """
    if len(assistants := sorted({turn.assistant_id for turn in turns})) > 1:
        raise ExperimentError(
            f"the log is of several assistants: choose one of {', '.join(assistants)} with --assistant"
        )
    log = ExperimentLog.of(
        turns, control=settings.control, gap_ms=settings.gap_ms, since_ms=settings.since_ms
    )
    sums = {measure.name: log.sums(measure.name) for measure in MEASURES}
    running = list(log.running_sums(PRIMARY))
    arms = tuple(_arm(log, arm, {name: by_arm[arm] for name, by_arm in sums.items()}) for arm in log.arms)
    ratio = None
    if settings.shares:
        ratio = sample_ratio({one.arm: one.users for one in arms}, settings.shares)
    return AbScores(
        settings=settings,
        since_ms=log.since_ms,
        until_ms=log.until_ms,
        days=len(running),
        left_out=log.left_out,
        arms=arms,
        sample_ratio=ratio,
        differences=tuple(_difference(arm, settings, sums, running) for arm in log.arms[1:]),
        planning=_planning(settings, arms, sums[PRIMARY], len(running)),
    )


def _arm(log: ExperimentLog, arm: str, sums: Mapping[MeasureName, UserSums]) -> ArmScore:
    return ArmScore(
        arm=arm,
        users=int(log.users_of(arm).sum()),
        turns=log.turns_of(arm),
        users_before=int((sums[PRIMARY].whole_before > 0).sum()),
        measures={measure.name: _of_arm(measure, sums[measure.name]) for measure in MEASURES},
    )


def _of_arm(measure: Measure, sums: UserSums) -> Estimate:
    found = arm_estimate(sums)
    if found is None:
        return NOT_TOLD
    interval = found.interval
    if not measure.is_share or interval.low is None or interval.high is None:
        return interval
    return Estimate(interval.value, max(0.0, interval.low), min(1.0, interval.high))


def _difference(
    arm: str,
    settings: AbSettings,
    sums: Mapping[MeasureName, Mapping[str, UserSums]],
    running: Sequence[tuple[str, Mapping[str, UserSums]]],
) -> ArmDifference:
    control = settings.control
    measures = {
        measure.name: _measure_difference(sums[measure.name][arm], sums[measure.name][control])
        for measure in MEASURES
        if measure.is_outcome
    }
    adjusted = measures[PRIMARY].variance_reduction is not None
    enough = [
        (day, by_arm[arm], by_arm[control])
        for day, by_arm in running
        if min(len(by_arm[name].part) for name in (arm, control)) >= FEWEST_USERS
    ]
    looks = _looks(enough, settings.effect, adjusted=adjusted)
    shown = (look.day for look in looks if leaves_out_zero(look.always_valid))
    return ArmDifference(
        arm=arm, measures=measures, adjusted=adjusted, looks=looks, shown_on=next(shown, None)
    )


def leaves_out_zero(interval: Estimate) -> bool:
    """Whether an interval shows a difference."""
    return interval.low is not None and interval.high is not None and (interval.low > 0 or interval.high < 0)


def _measure_difference(treated: UserSums, control: UserSums) -> MeasureDifference:
    plain, adjusted = difference(treated, control), adjusted_difference(treated, control)
    reduction = None
    if plain is not None and adjusted is not None and plain.variance > 0:
        reduction = 1 - adjusted.variance / plain.variance
    return MeasureDifference(
        difference=NOT_TOLD if plain is None else plain.interval,
        adjusted=NOT_TOLD if adjusted is None else adjusted.interval,
        variance_reduction=reduction,
    )


def _looks(
    enough: Sequence[tuple[str, UserSums, UserSums]], effect: float, *, adjusted: bool
) -> tuple[Look, ...]:
    """The looks at a difference, of the day, the treated arm and control.

    The band is narrowest where the wished effect would be shown, by control's defect rate at the first look:
    later ones must not change what it is.
    """
    found: list[tuple[str, int, ArmEstimate]] = []
    best = 0.0
    for day, treated, control in enough:
        estimate = adjusted_difference(treated, control) if adjusted else difference(treated, control)
        base = arm_estimate(control)
        if estimate is None or base is None or estimate.variance <= 0:
            continue
        best = best or best_variance(effect * base.value)
        found.append((day, len(treated.part) + len(control.part), estimate))
    bands = confidence_sequence([estimate for _, _, estimate in found], best)
    return tuple(
        Look(day=day, users=users, difference=estimate.interval, always_valid=band)
        for (day, users, estimate), band in zip(found, bands, strict=True)
    )


def _planning(
    settings: AbSettings, arms: Sequence[ArmScore], sums: Mapping[str, UserSums], days: int
) -> Planning | None:
    base, variance = arms[0].measures[PRIMARY].value, user_variance(list(sums.values()))
    if not base or not variance:
        return None
    users = sum(one.users for one in arms)
    here = settings.shares.get(settings.control, arms[0].users / users)
    planning = Planning(
        effect=settings.effect * base,
        days=days,
        user_variance=variance,
        adjusted_variance=user_variance(list(sums.values()), adjusted=True),
        plans=(),
    )
    plans = [
        _plan(planning, share, sum(one.turns for one in arms) / users)
        for share in dict.fromkeys((here, *CONTROL_SHARES))
    ]
    return msgspec.structs.replace(planning, plans=tuple(plans))


def _plan(planning: Planning, control_share: float, turns_per_user: float) -> Plan:
    def needed(variance: float, standard_errors: float) -> int:
        return users_needed(variance, control_share, planning.effect, standard_errors)

    users = needed(planning.user_variance, ONE_LOOK)
    adjusted = planning.adjusted_variance
    return Plan(
        control_share=control_share,
        users=users,
        turns=round(users * turns_per_user),
        users_adjusted=None if adjusted is None else needed(adjusted, ONE_LOOK),
        users_any_time=needed(planning.least_variance, ANY_TIME),
    )
