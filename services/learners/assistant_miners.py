"""Assistant miners: what the sessions of one assistant warrant, and what the guard holds back."""

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet

from labeling.text.normalisation import normalise
from rewriting.answers.miner import AnswerMiner
from rewriting.chains.counts import text_of
from rewriting.chains.miner import ChainMiner, MinedChange, RefusedPair
from rewriting.chains.step import SessionSteps
from rewriting.guards.judged_rewrites import JudgedRewrite
from rewriting.guards.pair_guard import PairGuard
from rewriting.guards.reason import REFUSAL_REASONS, RefusalReason
from rewriting.guards.refused_rewrites import RefusedRewrite
from rewriting.ranking.candidate_guard import CandidateGuard
from rewriting.table.occasion import locale_key
from rewriting.table.rewrite import Rewrite, RewriteId
from services.settings import Settings
from streams.turn import AssistantId


class AssistantMiners:
    """The miners of one assistant: of its chain, and of what users answer to its questions."""

    def __init__(
        self,
        assistant_id: AssistantId,
        settings: Settings,
        allowed: AbstractSet[tuple[str, str, str]] = frozenset(),
        guard: PairGuard | None = None,
    ) -> None:
        self._guard = guard or guard_of(settings)
        self.chain = ChainMiner(assistant_id, settings.chain, self._guard, allowed)
        self._answers = AnswerMiner(assistant_id, settings.answers, self._guard)

    @property
    def rewrites(self) -> list[Rewrite]:
        """All that are warranted, as of the last `solve`."""
        return [*self.chain.rewrites, *self._answers.rewrites]

    @property
    def refused(self) -> list[RefusedRewrite]:
        """What the guard holds back, as of the last `solve`; each pair once in each locale, sorted by source.

        A target that is understood in several ways is not refused where one of them is warranted.
        """
        served = {(row.source_text, normalise(row.target_text), row.locale) for row in self.chain.rewrites}
        found: dict[tuple[str, str, str], set[RefusalReason]] = {}
        for pair in self.chain.refused:
            if served.isdisjoint({(pair.source, pair.target, locale) for locale in {pair.locale, ""}}):
                found.setdefault((pair.source, pair.target, pair.locale), set()).update(pair.reasons)
        return [
            RefusedRewrite(source, target, locale, in_order(reasons))
            for (source, target, locale), reasons in found.items()
        ]

    @property
    def judged(self) -> list[JudgedRewrite]:
        """How the rows fare that the guard let through, as of the last `solve`; sorted by source and locale.

        They are those that are warranted, and those that are blocked; one that the chain does not warrant for
        another cause is none of them. A row that holds in several locales, or whose target is understood in
        several ways, is told by the one of them in which most requests have judged it.
        """
        warranted = {(row.rewrite_id, normalise(row.target_text)) for row in self.chain.rewrites}
        most: dict[tuple[RewriteId, str], JudgedRewrite] = {}
        for row in self.chain.judged:
            key = (row.rewrite_id, row.target_text)
            if (row.state == "live") != (key in warranted):
                continue
            known = most.get(key)
            if known is None or row.run_requests > known.run_requests:
                most[key] = row
        return list(most.values())

    def refusals(self, rows: Iterable[Rewrite]) -> dict[RewriteId, tuple[RefusalReason, ...]]:
        """Why the guard takes back those of some rows of the chain, none warranted, that it refuses.

        Others go for another cause, or because a row for fewer locales takes their place.
        """
        warranted = {(row.source_text, normalise(row.target_text)) for row in self.chain.rewrites}
        refused: dict[tuple[str, str], list[RefusedPair]] = {}
        for pair in self.chain.refused:
            refused.setdefault((pair.source, pair.target), []).append(pair)
        found = {}
        for row in rows:
            said = (row.source_text, normalise(row.target_text))
            if said in warranted:
                continue
            by_users = {
                reason
                for pair in refused.get(said, ())
                if locale_key(row.locale) in ("", pair.locale)
                for reason in pair.reasons
            }
            if reasons := in_order(by_users) or self._guard.refusals_of_text(*said, row.locale):
                found[row.rewrite_id] = reasons
        return found

    def lack_of_evidence(self, row: Rewrite) -> tuple[RefusalReason, ...]:
        """Why no second try speaks for a row; nothing where one does, or nobody says its source any more."""
        counts, target = self.chain.counts, normalise(row.target_text)
        keys = counts.keys_of(row.source_text)
        tried_in = {
            text_of(key)[1]
            for key in keys
            for tries in counts.texts[key].led_to.values()
            if any(tried.text == target for tried in tries.values())
        }
        if tried_in:
            elsewhere = bool(row.locale) and tried_in.isdisjoint({locale_key(row.locale), ""})
            return ("locale",) if elsewhere else ()
        if any(text_of(other)[0] == target for key in keys for other in counts.unordered.get(key, ())):
            return ("no_order",)
        return ("not_said_by_these_users",) if keys else ()

    def users_of(self, source: str) -> int:
        """How many have said a text, in whatever locale; normalised."""
        counts = self.chain.counts
        return len(set().union(*(counts.texts[key].users for key in counts.keys_of(source))))

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


def candidate_guard_of(settings: Settings) -> CandidateGuard:
    """The same of what is decided online."""
    return CandidateGuard(guard_of(settings))


def in_order(reasons: Collection[RefusalReason]) -> tuple[RefusalReason, ...]:
    """Reasons in the order in which they are told, each once."""
    return tuple(reason for reason in REFUSAL_REASONS if reason in reasons)
