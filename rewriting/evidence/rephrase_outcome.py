"""Rephrase outcomes: how requests ended where a detector has judged whether the next one is another try.

By itself a log shows a second try only by its words (`labeling.text.outcome`). A detector gives the
probability that the next request is the next try, which here takes the place of that guess.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

from msgspec import Struct

from labeling.text.outcome import VISIBLE_FAILURES, Reason, TurnOutcome
from rewriting.errors import RephraseSettingsError
from rewriting.evidence.rephrase_link import RephraseLink

EIGHTHS = 8
"""Probabilities are rounded to eighths, which binary fractions hold exactly: counts that are sums of them
lose nothing when a session is taken away again."""


class EvidenceRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is made of the probability that the next request is the next try."""

    whole_from: float = 0.5
    """From this probability on, a request goes on with its whole weight, which counts as the sign of a second
    try (`ChainCounts`, `SessionRequests.meant`). Above 1: only a probability of 1 is one."""

    met: float = 0.5
    """Of what does not go on, the share that was met, 0..1 in eighths, where nothing but a request for
    something else follows: met, or given up. Raised, an answer that nobody protested against counts for
    more: on the `home` log at 1, a third more rewrites were losses, for 1 % more wins."""

    words: bool = False
    """Whether a request that much the same words follow stays tried again, whatever the detector says."""

    detours: bool = True
    """Whether a request has failed as far as its next try comes later than with the next request."""

    in_dialogues: bool = True
    """Whether links are trusted in declared dialogues too; else online rewriting claims nothing there where a
    request only seems to be tried again."""

    def __post_init__(self) -> None:
        """Raises `RephraseSettingsError`, which is a ValueError too, if a value is out of range."""
        if not self.whole_from > 0:
            raise RephraseSettingsError(f"whole_from is {self.whole_from}; it must be above 0")
        if not 0 <= self.met <= 1:
            raise RephraseSettingsError(f"met is {self.met}; it must be from 0 to 1")


DEFAULT_RULE = EvidenceRule()


def judged_by_links(
    outcomes: Sequence[TurnOutcome],
    links: Iterable[RephraseLink],
    positions: Sequence[int],
    rule: EvidenceRule = DEFAULT_RULE,
) -> list[TurnOutcome]:
    """The outcomes of the requests of one session, with what a detector has found in it.

    With p the probability that the next request is the next try, in eighths: p goes on; the whole weight does
    where the probability is `rule.whole_from` or more. Of the rest, the probability that the next try comes
    later has failed; what is left then has failed where a failure was visible, else it was met. What was
    praised stays, and the last request.

    Args:
        outcomes: of the requests, from `judge_turns`.
        links: of the session, as detected; one that is missing has probability 0.
        positions: of the same requests among the session's turns, ascending: links name turns.
        rule: how probabilities become weights.
    """
    next_try: dict[tuple[int, int], float] = {(link.source, link.target): link.score for link in links}
    later: dict[int, float] = {}
    following = dict(pairwise(positions))
    for (source, target), score in next_try.items():
        if source in following and target > following[source]:
            later[source] = max(later.get(source, 0.0), score)
    judged = []
    for position, outcome in zip(positions, outcomes, strict=True):
        stays = outcome.reason == "praised" or (rule.words and outcome.reason == "rephrased")
        if position not in following or stays:
            judged.append(outcome)
            continue
        next_one = next_try.get((position, following[position]), 0.0)
        judged.append(_judged(outcome, next_one, later.get(position, 0.0) if rule.detours else 0.0, rule))
    return judged


def _judged(outcome: TurnOutcome, next_one: float, later: float, rule: EvidenceRule) -> TurnOutcome:
    has_failed = outcome.reason in VISIBLE_FAILURES
    goes_on = eighths(next_one)
    if next_one >= rule.whole_from or goes_on == 1:
        return TurnOutcome(0, 0, 1, outcome.reason if has_failed else "rephrased")
    reason: Reason = "moved_on" if outcome.reason == "rephrased" else outcome.reason
    rest = 1 - goes_on
    met = 0.0 if has_failed else max(rest - eighths(later), 0.0)
    if reason == "moved_on":
        met *= eighths(rule.met)
    return TurnOutcome.weighed(met, rest - met, goes_on, reason)


def eighths(value: float) -> float:
    """A probability in eighths."""
    return round(value * EIGHTHS) / EIGHTHS
