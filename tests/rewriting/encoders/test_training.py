from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from labeling.errors import EncoderBaseError, EncoderTrainingError
from labeling.models.encoder_base import padded
from rewriting.encoders.batch import TrainingBatch
from rewriting.encoders.example import EncoderExample
from rewriting.encoders.model import TextEncoderModel
from rewriting.encoders.training import EncoderTraining, contrastive_loss, train_text_encoder

# What is said is not what is meant: nothing but training tells which goes with which.
MEANT = {"x": "play jazz", "y": "call mom", "z": "jazz call", "w": "mom play"}
KNOWN = {text: f"d|i|n={text}" for text in MEANT.values()}
EXAMPLES = [
    EncoderExample(query=f"{said} {number}", positive=meant, positive_interpretation=KNOWN[meant])
    for said, meant in MEANT.items()
    for number in range(8)
]


def _settings(base: Path, **changes: Any) -> EncoderTraining:
    settings: dict[str, Any] = {
        "base": str(base),
        "layers": None,
        "dimension": None,
        "epochs": 12,
        "batch_size": 16,
        "learning_rate": 3e-3,
    }
    return EncoderTraining(**{**settings, **changes})


def _vectors(model: TextEncoderModel, texts: list[str]) -> np.ndarray[Any, Any]:
    with torch.no_grad():
        vectors = model(*padded([model.base.tokenizer.ids(text) for text in texts], torch.device("cpu")))
    result: np.ndarray[Any, Any] = vectors.numpy()
    return result


def _found(model: TextEncoderModel) -> float:
    """The share of requests not seen in training whose nearest text is what was meant."""
    targets = list(KNOWN)
    heard = [(f"{said} {number}", meant) for said, meant in MEANT.items() for number in (8, 9)]
    nearest = (_vectors(model, [query for query, _ in heard]) @ _vectors(model, targets).T).argmax(axis=1)
    return float(np.mean([targets[i] == meant for i, (_, meant) in zip(nearest, heard, strict=True)]))


def test_training_finds_what_was_meant_by_requests_not_seen(tiny_base: Path) -> None:
    before = train_text_encoder([], {}, _settings(tiny_base))
    after = train_text_encoder(EXAMPLES, KNOWN, _settings(tiny_base))
    assert _found(before) < 0.75
    assert _found(after) == 1


def test_without_pairs_texts_of_one_interpretation_move_together(tiny_base: Path) -> None:
    known = {
        f"{word} {number}": f"d|{intent}|"
        for intent, words in {"a": "xy", "b": "zw"}.items()
        for word in words
        for number in range(4)
    }
    model = train_text_encoder([], known, _settings(tiny_base, pretraining_epochs=12))
    x, y, z = _vectors(model, ["x 9", "y 9", "z 9"])
    assert x @ y > x @ z + 0.5


def test_the_same_seed_gives_the_same_weights(tiny_base: Path) -> None:
    def weights(seed: int) -> dict[str, torch.Tensor]:
        return train_text_encoder(EXAMPLES, KNOWN, _settings(tiny_base, epochs=1, seed=seed)).state_dict()

    first, second, other = weights(1), weights(1), weights(2)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_training_leaves_the_random_numbers_of_others_alone(tiny_base: Path) -> None:
    before = torch.random.get_rng_state()
    train_text_encoder(EXAMPLES[:2], KNOWN, _settings(tiny_base, epochs=1))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_layers_and_dimension_are_as_asked_for(tiny_base: Path) -> None:
    settings = _settings(tiny_base, layers=1, dimension=8, epochs=1)
    model = train_text_encoder(EXAMPLES, KNOWN, settings)
    assert _vectors(model, ["play", ""]).shape == (2, 8)
    assert not [name for name in model.state_dict() if "layer.1." in name]
    assert [name for name in model.state_dict() if "layer.0." in name]


def test_progress_tells_each_step_up_to_the_limit(tiny_base: Path) -> None:
    told: list[tuple[str, int, int]] = []
    settings = _settings(tiny_base, epochs=9, batch_size=8, most_steps=3)
    train_text_encoder(EXAMPLES, KNOWN, settings, lambda *step: told.append(step))
    assert [step for step in told if step[0] == "training"] == [("training", n, 3) for n in (1, 2, 3)]


def test_the_loss_is_that_of_the_formula() -> None:
    queries = torch.eye(2)
    candidates = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    compared = np.ones((2, 3), dtype=np.bool_)
    weights = np.array([0.25, 0.75], dtype=np.float32)
    batch = TrainingBatch(("a", "b"), ("c", "d", "e"), compared, weights)
    first = -np.log(np.exp(2) / (np.exp(2) + np.exp(1.2) + np.exp(0)))
    second = -np.log(np.exp(1.6) / (np.exp(0) + np.exp(1.6) + np.exp(2)))
    loss = contrastive_loss(queries, candidates, batch, temperature=0.5)
    assert float(loss) == pytest.approx(0.25 * first + 0.75 * second, rel=1e-5)


def test_what_is_not_compared_has_no_part_in_the_loss() -> None:
    compared = np.array([[True, False], [True, True]])
    batch = TrainingBatch(("a", "b"), ("c", "d"), compared, np.array([1, 0], dtype=np.float32))
    queries = torch.eye(2)
    losses = {
        float(contrastive_loss(queries, torch.tensor([[0.8, 0.6], other]), batch, temperature=0.05))
        for other in ([1.0, 0.0], [0.0, 1.0])
    }
    assert losses == {0.0}


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 0},
        {"most_steps": 0},
        {"epochs": -1},
        {"sound_negatives": -1},
        {"temperature": 0.0},
        {"temperature": float("nan")},
        {"learning_rate": -1.0},
        {"dimension": 0},
        {"layers": 3},
        {"max_tokens": 1_000},
        {"device": "abacus"},
    ],
)
def test_a_setting_out_of_range_is_named(tiny_base: Path, change: dict[str, Any]) -> None:
    with pytest.raises(EncoderTrainingError, match=next(iter(change))):
        train_text_encoder(EXAMPLES, KNOWN, _settings(tiny_base, **change))


@pytest.mark.parametrize("weight", [0.0, -1.0, float("inf"), float("nan")])
def test_a_weight_out_of_range_is_named(tiny_base: Path, weight: float) -> None:
    with pytest.raises(EncoderTrainingError, match="example 1"):
        train_text_encoder(
            [EXAMPLES[0], EncoderExample(query="a", positive="b", weight=weight)], KNOWN, _settings(tiny_base)
        )


def test_a_base_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EncoderBaseError, match="nowhere"):
        train_text_encoder(EXAMPLES, KNOWN, EncoderTraining(base=str(tmp_path / "nowhere")))
