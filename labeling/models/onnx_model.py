"""The models of artifacts in ONNX Runtime, on the thread that calls them."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Protocol, TypeVar

import msgspec
import onnxruntime

from labeling.errors import ArtifactError
from labeling.models.artifact import verify_artifact

MODEL_NAME: Final = "model.onnx"
TOKENIZER_NAME: Final = "tokenizer.json"
DESCRIPTION_NAME: Final = "encoder.json"


class _Description(Protocol):
    @property
    def max_tokens(self) -> int: ...


D = TypeVar("D", bound=_Description)
T = TypeVar("T")
Loaded = TypeVar("Loaded")


def load_model(
    folder: Path, kind: str, description_type: type[D], load_tokenizer: Callable[[Path, int], T]
) -> tuple[onnxruntime.InferenceSession, T, D]:
    """Reads the parts of an artifact that a model is used with.

    Args:
        folder: of the artifact.
        kind: that it must be of.
        description_type: of its description.
        load_tokenizer: reads its tokenizer; told the `max_tokens` of the description.

    Raises:
        ArtifactError: missing, damaged, or of another kind.
    """

    def load() -> tuple[onnxruntime.InferenceSession, T, D]:
        description = msgspec.json.decode((folder / DESCRIPTION_NAME).read_bytes(), type=description_type)
        tokenizer = load_tokenizer(folder / TOKENIZER_NAME, description.max_tokens)
        return open_session(folder / MODEL_NAME), tokenizer, description

    return load_verified(folder, kind, load)


def load_verified(folder: Path, kind: str, load: Callable[[], Loaded]) -> Loaded:
    """What is made of the files of an artifact.

    Args:
        folder: of the artifact.
        kind: that it must be of.
        load: reads its files.

    Raises:
        ArtifactError: missing, damaged, or of another kind.
    """
    verify_artifact(folder, kind)
    try:
        return load()
    except Exception as error:  # tokenizers raises nothing narrower
        raise ArtifactError(
            f"the {kind} at {folder} cannot be used ({error}): train it again with this version of Rehear"
        ) from error


def batches_of_one_length(rows: Iterable[T], length: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """Up to `most` rows of one length at a time, so that none has to be padded."""
    alike: dict[int, list[T]] = {}
    for row in rows:
        alike.setdefault(length(row), []).append(row)
    for some in alike.values():
        for start in range(0, len(some), most):
            yield some[start : start + most]


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """A model file, on the thread that calls it; one that is damaged raises a plain `Exception`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # every length of text would leave a pattern behind
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
