"""The parts of the label model: what joins what, and that padding and hidden turns join nothing."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn
from turns import turn_event

from labeling.labels.model import LabelModel, TurnEncoder
from labeling.labels.space import LabelSpace
from labeling.turns.dialogue_layer import WIDTH
from labeling.turns.features import CATEGORIES, NUMBERS, TurnFeatures
from labeling.turns.inputs import TurnInputs
from labeling.turns.tokenizer import IN_REQUEST, IN_RESPONSE, SPECIAL

TEXT_WIDTH = 6
SPACE = LabelSpace(
    tasks=("goal_start", "defect", "satisfaction", "dialogue_satisfaction", "intent", "slots"),
    intents=("a", "b", "c"),
    slots=("genre",),
)
FEATURES = TurnFeatures.fit([[turn_event(locale="en")] * 3])


class _Embeddings(nn.Module):
    """A transformer that gives each token the vector of its number, whatever is around it."""

    class Output:
        def __init__(self, states: Tensor) -> None:
            self.last_hidden_state = states

    def __init__(self) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(10, TEXT_WIDTH)
        self.other = nn.Linear(1, 1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Output:
        return self.Output(self.word_embeddings(input_ids))


@pytest.fixture
def model() -> LabelModel:
    torch.manual_seed(1)
    made = LabelModel(_Embeddings(), TEXT_WIDTH, FEATURES, SPACE)
    for weights in (made.dialogues.relations.of_distance.weight, made.dialogues.relations.of_gap.weight):
        nn.init.normal_(weights)  # as learned: they start from 0
    return made.eval()  # type: ignore[no-any-return]  # torch does not type it


def _inputs(batch: int, n: int, seen: Tensor | None = None) -> TurnInputs:
    chance = torch.Generator().manual_seed(2)
    return TurnInputs(
        torch.zeros((batch, n, len(CATEGORIES)), dtype=torch.long),
        torch.randn((batch, n, 2 * len(NUMBERS)), generator=chance),
        torch.randint(0, 9, (batch, n, n), generator=chance),
        torch.randint(0, 7, (batch, n, n), generator=chance),
        torch.ones((batch, n, n), dtype=torch.bool) if seen is None else seen,
    )


def _texts(batch: int, n: int) -> Tensor:
    return torch.randn((batch, n, 2 * TEXT_WIDTH), generator=torch.Generator().manual_seed(3))


def test_a_turn_is_the_means_of_its_request_and_of_its_response() -> None:
    encoder = TurnEncoder(_Embeddings(), TEXT_WIDTH)
    rows = encoder.transformer.word_embeddings.weight  # type: ignore[union-attr]  # it has them
    ids = torch.tensor([[1, 4, 5, 2, 2, 6, 2], [1, 4, 2, 0, 0, 0, 0]])
    segments = torch.tensor(
        [
            [SPECIAL, IN_REQUEST, IN_REQUEST, SPECIAL, SPECIAL, IN_RESPONSE, SPECIAL],
            [SPECIAL, IN_REQUEST, SPECIAL, 0, 0, 0, 0],
        ]
    )
    states, vectors = encoder(ids, segments, (ids > 0).long())
    assert states.shape == (2, 7, TEXT_WIDTH)
    torch.testing.assert_close(vectors[0], torch.cat([(rows[4] + rows[5]) / 2, rows[6]]))  # type: ignore[index]
    torch.testing.assert_close(vectors[1], torch.cat([rows[4], torch.zeros(TEXT_WIDTH)]))  # type: ignore[index]


def test_words_are_not_trained_and_all_else_is(model: LabelModel) -> None:
    still = {name for name, weights in model.named_parameters() if not weights.requires_grad}
    assert still == {"turns.transformer.word_embeddings.weight"}


def test_each_task_has_its_logits_for_each_turn(model: LabelModel) -> None:
    turns = model.dialogues(_texts(2, 4), _inputs(2, 4))
    assert turns.shape == (2, 4, WIDTH)
    assert {task: tuple(one.shape) for task, one in model.logits(turns, _all_seen(2, 4)).items()} == {
        "goal_start": (2, 4, 1),
        "defect": (2, 4, 1),
        "satisfaction": (2, 4, 5),
        "dialogue_satisfaction": (2, 4, 5),
        "intent": (2, 4, 3),
    }
    assert model.slots is not None
    assert model.slots(torch.zeros((7, TEXT_WIDTH)), turns[0, [0] * 7]).shape == (7, 3)
    bare = LabelModel(_Embeddings(), TEXT_WIDTH, FEATURES, LabelSpace(tasks=("defect",)))
    assert bare.slots is None
    assert list(bare.logits(turns, _all_seen(2, 4))) == ["defect"]


def _changed(texts: Tensor, rows: Sequence[int]) -> Tensor:
    changed = texts.clone()
    changed[:, rows] = changed[:, rows].flip(-1)  # another vector, not only a longer one: it is normalised
    return changed


def test_turns_that_are_not_seen_change_nothing(model: LabelModel) -> None:
    texts = _texts(1, 5)
    causal = torch.ones((1, 5, 5)).tril().bool()
    before = model.dialogues(texts, _inputs(1, 5, causal))
    after = model.dialogues(_changed(texts, [3, 4]), _inputs(1, 5, causal))
    torch.testing.assert_close(after[:, :3], before[:, :3])
    assert (after[:, 3:] - before[:, 3:]).abs().max() > 0.1
    everything = model.dialogues(texts, _inputs(1, 5))
    changed = model.dialogues(_changed(texts, [3, 4]), _inputs(1, 5))
    assert (everything[:, :3] - changed[:, :3]).abs().max() > 1e-3


def test_how_far_turns_lie_apart_is_read(model: LabelModel) -> None:
    texts, inputs = _texts(1, 5), _inputs(1, 5)
    before = model.dialogues(texts, inputs)
    for name in ("distances", "gaps"):
        other = inputs._replace(**{name: (getattr(inputs, name) + 1) % 7})
        assert (model.dialogues(texts, other) - before).abs().max() > 1e-3


def test_padding_changes_no_turn_and_no_rating_of_the_dialogue(model: LabelModel) -> None:
    n, padded = 3, 5
    texts = _texts(1, padded)
    inputs = _inputs(1, padded)
    seen = torch.zeros((1, padded, padded), dtype=torch.bool)
    seen[:, :n, :n] = True
    seen |= torch.eye(padded, dtype=torch.bool)
    together = model.dialogues(texts, inputs._replace(seen=seen))
    alone = model.dialogues(
        texts[:, :n],
        TurnInputs(
            inputs.categories[:, :n],
            inputs.numbers[:, :n],
            inputs.distances[:, :n, :n],
            inputs.gaps[:, :n, :n],
            seen[:, :n, :n],
        ),
    )
    torch.testing.assert_close(together[:, :n], alone)
    expected = model.logits(alone, seen[:, :n, :n])
    for task, logits in model.logits(together, seen).items():
        torch.testing.assert_close(logits[:, :n], expected[task])


def test_a_rating_of_a_dialogue_builds_on_those_of_its_turns_and_teaches_them_nothing(
    model: LabelModel,
) -> None:
    turns = torch.randn((1, 4, WIDTH), generator=torch.Generator().manual_seed(4))
    logits = model.logits(turns, _all_seen(1, 4))
    own = model.heads["dialogue_satisfaction"](turns)
    torch.testing.assert_close(
        logits["dialogue_satisfaction"], own + logits["satisfaction"].mean(dim=1, keepdim=True)
    )
    logits["dialogue_satisfaction"].sum().backward()
    assert all(weights.grad is None for weights in model.heads["satisfaction"].parameters())


def test_a_goal_start_is_read_against_the_turn_before(model: LabelModel) -> None:
    turns = torch.randn((1, 4, WIDTH), generator=torch.Generator().manual_seed(5))
    changed = turns.clone()
    changed[:, 1] += 1
    seen = _all_seen(1, 4)
    before, after = model.logits(turns, seen), model.logits(changed, seen)
    differs = (before["goal_start"] - after["goal_start"]).abs()[0, :, 0] > 1e-6
    assert differs.tolist() == [False, True, True, False]
    assert (before["defect"] - after["defect"]).abs()[0, [0, 2, 3]].max() == 0


def test_nothing_is_read_of_turns_that_are_not_seen(model: LabelModel) -> None:
    turns = torch.randn((1, 4, WIDTH), generator=torch.Generator().manual_seed(6))
    changed = turns.clone()
    changed[:, 1] += 1
    alone = torch.eye(4, dtype=torch.bool)[None]
    before, after = model.logits(turns, alone), model.logits(changed, alone)
    for task in before:
        assert (before[task] - after[task])[:, [0, 2, 3]].abs().max() == 0
        assert (before[task] - after[task])[:, 1].abs().max() > 0


def _all_seen(dialogues: int, n: int) -> Tensor:
    return torch.ones((dialogues, n, n), dtype=torch.bool)
