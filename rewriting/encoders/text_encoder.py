"""The encoders in serving: vectors of requests, and scores of pairs, in ONNX Runtime on one thread.

Texts are normalised first, so what `encode` and `score` return depends on the words alone.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final, Literal, Protocol, Self

import numpy as np
import onnxruntime
from msgspec import Struct
from numpy.typing import NDArray

from labeling.models.artifact import contents_id, read_manifest
from labeling.models.onnx_model import batches_of_one_length, load_model
from labeling.models.request_tokenizer import RequestTokenizer

TEXT_ENCODER: Final = "text-encoder"
PAIR_ENCODER: Final = "pair-encoder"
"""Kinds of artifacts."""

_MOST_TEXTS: Final = 64  # of a batch: more gains no speed on one thread, and takes more memory


class EncoderDescription(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must be known to use the model of an artifact; its `encoder.json`."""

    dimension: int  # of a vector; 1 for scores
    max_tokens: int  # of a text or pair, special tokens included; what is longer is cut
    pooling: Literal["mean"]  # how tokens become one vector; part of the model
    base: str  # the model that its training started from
    quantised: bool  # 8-bit weights; scales depend on all rows of a batch, so rows go through one at a time


class RequestEncoder(Protocol):
    """What gives requests their vectors."""

    @property
    def dimension(self) -> int:
        """Of the vectors."""
        ...

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts of any content: (texts, dimension), each of length 1."""
        ...


class _Encoder:
    kind: ClassVar[str]  # of the artifact

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        tokenizer: RequestTokenizer,
        description: EncoderDescription,
    ) -> None:
        self.description = description
        self._session = session
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Reads an artifact that `export_text_encoder` or `export_pair_encoder` has written.

        Raises:
            ArtifactError: missing, damaged, or of another kind.
        """
        return cls(*load_model(folder, cls.kind, EncoderDescription, RequestTokenizer.load))

    @property
    def _most_rows(self) -> int:
        """That go through the model at a time."""
        return 1 if self.description.quantised else _MOST_TEXTS


class TextEncoder(_Encoder):
    """Turns requests into vectors of length 1, whose inner products say how near they are in meaning.

    Safe to share between threads. A text's vector does not depend on the texts beside it: only texts with as
    many tokens go through the model together, so nothing is ever padded, and through a quantised model each
    goes alone.
    """

    kind = TEXT_ENCODER

    @property
    def dimension(self) -> int:
        """Of the vectors."""
        return self.description.dimension

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of texts of any content, script and length: (texts, dimension), each of length 1.

        All texts without a letter or a digit have the same vector.
        """
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        numbered = enumerate(map(self._tokenizer.ids, texts))
        for rows in batches_of_one_length(numbered, lambda row: len(row[1]), self._most_rows):
            positions, ids_of_rows = zip(*rows, strict=True)
            input_ids = np.array(ids_of_rows, dtype=np.int64)  # (rows, tokens)
            vectors[list(positions)] = self._session.run(None, {"input_ids": input_ids})[0]
        return vectors


class PairEncoder(_Encoder):
    """Says how likely each of some candidates is what a query meant, by reading both at once.

    Safe to share between threads. A candidate's score does not depend on the others.
    """

    kind = PAIR_ENCODER

    def score(self, query: str, candidates: Sequence[str]) -> NDArray[np.float32]:
        """Scores of candidates, any texts: (candidates,), 0..1."""
        return self.score_pairs([(query, candidate) for candidate in candidates])

    def score_pairs(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """Scores of queries, each with a candidate, any texts: (pairs,), 0..1."""
        scores = np.empty(len(pairs), dtype=np.float32)
        most = self._most_rows
        for start in range(0, len(pairs), most):
            tokens = [self._tokenizer.pair_ids(*pair) for pair in pairs[start : start + most]]
            longest = max(len(ids) for ids, _ in tokens)
            inputs = {
                name: np.zeros((len(tokens), longest), dtype=np.int64)
                for name in ("input_ids", "attention_mask", "token_type_ids")
            }
            for row, (ids, types) in enumerate(tokens):
                inputs["input_ids"][row, : len(ids)] = ids
                inputs["token_type_ids"][row, : len(ids)] = types
                inputs["attention_mask"][row, : len(ids)] = 1
            scores[start : start + len(tokens)] = self._session.run(None, inputs)[0]
        return scores


def encoder_id(folder: Path) -> str:
    """The id of a text encoder: a hash of its files, so that equal encoders make one index.

    Raises:
        ArtifactError: there is no text encoder in the folder.
    """
    return contents_id(read_manifest(folder, TEXT_ENCODER))[:32]
