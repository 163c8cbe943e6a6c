"""Request history: what one user of one assistant has asked for, and how it went.

The personal layer of rewriting. It is made of the user's own sessions alone, and read when it is needed: so
it is as new as the last session that was stored, and a user who is forgotten has none.

Of a request that was rewritten, what was run is no habit: the user has not said it. That they were content
with it says what they mean by what they said.
"""

from collections.abc import Iterable

from msgspec import Struct, field

from labeling.text.outcome import UNKNOWN
from rewriting.evidence.exact_count import add_count, add_nested_count
from rewriting.evidence.interpretation import Interpretation
from rewriting.requests.step import RequestStep, RequestText, SessionRequests


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
    """What became of a text of the user's, where it was run as it is."""

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
        self._run: dict[RequestText, dict[Interpretation, int]] = {}
        """Text -> what a rewrite has run for it -> times that the user was content, less those that not."""
        for session in sessions:
            self.add(session)

    def add(self, session: SessionRequests) -> None:
        """Adds a session; add them in the order of time."""
        for step, later in zip(session.steps, session.each_second_try(), strict=True):
            if later is not None:
                target = session.steps[later].interpretation
                add_count(self.repairs.setdefault(step.text, {}), target, 1)
                add_count(self.repaired_to, target, 1)
            if step.run:
                add_nested_count(self._run, step.text, step.interpretation, _content(step))
                continue
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

    def content_with(self, text: RequestText) -> dict[Interpretation, int]:
        """What rewrites have run for a text, to the user's content more often than not -> by how many times.

        It says what they mean by the text, for the user alone. It is no second try: the guard of candidates
        takes that for the user's own word.
        """
        return {key: times for key, times in self._run.get(text, {}).items() if times > 0}


def _content(step: RequestStep) -> int:
    """1 where nothing speaks against what was run, -1 where it was not met, 0 where nobody knows."""
    if step.success > UNKNOWN:
        return 1
    return -1 if step.goes_on == 1 or step.success == 0 else 0


def hour_of(ts_ms: int) -> int:
    """The hour of the day (UTC), 0..23."""
    return ts_ms // 3_600_000 % 24
