"""Logs whose right table is known by construction."""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from services.errors import SimulationError
from streams.turn import (
    EventId,
    NluHypothesis,
    Recognition,
    Request,
    Response,
    Signals,
    Slot,
    Status,
    TurnEvent,
)

APART_MS = 600_000
"""From the start of a session to that of the next of the same user: ten minutes, above any sensible gap."""


class PlantedPair(Struct, frozen=True, kw_only=True):
    """A text that fails, and the text that the same users say next, with success."""

    source: str
    target: str
    users: int  # distinct users who do so; at least 1
    sessions_per_user: int = 1  # at least 1
    source_status: Status = "error"
    target_status: Status = "ok"
    barge_in: bool = False  # whether users cut the answer to the source short


def plant_hypothesis(text: str) -> NluHypothesis:
    """The usual understanding of a planted text: an interpretation of its own."""
    return NluHypothesis(
        domain="planted", intent="say", slots=(Slot(name="text", value=text),), confidence=0.9
    )


def planted_log(
    pairs: Sequence[PlantedPair],
    *,
    successes: Mapping[str, int] | None = None,
    failures: Mapping[str, int] | None = None,
    assistant_id: str = "planted-assistant",
    start_ms: int = 1_736_121_600_000,
    retry_ms: int = 8_000,
    understand: Callable[[str], NluHypothesis | None] = plant_hypothesis,
) -> list[TurnEvent]:
    """A log in time order in which exactly these things happen, each in a session of its own.

    Users are numbered from 0, and every pair starts again with user 0: pairs share users, while one pair has
    as many distinct users as it asks for. Sessions of a user are ten minutes apart. There is no chance in it.

    Args:
        pairs: a failed source, followed after `retry_ms` by its target.
        successes: text -> number of users who say it once, alone, with success.
        failures: text -> number of users who say it once, alone, without success, and leave it at that.
        assistant_id: of all turns.
        start_ms: start of the first session, milliseconds since 1970.
        retry_ms: from the source to the target, 1 to 300,000.
        understand: text -> the assistant's interpretation, or None for a log without any.

    Raises:
        SimulationError: a count is below 1, or `retry_ms` out of range.
    """
    if not 1 <= retry_ms <= APART_MS // 2:
        raise SimulationError(f"retry_ms of a planted log is {retry_ms}: give 1 to {APART_MS // 2}")
    for pair in pairs:
        if pair.users < 1 or pair.sessions_per_user < 1:
            raise SimulationError(f"{pair} has no session: give at least 1 user and 1 session_per_user")
    for text, users in [*(successes or {}).items(), *(failures or {}).items()]:
        if users < 1:
            raise SimulationError(f"{text!r} is said by {users} users: give at least 1, or leave it out")
    gardener = _Gardener(assistant_id, start_ms, retry_ms, understand)
    for pair in pairs:
        for user in range(pair.users):
            for _ in range(pair.sessions_per_user):
                gardener.plant(
                    user,
                    (pair.source, pair.source_status, Signals(barge_in=pair.barge_in, terminated=False)),
                    (pair.target, pair.target_status, Signals(barge_in=False, terminated=False)),
                )
    for text, users in (successes or {}).items():
        for user in range(users):
            gardener.plant(user, (text, "ok", Signals(barge_in=False, terminated=False)))
    for text, users in (failures or {}).items():
        for user in range(users):
            gardener.plant(user, (text, "error", Signals(barge_in=False, terminated=True)))
    return sorted(gardener.turns, key=lambda turn: (turn.ts_ms, turn.event_id))


class _Gardener(Struct):
    assistant_id: str
    start_ms: int
    retry_ms: int
    understand: Callable[[str], NluHypothesis | None]
    turns: list[TurnEvent] = []
    sessions: dict[int, int] = {}  # so far, by user

    def plant(self, user: int, *steps: tuple[str, Status, Signals]) -> None:
        """One session of a user, in the ten minutes after the last one."""
        session = self.sessions[user] = self.sessions.get(user, -1) + 1
        for step, (text, status, signals) in enumerate(steps):
            hypothesis = self.understand(text)
            self.turns.append(
                TurnEvent(
                    schema_version=1,
                    event_id=EventId(f"planted-{user:05d}-{session:05d}-{step}"),
                    assistant_id=self.assistant_id,
                    user_id=f"u{user:05d}",
                    # A user's number of milliseconds sets users apart without changing what happens.
                    ts_ms=self.start_ms + session * APART_MS + step * self.retry_ms + user,
                    request=Request(text=text, asr=(Recognition(text=text, confidence=0.8),)),
                    nlu=() if hypothesis is None else (hypothesis,),
                    response=Response(text=None, action=None, status=status),
                    signals=signals,
                )
            )
