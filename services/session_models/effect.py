"""Effects: what becomes of a model's verdicts in the database."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Engine

from rewriting.table.rewrite_table import RewriteTable
from services.settings import Settings
from streams.session import Session, SessionId
from streams.turn import AssistantId
from streams.verdict import Judged

if TYPE_CHECKING:
    from services.learners.evidence import EvidenceLearners

V = TypeVar("V")


class NewVerdicts(Struct, Generic[V], frozen=True):
    """Sessions of one assistant as they are, with what is new of them."""

    model: str  # name of the one in use
    sessions: tuple[Session, ...]
    judged: tuple[Judged[V], ...]  # those that this model had not judged
    void: tuple[SessionId, ...]  # of which what is stored holds no more


class Effect(ABC, Generic[V]):
    """Stores verdicts, and changes what depends on them.

    Connections are in a transaction that writes, in which the sessions are locked.
    """

    @property
    def alone(self) -> bool:
        """Whether nobody else may change sessions while a worker keeps verdicts."""
        return False

    @abstractmethod
    def keep(
        self, connection: Connection, judged: Sequence[Judged[V]], void: Sequence[SessionId]
    ) -> Sequence[Session]:
        """Stores verdicts for a worker; the same again changes nothing.

        Args:
            connection: that writes.
            judged: sessions as they are, each at most once, with their verdicts.
            void: sessions of which what is stored holds no more.

        Returns:
            The sessions of which those who learn from sessions make something else now.
        """

    def renew(self, connection: Connection, assistant_id: AssistantId, new: NewVerdicts[V]) -> None:
        """Stores verdicts for a job, which brings up to date itself what a worker would announce.

        Args:
            connection: that writes.
            assistant_id: of the sessions.
            new: a part of the sessions of the assistant.
        """
        self.keep(connection, new.judged, new.void)

    def finish(self, connection: Connection, assistant_id: AssistantId) -> None:
        """Brings up to date what waits until a job has gone through all sessions of an assistant."""
        return

    def is_stale(self, connection: Connection) -> bool:
        """Whether `keep` has work even without new verdicts: others have changed what depends on them."""
        return False

    @abstractmethod
    def summary(self, connection: Connection, assistant_id: AssistantId) -> str:
        """What is stored of an assistant, for people: "12 turns in 3 sessions have labels"."""


class EvidenceEffect(Effect[V]):
    """An effect on what chains and requests learn from sessions: verdicts are evidence.

    Args:
        engine: of the database.
        settings: of evidence, chains and requests.
        clock_ms: milliseconds since 1970.
    """

    def __init__(self, engine: Engine, settings: Settings, clock_ms: Callable[[], int]) -> None:
        self._table = RewriteTable(engine, clock_ms)
        self._settings = settings
        self._clock_ms = clock_ms

    @cached_property
    def _learners(self) -> "EvidenceLearners":
        from services.learners.evidence import EvidenceLearners  # only for jobs: it imports all learners

        return EvidenceLearners(self._table, self._settings, self._clock_ms)
