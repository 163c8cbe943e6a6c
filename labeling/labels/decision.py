"""Label decisions: from logits to the labels of the turns of a dialogue."""

import math
from collections.abc import Sequence

from labeling.labels.calibration import (
    Calibration,
    Scale,
    class_probabilities,
    continuations,
    dissatisfaction_logit,
    log_odds,
    probability,
)
from labeling.labels.reader import TurnLogits
from labeling.labels.space import NAMED, RATINGS, LabelSpace
from labeling.labels.targets import tagged_slots
from labeling.labels.turn_label import LabelName, SlotLabel, TurnLabel
from labeling.labels.weak_defects import defect_views
from streams.turn import EventId, TurnEvent

_DIGITS = 6  # of a probability


def decide(
    turns: Sequence[TurnEvent], logits: Sequence[TurnLogits], space: LabelSpace, calibration: Calibration
) -> list[TurnLabel]:
    """The labels of each turn of a dialogue."""
    scales = calibration.scales
    scale = scales.get("goal_start") if "goal_start" in space.tasks else None
    starts: list[float | None] = [None] * len(logits)  # probability that a goal starts with each turn
    if scale is not None:
        starts = [1.0, *(probability(float(one.values["goal_start"][0]), scale) for one in logits[1:])]
    goals = _goals(starts, calibration.decisions.get("goal_start", 0.5))
    defects = _defects(turns, logits, space, calibration)
    labels = []
    for position, (turn, of_turn) in enumerate(zip(turns, logits, strict=True)):
        confidence: dict[LabelName, float] = {}
        start = starts[position]
        if start is not None:
            confidence["goal_start"] = start if position == goals[position][0] else 1 - start
        success = _success(position, of_turn, goals, defects, space, calibration)
        defect = defects[position]
        if success is not None:
            confidence["goal_success"] = max(success, 1 - success)
        if defect is not None:
            confidence["defect"] = max(defect, 1 - defect)
        ratings: dict[LabelName, tuple[int | None, float | None]] = {}
        for task in RATINGS:
            if task in space.tasks and (task == "satisfaction" or position + 1 == len(turns)):
                given, share, is_below = _rating(of_turn, task, calibration)
                ratings[task] = given, share
                confidence[task] = share if is_below else 1 - share
        names: dict[LabelName, str] = {}
        for task in NAMED:
            if task in space.tasks:
                shares = class_probabilities(of_turn.values[task], scales.get(task, Scale()))
                known = space.domains if task == "domain" else space.intents
                names[task] = known[int(shares.argmax())]
                confidence[task] = float(shares.max())
        slots: tuple[SlotLabel, ...] | None = None
        if "slots" in space.tasks:
            slots, confidence["slots"] = _slots(
                turn.request.text, of_turn, space, scales.get("slots", Scale())
            )
        rating, dissatisfied = ratings.get("satisfaction", (None, None))
        of_dialogue, dialogue_dissatisfied = ratings.get("dialogue_satisfaction", (None, None))
        rounded = {task: round(value, _DIGITS) for task, value in confidence.items()}
        labels.append(
            TurnLabel(
                event_id=EventId(turn.event_id),
                goal_id=turns[goals[position][0]].event_id,
                goal_start=position == goals[position][0],
                goal_success=_rounded(success),
                defect=_rounded(defect),
                satisfaction=rating,
                dissatisfaction=_rounded(dissatisfied),
                dialogue_satisfaction=of_dialogue,
                dialogue_dissatisfaction=_rounded(dialogue_dissatisfied),
                domain=names.get("domain"),
                intent=names.get("intent"),
                slots=slots,
                confidence=rounded,
                abstained=tuple(
                    task for task, value in rounded.items() if value < calibration.thresholds.get(task, 0.0)
                ),
            )
        )
    return labels


def _goals(starts: Sequence[float | None], decision: float) -> list[range]:
    """The positions of the goal of each turn."""
    firsts = [0, *(i for i, start in enumerate(starts) if i and start is not None and start >= decision)]
    goals: list[range] = []
    for first, after in zip(firsts, [*firsts[1:], len(starts)], strict=True):
        goals += [range(first, after)] * (after - first)
    return goals


def _defects(
    turns: Sequence[TurnEvent], logits: Sequence[TurnLogits], space: LabelSpace, calibration: Calibration
) -> list[float | None]:
    if "defect" not in space.tasks:
        return [None] * len(turns)
    scale = calibration.scales.get("defect", Scale())
    shares = [probability(float(one.values["defect"][0]), scale) for one in logits]
    if calibration.defects is None:
        return list(shares)
    known_goals = "goal_start" in space.tasks
    continues = continuations(logits, calibration.scales.get("goal_start", Scale()) if known_goals else None)
    found: list[float | None] = []
    for position, (turn, share) in enumerate(zip(turns, shares, strict=True)):
        observed = defect_views(turn, continues[position], is_last=position + 1 == len(turns))
        odds = calibration.defects.log_odds(log_odds(share), observed)
        found.append(1 / (1 + math.exp(-min(max(odds, -30.0), 30.0))))
    return found


def _success(
    position: int,
    logits: TurnLogits,
    goals: Sequence[range],
    defects: Sequence[float | None],
    space: LabelSpace,
    calibration: Calibration,
) -> float | None:
    """As learned; where it was not, a goal is reached if its last turn is no defect."""
    if "goal_success" in space.tasks:
        scale = calibration.scales.get("goal_success", Scale())
        return probability(float(logits.values["goal_success"][0]), scale)
    last = defects[goals[position][-1]]
    return None if last is None else 1 - last


def _rating(logits: TurnLogits, task: LabelName, calibration: Calibration) -> tuple[int, float, bool]:
    """The rating (1..5), the probability that most raters give less than 3, and whether that is decided.

    Below 3 where that is likely enough, then the likelier of 1 and 2; else the likeliest of 3, 4 and 5.
    """
    share = probability(dissatisfaction_logit(logits.values[task]), calibration.scales.get(task, Scale()))
    is_below = share >= calibration.decisions.get(task, 0.5)
    first, last = (0, 2) if is_below else (2, 5)
    rating = first + 1 + int(logits.values[task][first:last].argmax())
    return rating, share, is_below


def _slots(
    text: str, logits: TurnLogits, space: LabelSpace, scale: Scale
) -> tuple[tuple[SlotLabel, ...], float]:
    """The slots, and the probability that all of them are right and none is missing."""
    if logits.tags is None or not len(logits.tags):
        return (), 1.0
    shares = class_probabilities(logits.tags, scale)
    found = tagged_slots(text, logits.offsets, shares.argmax(axis=-1).tolist(), space.slots)
    return tuple(slot for slot, _ in found), float(shares.max(axis=-1).prod())


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, _DIGITS)
