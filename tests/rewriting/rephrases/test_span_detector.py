"""The span model from training over its artifact to detection, on a world whose answer is known."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from rephrase_world import WISHES, WorldSession, rephrase_sessions
from tiny_encoder import write_tiny_base
from turns import turn_event

from labeling.errors import ArtifactError
from labeling.turns.dialogue_model import MOST_TURNS
from rewriting.errors import RephraseInputError, RephraseTrainingError
from rewriting.evidence.rephrase_link import RephraseLink, resolve
from rewriting.rephrases.span_detector import SpanDetector
from rewriting.rephrases.span_export import export_span_model
from rewriting.rephrases.span_training import SpanTraining, TrainedSpans, span_examples, train_span_model


def _links(world: Sequence[WorldSession]) -> list[list[RephraseLink]]:
    return [
        [
            RephraseLink(source, target, 1.0)
            for target, source in enumerate(session.tries_again)
            if source is not None
        ]
        for session in world
    ]


def _turns(world: Sequence[WorldSession]) -> list[tuple]:  # type: ignore[type-arg]  # of turns
    return [session.turns for session in world]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = {word for wish in WISHES for word in wish.split()} | {"please", "okay", "sorry"}
    return write_tiny_base(tmp_path_factory.mktemp("base"), words)


@pytest.fixture(scope="module")
def trained(base: Path) -> TrainedSpans:
    world = rephrase_sessions(600)
    training = SpanTraining(base=str(base), layers=None, window_turns=2, epochs=4, learning_rate=3e-3)
    return train_span_model(_turns(world), _links(world), training)


@pytest.fixture(scope="module")
def detector(trained: TrainedSpans, tmp_path_factory: pytest.TempPathFactory) -> SpanDetector:
    folder = tmp_path_factory.mktemp("artifact") / "detector"
    export_span_model(trained, folder)
    return SpanDetector.load(folder)


UNSEEN = rephrase_sessions(200, seed=2)


def test_next_tries_are_found_in_sessions_not_seen(detector: SpanDetector) -> None:
    right = told = planted = 0
    for session, links in zip(UNSEEN, detector.detect(_turns(UNSEEN)), strict=True):
        kept = [link for link in resolve(links) if link.score >= 0.5]
        told += len(kept)
        planted += sum(source is not None for source in session.tries_again)
        right += sum(session.tries_again[link.target] == link.source for link in kept)
    assert 2 * right / (told + planted) > 0.95


def test_scores_are_probabilities_over_the_candidates_of_a_source(detector: SpanDetector) -> None:
    for links in detector.detect(_turns(UNSEEN)):
        totals: dict[int, float] = {}
        for link in links:
            assert 0 < link.score <= 1
            totals[link.source] = totals.get(link.source, 0.0) + link.score
        assert all(total <= 1 + 1e-6 for total in totals.values())


def test_a_session_is_judged_alone_as_with_others(detector: SpanDetector) -> None:
    together = detector.detect(_turns(UNSEEN[:40]))
    for turns, expected in zip(_turns(UNSEEN[:40]), together, strict=True):
        (alone,) = detector.detect([turns])
        assert [(link.source, link.target) for link in alone] == [
            (link.source, link.target) for link in expected
        ]
        np.testing.assert_allclose(
            [link.score for link in alone], [link.score for link in expected], atol=1e-5
        )


def test_the_same_seed_gives_the_same_weights(base: Path) -> None:
    world = rephrase_sessions(30)

    def weights(seed: int) -> dict[str, torch.Tensor]:
        training = SpanTraining(base=str(base), layers=None, epochs=1, seed=seed)
        return train_span_model(_turns(world), _links(world), training).model.state_dict()

    first, second, other = weights(1), weights(1), weights(2)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_what_is_hidden_in_training_is_not_read_in_use(base: Path, tmp_path: Path) -> None:
    world = rephrase_sessions(30)
    training = SpanTraining(base=str(base), layers=None, epochs=1, hidden=frozenset(["time"]))
    export_span_model(train_span_model(_turns(world), _links(world), training), tmp_path / "d")
    detector = SpanDetector.load(tmp_path / "d")
    near = [turn_event("play", event_id="0", ts_ms=1_000), turn_event("stop", event_id="1", ts_ms=2_000)]
    far = [near[0], turn_event("stop", event_id="1", ts_ms=90_000)]
    assert detector.detect([near]) == detector.detect([far])


def test_a_window_may_have_no_end(base: Path, tmp_path: Path) -> None:
    world = rephrase_sessions(30)
    training = SpanTraining(base=str(base), layers=None, epochs=1, window_turns=1_000, window_s=math.inf)
    export_span_model(train_span_model(_turns(world), _links(world), training), tmp_path / "d")
    far = [turn_event("play", event_id="0", ts_ms=1), turn_event("stop", event_id="1", ts_ms=10**12)]
    assert SpanDetector.load(tmp_path / "d").detect([far]) != [[]]


def test_labels_of_a_source_are_a_distribution_over_none_and_its_candidates() -> None:
    turns = [turn_event(event_id=str(number), ts_ms=1000 * number) for number in range(1, 4)]
    links = [RephraseLink(0, 1, 0.7), RephraseLink(0, 2, 0.1)]
    first, second = span_examples([turns], [links], SpanTraining())
    assert (first.source, first.targets) == (0, (1, 2))
    assert first.labels == pytest.approx((0.2, 0.7, 0.1))
    assert (second.source, second.targets, second.labels) == (1, (2,), (1.0, 0.0))


@pytest.mark.parametrize(
    "texts",
    [
        ["hello"],
        ["", ""],
        ["x" * 10_000, "x" * 10_000],
        ["播放爵士乐", "播放 爵士乐"],
        ["play jazz"] * 500,
    ],
    ids=["one turn", "empty", "10,000 characters", "other script", "500 turns"],
)
def test_any_dialogue_has_an_answer(detector: SpanDetector, texts: list[str]) -> None:
    turns = [turn_event(text, event_id=str(number), ts_ms=1000 * number) for number, text in enumerate(texts)]
    (links,) = detector.detect([turns])
    assert all(0 <= link.source < link.target < len(turns) for link in links)
    assert all(link.target - link.source <= 2 for link in links)


def test_turns_without_times_are_read_with_unknown_gaps(detector: SpanDetector) -> None:
    turns = [turn_event(text, event_id=text, ts_ms=0) for text in ("tell me a joke", "tell me a joke please")]
    (links,) = detector.detect([turns])
    assert [(link.source, link.target) for link in links] == [(0, 1)]


def test_a_log_without_sessions_is_refused(detector: SpanDetector) -> None:
    turns = [turn_event(event_id=str(number), ts_ms=number) for number in range(MOST_TURNS + 1)]
    with pytest.raises(RephraseInputError, match="10,001 turns"):
        detector.detect([turns])


def test_a_damaged_artifact_is_refused(trained: TrainedSpans, tmp_path: Path) -> None:
    export_span_model(trained, tmp_path / "d")
    (tmp_path / "d" / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ArtifactError):
        SpanDetector.load(tmp_path / "d")


def test_nothing_to_learn_from_is_an_error(base: Path) -> None:
    with pytest.raises(RephraseTrainingError, match="no request follows another"):
        train_span_model([[turn_event()]], [[]], SpanTraining(base=str(base), layers=None))


@pytest.mark.parametrize(("name", "value"), [("window_turns", 0), ("window_s", 0.0), ("hidden_share", 1.0)])
def test_settings_out_of_range_are_named(base: Path, name: str, value: float) -> None:
    with pytest.raises(RephraseTrainingError, match=name):
        train_span_model([], [], SpanTraining(base=str(base), **{name: value}))
