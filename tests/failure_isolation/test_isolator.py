"""The exported failure model: the same as in torch, and an answer for whatever a log has."""

import math
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from fault_world import fault_dialogues
from numpy.typing import NDArray
from turns import turn_event

from failure_isolation.batch import FailureExample, failure_logits
from failure_isolation.calibration import FailureCalibration
from failure_isolation.errors import FailureInputError
from failure_isolation.isolator import TEXTS, FailureDescription, ModelFailureIsolator
from failure_isolation.rule import FAILURE_POINTS
from failure_isolation.training import TrainedFailures
from labeling.errors import ArtifactError
from labeling.turns.dialogue_model import MOST_TURNS
from labeling.turns.features import TurnFeatures
from labeling.turns.windows import WINDOW
from streams.turn import Entity, NluHypothesis, Recognition, Request, Response, TurnEvent

UNSEEN, _ = fault_dialogues(40, seed=3)

STRANGE: list[list[TurnEvent]] = [
    [turn_event("")],
    [turn_event("播放爵士乐 😀", event_id="1"), turn_event("إيقاف", event_id="2", locale="ar")],
    [turn_event("play " * 2_000)],
    [turn_event("jazz", nlu=(NluHypothesis(intent="never.seen", domain=None, confidence=1e9),))],
    [
        turn_event(
            "jazz",
            request=Request(text="jazz", asr=(Recognition(text=""),) * 9, wake_confidence=0.0),
            entities=(Entity(),) * 20,
            nlu=(NluHypothesis(intent=""),) * 9,
            response=Response(text="x" * 10_000, action="", status=None),
        )
    ],
]


def test_torch_and_the_artifact_say_the_same(
    trained: TrainedFailures, isolator: ModelFailureIsolator
) -> None:
    calibration = isolator.description.calibration
    for turns in [*UNSEEN[:10], *STRANGE]:
        example = FailureExample(turns, frozenset())
        with torch.no_grad():
            logits = failure_logits(trained.model, trained.tokenizer, [example], torch.device("cpu"))[0]
        expected = calibration.probabilities(logits.numpy())
        for failure, row in zip(isolator.isolate([turns])[0], expected, strict=True):
            assert list(failure.probabilities.values()) == pytest.approx(row.tolist(), abs=1e-3)


def test_every_turn_has_six_probabilities_that_sum_to_one(isolator: ModelFailureIsolator) -> None:
    for turns, failures in zip([*UNSEEN, *STRANGE], isolator.isolate([*UNSEEN, *STRANGE]), strict=True):
        assert [failure.event_id for failure in failures] == [turn.event_id for turn in turns]
        for failure in failures:
            assert tuple(failure.probabilities) == FAILURE_POINTS
            assert sum(failure.probabilities.values()) == pytest.approx(1, abs=1e-5)
            assert failure.abstains == (
                failure.confidence < round(isolator.description.calibration.least_confidence, 6)
            )


def test_without_traces_the_model_is_less_sure(isolator: ModelFailureIsolator) -> None:
    bare = [
        [
            msgspec.structs.replace(turn, request=Request(text=turn.request.text), nlu=(), entities=())
            for turn in turns
        ]
        for turns in UNSEEN
    ]
    sure, unsure = (
        [failure for failures in isolator.isolate(log) for failure in failures] for log in (UNSEEN, bare)
    )
    assert np.mean([one.confidence for one in unsure]) < np.mean([one.confidence for one in sure])
    assert sum(one.abstains for one in unsure) > sum(one.abstains for one in sure)


def test_what_is_said_of_a_session_does_not_depend_on_others(isolator: ModelFailureIsolator) -> None:
    together = isolator.isolate(UNSEEN)
    assert together == [isolator.isolate([turns])[0] for turns in reversed(UNSEEN)][::-1]
    assert isolator.isolate([]) == []
    assert isolator.isolate([[]]) == [[]]


def test_long_dialogues_are_read_in_windows(isolator: ModelFailureIsolator) -> None:
    turns = [turn for dialogue in UNSEEN for turn in dialogue] * 8
    failures = isolator.isolate([turns])[0]
    assert len(turns) > 5 * WINDOW
    assert [failure.event_id for failure in failures] == [turn.event_id for turn in turns]


class KnownReader:
    """Logits of 0 for all points but the first, whose logit is the text of the request; needs no model."""

    def read(self, turns: Sequence[TurnEvent]) -> NDArray[np.float32]:
        logits = np.zeros((len(turns), 1, len(FAILURE_POINTS)), np.float32)
        logits[:, 0, 0] = [float(turn.request.text) for turn in turns]
        return logits


def test_a_turn_exactly_as_sure_as_it_must_be_is_decided_and_a_less_sure_one_is_not() -> None:
    others = len(FAILURE_POINTS) - 1
    calibration = FailureCalibration(
        factors=(1.0,),
        shifts=(0.0,) * len(FAILURE_POINTS),
        known=(True,) * len(FAILURE_POINTS),
        decisions=(1.0,) * len(FAILURE_POINTS),
        least_confidence=math.exp(2) / (math.exp(2) + others),
    )
    description = FailureDescription(
        features=TurnFeatures({}, {}, {}), calibration=calibration, hidden=(), base="", quantised=False
    )
    isolator = ModelFailureIsolator(KnownReader(), description)  # type: ignore[arg-type]
    (failures,) = isolator.isolate([[turn_event(text, event_id=text) for text in ("2.01", "2", "1.99")]])
    assert [failure.failure_point for failure in failures] == [FAILURE_POINTS[0]] * 3
    assert [failure.abstains for failure in failures] == [False, False, True]


def test_a_session_that_is_no_dialogue_is_refused(isolator: ModelFailureIsolator) -> None:
    with pytest.raises(FailureInputError, match="10,001 turns"):
        isolator.isolate([[turn_event()] * (MOST_TURNS + 1)])


def test_a_damaged_artifact_is_refused(artifact: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(artifact, tmp_path / "failures"))
    assert ModelFailureIsolator.load(folder).isolate(UNSEEN[:1])
    texts = folder / TEXTS
    texts.write_bytes(texts.read_bytes()[:-10])
    with pytest.raises(ArtifactError):
        ModelFailureIsolator.load(folder)
    with pytest.raises(ArtifactError):
        ModelFailureIsolator.load(tmp_path / "nowhere")
