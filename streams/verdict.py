"""Verdicts: what a model says of a session, and what is known of verdicts that are stored."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from msgspec import Struct

from streams.session import Session, SessionId
from streams.turn import TurnEvent

V = TypeVar("V")

Known = Mapping[SessionId, tuple[str, int]]
"""Of sessions with a verdict: the name of the model, and the key of the turns that it judged."""


class Judged(Struct, Generic[V], frozen=True):
    """A session, and what a model says of it."""

    session: Session
    model: str  # its name
    verdict: V


class JudgedTurn(Struct, Generic[V], frozen=True):
    """A turn of a log, and what a model says of it."""

    turn: TurnEvent
    session_id: SessionId
    verdict: V
