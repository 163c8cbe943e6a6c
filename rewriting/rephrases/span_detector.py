"""The rephrase detector in use: the span model in ONNX Runtime, on one thread."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from msgspec import Struct
from numpy.typing import NDArray

from labeling.models.onnx_model import batches_of_one_length, load_model
from labeling.turns.dialogue_model import refuse_long_sessions
from rewriting.errors import RephraseInputError
from rewriting.evidence.rephrase_link import RephraseLink
from rewriting.rephrases.dialogue_tokenizer import DialogueTokenizer, Part, SpanInput
from rewriting.rephrases.turn_pair import candidates_by_source
from streams.turn import TurnEvent

KIND: Final = "rephrase-detector"
"""Of the artifact."""

_LEAST_SCORE: Final = 0.001  # links below are not worth keeping
_MOST_ROWS: Final = 32  # of a batch: more gain no speed on one thread, and take more memory
_SESSIONS_AT_A_TIME: Final = 256  # sequences of one length are sought among so many sessions


class SpanDescription(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must be known to use the model of an artifact; its `encoder.json`."""

    max_tokens: int  # of a sequence
    window_turns: int  # following requests among which a next try is sought
    window_s: float | None  # seconds within which it must come; None: any time, which JSON has no number for
    hidden: tuple[Part, ...]  # what the model does not read
    temperature: float  # logits are divided by it
    base: str  # the model that its training started from
    quantised: bool  # 8-bit weights; sequences then go through one at a time


class SpanDetector:
    """Finds the next try of each request by reading it with the turns that follow.

    Safe to share between threads. What is found in a session does not depend on the others: only sequences
    of one length go through the model together, so nothing is padded.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        tokenizer: DialogueTokenizer,
        description: SpanDescription,
    ) -> None:
        self.description = description
        self._session = session
        self._tokenizer = tokenizer
        self._hidden = frozenset(description.hidden)
        self._window_s = math.inf if description.window_s is None else description.window_s

    @classmethod
    def load(cls, folder: Path) -> "SpanDetector":
        """Reads an artifact that `export_span_model` has written.

        Raises:
            ArtifactError: missing, damaged, or not a rephrase detector.
        """
        return cls(*load_model(folder, KIND, SpanDescription, DialogueTokenizer.load))

    def detect(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[RephraseLink]]:
        """The links of each session with their probability.

        Raises:
            RephraseInputError: a session has more than `MOST_TURNS` turns.
        """
        refuse_long_sessions(sessions, RephraseInputError, "rephrases are sought in up to {}")
        found: list[list[RephraseLink]] = []
        for start in range(0, len(sessions), _SESSIONS_AT_A_TIME):
            found += self._detect(sessions[start : start + _SESSIONS_AT_A_TIME])
        return found

    def _detect(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[RephraseLink]]:
        found: list[list[RephraseLink]] = [[] for _ in sessions]
        rows = (
            (number, source, sequence)
            for number, turns in enumerate(sessions)
            for source, sequence in self._sequences(turns)
        )
        most = 1 if self.description.quantised else _MOST_ROWS
        for batch in batches_of_one_length(rows, lambda row: len(row[2].ids), most):
            logits = self._logits([sequence for _, _, sequence in batch])
            for (number, source, sequence), of_row in zip(batch, logits, strict=True):
                scores = _probabilities(of_row, sequence, self.description.temperature)
                found[number] += [
                    RephraseLink(source, target, score)
                    for target, score in zip(sequence.targets, scores[1:].tolist(), strict=True)
                    if score >= _LEAST_SCORE
                ]
        return [sorted(links, key=lambda link: (link.source, link.target)) for links in found]

    def _sequences(self, turns: Sequence[TurnEvent]) -> Iterator[tuple[int, SpanInput]]:
        candidates = candidates_by_source(turns, self.description.window_turns, self._window_s)
        for source, targets in candidates.items():
            yield source, self._tokenizer.sequence(turns, source, targets, self._hidden)

    def _logits(self, sequences: Sequence[SpanInput]) -> NDArray[np.float32]:
        """Start and end: (sequences, tokens, 2), of sequences of one length."""
        input_ids = np.array([sequence.ids for sequence in sequences], dtype=np.int64)
        types = np.array([sequence.types for sequence in sequences], dtype=np.int64)
        inputs = {"input_ids": input_ids, "token_type_ids": types}
        logits: NDArray[np.float32] = self._session.run(None, inputs)[0]
        return logits


def _probabilities(
    logits: NDArray[np.float32], sequence: SpanInput, temperature: float
) -> NDArray[np.float64]:
    """Of none and of each candidate: (spans,); `logits` is (tokens, 2)."""
    firsts, lasts = zip(*sequence.spans, strict=True)
    scores = (logits[list(firsts), 0] + logits[list(lasts), 1]).astype(np.float64) / temperature
    scores -= scores.max()
    weights = np.exp(scores)
    probabilities: NDArray[np.float64] = weights / weights.sum()
    return probabilities
