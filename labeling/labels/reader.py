"""The label model in use: logits of all labels, in ONNX Runtime on one thread."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from labeling.labels.space import LabelSpace, space_views
from labeling.labels.turn_label import LabelName
from labeling.turns.dialogue_model import TEXTS_KEPT, DialogueModel, batch_of_one
from labeling.turns.dialogue_part import NO_CONTEXT, NOTHING_HIDDEN, Part
from labeling.turns.features import TurnFeatures
from labeling.turns.texts import turn_texts
from labeling.turns.tokenizer import TurnTokens
from labeling.turns.windows import WINDOW, turn_windows
from streams.turn import TurnEvent


class TurnLogits(Struct, frozen=True):
    """What the model says of one turn."""

    values: Mapping[LabelName, NDArray[np.float32]]  # by task: (classes,)
    tags: NDArray[np.float32] | None  # (tokens of the request, tags)
    offsets: tuple[tuple[int, int], ...]  # of these tokens: characters


class _ReadText(Struct, frozen=True):
    vector: NDArray[np.float32]  # (2 * text width,)
    states: NDArray[np.float32]  # (tokens of the request, text width)


class LabelReader(Struct, frozen=True, dict=True):
    """Reads dialogues. What it says of one does not depend on the others: each goes through by itself."""

    model: DialogueModel
    features: TurnFeatures
    space: LabelSpace
    context: bool

    @cached_property
    def _text(self) -> Callable[[TurnTokens], _ReadText]:
        return lru_cache(TEXTS_KEPT)(self._read_text)

    def read(self, turns: Sequence[TurnEvent]) -> list[TurnLogits]:
        """Logits of each turn of a dialogue."""
        values: list[dict[LabelName, NDArray[np.float32]]] = [{} for _ in turns]
        tags: list[NDArray[np.float32] | None] = [None] * len(turns)
        offsets: list[tuple[tuple[int, int], ...]] = [()] * len(turns)
        always_hidden = NOTHING_HIDDEN if self.context else NO_CONTEXT
        for start, kept in turn_windows(len(turns)):
            window = turns[start : start + WINDOW]
            for hidden, tasks in space_views(self.space):
                tokens, of_turns, of_tokens = self._view(window, hidden | always_hidden)
                for position in kept:
                    row = position - start
                    offsets[position] = tokens[row].offsets
                    for task, columns in self._columns(tasks):
                        values[position][task] = of_turns[row, columns]
                    if "slots" in tasks:
                        tags[position] = of_tokens[row]
        return [TurnLogits(*one) for one in zip(values, tags, offsets, strict=True)]

    def _columns(self, tasks: Sequence[LabelName]) -> Iterator[tuple[LabelName, slice]]:
        """Where the logits of some tasks are."""
        first = 0
        for task in self.space.tasks:
            if task == "slots":
                continue
            last = first + self.space.width(task)
            if task in tasks:
                yield task, slice(first, last)
            first = last

    def _view(
        self, turns: Sequence[TurnEvent], hidden: frozenset[Part]
    ) -> tuple[list[TurnTokens], NDArray[np.float32], list[NDArray[np.float32]]]:
        """Tokens, logits (turns, all classes) and logits of the tags, (tokens, tags) of each turn."""
        tokens = [
            self.model.tokenizer.tokens(texts.request, texts.response, texts.prompt)
            for texts in turn_texts(turns, hidden)
        ]
        texts = [self._text(one) for one in tokens]
        features = self.features.of(turns, hidden)
        inputs = batch_of_one(features, texts=np.stack([text.vector for text in texts]))
        if "slots" not in self.space.tasks:
            return tokens, self.model.dialogues.run(None, inputs)[0][0], []
        # One row more, so that there is one: a request may be empty.
        width = texts[0].states.shape[1]
        inputs["states"] = np.concatenate([*(text.states for text in texts), texts[0].vector[None, :width]])
        lengths = [len(text.states) for text in texts]
        inputs["turn_of"] = np.array([*np.repeat(np.arange(len(texts)), lengths), 0], dtype=np.int64)
        of_turns, of_tokens = self.model.dialogues.run(None, inputs)
        return tokens, of_turns[0], np.split(of_tokens[:-1], np.cumsum(lengths)[:-1])

    def _read_text(self, tokens: TurnTokens) -> _ReadText:
        states, vectors = self.model.read_text(tokens)
        return _ReadText(vectors[0], states[0, tokens.request].copy())
