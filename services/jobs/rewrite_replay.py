"""Replaying a log: what the lookup API would have answered at each turn."""

import heapq
from collections.abc import Iterable, Iterator
from itertools import count

from msgspec import Struct
from sqlalchemy import Connection

from rewriting.evidence.understanding_confidence import turn_confidence
from rewriting.ranking.decision import decide
from rewriting.ranking.online_rewriter import OnlineAnswer
from rewriting.requests.asked_request import asked_request
from rewriting.requests.history import RequestHistory
from rewriting.requests.session_store import recent_sessions
from rewriting.requests.statistics_store import StoredStatistics
from rewriting.requests.step import SessionRequests, session_requests
from rewriting.table.lookup import LookupTable
from rewriting.table.occasion import occasion_of
from rewriting.table.rewrite import Method, Scope
from services.jobs.served_layers import OnlineLayer, ServedLayers
from streams.session import DEFAULT_GAP_MS, Session, SessionId, sessionize
from streams.turn import AssistantId, EventId, TurnEvent, UserId


class ReplayedTurn(Struct, frozen=True):
    """One line of output."""

    event_id: EventId
    rewrite: str | None
    method: Method | None
    scope: Scope | None
    score: float | None  # 0..1


def replay_turns(
    turns: Iterable[TurnEvent],
    layers: ServedLayers,
    connection: Connection,
    gap_ms: int = DEFAULT_GAP_MS,
) -> Iterator[ReplayedTurn]:
    """Answers for each turn, in the order of time.

    A user's history is what was learned of them and the sessions of this log that had ended by then; of the
    session that is going on, the turns before count as context. Nothing later is looked at.

    Args:
        turns: of any users and assistants.
        layers: of all assistants; nothing is known of one that is not there.
        connection: for statistics and histories; on which all statements see one state of the database.
        gap_ms: silence that ends a session.
    """
    sessions = sessionize(turns, gap_ms)
    upcoming = sorted(
        (
            (turn.ts_ms, turn.event_id, session, i)
            for session in sessions
            for i, turn in enumerate(session.turns)
        ),
        key=lambda item: item[:2],
    )
    histories = _Histories(connection, {session.session_id for session in sessions})
    statistics: dict[AssistantId, StoredStatistics] = {}
    ended: list[tuple[int, int, Session]] = []
    order = count()
    for ts_ms, event_id, session, i in upcoming:
        while ended and ended[0][0] < ts_ms - gap_ms:
            histories.add(session_requests(heapq.heappop(ended)[2]))
        turn = session.turns[i]
        earlier = session.turns[:i]
        known = statistics.setdefault(
            session.assistant_id, StoredStatistics(connection, session.assistant_id)
        )
        parts = layers.online.get(session.assistant_id)

        def ask_online(
            parts: OnlineLayer | None = parts,
            turn: TurnEvent = turn,
            earlier: tuple[TurnEvent, ...] = earlier,
            known: StoredStatistics = known,
        ) -> OnlineAnswer | None:
            if parts is None:
                return None
            history = histories.of(AssistantId(turn.assistant_id), UserId(turn.user_id), turn.ts_ms - gap_ms)
            return parts.rewriter.answer(asked_request(turn, earlier), known, history, parts.index)

        table = layers.tables.get(session.assistant_id) or LookupTable.empty(session.assistant_id)
        decision = decide(
            table,
            turn.request.text,
            session.user_id,
            turn_confidence(turn),
            occasion_of(turn, earlier[-1] if earlier else None),
            ask_online,
            layers.verdicts.get(session.assistant_id),
        )
        rewrite = decision.answer.rewrite
        if rewrite is None:
            yield ReplayedTurn(EventId(event_id), None, None, None, None)
        else:
            yield ReplayedTurn(EventId(event_id), rewrite.text, rewrite.method, rewrite.scope, rewrite.score)
        if i == len(session.turns) - 1:
            heapq.heappush(ended, (session.end_ms, next(order), session))


class _Histories:
    """Histories of users as time goes on.

    Args:
        connection: for the sessions that are stored.
        replayed: sessions of the log, which are not taken from the database: they may be there already.
    """

    def __init__(self, connection: Connection, replayed: set[SessionId]) -> None:
        self._connection = connection
        self._replayed = replayed
        self._histories: dict[tuple[AssistantId, UserId], RequestHistory] = {}
        self._waiting: dict[tuple[AssistantId, UserId], list[SessionRequests]] = {}

    def add(self, session: SessionRequests) -> None:
        """Adds a session of the log that has ended."""
        key = session.assistant_id, session.user_id
        self._read(key)
        self._histories[key].add(session)

    def of(self, assistant_id: AssistantId, user_id: UserId, until_ms: int) -> RequestHistory:
        """The history of a user, of sessions that ended before `until_ms`; ask in the order of time."""
        key = assistant_id, user_id
        self._read(key)
        waiting, history = self._waiting[key], self._histories[key]
        while waiting and waiting[-1].end_ms < until_ms:
            history.add(waiting.pop())
        return history

    def _read(self, key: tuple[AssistantId, UserId]) -> None:
        if key in self._histories:
            return
        stored = recent_sessions(self._connection, *key)  # the newest first
        self._waiting[key] = [session for session in stored if session.session_id not in self._replayed]
        self._histories[key] = RequestHistory()
