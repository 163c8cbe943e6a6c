"""Batches: a dialogue is read in one as it is by itself, and teaches what it says alone."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from label_world import annotations_of, label_dialogues, turns_of, weak_labels_of
from turns import turn_event

from labeling.labels.batch import DialogueExample, EncodedTurns, batch_losses, encode, fit_loss
from labeling.labels.model import LabelModel
from labeling.labels.targets import UNKNOWN, TurnTarget, dialogue_targets, label_space
from labeling.labels.turn_label import LabelName, SlotLabel
from labeling.models.roberta_base import roberta_base
from labeling.turns.dialogue_part import NOTHING_HIDDEN
from labeling.turns.features import TurnFeatures
from labeling.turns.tokenizer import MOST_TOKENS, TurnTokenizer
from streams.turn import Response

CPU = torch.device("cpu")
WORLD = label_dialogues(40)
ANNOTATIONS, WEAK = annotations_of(WORLD), weak_labels_of(WORLD)
SPACE, _ = label_space(turns_of(WORLD), ANNOTATIONS, WEAK)
Parts = tuple[LabelModel, TurnTokenizer]


@pytest.fixture(scope="module")
def untrained(world_base: Path) -> Parts:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        base = roberta_base([], base=world_base, max_tokens=MOST_TOKENS)
        model = LabelModel(base.transformer, base.width, TurnFeatures.fit(turns_of(WORLD)), SPACE)
    return model.eval(), TurnTokenizer(base.tokenizer)


EXAMPLES = [
    DialogueExample(
        dialogue.turns,
        NOTHING_HIDDEN,
        dialogue_targets(dialogue.turns, SPACE, ANNOTATIONS, shown),
        SPACE.tasks,
    )
    for dialogue, shown in zip(WORLD[:12], WEAK.dialogues, strict=False)
]


def _encoded(parts: Parts, examples: Sequence[DialogueExample]) -> EncodedTurns:
    with torch.no_grad():
        return encode(*parts, examples, CPU)


def _losses(parts: Parts, examples: Sequence[DialogueExample]) -> dict[LabelName, float]:
    with torch.no_grad():
        found = batch_losses(parts[0], encode(*parts, examples, CPU), examples, CPU)
    return {task: float(loss) for task, loss in found.items()}


def test_a_dialogue_is_read_among_others_as_by_itself(untrained: Parts) -> None:
    assert len({len(example.turns) for example in EXAMPLES}) > 2
    together = _encoded(untrained, EXAMPLES)
    for row, example in enumerate(EXAMPLES):
        alone = _encoded(untrained, [example])
        torch.testing.assert_close(
            together.dialogues[row, : len(example.turns)], alone.dialogues[0], rtol=0, atol=1e-5
        )
        for ours, theirs in zip(together.text_of[row], alone.text_of[0], strict=True):
            tokens = alone.tokens[theirs]
            assert together.tokens[ours] == tokens
            torch.testing.assert_close(
                together.states[ours][: len(tokens.ids)],
                alone.states[theirs][: len(tokens.ids)],
                rtol=0,
                atol=1e-5,
            )


def test_each_text_is_read_once(untrained: Parts) -> None:
    same = turn_event("more please", response=Response(text="playing jazz"))
    turns = [same, same, same, turn_event("more please")]
    example = DialogueExample(turns, NOTHING_HIDDEN)
    encoded = _encoded(untrained, [example, example])
    assert len(encoded.tokens) == 3
    assert encoded.text_of == [[0, 1, 1, 2]] * 2  # nothing had been said before the first
    hidden = DialogueExample(turns, frozenset(["responses"]))
    assert _encoded(untrained, [hidden]).text_of == [[0, 0, 0, 0]]


def test_a_swapped_response_is_read_in_place_of_the_own_one(untrained: Parts) -> None:
    turns = WORLD[0].turns
    last = len(turns) - 1
    swapped = DialogueExample(turns, NOTHING_HIDDEN, responses={last: "dimming the attic"})
    encoded = _encoded(untrained, [swapped])
    before = turns[last - 1].response if last else None
    expected = untrained[1].tokens(
        turns[last].request.text, "dimming the attic", before.text if before else None
    )
    assert encoded.tokens[encoded.text_of[0][last]] == expected


def test_the_loss_of_a_batch_is_the_weighted_mean_over_its_labelled_turns(untrained: Parts) -> None:
    together = _losses(untrained, EXAMPLES)
    assert set(together) == set(SPACE.tasks)
    alone = [_losses(untrained, [example]) for example in EXAMPLES]
    for task in SPACE.tasks:
        counts = [
            sum(target.weights.get(task, 1) for target in example.targets if target.tells(task))
            if task != "slots"
            else sum(len(tokens.offsets) for tokens in _tokens(untrained, example))
            for example in EXAMPLES
        ]
        mean = sum(one[task] * count for one, count in zip(alone, counts, strict=True) if count)
        assert together[task] == pytest.approx(mean / sum(counts), abs=1e-4)


def _tokens(parts: Parts, example: DialogueExample):  # type: ignore[no-untyped-def]  # an iterator of tokens
    return (parts[1].tokens(turn.request.text, None) for turn in example.turns)


def test_only_what_is_known_and_asked_for_is_learned(untrained: Parts) -> None:
    turns = WORLD[0].turns[:1]
    jazz = SlotLabel(name="genre", value="jazz", start=0, end=4)
    target = TurnTarget({"defect": (1.0,)}, {"intent": 0, "domain": UNKNOWN}, (jazz,))

    def learned(tasks: tuple[LabelName, ...], of: TurnTarget = target) -> set[LabelName]:
        return set(_losses(untrained, [DialogueExample(turns, NOTHING_HIDDEN, [of], tasks)]))

    assert learned(SPACE.tasks) == {"defect", "intent", "slots"}
    assert learned(("defect", "domain")) == {"defect"}
    assert learned(()) == set()
    assert learned(SPACE.tasks, TurnTarget({}, {})) == set()


def test_losses_are_cross_entropies_with_the_weights_of_the_labels(untrained: Parts) -> None:
    turns = WORLD[0].turns[:1]
    with torch.no_grad():
        encoded = _encoded(untrained, [DialogueExample(turns, NOTHING_HIDDEN)])
        found = untrained[0].logits(encoded.dialogues, encoded.seen)
    defect = float(found["defect"][0, 0, 0])
    rating = torch.log_softmax(found["satisfaction"][0, 0], dim=-1)
    intent = torch.log_softmax(found["intent"][0, 0], dim=-1)
    ratings = (0.5, 0.25, 0.25, 0.0, 0.0)

    def losses(*targets: TurnTarget) -> dict[LabelName, float]:
        return _losses(
            untrained, [DialogueExample(turns, NOTHING_HIDDEN, [one], SPACE.tasks) for one in targets]
        )

    both = losses(TurnTarget({"defect": (0.25,), "satisfaction": ratings}, {"intent": 1}))
    softplus = math.log1p(math.exp(defect))
    assert both == {
        "defect": pytest.approx(softplus - 0.25 * defect, abs=1e-5),
        "satisfaction": pytest.approx(-float(rating @ torch.tensor(ratings)), abs=1e-5),
        "intent": pytest.approx(-float(intent[1]), abs=1e-5),
    }
    weighted = losses(
        TurnTarget({}, {"intent": 0}, None, {"intent": 0.75}),
        TurnTarget({}, {"intent": 1}, None, {"intent": 0.25}),
    )
    assert weighted["intent"] == pytest.approx(-0.75 * float(intent[0]) - 0.25 * float(intent[1]), abs=1e-5)
    assert losses(TurnTarget({}, {"intent": 0}, None, {"intent": 0.0}))["intent"] == 0


def test_an_empty_request_has_no_tags_to_learn(untrained: Parts) -> None:
    target = TurnTarget({}, {}, ())
    example = DialogueExample([turn_event("")], NOTHING_HIDDEN, [target], ("slots",))
    assert _losses(untrained, [example]) == {}
    other = DialogueExample([turn_event("play jazz")], NOTHING_HIDDEN, [target], ("slots",))
    assert _losses(untrained, [example, other]) == pytest.approx(_losses(untrained, [other]), abs=1e-5)


def test_whether_responses_fit_is_asked_of_turns_that_have_one(untrained: Parts) -> None:
    turns = [turn_event("play jazz", response=Response(text="playing jazz")), turn_event("more please")]
    own = DialogueExample(turns, NOTHING_HIDDEN)
    swapped = DialogueExample(turns, NOTHING_HIDDEN, responses={0: "dimming the hall"})
    model = untrained[0]
    with torch.no_grad():
        encoded = encode(*untrained, [own, swapped], CPU)
        logits = model.fits(encoded.dialogues[:, 0])[:, 0]
        loss = float(fit_loss(model, encoded, [own, swapped], CPU))
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor([0.0, 1.0]))
    assert loss == pytest.approx(float(expected), abs=1e-5)
