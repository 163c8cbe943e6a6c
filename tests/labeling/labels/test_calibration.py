"""Probabilities that hold: of logits that are distorted in a known way."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from turns import turn_event

from labeling.labels.calibration import (
    LEAST_KNOWN,
    Calibration,
    Scale,
    calibrate,
    class_probabilities,
    continuations,
    dissatisfaction_logit,
    log_odds,
    most_dissatisfied,
    probability,
)
from labeling.labels.reader import TurnLogits
from labeling.labels.space import LabelSpace
from labeling.labels.targets import UNKNOWN, TurnTarget
from labeling.labels.training import LabelledDialogue
from labeling.labels.turn_label import LabelName, SlotLabel
from labeling.labels.weak_defects import SIGNALS
from streams.turn import EventId, Response, TurnEvent

Values = Mapping[LabelName, Sequence[float] | NDArray[np.float64]]


class _KnownReader:
    """A reader whose logits are given, by event."""

    def __init__(self, space: LabelSpace) -> None:
        self.space = space
        self.logits: dict[str, TurnLogits] = {}

    def read(self, turns: Sequence[TurnEvent]) -> list[TurnLogits]:
        return [self.logits[turn.event_id] for turn in turns]


class _World:
    """Dialogues of one turn each, unless said otherwise."""

    def __init__(self, space: LabelSpace) -> None:
        self.reader = _KnownReader(space)
        self.held: list[LabelledDialogue] = []

    def add(self, values: Values, target: TurnTarget, **changes: Any) -> None:
        event_id = f"e{len(self.reader.logits)}"
        logits = {task: np.asarray(one, dtype=np.float32) for task, one in values.items()}
        self.reader.logits[event_id] = TurnLogits(logits, None, ())
        turn = turn_event(event_id=EventId(event_id), **changes)
        self.held.append(LabelledDialogue([turn], [target]))

    def calibrated(self) -> Calibration:
        logits = [self.reader.read(dialogue.turns) for dialogue in self.held]
        return calibrate(self.reader.space, self.held, logits)


def _binary(count: int, seed: int = 1) -> tuple[_World, NDArray[np.float64], NDArray[np.float64]]:
    """A world whose true log odds of a defect are 0.5 * logit - 1; logits and truths."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(scale=4, size=count)
    truths = (generator.random(count) < 1 / (1 + np.exp(1 - 0.5 * logits))).astype(np.float64)
    world = _World(LabelSpace(tasks=("defect",)))
    for logit, truth in zip(logits, truths, strict=True):
        world.add({"defect": [logit]}, TurnTarget({"defect": (truth,)}, {}))
    return world, logits, truths


def test_binary_logits_are_brought_to_what_they_should_have_said() -> None:
    world, logits, truths = _binary(4_000)
    scale = world.calibrated().scales["defect"]
    assert scale.factor == pytest.approx(0.5, abs=0.05)
    assert scale.shift == pytest.approx(-1, abs=0.15)
    found = np.array([probability(logit, scale) for logit in logits])
    for low in np.arange(0, 1, 0.1):
        group = (low <= found) & (low + 0.1 > found)
        assert truths[group].mean() == pytest.approx(found[group].mean(), abs=0.08)


def test_soft_truths_are_fitted_as_they_are() -> None:
    world = _World(LabelSpace(tasks=("defect",)))
    for logit in np.linspace(-6, 6, 300):
        world.add({"defect": [logit]}, TurnTarget({"defect": (float(1 / (1 + np.exp(-2 * logit - 1))),)}, {}))
    scale = world.calibrated().scales["defect"]
    assert (scale.factor, scale.shift) == (pytest.approx(2, abs=0.2), pytest.approx(1, abs=0.2))


def test_of_few_labels_or_of_one_kind_logits_are_taken_as_they_are() -> None:
    world, _, _ = _binary(LEAST_KNOWN - 1)
    assert world.calibrated().scales["defect"] == Scale()
    world = _World(LabelSpace(tasks=("defect", "intent", "satisfaction", "slots"), intents=("a", "b")))
    for _ in range(LEAST_KNOWN + 10):
        values: Values = {"defect": [2.0], "intent": [1.0, 0.0], "satisfaction": [0.0] * 5}
        world.add(values, TurnTarget({"defect": (1.0,)}, {"intent": UNKNOWN}))
    calibration = world.calibrated()
    assert calibration.scales == dict.fromkeys(("defect", "intent", "satisfaction", "slots"), Scale())
    assert calibration.decisions == {"satisfaction": 0.5}
    assert calibration.thresholds == {}
    assert calibration.defects is None


def test_classes_that_are_too_sure_are_made_less_so() -> None:
    generator = np.random.default_rng(2)
    world = _World(LabelSpace(tasks=("intent",), intents=("a", "b", "c")))
    for _ in range(3_000):
        true = generator.normal(scale=1.5, size=3)
        number = int(generator.choice(3, p=np.exp(true) / np.exp(true).sum()))
        world.add({"intent": 3 * true}, TurnTarget({}, {"intent": number}))
    scale = world.calibrated().scales["intent"]
    assert scale.factor == pytest.approx(1 / 3, abs=0.04)
    assert scale.shift == 0


