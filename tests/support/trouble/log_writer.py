"""Writes turn events: sessions of invented users, as a case's assistant would log them."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .case import Turn, Understanding

START_MS = 1_767_603_600_000  # 5 January 2026, 9:00 UTC
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000

FAILURES = ("error", "no_result", "rejected", "interrupted")
"""How a failure shows: by the status, by negative feedback, by a barge-in."""


@dataclass(frozen=True)
class Understood:
    """What a request was taken for."""

    domain: str | None
    intent: str
    slots: dict[str, str] = field(default_factory=dict)


NOT_UNDERSTOOD = Understood(None, "fallback")


@dataclass(frozen=True)
class Said:
    """A request and what came of it."""

    text: str
    understood: Understood = NOT_UNDERSTOOD
    status: str | None = "ok"
    feedback: str | None = None
    barge_in: bool | None = None
    response: str | None = None
    prompt: str | None = None
    locale: str | None = None  # None: that of the log
    confidence: float | None = None  # of the recogniser; None: as the log has it
    more: dict[str, Any] = field(default_factory=dict)  # other fields of the turn

    def failing(self, how: str) -> "Said":
        """The same, gone wrong visibly: one of `FAILURES`."""
        if how == "rejected":
            return replace(self, status="ok", feedback="negative")
        if how == "interrupted":
            return replace(self, status="ok", barge_in=True)
        return replace(self, status=how)


class LogWriter:
    """The log of one case; time goes on with each session.

    Args:
        name: of the case: its assistant's id, and the start of all other ids.
        understanding: what is logged of it.
        chance: draws the gaps.
        locale: of all turns; None logs none.
    """

    def __init__(
        self, name: str, understanding: Understanding, chance: random.Random, locale: str | None
    ) -> None:
        self.name = name
        self.understanding = understanding
        self.chance = chance
        self.locale = locale
        self.turns: list[Turn] = []
        self.now_ms = START_MS + chance.randrange(5 * DAY_MS)
        self._users = 0
        self.confident = chance.random() < 0.25  # whether the recogniser says how sure it is

    def users(self, count: int) -> list[str]:
        """New users."""
        self._users += count
        return [f"{self.name}-u{number}" for number in range(self._users - count, self._users)]

    def rest(self, least_ms: int = 4 * MINUTE_MS, most_ms: int = 3 * HOUR_MS) -> None:
        """Lets time pass before the next session."""
        self.now_ms += self.chance.randint(least_ms, most_ms)

    def session(
        self,
        user: str,
        *said: Said,
        gaps_ms: Sequence[int] | None = None,
        dialogue: bool = False,
        rest: bool = True,
    ) -> None:
        """A session of one user: 5 to 40 s from one turn to the next, if not told."""
        if rest:
            self.rest()
        dialogue_id = f"{self.name}-d{len(self.turns)}" if dialogue else None
        for number, one in enumerate(said):
            if number:
                self.now_ms += gaps_ms[number - 1] if gaps_ms else self.chance.randint(5_000, 40_000)
            self._write(user, one, dialogue_id)

    def each(self, users: Iterable[str], *said: Said, dialogue: bool = False) -> None:
        """The same session of each user."""
        for user in users:
            self.session(user, *said, dialogue=dialogue)

    def confidence_of(self, text: str) -> float | None:
        """How sure the recogniser was of a text in this log; None: it does not say, or never heard it."""
        heard = (turn["request"] for turn in self.turns if turn["request"]["text"] == text)
        return next((request["asr"][0]["confidence"] for request in heard if "asr" in request), None)

    def _confidence(self, said: Said) -> float:
        """Of a text the same in the whole log; what is not understood is heard less surely."""
        known = said.confidence or self.confidence_of(said.text)
        if known is not None:
            return known
        low, high = (0.36, 0.6) if said.understood == NOT_UNDERSTOOD else (0.7, 0.95)
        return round(self.chance.uniform(low, high), 3)

    def _write(self, user: str, said: Said, dialogue_id: str | None) -> None:
        request: dict[str, Any] = {"text": said.text}
        if self.confident or said.confidence is not None:
            request["asr"] = [{"text": said.text, "confidence": self._confidence(said)}]
        turn: Turn = {
            "schema_version": 1,
            "event_id": f"{self.name}-{len(self.turns):05d}",
            "assistant_id": self.name,
            "user_id": user,
            "ts_ms": self.now_ms,
            "request": request,
        }
        if dialogue_id is not None:
            turn["dialogue_id"] = dialogue_id
        if locale := said.locale or self.locale:
            turn["locale"] = locale
        if said.prompt is not None:
            turn["prompt"] = said.prompt
        if self.understanding != "none":
            hypothesis: dict[str, Any] = {"intent": said.understood.intent}
            if self.understanding == "slots":
                hypothesis["domain"] = said.understood.domain
                slots = said.understood.slots.items()
                hypothesis["slots"] = [{"name": name, "value": value} for name, value in slots]
            turn["nlu"] = [hypothesis]
        response = {"text": said.response, "status": said.status}
        turn["response"] = {key: value for key, value in response.items() if value is not None}
        signals = {"feedback": said.feedback, "barge_in": said.barge_in}
        if signals := {key: value for key, value in signals.items() if value is not None}:
            turn["signals"] = signals
        self.turns.append(turn | said.more)
