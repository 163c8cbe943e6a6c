"""A log whose labels are scored: its turns in order, and what is true of them."""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from services.evaluation.common.arrays import Ints
from services.evaluation.common.confidence_interval import Cluster
from services.evaluation.common.resamples import numbered
from services.evaluation.common.same_events import require_known_events
from services.evaluation.labels.gold import GoldLabel
from streams.session import DEFAULT_GAP_MS, sessionize
from streams.turn import EventId, TurnEvent


class LabelLog(Struct, frozen=True, kw_only=True):
    """The turns of a log. Those of a dialogue, or of a user where there are no dialogues, follow each other.

    Arrays and lists are parallel to the turns.
    """

    turns: Sequence[TurnEvent]
    gold: Sequence[GoldLabel]  # it says nothing where there is no line
    user: Ints  # 0..users-1
    users: int
    cluster: Ints  # 0..clusters-1: the user; where there is one alone, the session
    clusters: int
    clustered: Cluster
    stretch: Ints  # number of the dialogue, or of the user where the log has no dialogues
    session: Ints  # number of the session: a dialogue, or turns without a longer gap

    @classmethod
    def join(
        cls, turns: Sequence[TurnEvent], gold: Sequence[GoldLabel], gap_ms: int = DEFAULT_GAP_MS
    ) -> "LabelLog":
        """Puts turns in order, and gold beside them; turns may have none.

        Raises:
            MismatchError: an event occurs twice, or gold speaks of events that the turns do not have.
        """
        events = [turn.event_id for turn in turns]
        require_known_events(events, [line.event_id for line in gold], "gold")
        lines = {event: GoldLabel(event_id=EventId(event)) for event in events}
        lines |= {str(line.event_id): line for line in gold}
        session_of = {
            turn.event_id: number
            for number, session in enumerate(sessionize(turns, gap_ms))
            for turn in session.turns
        }
        in_order = sorted(turns, key=_order)
        user, users = numbered(turn.key for turn in in_order)
        stretch, _ = numbered((turn.key, turn.dialogue_id) for turn in in_order)
        session = np.array([session_of[turn.event_id] for turn in in_order], dtype=np.int64)
        one_user = users < 2
        return cls(
            turns=in_order,
            gold=[lines[turn.event_id] for turn in in_order],
            user=user,
            users=users,
            cluster=session if one_user else user,
            clusters=len(set(session_of.values())) if one_user else users,
            clustered="dialogues" if one_user else "users",
            stretch=stretch,
            session=session,
        )

    def sessions(self) -> list[Ints]:
        """The numbers of the turns of each session, in order."""
        order = np.argsort(self.session, kind="stable")
        ends = np.flatnonzero(np.diff(self.session[order])) + 1
        return np.split(order, ends) if len(order) else []


def _order(turn: TurnEvent) -> tuple[str, str, str, int, str]:
    return (turn.assistant_id, turn.user_id, turn.dialogue_id or "", turn.ts_ms, turn.event_id)
