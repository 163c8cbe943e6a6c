"""What requests are usually taken for, in logs where it is known."""

import msgspec
import numpy as np
import pytest
import torch
from tiny_encoder import write_tiny_base
from torch import Tensor
from turns import turn_event

from failure_isolation.trace_item import INTERPRETATIONS
from failure_isolation.usual_intents import FOLDS, USUAL, UsualIntents, mean_word
from failure_isolation.view import intent_number
from labeling.models.roberta_base import RobertaBase, roberta_base
from labeling.turns.features import TurnFeatures
from labeling.turns.tokenizer import TurnTokenizer
from streams.turn import NluHypothesis, TurnEvent

WORDS = {
    "play": ("jazz", "blues", "folk", "rock"),
    "dim": ("light", "lamp", "ceiling", "hall"),
    "weather": ("rain", "snow", "wind", "sun"),
}


def _turn(text: str, *intents: str) -> TurnEvent:
    return turn_event(text, nlu=tuple(NluHypothesis(intent=intent) for intent in intents))


LOG = [
    _turn(f"{first} {second}", intent)
    for intent, words in WORDS.items()
    for first in words
    for second in words
    if first != second
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> RobertaBase:
    words = {word for of_intent in WORDS.values() for word in of_intent}
    return roberta_base([], base=write_tiny_base(tmp_path_factory.mktemp("base") / "tiny", words))


class World:
    """Usual intents that were learned from turns, each in the fold that is said."""

    def __init__(self, base: RobertaBase, log: list[TurnEvent], folds: list[int] | None = None) -> None:
        self.features = TurnFeatures.fit([[turn] for turn in log])
        self._tokenizer = TurnTokenizer(base.tokenizer)
        self._embeddings = base.transformer.get_input_embeddings().weight
        folds = folds or [number % FOLDS for number in range(len(log))]
        self.usual = UsualIntents(base.width, len(self.features.categories["intent"]) + 2)
        self.usual.fit(
            zip(([turn] for turn in log), folds, strict=True),
            self.features,
            self._tokenizer,
            self._embeddings,
        )

    def of(self, turn: TurnEvent, fold: int | None = None) -> Tensor:
        """(INTERPRETATIONS, 2)"""
        words = mean_word(self._embeddings, self._tokenizer.tokens(turn.request.text, None))
        meant = [intent_number(self.features, turn, rank) for rank in range(INTERPRETATIONS)]
        left_out = None if fold is None else torch.tensor([fold])
        with torch.no_grad():
            return self.usual(words[None], torch.tensor([meant]), left_out)[0].reshape(INTERPRETATIONS, 2)


def test_what_is_usually_meant_is_told_from_what_is_not(base: RobertaBase) -> None:
    world = World(base, LOG)
    for intent, words in WORDS.items():
        for other in WORDS.keys() - {intent}:
            found = world.of(_turn(f"{words[0]} {words[1]}", other, intent))
            assert found[1, 0] > found[0, 0] + 1
            assert found[0, 1] < -1
            assert found[1, 1] > 1
            assert found[2].tolist() == [0, 0]  # there is no third interpretation


def test_a_fold_does_not_know_its_own_turns(base: RobertaBase) -> None:
    """What all of a fold say otherwise is usual for the others alone."""
    odd = [_turn(f"{word} {word}", "dim") for word in WORDS["play"]] * 30
    world = World(base, [*LOG, *odd], [*(1 + number % (FOLDS - 1) for number in range(len(LOG))), *[0] * 120])
    assert world.of(odd[0])[0, 1] > 0
    assert world.of(odd[0], fold=1)[0, 1] > 0
    assert world.of(odd[0], fold=0)[0, 1] < 0


def test_it_is_the_ridge_regression_of_the_log(base: RobertaBase) -> None:
    from sklearn.linear_model import Ridge

    world = World(base, LOG)
    embeddings = base.transformer.get_input_embeddings().weight.detach()
    tokenizer = TurnTokenizer(base.tokenizer)
    vectors = torch.stack([mean_word(embeddings, tokenizer.tokens(one.request.text, None)) for one in LOG])
    columns = np.hstack(
        [np.full((len(LOG), 1), 0.3), torch.nn.functional.normalize(vectors).double().numpy()]
    )
    intents = np.array([intent_number(world.features, one, 0) for one in LOG])
    fitted = Ridge(alpha=1.0, fit_intercept=False).fit(columns, np.eye(5)[intents])
    assert world.usual.whole.numpy() == pytest.approx(fitted.coef_.T, abs=1e-5)


def test_logs_without_interpretations_or_words_have_an_answer(base: RobertaBase) -> None:
    world = World(base, [_turn("jazz"), _turn("")])
    assert world.of(_turn("jazz")).flatten().tolist() == [0] * USUAL
    assert world.of(_turn("", "play")).isfinite().all()
    assert World(base, LOG).of(_turn("", "play", "never said")).isfinite().all()


def test_what_was_made_of_other_words_than_those_said_is_not_learned(base: RobertaBase) -> None:
    rewritten = [
        msgspec.structs.replace(_turn("jazz blues", "dim"), executed_text="light lamp") for _ in range(50)
    ]
    # The features number the same intents, and the turns of the log lie in the same folds.
    folds = [number % FOLDS for number in range(len(LOG))]
    plain, seen = World(base, LOG, folds), World(base, [*LOG, *rewritten], [*folds, *[0] * 50])
    turn = _turn("jazz blues", "play", "dim")
    assert torch.equal(seen.of(turn), plain.of(turn))
