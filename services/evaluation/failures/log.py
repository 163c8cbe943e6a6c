"""A log whose failure points are scored: its turns in order, where they failed, and what is resampled."""

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct

from failure_isolation.rule import FAILURE_POINTS
from failure_isolation.turn_failure import TurnFailure
from services.evaluation.common.arrays import Bools, Floats, Ints
from services.evaluation.common.confidence_interval import Cluster
from services.evaluation.common.resamples import numbered
from services.evaluation.common.same_events import aligned_lines, require_known_events
from services.evaluation.failures.gold import GoldFailure
from services.evaluation.labels.log import LabelLog
from streams.session import DEFAULT_GAP_MS
from streams.turn import TurnEvent


class FailureItems(Struct, frozen=True, kw_only=True):
    """The turns whose failure point is known."""

    turn: Ints  # (items,) number in the log
    truth: Ints  # (items,) number in `FAILURE_POINTS`
    cluster: Ints  # (items,) 0..clusters-1

    @property
    def support(self) -> Ints:
        """(classes,) how many items have each class."""
        return np.bincount(self.truth, minlength=len(FAILURE_POINTS))


class FailureLog(Struct, frozen=True, kw_only=True):
    """The turns of a log. Those of a session follow each other."""

    turns: Sequence[TurnEvent]
    session: Ints  # (turns,) number of the session
    items: FailureItems
    clusters: int
    cluster: Cluster
    users: int  # of the items
    derived: bool  # some of the gold was made by a rule

    @classmethod
    def join(
        cls,
        turns: Sequence[TurnEvent],
        gold: Sequence[GoldFailure],
        gap_ms: int = DEFAULT_GAP_MS,
        groups: Mapping[str, str] | None = None,
    ) -> "FailureLog":
        """Puts turns in order, and gold beside them; turns may have none.

        Users are resampled. Where all items are of one user, it is the groups, where there are any, or else
        the dialogues.

        Args:
            turns: the test log.
            gold: of all or some of its turns.
            gap_ms: as for `sessionize`.
            groups: of turns by their event, such as recordings of one sentence; a turn without one is a
                group of its own.

        Raises:
            MismatchError: an event occurs twice, or gold speaks of events that the turns do not have.
        """
        log = LabelLog.join(turns, [], gap_ms)
        require_known_events([turn.event_id for turn in turns], [str(line.event_id) for line in gold], "gold")
        order = np.concatenate(log.sessions()) if log.turns else np.zeros(0, dtype=np.int64)
        in_order = [log.turns[number] for number in order.tolist()]
        points = {str(line.event_id): line.failure_point for line in gold}
        known = [
            (number, FAILURE_POINTS.index(point))
            for number, turn in enumerate(in_order)
            if (point := points.get(turn.event_id)) is not None
        ]
        turn, truth = (np.array([pair[side] for pair in known], dtype=np.int64) for side in (0, 1))
        session, user = log.session[order], log.user[order]
        kind: Cluster = "users"
        of_cluster = [str(number) for number in user[turn].tolist()]
        if len(set(of_cluster)) < 2:
            kind = "dialogues" if groups is None else "groups"
            of_cluster = [
                # A space keeps sessions apart from groups of the same name.
                (groups or {}).get(in_order[number].event_id, f" {session[number]}")
                for number in turn.tolist()
            ]
        cluster, clusters = numbered(of_cluster)
        return cls(
            turns=in_order,
            session=session,
            items=FailureItems(turn=turn, truth=truth, cluster=cluster),
            clusters=clusters,
            cluster=kind,
            users=len(np.unique(user[turn])),
            derived=any(line.derived for line in gold),
        )

    def answers(self, failures: Sequence[TurnFailure], name: str) -> "FailureAnswers":
        """What a system says of the items.

        Args:
            failures: one for each turn of the log, in any order.
            name: of the system, for messages.

        Raises:
            MismatchError: failures are missing, unknown or repeated.
        """
        lines = aligned_lines(self.turns, failures, f"failures of {name!r}")
        said = [lines[number] for number in self.items.turn.tolist()]
        return FailureAnswers(
            named=np.array([FAILURE_POINTS.index(one.failure_point) for one in said], dtype=np.int64),
            confidence=np.array([one.confidence for one in said], dtype=np.float64),
            abstains=np.array([one.abstains for one in said], dtype=np.bool_),
        )


class FailureAnswers(Struct, frozen=True, kw_only=True):
    """What one system says of each item."""

    named: Ints  # (items,) number in `FAILURE_POINTS`
    confidence: Floats  # (items,) 0..1, that it is right
    abstains: Bools  # (items,)
