from pathlib import Path
from typing import Any

import pytest
import torch

from labeling.errors import EncoderTrainingError
from labeling.models.encoder_base import padded
from rewriting.encoders.example import EncoderExample
from rewriting.encoders.model import PairEncoderModel
from rewriting.encoders.pair_training import (
    LabelledPair,
    PairEncoderTraining,
    labelled_pairs,
    train_on_pairs,
    train_pair_encoder,
)

# Which of two candidates is right depends on the query and the candidate together.
MEANT = {"x": "play jazz", "y": "play mom"}
KNOWN = {text: f"play|any|n={text}" for text in MEANT.values()}
EXAMPLES = [
    EncoderExample(query=f"{said} {number}", positive=meant, positive_interpretation=KNOWN[meant])
    for said, meant in MEANT.items()
    for number in range(8)
]


def _settings(base: Path, **changes: Any) -> PairEncoderTraining:
    settings: dict[str, Any] = {"base": str(base), "epochs": 100, "batch_size": 16, "learning_rate": 3e-3}
    return PairEncoderTraining(**{**settings, **changes})


def _scores(model: PairEncoderModel, query: str) -> list[float]:
    pairs = [model.base.tokenizer.pair_ids(query, candidate) for candidate in MEANT.values()]
    with torch.no_grad():
        ids, mask = padded([ids for ids, _ in pairs], torch.device("cpu"))
        types, _ = padded([types for _, types in pairs], torch.device("cpu"))
        scores: list[float] = torch.sigmoid(model(ids, mask, types)).tolist()
    return scores


def test_training_tells_right_from_wrong_candidates_of_queries_not_seen(tiny_base: Path) -> None:
    model = train_pair_encoder(EXAMPLES, KNOWN, _settings(tiny_base))
    for said, right in (("x 9", 0), ("y 9", 1)):
        scores = _scores(model, said)
        assert scores[right] > 0.8
        assert scores[1 - right] < 0.2


def test_the_same_seed_gives_the_same_weights(tiny_base: Path) -> None:
    def weights(seed: int) -> dict[str, torch.Tensor]:
        return train_pair_encoder(EXAMPLES, KNOWN, _settings(tiny_base, epochs=1, seed=seed)).state_dict()

    first, second, other = weights(1), weights(1), weights(2)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_each_example_is_right_and_its_negatives_are_wrong(tiny_base: Path) -> None:
    known = KNOWN | {"jazz please": KNOWN["play jazz"], "call mom": "phone|call|who=mom"}
    pairs = labelled_pairs(EXAMPLES, known, _settings(tiny_base, random_negatives=50))
    assert [(pair.query, pair.candidate) for pair in pairs if pair.is_right] == [
        (example.query, example.positive) for example in EXAMPLES
    ]
    wrong = {(pair.query[0], pair.candidate) for pair in pairs if not pair.is_right}
    assert wrong == {
        ("x", "play mom"),
        ("x", "call mom"),
        ("y", "play jazz"),
        ("y", "jazz please"),
        ("y", "call mom"),
    }
    assert len({(pair.query, pair.candidate) for pair in pairs}) == len(pairs)


def test_nothing_known_leaves_right_pairs_alone(tiny_base: Path) -> None:
    pairs = labelled_pairs(EXAMPLES, {}, _settings(tiny_base))
    assert all(pair.is_right for pair in pairs)
    assert len(pairs) == len(EXAMPLES)


def test_given_pairs_are_what_is_learned(tiny_base: Path) -> None:
    pairs = [
        LabelledPair(f"{said} {number}", text, text == meant, 1.0)
        for said, meant in MEANT.items()
        for text in MEANT.values()
        for number in range(8)
    ]
    settings = _settings(tiny_base)
    scores = _scores(train_on_pairs(pairs, settings), "x 9")
    assert scores[0] > 0.8
    assert scores[1] < 0.2
    # A pair of hardly any weight teaches hardly anything beside the others.
    contradicted = [LabelledPair(pair.query, pair.candidate, not pair.is_right, 1e-6) for pair in pairs]
    assert _scores(train_on_pairs([*pairs, *contradicted], settings), "x 9")[0] > 0.8


def test_pairs_that_cannot_be_learned_from_are_refused(tiny_base: Path) -> None:
    with pytest.raises(EncoderTrainingError, match="no pairs"):
        train_on_pairs([], _settings(tiny_base))
    with pytest.raises(EncoderTrainingError, match="weight of pair 0 is 0"):
        train_on_pairs([LabelledPair("a", "b", True, 0.0)], _settings(tiny_base))


def test_progress_tells_each_step_up_to_the_limit(tiny_base: Path) -> None:
    told: list[tuple[str, int, int]] = []
    settings = _settings(tiny_base, batch_size=4, most_steps=3)
    train_pair_encoder(EXAMPLES, KNOWN, settings, lambda *step: told.append(step))
    assert [(done, steps) for _, done, steps in told] == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize(
    "change",
    [
        {"batch_size": 0},
        {"most_steps": 0},
        {"epochs": -1},
        {"random_negatives": -1},
        {"learning_rate": 0.0},
        {"layers": 3},
        {"device": "abacus"},
    ],
)
def test_a_setting_out_of_range_is_named(tiny_base: Path, change: dict[str, Any]) -> None:
    with pytest.raises(EncoderTrainingError, match=next(iter(change))):
        train_pair_encoder(EXAMPLES, KNOWN, _settings(tiny_base, **change))


def test_no_examples_are_refused(tiny_base: Path) -> None:
    with pytest.raises(EncoderTrainingError, match="no examples"):
        train_pair_encoder([], KNOWN, _settings(tiny_base))
