"""A kind of session model: what Rehear asks a model about sessions, and what becomes of the answers.

Each kind is a value in a module of its own, `KIND` in `session_models/NAME/kind.py`, and an entry of
`session_models.registry`. Workers, jobs, commands and privacy go by these values; nothing else knows a kind
by its name.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Engine, Table

from labeling.annotations.annotation import Annotations
from labeling.models.in_use import ModelKind
from labeling.turns.export import TurnColumns
from services.assistant_work import AssistantWork
from services.session_models.effect import Effect
from services.settings import Settings
from streams.session import Session, SessionId
from streams.stores.turn_store import TurnStore
from streams.topic_names import Topics
from streams.turn import AssistantId, UserId
from streams.verdict import Known

M = TypeVar("M")
V = TypeVar("V")


class Trained(Struct, frozen=True, kw_only=True):
    """A model that was trained and written."""

    name: str  # of the artifact
    examples: int  # that it learned from
    in_words: str  # "a label model learned defect from 1,200 turns"


class TurnVerdicts(Struct, frozen=True, kw_only=True):
    """Verdicts that say something of each turn, which is stored, published and exported by turn."""

    store: TurnStore[Any]
    topic: Callable[[Topics], str]  # where it is published
    verdict: type[Struct]  # of one turn; records of the store have its fields
    columns: TurnColumns[Any]  # of an export
    missing: str  # why nothing may be stored: "`rehear learn` trains a label model"


class SessionModelKind(Struct, Generic[M, V], frozen=True, kw_only=True):
    """What is asked of the models of one kind, and how people are told of them."""

    name: str
    """Of the worker, its task, its metrics, and the option of `rehear learn`: "labels"."""

    artifact: ModelKind  # kind of the models in use, and the start of the names of their folders
    title: str  # "label model"
    judged_as: str  # "{:,} sessions labelled"
    without: str  # what does not happen while none can be used, for the log: "no labels are given"
    remedy: str  # how an assistant gets one: "make one with `rehear learn` on its log"
    learn_help: str  # of the option of `rehear learn`
    work_help: str  # of the worker: "sessions to goals and defects of their turns"

    load: Callable[[Path], M]
    """Loads one from its folder; raises ArtifactError where there is none, or it is damaged."""

    judge: Callable[[M, Sequence[Session]], Sequence[V]]
    """A verdict for each session; raises `refusal` if there is one that the model cannot take."""

    refusal: type[Exception]
    least_turns: int = 1  # of a session of which there is anything to say

    train: Callable[[AssistantWork, Annotations], Trained]
    """Trains one on all sessions and writes it; raises `training_error` where nothing can be learned."""

    training_error: type[Exception]

    effect: Callable[[Engine, Settings, Callable[[], int]], Effect[V]]
    """What becomes of verdicts; is given the database, the settings and the clock."""

    known: Callable[[Connection, Iterable[SessionId]], Known]
    """What is stored of some sessions."""

    outdate: Callable[[Connection, Collection[SessionId]], None]
    """Has sessions judged again whose turns are the same, and say something else."""

    turns: TurnVerdicts | None = None  # None: verdicts are of sessions alone
    tables: tuple[Table, ...]  # that hold something of users
    forget: Callable[[Connection, AssistantId, UserId, int], object]
    """Deletes what there is of a user; is given the time now, milliseconds since 1970."""
