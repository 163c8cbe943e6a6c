"""A model of dialogues in use: one ONNX file reads the texts of a turn, another one a dialogue of turns."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import numpy as np
import onnxruntime
from msgspec import Struct
from numpy.typing import NDArray

from labeling.models.onnx_model import DESCRIPTION_NAME, TOKENIZER_NAME, load_verified, open_session
from labeling.turns.features import DialogueFeatures
from labeling.turns.tokenizer import TurnTokenizer, TurnTokens
from streams.turn import TurnEvent

DIALOGUES: Final = "dialogues.onnx"

TEXTS_KEPT: Final = 1_000
"""Turns whose texts a reader keeps as read, each 25 to 100 kB. Raised, more memory; lowered, texts that come
again are read again."""

MOST_TURNS: Final = 10_000
"""Of a session: longer ones are not one user's dialogue but a log without its boundaries."""

D = TypeVar("D")


class DialogueModel(Struct, frozen=True):
    """The parts of a model."""

    texts: onnxruntime.InferenceSession
    dialogues: onnxruntime.InferenceSession
    tokenizer: TurnTokenizer

    @classmethod
    def open(cls, folder: Path, texts: str) -> "DialogueModel":
        """Opens the files of a folder; `texts` is the name of the file that reads texts."""
        tokenizer = TurnTokenizer.load(folder / TOKENIZER_NAME)
        return cls(open_session(folder / texts), open_session(folder / DIALOGUES), tokenizer)

    def read_text(self, tokens: TurnTokens) -> list[NDArray[np.float32]]:
        """What the first file makes of the texts of one turn: arrays with one row."""
        inputs = {
            "input_ids": np.array([tokens.ids], dtype=np.int64),
            "segments": np.array([tokens.segments], dtype=np.int64),
        }
        outputs: list[NDArray[np.float32]] = self.texts.run(None, inputs)
        return outputs


def load_dialogue_model(
    folder: Path, kind: str, texts: str, description_type: type[D]
) -> tuple[DialogueModel, D]:
    """Reads an artifact.

    Args:
        folder: of the artifact.
        kind: that it must be of.
        texts: name of the file that reads texts.
        description_type: of its description.

    Raises:
        ArtifactError: missing, damaged, or of another kind.
    """

    def load() -> tuple[DialogueModel, D]:
        description = msgspec.json.decode((folder / DESCRIPTION_NAME).read_bytes(), type=description_type)
        return DialogueModel.open(folder, texts), description

    return load_verified(folder, kind, load)


def batch_of_one(features: DialogueFeatures, **others: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """The features of a dialogue, and other arrays, as inputs of a model that reads several dialogues."""
    return {name: array[None] for name, array in (msgspec.structs.asdict(features) | others).items()}


def refuse_long_sessions(sessions: Sequence[Sequence[TurnEvent]], error: type[Exception], limit: str) -> None:
    """Refuses sessions of more than `MOST_TURNS` turns.

    Args:
        sessions: turns of each.
        error: that is raised.
        limit: what can be done, with a place for the number of turns.
    """
    for turns in sessions:
        if len(turns) > MOST_TURNS:
            first, possible = turns[0], limit.format(f"{MOST_TURNS:,}")
            raise error(
                f"a session of user {first.user_id!r} has {len(turns):,} turns, from event "
                f"{first.event_id!r} on: {possible}; give its dialogues ids of their own"
            )
