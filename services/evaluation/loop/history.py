"""What happened in a closed loop under one learner: every turn, and the table that was served on each day."""

from collections.abc import Mapping

from msgspec import Struct

from labeling.text.normalisation import normalise
from rewriting.table.rewrite import RewriteId
from services.evaluation.loop.learner import ServedTable
from services.simulator.loop.turn import Arm, LoopTurn
from services.simulator.world.frame import Frame


class Pair(Struct, frozen=True, order=True):
    """What a row replaces, and by what; both normalised."""

    source: str
    target: str


class LivedTurn(Struct, frozen=True, kw_only=True, gc=False):
    """What is counted of a turn."""

    day: int
    user_id: str
    arm: Arm
    honest: bool  # not of a planted account
    said: str  # normalised
    before: str  # the same of the try before at the same wish; empty: there is none
    meant: Frame
    run: str | None  # by a rewrite, normalised; None: what was said
    right_as_said: bool
    right: bool
    called: bool  # a call was made
    meant_call: bool  # to whom it was meant

    @property
    def pair(self) -> Pair | None:
        """The rewrite that was run."""
        return None if self.run is None else Pair(self.said, self.run)

    @property
    def won(self) -> bool:
        """Whether a rewrite made it right."""
        return self.run is not None and self.right and not self.right_as_said

    @property
    def lost(self) -> bool:
        """Whether a rewrite made it wrong."""
        return self.run is not None and self.right_as_said and not self.right


LiveRows = Mapping[RewriteId, Pair]


class LoopHistory(Struct, frozen=True, kw_only=True):
    """All that happened under one learner."""

    learner: str
    tables: tuple[LiveRows, ...]  # served on each day; that of day 0 is empty
    turns: tuple[LivedTurn, ...]

    @property
    def days(self) -> int:
        """How many there were."""
        return len(self.tables)

    def days_live(self, pair: Pair) -> list[int]:
        """The days on which a pair was served."""
        return [day for day, rows in enumerate(self.tables) if pair in rows.values()]


def lived(turn: LoopTurn, arm: Arm) -> LivedTurn:
    """What is counted of a turn of a user of this arm."""
    run = turn.event.executed_text
    return LivedTurn(
        day=turn.day,
        user_id=turn.event.user_id,
        arm=arm,
        honest=turn.honest,
        said=turn.said,
        before=turn.before,
        meant=turn.meant,
        run=None if run is None else normalise(run),
        right_as_said=turn.right_as_said,
        right=turn.right,
        called=turn.called,
        meant_call=turn.meant_call,
    )


def live_rows(table: ServedTable) -> LiveRows:
    """The rows of a table as they are counted."""
    return {row.rewrite_id: Pair(row.source_text, normalise(row.target_text)) for row in table.live}
