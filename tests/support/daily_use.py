"""Makes the sessions of many users over weeks, in which something may change."""

from collections import Counter
from collections.abc import Iterable, Sequence

from rewritten_turns import DAY_MS, said, session_of
from turns import START_MS

from rewriting.chains.miner import ChainMiner, MinedChange
from rewriting.chains.settings import ChainSettings
from rewriting.chains.step import SessionSteps, session_steps
from rewriting.table.rewrite import Rewrite
from streams.turn import AssistantId, TurnEvent

ASSISTANT = AssistantId("a")
ORDINARY = ("what time is it", "tell me a joke", "how is the weather", "set an alarm for seven")


class DailyUse:
    """The sessions of an assistant, in the order in which they were made."""

    def __init__(self) -> None:
        self.sessions: list[SessionSteps] = []
        self._numbers: Counter[tuple[str, int]] = Counter()

    def say(self, user: str, day: int, *turns: TurnEvent) -> None:
        """One more session of a user on a day."""
        number = self._numbers[user, day]
        self._numbers[user, day] += 1
        self.sessions.append(session_steps(session_of(user, *turns, day=day, number=number)))

    def live(self, users: Iterable[str], days: Sequence[int]) -> None:
        """What users say beside all else: something on every other day, and on the last."""
        for user in users:
            for day in sorted({*days[::2], days[-1]}):
                self.say(user, day, said(ORDINARY[day % len(ORDINARY)]))


def users(name: str, number: int) -> list[str]:
    """So many users."""
    return [f"{name}-{i}" for i in range(number)]


def learned(*parts: Iterable[SessionSteps]) -> ChainMiner:
    """The miner of all sessions, solved after each part."""
    miner = ChainMiner(ASSISTANT, ChainSettings())
    for sessions in parts:
        add(miner, sessions)
    return miner


def add(miner: ChainMiner, sessions: Iterable[SessionSteps]) -> MinedChange:
    """Adds sessions to a miner and solves it."""
    for session in sessions:
        miner.touch(miner.counts.add(session))
    return miner.solve()


def rows_of(miner: ChainMiner) -> dict[str, Rewrite]:
    """By source text."""
    return {row.source_text: row for row in miner.rewrites}


def pairs_of(miner: ChainMiner) -> dict[str, str]:
    """Source text -> target text."""
    return {row.source_text: row.target_text for row in miner.rewrites}


def before_and_since(
    sessions: Iterable[SessionSteps], day: int
) -> tuple[list[SessionSteps], list[SessionSteps]]:
    """The sessions before a day, and those since."""
    found = list(sessions)
    since = START_MS // DAY_MS + day
    return [one for one in found if one.day < since], [one for one in found if one.day >= since]
