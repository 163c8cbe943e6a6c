"""A kind of session model: what Rehear asks a model about sessions.

Each kind is a value in a module of its own, `KIND` in `session_models/NAME/kind.py`. Models in use, judging
and backfill go by this value.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from msgspec import Struct
from sqlalchemy import Connection

from labeling.models.in_use import ModelKind
from streams.session import Session, SessionId
from streams.verdict import Known

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
    known: Callable[[Connection, Iterable[SessionId]], Known]
    """What is stored of some sessions."""

    least_turns: int = 1  # of a session of which there is anything to say
    title: str  # "label model"
    without: str  # what does not happen while none can be used, for the log: "no labels are given"
    remedy: str  # how an assistant gets one: "make one with `rehear learn` on its log"
