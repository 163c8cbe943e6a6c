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
from rewriting.chains.counts import ChainCounts, TextKey, text_key, text_of
from rewriting.chains.pairs import Pairs
from rewriting.chains.run_outcomes import NOT_RUN, RunVerdict
from rewriting.chains.settings import ChainSettings
from rewriting.chains.source_evidence import SourceEvidence, ways_now
from rewriting.chains.sources import Sources
from rewriting.evidence.interpretation import Interpretation, told_by
from rewriting.guards.judged_rewrites import REASONS_BY_STATE, JudgedRewrite, StateReason
from rewriting.guards.pair_guard import PairGuard
from rewriting.guards.reason import RefusalReason
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


class _Wanted(Struct, frozen=True):
    """What a text could be rewritten to."""

    text: str  # normalised
    evidence: SourceEvidence  # what counts of the source, for this target
    verdict: RunVerdict  # of users who did not make it


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
        self._sources = Sources(self.counts, settings)
        self._pairs = Pairs(self.counts, settings, self._guard)
        self._judged: dict[TextKey, list[JudgedRewrite]] = {}
        self._rewrites: dict[TextKey, Rewrite] = {}
        self._refused: dict[TextKey, list[RefusedPair]] = {}
        self._unordered: dict[TextKey, list[RefusedPair]] = {}
        self._touched: set[int] = set()
        self._had_slots = False

    @property
    def rewrites(self) -> list[Rewrite]:
        """All rewrites that are warranted, as of the last `solve`, sorted by source text."""
        return [rewrite for _, rewrite in sorted(self._rewrites.items())]

    @property
    def judged(self) -> list[JudgedRewrite]:
        """How rows fare that the guard let through, as of the last `solve`; sorted by source and locale."""
        live = {row.rewrite_id for row in self._rewrites.values()}
        found = []
        for _, rows in sorted(self._judged.items()):
            for row in rows:
                anywhere = rewrite_id(self.assistant_id, GLOBAL, row.source_text)
                holds_anywhere = row.rewrite_id not in live and anywhere in live
                found.append(
                    msgspec.structs.replace(row, rewrite_id=anywhere, locale="") if holds_anywhere else row
                )
        return found

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
        seen = self.counts.take_seen()
        self._sources.renew()
        self._touched |= self.counts.tried_by(seen) | self._sources.of_users(seen)
        self._touched |= self._pairs.with_other_parts()
        if self.counts.has_slots != self._had_slots:  # all pairs are told by it
            self._had_slots = self.counts.has_slots
            self._touched.update(range(len(self.counts.interpretations)))
        for key in {*self._refused, *self._unordered, *self._judged, *self._pairs.sources}:
            if not self._is_run_as_said(key):
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
        before |= {text: row for text, row in self._rewrites.items() if not self._is_run_as_said(text)}
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

    def _is_run_as_said(self, key: TextKey) -> bool:
        """Whether a text is said by anybody, and not always rewritten: else it is in no component."""
        return key in self.counts.texts and bool(self.counts.texts[key].interpretations)

    def _forget_pairs(self, source: TextKey) -> None:
        """Forgets what the last `solve` found of the pairs of a source."""
        self._refused.pop(source, None)
        self._unordered.pop(source, None)
        self._judged.pop(source, None)
        self._pairs.forget(source)

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
            yield from self.counts.texts[text].led_to

    def _mine(self, states: list[int]) -> list[tuple[TextKey, Rewrite]]:
        """The rewrites within one component, without chains of them."""
        position = {number: i for i, number in enumerate(states)}
        sources = [
            (key, wanted)
            for number in states
            for key, evidence in self._sources.at(number)
            if (wanted := self._wanted(key, evidence))
        ]
        if not sources:
            return []
        chain = self._chain(states, position)
        cells = [
            (source, cell, following)
            for source, (key, _) in enumerate(sources)
            for cell, outcomes in sorted(self.counts.texts[key].cells.items())
            if (following := outcomes.following)
        ]
        starts = _starts([following for *_, following in cells], position, len(states))
        ways: list[dict[ConfidenceCell, CellWays]] = [{} for _ in sources]
        for block, solution in last_states(chain, starts):
            for (source, cell, _), scores, error in zip(
                cells[block], solution.scores, solution.error, strict=True
            ):
                by_target = {number: float(scores[position[number]]) for number in sources[source][1]}
                ways[source][cell] = CellWays(by_target, float(scores.sum()), float(error))
        found = [
            (key, rewrite)
            for (key, wanted), by_cell in zip(sources, ways, strict=True)
            if (rewrite := self._decide(key, wanted, by_cell)) is not None
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

    def _wanted(self, key: TextKey, evidence_of: Mapping[int, SourceEvidence]) -> dict[int, _Wanted]:
        """What a text could be rewritten to on the evidence, by interpretation."""
        settings = self._settings
        text, locale = text_of(key)
        wanted = {}
        for number in sorted(evidence_of, key=lambda number: self.counts.interpretations[number]):
            evidence = evidence_of[number]
            tries = evidence.led_to.get(number, {})
            if len({tried.user_id for tried in tries.values()}) < settings.min_users:
                continue
            target = self._pairs.target(key, evidence, number)
            if target is None or target == text:
                continue
            verdict = self._pairs.verdict(key, evidence, number, target)
            is_proven = verdict is not None and verdict.does_well
            is_rare = len(tries) < settings.min_repair_share * evidence.requests
            if is_rare and not (is_proven or evidence.has_ceased):
                continue
            reasons: tuple[RefusalReason, ...] = ()
            if self._allowed.isdisjoint({(text, target, locale), (text, target, "")}):
                pair = self._pairs.of(key, evidence, number, target)
                reasons = (self._guard.refusals_of_proven if is_proven else self._guard.refusals)(pair)
            if reasons:
                self._refused.setdefault(key, []).append(RefusedPair(text, target, locale, reasons))
            else:
                wanted[number] = _Wanted(target, evidence, verdict or NOT_RUN)
        return wanted

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
        self, key: TextKey, wanted: Mapping[int, _Wanted], ways: Mapping[ConfidenceCell, CellWays]
    ) -> Rewrite | None:
        """The rewrite of one text, or none.

        Args:
            key: the source.
            wanted: what it could be rewritten to, by interpretation.
            ways: to success, by the cell of the requests that went on.
        """
        text, locale = text_of(key)
        counts = self.counts.texts[key]
        ways_to = {number: ways_now(ways, counts, wanted[number].evidence) for number in wanted}
        total = {
            number: sum(way.by_target.get(number, 0.0) for way in ways_to[number].values())
            for number in wanted
        }
        ranked = sorted(wanted, key=lambda number: (-round(total[number], 9), wanted[number].text))
        for best in ranked:
            evidence, ways = wanted[best].evidence, ways_to[best]
            sessions = evidence.led_to[best]
            users = len({tried.user_id for tried in sessions.values()})
            met = evidence.met_kept * evidence.truly_met
            limits = row_limits(counts, best, ways, users / len(sessions), met, self._settings)
            target = self.counts.texts[text_key(wanted[best].text, locale)]
            row = self._judge(key, best, wanted[best])
            if row.state == "blocked":
                continue
            if limits is not None and target.success_rate - evidence.success_rate >= self._settings.min_gain:
                break
        else:
            return None
        won = sum(way.by_target.get(best, 0.0) - way.error for way in ways.values())
        success = evidence.met_kept * counts.success + sum(way.by_any for way in ways.values())
        return Rewrite(
            rewrite_id=rewrite_id(self.assistant_id, GLOBAL, text, locale=locale),
            locale=locale,
            assistant_id=self.assistant_id,
            scope=GLOBAL,
            source_text=text,
            source_interpretation=self._shown(self.counts.home(key), text),
            target_text=target.surface,
            target_interpretation=self._shown(
                best, wanted[best].text, {tried.user_id for tried in sessions.values()}
            ),
            method="chain",
            max_confidence=limits.product,
            max_asr_confidence=limits.asr,
            max_nlu_confidence=limits.nlu,
            score=round(won / success, 6),
            sessions=len(sessions),
            users=users,
            source_success_rate=round(evidence.success_rate, 6),
            source_count=evidence.requests,
            target_success_rate=round(target.success_rate, 6),
            target_count=target.requests,
            failure_point=None,
            evidence=tuple(sorted(sessions)[: self._settings.evidence]),
        )

    def _judge(self, key: TextKey, number: int, wanted: _Wanted) -> JudgedRewrite:
        """How a row fares, which is noted."""
        text, locale = text_of(key)
        verdict = wanted.verdict
        reason: StateReason
        if self._sources.has_ceased(number, locale):
            reason = "target_ceased"
        elif verdict.fails_lately:
            reason = "fails_lately"
        elif verdict.does_worse:
            reason = "does_worse"
        elif verdict.does_well:
            reason = "proven"
        else:
            reason = "undecided" if verdict.is_judged else "not_judged"
        row = JudgedRewrite(
            rewrite_id=rewrite_id(self.assistant_id, GLOBAL, text, locale=locale),
            source_text=text,
            locale=locale,
            target_text=wanted.text,
            state="blocked" if reason in REASONS_BY_STATE["blocked"] else "live",
            reason=reason,
            said_requests=verdict.said.trials,
            said_success=verdict.said.success,
            run_requests=verdict.run.trials,
            run_success=verdict.run.success,
            judges=verdict.judges,
            makers=len({tried.user_id for tried in wanted.evidence.led_to[number].values()}),
            p_better=round(verdict.run.above_other(verdict.said), 6),
        )
        self._judged.setdefault(key, []).append(row)
        return row

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
