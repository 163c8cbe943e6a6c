"""Learners of the closed loop: given the turns of a day each night, they say what is served the next day."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from rewriting.evidence.understanding_confidence import turn_confidence
from rewriting.guards.pair_guard import PairEvidence, PairGuard
from rewriting.guards.reason import RefusalReason
from rewriting.ranking.decision import decide
from rewriting.table.lookup import LookupAnswer, LookupTable
from rewriting.table.occasion import occasion_of
from rewriting.table.rewrite import Rewrite, TableVersion
from services.jobs.turn_logs import TurnLearners
from services.platform.database import open_database
from services.settings import Settings
from services.simulator.world.settings import DAY_MS
from streams.turn import AssistantId, TurnEvent, UserId


class ServedTable(Struct, frozen=True):
    """What is served on one day."""

    lookup: LookupTable
    live: tuple[Rewrite, ...]  # the rows that are served

    @classmethod
    def of(cls, assistant_id: AssistantId, version: TableVersion, rows: Sequence[Rewrite]) -> "ServedTable":
        """The table of these rows."""
        live = tuple(row for row in rows if row.status == "live")
        return cls(LookupTable.of(assistant_id, version, rows), live)

    def answer(self, turn: TurnEvent, previous: TurnEvent | None) -> LookupAnswer:
        """What the lookup API would answer, without models.

        Args:
            turn: as it was heard and understood.
            previous: the turn before it; None: there is none.
        """
        return decide(
            self.lookup,
            turn.request.text,
            UserId(turn.user_id),
            turn_confidence(turn),
            occasion_of(turn, previous),
            None,
        ).answer


class LoopLearner(Protocol):
    """What learns each night, and serves by day."""

    @property
    def name(self) -> str:
        """As the report calls it."""
        ...

    def learn(self, day: int, turns: Sequence[TurnEvent]) -> None:
        """Learns from all turns of a day, in time order."""
        ...

    def table(self) -> ServedTable:
        """What is served from now on."""
        ...

    def close(self) -> None:
        """Lets go of what it holds."""
        ...


class NoGuard(PairGuard):
    """A guard that refuses no pair for what it means, or for who made it."""

    def refusals(self, pair: PairEvidence) -> tuple[RefusalReason, ...]:
        """Nothing."""
        return ()

    def refusals_of_text(self, source: str, target: str, locale: str = "") -> tuple[RefusalReason, ...]:
        """Nothing."""
        return ()


class LearnerTask(Struct, frozen=True, kw_only=True):
    """What a learner is made for."""

    assistant_id: str
    start_ms: int  # midnight of the first day, milliseconds since 1970
    folder: Path  # where it may keep what it has learned
    settings: Settings
    guards: bool  # whether pairs are judged by what they mean and who made them


def as_logged(turn: TurnEvent) -> TurnEvent:
    """A turn as it is."""
    return turn


def as_if_said(turn: TurnEvent) -> TurnEvent:
    """A turn of which nothing tells that a rewrite was run: as if its user had said what was run."""
    request = msgspec.structs.replace(turn.request, text=turn.executed)
    return msgspec.structs.replace(turn, request=request, executed_text=None, rewrite_id=None)


class TableLearner:
    """The table of this build, learned as `rehear learn` and the workers do, with a database in a folder.

    Args:
        name: as the report calls it.
        seen: what the learner sees of a turn.
        task: what it is made for.
    """

    def __init__(self, name: str, seen: Callable[[TurnEvent], TurnEvent], task: LearnerTask) -> None:
        self._name = name
        self._seen = seen
        self._assistant_id = AssistantId(task.assistant_id)
        self._start_ms = self._now_ms = task.start_ms
        self._engine = open_database(task.folder / f"{name}.db")
        settings = task.settings
        guard = None if task.guards else NoGuard(settings.guards, settings.sensitive)
        self._learners = TurnLearners(self._engine, settings, lambda: self._now_ms, guard)

    @property
    def name(self) -> str:
        """As the report calls it."""
        return self._name

    def learn(self, day: int, turns: Sequence[TurnEvent]) -> None:
        """Learns from all turns of a day, in time order."""
        self._now_ms = self._start_ms + (day + 1) * DAY_MS
        if turns:
            self._learners.absorb([self._seen(turn) for turn in turns])
            self._learners.solve([self._assistant_id])

    def table(self) -> ServedTable:
        """What is served from now on."""
        snapshot = self._learners.table.read(self._assistant_id)
        return ServedTable.of(self._assistant_id, snapshot.version, snapshot.rewrites)

    def close(self) -> None:
        """Closes the database."""
        self._engine.dispose()


LEARNERS: Mapping[str, Callable[[LearnerTask], LoopLearner]] = {
    "rehear": partial(TableLearner, "rehear", as_logged),
    "naive": partial(TableLearner, "naive", as_if_said),
}
"""This build, and this build where it does not know what its own rewrites did."""
