"""Request history: what one user of one assistant has asked for, and how it went.

The personal layer of rewriting. It is made of the user's own sessions alone, and read when it is needed: so
it is as new as the last session that was stored, and a user who is forgotten has none.
"""

from collections.abc import Iterable

from msgspec import Struct, field

from rewriting.evidence.exact_count import add_count
from rewriting.evidence.interpretation import Interpretation
from rewriting.requests.step import RequestText, SessionRequests


class Habit(Struct):
    """What the user succeeds with."""

    weight: float = 0.0  # of success
    last_ms: int = 0
    hours: dict[int, int] = field(default_factory=dict)  # hour of the day (UTC), 0..23 -> times
    devices: dict[str, int] = field(default_factory=dict)
    texts: dict[str, int] = field(default_factory=dict)  # as it was said -> times

    @property
    def text(self) -> str:
        """How the user mostly says it."""
        return min(self.texts, key=lambda text: (-self.texts[text], text))


class SaidText(Struct, gc=False):
    """What became of a text of the user's."""

    requests: int = 0
    success: float = 0.0


class RequestHistory:
    """The sessions of one user, folded."""

    def __init__(self, sessions: Iterable[SessionRequests] = ()) -> None:
        self.habits: dict[Interpretation, Habit] = {}
        self.weight = 0.0  # of all success
        self.said: dict[RequestText, SaidText] = {}
        self.repairs: dict[RequestText, dict[Interpretation, int]] = {}  # text -> what was meant -> times
        self.repaired_to: dict[Interpretation, int] = {}
        for session in sessions:
            self.add(session)

    def add(self, session: SessionRequests) -> None:
        """Adds a session; add them in the order of time."""
        for i, (step, meant) in enumerate(zip(session.steps, session.each_meant(), strict=True)):
            said = self.said.setdefault(step.text, SaidText())
            said.requests += 1
            said.success += step.success
            if step.success:
                habit = self.habits.setdefault(step.interpretation, Habit())
                habit.weight += step.success
                habit.last_ms = max(habit.last_ms, step.ts_ms)
                add_count(habit.hours, hour_of(step.ts_ms), 1)
                if step.device is not None:
                    add_count(habit.devices, step.device, 1)
                add_count(habit.texts, step.surface, 1)
                self.weight += step.success
            if meant is not None and meant != i:
                target = session.steps[meant].interpretation
                add_count(self.repairs.setdefault(step.text, {}), target, 1)
                add_count(self.repaired_to, target, 1)


def hour_of(ts_ms: int) -> int:
    """The hour of the day (UTC), 0..23."""
    return ts_ms // 3_600_000 % 24
