"""Chain mining: from counts to the rewrites they warrant.

A request with text u starts the chain with the outcomes of u itself, from there on with those of the
interpretations that followed, pooled over all texts that were understood so (docs/chains.md):

    w_j = sum_i P(i follows u) N_ij r_j      success by way of interpretation j
    s   = P(u is met as it is)

u is rewritten to the interpretation j with the greatest w_j if w_j >= odds * s; else it stays as it is.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet

import msgspec
import numpy as np
import scipy.sparse as sparse
from msgspec import Struct

from labeling.text.normalisation import normalise
from rewriting.chains.absorbing_chain import AbsorbingChain, absorbing_chain, components, last_states
from rewriting.chains.confidence_cell import ConfidenceCell
from rewriting.chains.confidence_guard import CellWays, row_limits
from rewriting.chains.counts import (
    ChainCounts,
    SecondTry,
    TextCounts,
    TextKey,
    text_key,
    text_of,
)
from rewriting.chains.run_outcomes import ORDINARY_SESSIONS, does_worse, fails_lately
from rewriting.chains.settings import ChainSettings
from rewriting.evidence.exact_count import add_nested_count
from rewriting.evidence.interpretation import Interpretation, told_by
from rewriting.evidence.wordings import written_by_most
from rewriting.guards.pair_guard import PairEvidence, PairGuard, PairUser
from rewriting.guards.reason import RefusalReason
from rewriting.guards.trust import trust
from rewriting.table.rewrite import GLOBAL, Rewrite, rewrite_id
from streams.turn import AssistantId, UserId


class MinedChange(Struct, frozen=True):
    """What the rewrites of an assistant became, where they changed."""

    rewrites: tuple[Rewrite, ...]  # new, or other than before; sorted by source text
    withdrawn: tuple[Rewrite, ...]  # no longer warranted, as they were; sorted by source text


class RefusedPair(Struct, frozen=True):
    """Two requests that users made in a row, of which the guard does not make a rewrite."""

    source: str  # normalised
    target: str  # normalised
    locale: str  # empty: none that is known
    reasons: tuple[RefusalReason, ...]  # not empty


class _Source(Struct, frozen=True):
    """What the guard is told of a source, whatever the target is."""

    text: str  # normalised
    locale: str
    interpretation: Interpretation
    said: int  # users who said it
    went_on: int  # users who went on from it to anything


class ChainMiner:
    """The chain of one assistant and the rewrites it warrants, kept up to date session by session."""

    def __init__(
        self,
        assistant_id: AssistantId,
        settings: ChainSettings,
        guard: PairGuard | None = None,
        allowed: AbstractSet[tuple[str, str, str]] = frozenset(),
    ) -> None:
        """Makes it.

        Args:
            assistant_id: whose chain.
            settings: what a rewrite must rest on.
            guard: judges pairs; by default one of default settings.
            allowed: source, target (both normalised) and locale of pairs that the guard is not asked about;
                without a locale: in any.
        """
        self.assistant_id = assistant_id
        self.counts = ChainCounts()
        self._settings = settings
        self._guard = guard or PairGuard()
        self._allowed = allowed
        self._rewrites: dict[TextKey, Rewrite] = {}
        self._refused: dict[TextKey, list[RefusedPair]] = {}
        self._unordered: dict[TextKey, list[RefusedPair]] = {}
        self._parts: dict[TextKey, dict[TextKey, bool]] = {}  # source -> part -> whether that is a request
        self._touched: set[int] = set()
        self._had_slots = False

    @property
    def rewrites(self) -> list[Rewrite]:
        """All rewrites that are warranted, as of the last `solve`, sorted by source text."""
        return [rewrite for _, rewrite in sorted(self._rewrites.items())]

    @property
    def refused(self) -> list[RefusedPair]:
        """What the guard held back, as of the last `solve`, sorted by source and locale."""
        keys = sorted({*self._refused, *self._unordered})
        return [
            pair for key in keys for held in (self._refused, self._unordered) for pair in held.get(key, ())
        ]

    def touch(self, numbers: Iterable[int]) -> None:
        """Notes interpretations whose counts have changed."""
        self._touched.update(numbers)

    def solve(self) -> MinedChange:
        """Solves the components that were touched since the last time, and only these."""
        self._touched |= self.counts.take_seen() | self._with_other_parts()
        if self.counts.has_slots != self._had_slots:  # all pairs are told by it
            self._had_slots = self.counts.has_slots
            self._touched.update(range(len(self.counts.interpretations)))
        for key in {*self._refused, *self._unordered, *self._parts} - self.counts.texts.keys():
            self._forget_pairs(key)
        before: dict[TextKey, Rewrite] = {}
        after: dict[TextKey, Rewrite] = {}
        for group in self.counts.connected(self._touched):
            texts = {text for number in group for text in self.counts.texts_at[number]}
            for text in texts:
                self._forget_pairs(text)
            before |= {text: self._rewrites[text] for text in texts if text in self._rewrites}
            for states in self._components(group):
                after |= self._mine(states)
            for text in self.counts.unordered.keys() & texts:
                for key in (text, *self.counts.unordered[text]):
                    self._unordered[key] = list(self._without_order(key))
        self._touched.clear()
        # A text that nobody has said any more is in no component.
        before |= {text: row for text, row in self._rewrites.items() if text not in self.counts.texts}
        for text in before:
            del self._rewrites[text]
        self._rewrites |= after
        # A row that comes to hold in all locales has another id, and one that ceases to.
        known = {row.rewrite_id: row for row in before.values()}
        warranted = {row.rewrite_id for row in after.values()}
        return MinedChange(
            tuple(row for _, row in sorted(after.items()) if known.get(row.rewrite_id) != row),
            tuple(row for _, row in sorted(before.items()) if row.rewrite_id not in warranted),
        )

    def _forget_pairs(self, source: TextKey) -> None:
        """Forgets what the last `solve` found of the pairs of a source."""
        self._refused.pop(source, None)
        self._unordered.pop(source, None)
        self._parts.pop(source, None)

    def _without_order(self, key: TextKey) -> Iterator[RefusedPair]:
        """The pairs of a text that enough users said at one time, so that it is not known what came first."""
        texts, settings = self.counts.texts, self._settings
        source, locale = text_of(key)
        tried = {tried.text for tries in texts[key].led_to.values() for tried in tries.values()}
        if len(texts[key].users) < settings.min_text_users:
            return
        for other, users in sorted(self.counts.unordered[key].items()):
            target = text_of(other)[0]
            is_shared = len(texts[other].met_users) >= settings.min_text_users
            if len(users) >= self._guard.settings.min_users and is_shared and target not in {source, *tried}:
                yield RefusedPair(source, target, locale, ("no_order",))

    def _with_other_parts(self) -> set[int]:
        """The interpretations of sources of which another part is a request by now, or none any more."""
        return {
            number
            for source, parts in self._parts.items()
            if source in self.counts.texts
            and any(self._is_request(part) != was for part, was in parts.items())
            for number in self.counts.texts[source].interpretations
        }

    def _components(self, group: list[int]) -> list[list[int]]:
        """Splits a group into the components that it consists of now; states in the order of their names."""
        names = self.counts.interpretations
        states = sorted(group, key=lambda number: names[number])
        position = {number: i for i, number in enumerate(states)}
        links = ((position[number], position[other]) for number in states for other in self._linked(number))
        return [[states[i] for i in component] for component in components(len(states), links)]

    def _linked(self, number: int) -> Iterator[int]:
        """What follows an interpretation, and of each text that is understood so one that links all of it."""
        yield from self.counts.outcomes[number].following
        for text in self.counts.texts_at[number]:
            yield next(iter(self.counts.texts[text].interpretations))

    def _mine(self, states: list[int]) -> list[tuple[TextKey, Rewrite]]:
        """The rewrites within one component, without chains of them."""
        position = {number: i for i, number in enumerate(states)}
        sources = [
            (key, self.counts.texts[key], wanted)
            for number in states
            for key in sorted(self.counts.texts_at[number])
            if self._home(key) == number and (wanted := self._wanted(key))
        ]
        if not sources:
            return []
        chain = self._chain(states, position)
        cells = [
            (source, cell, following)
            for source, (_, counts, _) in enumerate(sources)
            for cell, outcomes in sorted(counts.cells.items())
            if (following := outcomes.following)
        ]
        starts = _starts([following for *_, following in cells], position, len(states))
        ways: list[dict[ConfidenceCell, CellWays]] = [{} for _ in sources]
        for block, solution in last_states(chain, starts):
            for (source, cell, _), scores, error in zip(
                cells[block], solution.scores, solution.error, strict=True
            ):
                by_target = {number: float(scores[position[number]]) for number in sources[source][2]}
                ways[source][cell] = CellWays(by_target, float(scores.sum()), float(error))
        found = [
            (key, rewrite)
            for (key, counts, wanted), by_cell in zip(sources, ways, strict=True)
            if (rewrite := self._decide(key, counts, wanted, by_cell)) is not None
        ]
        return self._widened(_without_chains(found))

    def _widened(self, found: Sequence[tuple[TextKey, Rewrite]]) -> list[tuple[TextKey, Rewrite]]:
        """The same rows, but one for any locale where a text is rewritten alike in all that it is said in.

        It is the strongest of them, under the first of their keys.
        """
        rows: dict[str, dict[TextKey, Rewrite]] = {}
        for key, row in found:
            rows.setdefault(row.source_text, {})[key] = row
        kept: list[tuple[TextKey, Rewrite]] = []
        for text, by_key in rows.items():
            if len(by_key) == 1 or len({normalise(row.target_text) for row in by_key.values()}) > 1:
                kept += by_key.items()
            elif by_key.keys() < set(self.counts.keys_of(text)):
                kept += by_key.items()
            else:
                row = max(by_key.values(), key=lambda row: (row.sessions, row.score, row.locale))
                anywhere = rewrite_id(self.assistant_id, GLOBAL, text)
                kept.append((min(by_key), msgspec.structs.replace(row, rewrite_id=anywhere, locale="")))
        return kept

    def _home(self, text: TextKey) -> int:
        """The interpretation that a text mostly has."""
        interpretations = self.counts.texts[text].interpretations
        names = self.counts.interpretations
        return min(interpretations, key=lambda number: (-interpretations[number], names[number]))

    def _wanted(self, key: TextKey) -> dict[int, str]:
        """What a text could be rewritten to on the evidence: interpretation -> text."""
        counts = self.counts.texts[key]
        settings = self._settings
        if not counts.led_to or counts.requests < settings.min_requests:
            return {}
        if (said := len(counts.users)) < settings.min_text_users:
            return {}
        source: _Source | None = None
        text, locale = text_of(key)
        wanted = {}
        for number in sorted(counts.led_to, key=lambda number: self.counts.interpretations[number]):
            if number in counts.interpretations:
                continue
            tries = counts.led_to[number]
            if len({tried.user_id for tried in tries.values()}) < settings.min_users:
                continue
            if len(tries) < settings.min_repair_share * counts.requests:
                continue
            target = self._target(key, tries.values())
            if target is None or target == text:
                continue
            if not self._allowed.isdisjoint({(text, target, locale), (text, target, "")}):
                wanted[number] = target
                continue
            source = source or self._source(key, said)
            if reasons := self._guard.refusals(self._pair(source, counts, number, target)):
                self._refused.setdefault(key, []).append(RefusedPair(text, target, locale, reasons))
            else:
                wanted[number] = target
        return wanted

    def _source(self, key: TextKey, said: int) -> _Source:
        """What the guard is told of a text that so many users said."""
        led_to = self.counts.texts[key].led_to
        text, locale = text_of(key)
        return _Source(
            text=text,
            locale=locale,
            interpretation=self.counts.interpretations[self._home(key)],
            said=said,
            went_on=len({tried.user_id for tries in led_to.values() for tried in tries.values()}),
        )

    def _target(self, key: TextKey, tries: Iterable[SecondTry]) -> str | None:
        """What users came to say, who came from a text: what most of them said of what sounds like it.

        None if too few users have ever succeeded with any of it.
        """
        source, locale = text_of(key)
        said: dict[str, dict[UserId, int]] = {}
        for tried in tries:
            add_nested_count(said, tried.text, tried.user_id, 1)
        texts = self.counts.texts
        known = {
            text: users
            for text, users in said.items()
            if len(texts[text_key(text, locale)].met_users) >= self._settings.min_text_users
        }
        if not known:
            return None
        alike = {
            text: users
            for text, users in known.items()
            if len(users) >= self._settings.min_users and self._guard.is_plausible(source, text, locale)
        }
        return written_by_most(alike or known)

    def _pair(self, source: _Source, counts: TextCounts, number: int, target: str) -> PairEvidence:
        """What the log shows of a text and a target, for the guard."""
        tries: dict[UserId, list[SecondTry]] = {}
        for tried in counts.led_to[number].values():
            if self._means(tried.text, target, source.locale):
                tries.setdefault(tried.user_id, []).append(tried)
        said_target = self.counts.texts[text_key(target, source.locale)]
        return PairEvidence(
            source=source.text,
            target=target,
            locale=source.locale,
            source_interpretation=source.interpretation,
            target_interpretation=self.counts.interpretations[number],
            users=[
                PairUser(
                    trust=trust(
                        self.counts.days.get(user_id, {}),
                        counts.times_said(user_id)
                        + said_target.times_said(user_id)
                        - sum(1 + (tried.text == target) for tried in tried_by),
                    ),
                    visible=any(tried.visible for tried in tried_by),
                    answered=all(tried.is_answer for tried in tried_by),
                    echoed=all(tried.is_echo for tried in tried_by),
                )
                for user_id, tried_by in sorted(tries.items())
            ],
            said=source.said,
            content=len(counts.met_users) - sum(user_id in counts.met_users for user_id in tries),
            went_on=source.went_on,
            rest_is_request=self._rest_is_request(text_key(source.text, source.locale), target),
        )

    def _means(self, text: str, target: str, locale: str) -> bool:
        """Whether who came to the same interpretation with a text meant the target, too.

        Where no slots are logged, an intent stands for many wishes, which only the words tell apart.
        """
        return text == target or self.counts.has_slots or self._guard.is_same(text, target, locale)

    def _rest_is_request(self, key: TextKey, target: str) -> bool:
        """Whether a target is one end of a source, whose rest users have succeeded with by itself."""
        source, locale = text_of(key)
        rest = source.removeprefix(target) if source.startswith(target) else source.removesuffix(target)
        words = rest.split()
        if len(words) == len(source.split()):
            return False
        parts = {" ".join(words), " ".join(words[1:]), " ".join(words[:-1])} - {""}
        known = {part: self._is_request(part) for part in (text_key(part, locale) for part in parts)}
        self._parts.setdefault(key, {}).update(known)
        return any(known.values())

    def _is_request(self, key: TextKey) -> bool:
        """Whether users have succeeded with a text."""
        counts = self.counts.texts.get(key)
        return counts is not None and bool(counts.met_users)

    def _fails(self, key: TextKey, target: str, makers: set[UserId]) -> bool:
        """Whether what a target came to where it was run takes the rewrite to it away."""
        counts = self.counts.texts[key]
        run = counts.run.get(target)
        if not run:
            return False
        said_target = self.counts.texts[text_key(target, text_of(key)[1])]
        said = {user: counts.times_said(user) for user in counts.users}

        def is_judge(user: UserId) -> bool:
            runs = sum(times for outcome, times in run.items() if outcome.user_id == user)
            of_pair = said.get(user, 0) + said_target.times_said(user) + runs
            ordinary = sum(self.counts.days.get(user, {}).values()) - of_pair
            return user not in makers and ordinary >= ORDINARY_SESSIONS

        return fails_lately(run) or does_worse(run, said, counts.met_users, is_judge)

    def _chain(self, states: list[int], position: dict[int, int]) -> AbsorbingChain:
        outcomes = [self.counts.outcomes[number] for number in states]
        entries = [
            (i, position[following], weight)
            for i, counts in enumerate(outcomes)
            for following, weight in counts.following.items()
        ]
        rows, columns, weights = zip(*entries, strict=True) if entries else ((), (), ())
        n = len(states)
        return absorbing_chain(
            sparse.csr_array((np.array(weights, float), (rows, columns)), shape=(n, n)),
            np.array([counts.success for counts in outcomes]),
            np.array([counts.failure for counts in outcomes]),
            self._settings.smoothing,
        )

    def _decide(
        self,
        key: TextKey,
        counts: TextCounts,
        wanted: dict[int, str],
        ways: Mapping[ConfidenceCell, CellWays],
    ) -> Rewrite | None:
        """The rewrite of one text, or none.

        Args:
            key: the source.
            counts: of the source.
            wanted: what it could be rewritten to: interpretation -> text.
            ways: to success, by the cell of the requests that went on.
        """
        text, locale = text_of(key)
        total = {number: sum(way.by_target[number] for way in ways.values()) for number in wanted}
        ranked = sorted(wanted, key=lambda number: (-round(total[number], 9), wanted[number]))
        for best in ranked:
            sessions = counts.led_to[best]
            users = len({tried.user_id for tried in sessions.values()})
            limits = row_limits(counts, best, ways, users / len(sessions), self._settings)
            target = self.counts.texts[text_key(wanted[best], locale)]
            if self._fails(key, wanted[best], {tried.user_id for tried in sessions.values()}):
                continue
            if limits is not None and target.success_rate - counts.success_rate >= self._settings.min_gain:
                break
        else:
            return None
        won = sum(way.by_target[best] - way.error for way in ways.values())
        success = counts.success + sum(way.by_any for way in ways.values())
        return Rewrite(
            rewrite_id=rewrite_id(self.assistant_id, GLOBAL, text, locale=locale),
            locale=locale,
            assistant_id=self.assistant_id,
            scope=GLOBAL,
            source_text=text,
            source_interpretation=self._shown(self._home(key), text),
            target_text=target.surface,
            target_interpretation=self._shown(
                best, wanted[best], {tried.user_id for tried in sessions.values()}
            ),
            method="chain",
            max_confidence=limits.product,
            max_asr_confidence=limits.asr,
            max_nlu_confidence=limits.nlu,
            score=round(won / success, 6),
            sessions=len(sessions),
            users=users,
            source_success_rate=round(counts.success_rate, 6),
            source_count=counts.requests,
            target_success_rate=round(target.success_rate, 6),
            target_count=target.requests,
            failure_point=None,
            evidence=tuple(sorted(sessions)[: self._settings.evidence]),
        )

    def _shown(self, number: int, text: str, users: AbstractSet[UserId] = frozenset()) -> Interpretation:
        """An interpretation as a row tells it: whole only if `min_text_users` users are known to have had it.

        Args:
            number: of the interpretation.
            text: of the row, normalised, that is understood so.
            users: some who had it. So had all who said a text that was never understood otherwise.
        """
        known = set(users)
        texts = iter(self.counts.texts_at[number])
        while len(known) < self._settings.min_text_users and (key := next(texts, None)) is not None:
            counts = self.counts.texts[key]
            if len(counts.interpretations) == 1:
                known |= counts.users
        interpretation = self.counts.interpretations[number]
        is_shared = len(known) >= self._settings.min_text_users
        return interpretation if is_shared else told_by(interpretation, text)


def _starts(cells: Sequence[Mapping[int, float]], position: Mapping[int, int], n: int) -> sparse.csr_array:
    """(m, n): weights with which the requests of each of m cells went on to each of n states."""
    entries = [
        (row, position[number], weight)
        for row, following in enumerate(cells)
        for number, weight in following.items()
    ]
    rows, columns, weights = zip(*entries, strict=True) if entries else ((), (), ())
    return sparse.csr_array((np.array(weights, float), (rows, columns)), shape=(len(cells), n))


def _without_chains(found: Sequence[tuple[TextKey, Rewrite]]) -> list[tuple[TextKey, Rewrite]]:
    """Drops rewrites to or from a text that a stronger rewrite takes away or leads to."""
    accepted: list[tuple[TextKey, Rewrite]] = []
    sources: set[TextKey] = set()
    targets: set[TextKey] = set()
    for key, row in sorted(found, key=lambda item: (-item[1].sessions, -item[1].score, item[0])):
        target = text_key(normalise(row.target_text), text_of(key)[1])
        if key not in targets and target not in sources:
            accepted.append((key, row))
            sources.add(key)
            targets.add(target)
    return accepted
