"""A kind of session model: what Rehear asks a model about sessions.

Each kind is a value in a module of its own, `KIND` in `session_models/NAME/kind.py`. What is done with models
of any kind goes by this value and never by the name of a kind.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from msgspec import Struct

from labeling.models.in_use import ModelKind
from streams.session import Session

M = TypeVar("M")
V = TypeVar("V")


class SessionModelKind(Struct, Generic[M, V], frozen=True, kw_only=True):
    """What is asked of the models of one kind, and how people are told of them."""

    name: ModelKind  # of their artifacts
    load: Callable[[Path], M]
    """Loads one from its folder; raises ArtifactError where there is none, or it is damaged."""

    judge: Callable[[M, Sequence[Session]], Sequence[V]]
    """A verdict for each session; raises `refusal` if there is one that the model cannot take."""

    refusal: type[Exception]
    least_turns: int = 1  # of a session of which there is anything to say
    title: str  # "label model"
    without: str  # what does not happen while none can be used, for the log: "no labels are given"
    remedy: str  # how an assistant gets one: "make one with `rehear learn` on its log"
