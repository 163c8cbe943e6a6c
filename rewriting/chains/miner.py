"""Chain mining: from counts to the rewrites they warrant.

A request with text u starts the chain with the outcomes of u itself, from there on with those of the
interpretations that followed, pooled over all texts that were understood so (docs/chains.md):

    w_j = sum_i P(i follows u) N_ij r_j      success by way of interpretation j
    s   = P(u is met as it is)

u is rewritten to the interpretation j with the greatest w_j if w_j >= odds * s; else it stays as it is.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import scipy.sparse as sparse
from msgspec import Struct

from labeling.text.normalisation import normalise
from rewriting.chains.absorbing_chain import (
    STARTS_PER_BLOCK,
    AbsorbingChain,
    Floats,
    absorbing_chain,
    components,
    last_states,
)
from rewriting.chains.counts import ChainCounts, OutcomeCounts, TextCounts
from rewriting.chains.settings import ChainSettings
from rewriting.chains.step import CONFIDENCE_BANDS, N_BANDS
from rewriting.table.rewrite import GLOBAL, Rewrite, rewrite_id
from streams.turn import AssistantId

SOURCES_PER_BLOCK = STARTS_PER_BLOCK // N_BANDS
"""Sources solved together, each with a start for every confidence band."""


class MinedChange(Struct, frozen=True):
    """What the rewrites of an assistant became, where they changed."""

    rewrites: tuple[Rewrite, ...]  # new, or other than before; sorted by source text
    withdrawn: tuple[Rewrite, ...]  # no longer warranted, as they were; sorted by source text


class ChainMiner:
    """The chain of one assistant and the rewrites it warrants, kept up to date session by session."""

    def __init__(self, assistant_id: AssistantId, settings: ChainSettings) -> None:
        self.assistant_id = assistant_id
        self.counts = ChainCounts()
        self._settings = settings
        self._rewrites: dict[str, Rewrite] = {}  # by source text
        self._touched: set[int] = set()

    @property
    def rewrites(self) -> list[Rewrite]:
        """All rewrites that are warranted, as of the last `solve`, sorted by source text."""
        return [rewrite for _, rewrite in sorted(self._rewrites.items())]

    def touch(self, numbers: Iterable[int]) -> None:
        """Notes interpretations whose counts have changed."""
        self._touched.update(numbers)

    def solve(self) -> MinedChange:
        """Solves the components that were touched since the last time, and only these."""
        changed: dict[str, Rewrite] = {}
        withdrawn: dict[str, Rewrite] = {}
        for group in self.counts.connected(self._touched):
            texts = {text for number in group for text in self.counts.texts_at[number]}
            before = {text: self._rewrites[text] for text in texts if text in self._rewrites}
            after = {
                rewrite.source_text: rewrite
                for states in self._components(group)
                for rewrite in self._mine(states)
            }
            changed |= {text: row for text, row in after.items() if before.get(text) != row}
            withdrawn |= {text: row for text, row in before.items() if text not in after}
        self._touched.clear()
        # A text that nobody has said any more is in no component.
        withdrawn |= {text: row for text, row in self._rewrites.items() if text not in self.counts.texts}
        for text in withdrawn:
            del self._rewrites[text]
        self._rewrites |= changed
        return MinedChange(
            tuple(row for _, row in sorted(changed.items())),
            tuple(row for _, row in sorted(withdrawn.items())),
        )

    def _components(self, group: list[int]) -> list[list[int]]:
        """Splits a group into the components that it consists of now; states in the order of their names."""
        names = self.counts.interpretations
        states = sorted(group, key=lambda number: names[number])
        position = {number: i for i, number in enumerate(states)}
        links = [
            (position[number], position[other])
            for number in states
            for other in self._neighbours(number)
            if other in position
        ]
        rows, columns = zip(*links, strict=True) if links else ((), ())
        adjacency = sparse.csr_array((np.ones(len(links)), (rows, columns)), shape=(len(states), len(states)))
        return [[states[i] for i in component] for component in components(adjacency)]

    def _neighbours(self, number: int) -> set[int]:
        same_text = {
            other
            for text in self.counts.texts_at[number]
            for other in self.counts.texts[text].interpretations
        }
        return same_text.union(self.counts.outcomes[number].following)

    def _mine(self, states: list[int]) -> list[Rewrite]:
        """The rewrites within one component, without chains of them."""
        position = {number: i for i, number in enumerate(states)}
        targets = _Targets(self.counts, self._settings)
        sources = [
            (text, self.counts.texts[text], wanted)
            for number in states
            for text in sorted(self.counts.texts_at[number])
            if self._home(text) == number and (wanted := self._wanted(text, targets))
        ]
        if not sources:
            return []
        chain = self._chain(states, position)
        starts = sparse.vstack(
            [_starts(counts, position, len(states)) for _, counts, _ in sources], format="csr"
        )
        found: list[Rewrite] = []
        for block, solution in last_states(chain, starts, block_size=SOURCES_PER_BLOCK * N_BANDS):
            for row in range(block.start, block.stop, N_BANDS):
                text, counts, wanted = sources[row // N_BANDS]
                here = slice(row - block.start, row - block.start + N_BANDS)
                scores, error = solution.scores[here], solution.error[here]
                rewrite = self._decide(text, counts, wanted, position, scores, error, targets)
                if rewrite is not None:
                    found.append(rewrite)
        return _without_chains(found)

    def _home(self, text: str) -> int:
        """The interpretation that a text mostly has."""
        interpretations = self.counts.texts[text].interpretations
        names = self.counts.interpretations
        return min(interpretations, key=lambda number: (-interpretations[number], names[number]))

    def _wanted(self, text: str, targets: "_Targets") -> dict[int, str]:
        """What a text could be rewritten to on the evidence: interpretation -> text."""
        counts = self.counts.texts[text]
        settings = self._settings
        if not counts.led_to or counts.requests < settings.min_requests:
            return {}
        if len(counts.users) < settings.min_text_users:
            return {}
        wanted = {}
        for number in sorted(counts.led_to, key=lambda number: self.counts.interpretations[number]):
            if number in counts.interpretations:
                continue
            sessions = counts.led_to[number]
            if len(set(sessions.values())) < settings.min_users:
                continue
            if len(sessions) < settings.min_repair_share * counts.requests:
                continue
            if (target := targets.text_for(number)) is not None and target != text:
                wanted[number] = target
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
        self,
        text: str,
        counts: TextCounts,
        wanted: dict[int, str],
        position: dict[int, int],
        scores: Floats,
        error: Floats,
        targets: "_Targets",
    ) -> Rewrite | None:
        """The rewrite of one text, or none.

        Args:
            text: the source.
            counts: of the source.
            wanted: what it could be rewritten to: interpretation -> text.
            position: of each interpretation among the n states.
            targets: of the component.
            scores: (N_BANDS, n): success by last state, as weights: times the requests of the band.
            error: (N_BANDS,): bounds of the errors of `scores`.
        """
        total = scores.sum(axis=0)
        ranked = sorted(wanted, key=lambda number: (-round(total[position[number]], 9), wanted[number]))
        for best in ranked:
            by_target = scores[:, position[best]] - error
            guard = self._guard(counts, by_target, scores.sum(axis=1))
            target = self.counts.texts[wanted[best]]
            if guard is not None and target.success_rate - counts.success_rate >= self._settings.min_gain:
                break
        else:
            return None
        sessions = counts.led_to[best]
        names = self.counts.interpretations
        return Rewrite(
            rewrite_id=rewrite_id(self.assistant_id, GLOBAL, text),
            assistant_id=self.assistant_id,
            scope=GLOBAL,
            source_text=text,
            source_interpretation=names[self._home(text)],
            target_text=target.surface,
            target_interpretation=names[best],
            method="chain",
            max_confidence=guard if guard < 1 else None,
            score=round(float(by_target.sum() / (counts.success + total.sum())), 6),
            sessions=len(sessions),
            users=len(set(sessions.values())),
            source_success_rate=round(counts.success_rate, 6),
            source_count=counts.requests,
            target_success_rate=round(target.success_rate, 6),
            target_count=target.requests,
            failure_point=None,
            evidence=tuple(sorted(sessions)[: self._settings.evidence]),
        )

    def _guard(self, counts: TextCounts, by_target: Floats, by_any: Floats) -> float | None:
        """The confidence below which the rewrite is the better bet; 1 if at any; None if at none.

        Bands are judged from the lowest up, each with what it borrows from those below, and only where the
        text was heard with such confidence.
        """
        settings = self._settings
        guard: float | None = None
        heard, own, won, any_won = 0, 0.0, 0.0, 0.0
        for i, band in enumerate(counts.bands):
            if band is None or not band.requests:
                continue
            heard, own, won, any_won = (
                heard + band.requests,
                own + band.success,
                won + by_target[i],
                any_won + by_any[i],
            )
            borrowed = settings.band_shrinkage / heard
            as_it_is = band.success + borrowed * own + settings.band_prior[i]
            by_rewrite = by_target[i] + borrowed * won
            in_all = as_it_is + by_any[i] + borrowed * any_won
            holds = by_rewrite >= settings.min_odds * as_it_is and by_rewrite >= settings.min_share * in_all
            if holds and by_rewrite > 0:
                guard = (*CONFIDENCE_BANDS, 1.0)[i]
            elif guard is not None:
                break
        return guard


class _Targets:
    """The text that stands for an interpretation: the one that most success was had with, by enough users."""

    def __init__(self, counts: ChainCounts, settings: ChainSettings) -> None:
        self._counts = counts
        self._min_users = settings.min_text_users
        self._texts: dict[int, str | None] = {}

    def text_for(self, number: int) -> str | None:
        """A text for an interpretation; None if too few users have said any."""
        if number not in self._texts:
            texts = self._counts.texts
            known = [
                text
                for text in self._counts.texts_at[number]
                if len(texts[text].met_users) >= self._min_users
            ]
            self._texts[number] = min(known, key=lambda text: (-texts[text].success, text), default=None)
        return self._texts[number]


def _starts(counts: TextCounts, position: dict[int, int], n: int) -> sparse.csr_array:
    """(N_BANDS, n): weights with which the text's requests went on to each state, by confidence band."""
    starts = sparse.lil_array((N_BANDS, n))
    for i, band in enumerate(counts.bands):
        for following, weight in (band or OutcomeCounts()).following.items():
            starts[i, position[following]] = weight
    return starts.tocsr()


def _without_chains(found: Sequence[Rewrite]) -> list[Rewrite]:
    """Drops rewrites to or from a text that a stronger rewrite takes away or leads to."""
    accepted: list[Rewrite] = []
    sources: set[str] = set()
    targets: set[str] = set()
    for rewrite in sorted(found, key=lambda row: (-row.sessions, -row.score, row.source_text)):
        target = normalise(rewrite.target_text)
        if rewrite.source_text not in targets and target not in sources:
            accepted.append(rewrite)
            sources.add(rewrite.source_text)
            targets.add(target)
    return accepted