def test_tags_are_calibrated_over_the_tokens_of_turns_whose_slots_are_known() -> None:
    generator = np.random.default_rng(3)
    world = _World(LabelSpace(tasks=("slots",), slots=("genre",)))
    jazz = (SlotLabel(name="genre", value="jazz", start=5, end=9),)
    for number in range(400):
        # What is said of the second token is right in four of five.
        tags = np.array([[8, 0, 0], [0, 8, 0] if generator.random() < 0.8 else [8, 0, 0]], dtype=np.float32)
        target = TurnTarget({}, {}, None if number % 2 else jazz)
        world.add({}, target)
        world.reader.logits[f"e{number}"] = TurnLogits({}, tags, ((0, 4), (5, 9)))
    factor = world.calibrated().scales["slots"].factor
    of_right = class_probabilities(np.array([0, 8, 0], dtype=np.float32), Scale(factor))[1]
    assert of_right == pytest.approx(0.9, abs=0.04)


def test_dissatisfaction_is_that_of_most_raters() -> None:
    generator = np.random.default_rng(4)
    world = _World(LabelSpace(tasks=("satisfaction",)))
    most, logits = [], []
    for _ in range(1_500):
        share = float(generator.beta(0.6, 1.2))
        raters = generator.random(3) < share
        low = float(raters.mean())
        given = np.log([share / 2, share / 2, (1 - share) / 3, (1 - share) / 3, (1 - share) / 3])
        world.add({"satisfaction": given}, TurnTarget({"satisfaction": (low, 0.0, 1 - low, 0.0, 0.0)}, {}))
        most.append(low > 0.5)
        logits.append(dissatisfaction_logit(given.astype(np.float32)))
    calibration = world.calibrated()
    found = np.array([probability(logit, calibration.scales["satisfaction"]) for logit in logits])
    truths = np.array(most)
    for low in np.arange(0, 1, 0.25):
        group = (low <= found) & (low + 0.25 > found)
        assert truths[group].mean() == pytest.approx(found[group].mean(), abs=0.1)
    # The decision has nearly the best F1 that any threshold has.
    assert _f1(truths, found >= calibration.decisions["satisfaction"]) > 0.97 * max(
        _f1(truths, found >= least) for least in np.linspace(0.05, 0.95, 50)
    )


def _f1(truths: NDArray[np.bool_], said: NDArray[np.bool_]) -> float:
    return 2 * float((truths & said).sum()) / max(1, int(truths.sum() + said.sum()))


def test_log_odds_of_dissatisfaction_are_those_of_the_two_lowest_ratings() -> None:
    logits = np.log([0.1, 0.2, 0.3, 0.2, 0.2]).astype(np.float32) + 7
    assert dissatisfaction_logit(logits) == pytest.approx(np.log(0.3 / 0.7), abs=1e-6)
    assert most_dissatisfied((0.3, 0.3, 0.4, 0, 0))
    assert not most_dissatisfied((0.5, 0, 0, 0, 0.5))


def test_class_probabilities_sum_to_one_however_far_the_logits_are() -> None:
    logits = np.array([[1e4, -1e4, 0], [0, 0, 0]], dtype=np.float32)
    shares = class_probabilities(logits, Scale(7.0))
    assert shares == pytest.approx(np.array([[1, 0, 0], [1 / 3] * 3]))


def test_probabilities_and_log_odds_are_finite() -> None:
    assert probability(1e9, Scale()) == 1
    assert probability(-1e9, Scale()) == pytest.approx(0)
    assert log_odds(probability(1.5, Scale(2.0, -1.0))) == pytest.approx(2)
    assert np.isfinite([log_odds(0.0), log_odds(1.0)]).all()


def test_how_goals_go_on_is_told_by_the_next_start() -> None:
    logits = [TurnLogits({"goal_start": np.array([one], dtype=np.float32)}, None, ()) for one in (9, 0, -9)]
    assert continuations(logits, Scale()) == [0.5, pytest.approx(1, abs=1e-3), None]
    assert continuations(logits, None) == [None] * 3
    assert continuations(logits[:1], Scale()) == [None]


def _failing(from_log: tuple[LabelName, ...]) -> _World:
    """A log in which half of the requests fail, and four of five of these report an error."""
    generator = np.random.default_rng(5)
    world = _World(LabelSpace(tasks=("defect",), from_log=from_log))
    for _ in range(1_500):
        fails = bool(generator.random() < 0.5)
        shows = fails and generator.random() < 0.8
        logit = generator.normal(loc=1.5 if fails else -1.5)
        target = TurnTarget({"defect": (float(fails),)}, {}, shown=float(shows), said=frozenset(["defect"]))
        status = "error" if shows else "ok"
        world.add({"defect": [logit]}, target, response=Response(text="x", status=status))
    return world


def test_signals_that_the_model_has_not_seen_are_learned_on_what_was_held_back() -> None:
    evidence = _failing(("defect",)).calibrated().defects
    assert evidence is not None
    assert evidence.views[SIGNALS]["error"] > 3
    assert evidence.views[SIGNALS]["ok"] == pytest.approx(np.log(0.2), abs=0.3)
    assert _failing(()).calibrated().defects is None


def test_without_anything_held_back_nothing_changes() -> None:
    space = LabelSpace(tasks=("goal_start", "defect", "satisfaction"), from_log=("defect",))
    calibration = _World(space).calibrated()
    assert calibration.scales == dict.fromkeys(space.tasks, Scale())
    assert calibration.defects is None
