"""A plain encoder as a baseline: a transformer with linear layers, fine-tuned on turns without dialogues.

Classes are read off the mean of the tokens of the request, and of the response where that is read, slots off
each token of the request. It starts from the same
weights as the label model, and takes as many steps of the same size for as many epochs; it has neither the
dialogue, nor what the log itself shows, nor pre-training on the log, nor calibration.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Final, NamedTuple

import numpy as np
import torch
from msgspec import Struct
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from labeling.annotations.annotation import Annotations
from labeling.errors import LabelTrainingError
from labeling.labels.space import NAMED, LabelSpace
from labeling.labels.targets import (
    UNKNOWN,
    TurnTarget,
    dialogue_targets,
    label_space,
    slot_tags,
    tagged_slots,
)
from labeling.labels.training import LabelTraining
from labeling.labels.turn_label import LabelName, SlotLabel, TurnLabel
from labeling.models.encoder_base import choose_device, padded
from labeling.models.gradient_steps import mixed_precision, take_steps
from labeling.models.roberta_base import roberta_base
from labeling.models.training_schedule import Progress
from labeling.turns.texts import said_by
from labeling.turns.tokenizer import MOST_TOKENS, SPECIAL, TurnTokenizer, TurnTokens
from streams.turn import EventId, TurnEvent

STAGE: Final = "plain encoder"

_TASKS: Final[tuple[LabelName, ...]] = (*NAMED, "slots")
_AT_A_TIME: Final = 64  # requests that are labelled together
_DIGITS: Final = 6  # of a probability


class PlainEncoder(nn.Module):
    """A transformer with a linear layer for each label."""

    def __init__(self, transformer: nn.Module, width: int, space: LabelSpace) -> None:
        super().__init__()
        self.transformer = transformer
        self.dropout = nn.Dropout(0.1)
        self.heads = nn.ModuleDict({task: nn.Linear(width, space.width(task)) for task in space.tasks})

    def forward(self, ids: Tensor, mask: Tensor, inside: Tensor) -> dict[str, Tensor]:
        """Logits of each label.

        Args:
            ids: (requests, tokens)
            mask: (requests, tokens) 1 for tokens, 0 for padding.
            inside: (requests, tokens) 1 for tokens of the texts, 0 for others.

        Returns:
            (requests, classes) each; of slots (requests, tokens, tags).
        """
        states = self.dropout(self.transformer(input_ids=ids, attention_mask=mask).last_hidden_state)
        kept = inside.unsqueeze(-1).to(states.dtype)  # (requests, tokens, 1)
        means = (states * kept).sum(dim=1) / kept.sum(dim=1).clamp(min=1)  # (requests, width)
        return {task: head(states if task == "slots" else means) for task, head in self.heads.items()}


class PlainTexts(NamedTuple):
    """What is read of one turn."""

    request: str
    response: str | None  # None: it is not read, or there is none

    @classmethod
    def of(cls, turn: TurnEvent, *, responses: bool) -> "PlainTexts":
        """The texts of a turn, with or without the response."""
        return cls(turn.request.text, said_by(turn) if responses else None)


class _Request(Struct, frozen=True):
    """What is learned from one turn."""

    texts: PlainTexts
    target: TurnTarget


class _Meaning(Struct, frozen=True):
    """What is read in one text."""

    names: dict[LabelName, str]  # of domain and intent
    slots: tuple[SlotLabel, ...] | None
    confidence: dict[LabelName, float]

    def label(self, turn: TurnEvent, first: str) -> TurnLabel:
        """The label of a turn in which it is said, in a session that starts with some event."""
        return TurnLabel(
            event_id=EventId(turn.event_id),
            goal_id=first,
            goal_start=turn.event_id == first,
            domain=self.names.get("domain"),
            intent=self.names.get("intent"),
            slots=self.slots,
            confidence=self.confidence,
        )


class PlainLabeller:
    """Labels domains, intents and slots, turn by turn; of goals and how turns went it says nothing."""

    def __init__(
        self,
        model: PlainEncoder,
        tokenizer: TurnTokenizer,
        space: LabelSpace,
        device: torch.device,
        *,
        responses: bool = False,
    ) -> None:
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._device = device
        self._responses = responses
        self.space = space

    def label(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[TurnLabel]]:
        """The labels of each turn of each session."""
        read = self._texts(sessions)
        meanings: dict[PlainTexts, _Meaning] = {}
        for some in _some_of(read):
            meanings |= zip(some, self._read(some), strict=True)
        return [
            [meanings[self._texts_of(turn)].label(turn, turns[0].event_id) for turn in turns]
            for turns in sessions
        ]

    def shares(self, sessions: Sequence[Sequence[TurnEvent]], task: LabelName) -> list[NDArray[np.float32]]:
        """The probabilities of the classes of one label: (turns, classes) for each session."""
        found: dict[PlainTexts, NDArray[np.float32]] = {}
        for some in _some_of(self._texts(sessions)):
            found |= zip(some, self._shares(some)[1][task], strict=True)
        return [np.stack([found[self._texts_of(turn)] for turn in turns]) for turns in sessions]

    def _texts_of(self, turn: TurnEvent) -> PlainTexts:
        return PlainTexts.of(turn, responses=self._responses)

    def _texts(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[PlainTexts]:
        """Distinct ones, the short ones first."""
        distinct = {self._texts_of(turn) for turns in sessions for turn in turns}
        return sorted(
            distinct, key=lambda one: (len(one.request) + len(one.response or ""), one.request, str(one))
        )

    @torch.inference_mode()
    def _shares(
        self, texts: Sequence[PlainTexts]
    ) -> tuple[list[TurnTokens], dict[LabelName, NDArray[np.float32]]]:
        tokens = [self._tokenizer.tokens(*one) for one in texts]
        return tokens, {
            task: logits.float().softmax(dim=-1).cpu().numpy()
            for task, logits in self._model(*_inputs(tokens, self._device)).items()
        }

    def _read(self, texts: Sequence[PlainTexts]) -> list[_Meaning]:
        tokens, shares = self._shares(texts)
        meanings = []
        for row, (text, of_text) in enumerate(zip(texts, tokens, strict=True)):
            confidence: dict[LabelName, float] = {}
            names: dict[LabelName, str] = {}
            slots: tuple[SlotLabel, ...] | None = None
            for task in self.space.tasks:
                own = shares[task][row]
                if task == "slots":
                    own = own[of_text.request]  # (tokens of the text, tags)
                    tags = own.argmax(axis=-1).tolist()
                    found = tagged_slots(text.request, of_text.offsets, tags, self.space.slots)
                    slots = tuple(slot for slot, _ in found)
                else:
                    names[task] = (self.space.domains if task == "domain" else self.space.intents)[
                        own.argmax()
                    ]
                confidence[task] = round(float(own.max(axis=-1).prod()), _DIGITS)
            meanings.append(_Meaning(names, slots, confidence))
        return meanings


def train_plain_encoder(
    dialogues: Sequence[Sequence[TurnEvent]],
    annotations: Annotations,
    training: LabelTraining | None = None,
    progress: Progress | None = None,
    *,
    space: LabelSpace | None = None,
    responses: bool = False,
    weights: Mapping[LabelName, Sequence[float]] | None = None,
) -> PlainLabeller:
    """Trains a plain encoder on all annotated turns; the same arguments give the same one on one machine.

    Args:
        dialogues: turns of each, in order.
        annotations: by event.
        training: base, layers, epochs, turns of an epoch and of a batch, rates, seed and device; the
            defaults where None.
        progress: is told of each step.
        space: classes that may be said; those of which the annotations say enough where None.
        responses: whether these are read with their requests.
        weights: of the classes of a label in its loss; each counts the same where there are none.

    Raises:
        EncoderBaseError: there is no such model to start from.
        LabelTrainingError: annotations name too few domains, intents and slots.
    """
    training = training or LabelTraining()
    space = space or _known_space(dialogues, annotations)
    requests = [
        _Request(PlainTexts.of(turn, responses=responses), target)
        for turns in dialogues
        for turn, target in zip(turns, dialogue_targets(turns, space, annotations, None), strict=True)
        if target.slots is not None or any(number != UNKNOWN for number in target.classes.values())
    ]
    device = choose_device(training.device)
    with torch.random.fork_rng():
        torch.manual_seed(training.seed)
        texts = [text for turns in dialogues for turn in turns for text in (turn.request.text, said_by(turn))]
        base = roberta_base(
            (text for text in texts if text is not None),
            base=training.base,
            layers=training.layers,
            max_tokens=MOST_TOKENS,
        )
        tokenizer = TurnTokenizer(base.tokenizer)
        model = PlainEncoder(base.transformer, base.width, space).to(device)
        _fine_tune(model, tokenizer, space, requests, training, device, progress, weights or {})
    return PlainLabeller(model, tokenizer, space, device, responses=responses)


def _known_space(dialogues: Sequence[Sequence[TurnEvent]], annotations: Annotations) -> LabelSpace:
    known, why_not = label_space(dialogues, annotations, None)
    tasks = tuple(task for task in _TASKS if task in known.tasks)
    if not tasks:
        raise LabelTrainingError(
            "nothing to learn from: " + "; ".join(f"{task}: {why_not[task]}" for task in _TASKS)
        )
    return LabelSpace(tasks, domains=known.domains, intents=known.intents, slots=known.slots)


def _some_of(texts: Sequence[PlainTexts]) -> Iterator[list[PlainTexts]]:
    remaining = iter(texts)
    while some := list(islice(remaining, _AT_A_TIME)):
        yield some


def _fine_tune(
    model: PlainEncoder,
    tokenizer: TurnTokenizer,
    space: LabelSpace,
    requests: Sequence[_Request],
    training: LabelTraining,
    device: torch.device,
    progress: Progress | None,
    weights: Mapping[LabelName, Sequence[float]],
) -> None:
    generator = np.random.default_rng(training.seed)
    batches = list(
        chain.from_iterable(_batches(requests, training, generator) for _ in range(training.epochs))
    )
    optimizer = torch.optim.AdamW(
        [
            {"params": list(model.transformer.parameters()), "lr": training.learning_rate},
            {"params": list(model.heads.parameters()), "lr": training.head_rate},
        ],
        weight_decay=training.weight_decay,
    )

    def loss_of(batch: Sequence[_Request]) -> Tensor | None:
        tokens = [tokenizer.tokens(*request.texts) for request in batch]
        with mixed_precision(device):
            logits = model(*_inputs(tokens, device))
        losses = list(_losses(logits, tokens, batch, space, device, weights))
        return torch.stack(losses).sum() if losses else None

    take_steps(model, optimizer, batches, len(batches), loss_of, STAGE, progress)


def _losses(
    logits: dict[str, Tensor],
    tokens: Sequence[TurnTokens],
    batch: Sequence[_Request],
    space: LabelSpace,
    device: torch.device,
    weights: Mapping[LabelName, Sequence[float]],
) -> Iterator[Tensor]:
    """Mean cross entropy of each label that a batch says something about."""
    for task in space.tasks:
        scores = logits[task].float()
        truth = torch.full(scores.shape[:-1], UNKNOWN, dtype=torch.long)  # (requests,) or (requests, tokens)
        for row, (request, of_text) in enumerate(zip(batch, tokens, strict=True)):
            if task == "slots":
                if request.target.slots is not None:
                    tags = slot_tags(of_text.offsets, request.target.slots, space.slots)
                    truth[row, of_text.request] = torch.from_numpy(tags)
            else:
                truth[row] = request.target.classes.get(task, UNKNOWN)
        if bool((truth != UNKNOWN).any()):
            weight = torch.tensor(weights[task], device=device) if task in weights else None
            yield cross_entropy(
                scores.flatten(0, -2), truth.to(device).flatten(), weight, ignore_index=UNKNOWN
            )


def _inputs(tokens: Sequence[TurnTokens], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    ids, mask = padded([one.ids for one in tokens], device)
    inside, _ = padded([[int(part != SPECIAL) for part in one.segments] for one in tokens], device)
    return ids, mask, inside


def _batches(
    requests: Sequence[_Request], training: LabelTraining, generator: np.random.Generator
) -> Iterator[list[_Request]]:
    """Of one epoch, in an order by chance."""
    order = generator.permutation(len(requests)).tolist()[: training.most_turns]
    for start in range(0, len(order), training.batch_turns):
        yield [requests[number] for number in order[start : start + training.batch_turns]]
