"""Assistant miners: what the sessions of one assistant warrant, and what the guard holds back."""

from collections.abc import Set as AbstractSet

from rewriting.answers.miner import AnswerMiner
from rewriting.chains.miner import ChainMiner, MinedChange, RefusedPair
from rewriting.chains.step import SessionSteps
from rewriting.guards.pair_guard import PairGuard
from rewriting.table.rewrite import Rewrite
from services.settings import Settings
from streams.turn import AssistantId


class AssistantMiners:
    """The miners of one assistant: of its chain, and of what users answer to its questions."""

    def __init__(
        self,
        assistant_id: AssistantId,
        settings: Settings,
        allowed: AbstractSet[tuple[str, str, str]] = frozenset(),
    ) -> None:
        self.chain = ChainMiner(assistant_id, settings.chain, guard_of(settings), allowed)
        self._answers = AnswerMiner(assistant_id, settings.answers)

    @property
    def rewrites(self) -> list[Rewrite]:
        """All that are warranted, as of the last `solve`."""
        return [*self.chain.rewrites, *self._answers.rewrites]

    @property
    def refused(self) -> list[RefusedPair]:
        """What the guard holds back, as of the last `solve`."""
        return self.chain.refused

    def add(self, session: SessionSteps) -> None:
        """Adds a session that is not in."""
        self.chain.touch(self.chain.counts.add(session))
        self._answers.touch(self._answers.counts.add(session))

    def remove(self, session: SessionSteps) -> None:
        """Takes a session away that is in, as it was added."""
        self.chain.touch(self.chain.counts.remove(session))
        self._answers.touch(self._answers.counts.remove(session))

    def solve(self) -> MinedChange:
        """What has changed since the last time."""
        chain, answers = self.chain.solve(), self._answers.solve()
        return MinedChange((*chain.rewrites, *answers.rewrites), (*chain.withdrawn, *answers.withdrawn))


def guard_of(settings: Settings) -> PairGuard:
    """The guard of these settings."""
    return PairGuard(settings.guards, settings.sensitive)
