"""Defect outcomes: how requests ended where a label model has judged whether they were met.

By itself a log shows of many requests only that nothing spoke against them (`labeling.text.outcome`). The
probability of a defect splits what they weigh: soft success.
"""

from collections.abc import Mapping, Sequence

from labeling.text.outcome import Reason, TurnOutcome
from rewriting.evidence.rephrase_outcome import eighths

_OPEN_ENDS: frozenset[Reason] = frozenset({"accepted", "ended", "moved_on"})
"""Reasons that leave open whether a request was met."""


def judged_by_defects(
    outcomes: Sequence[TurnOutcome], defects: Mapping[int, float], positions: Sequence[int]
) -> list[TurnOutcome]:
    """The outcomes of the requests of one session, with what a label model says of them.

    What goes on to the next request does so as before; the rest of what is left open is split by the
    probability of a defect, in eighths.

    Args:
        outcomes: of the requests.
        defects: by position among the session's turns, the probability of a defect, 0..1; a request without
            one stays as it is.
        positions: of the same requests, ascending.
    """
    if not defects:
        return list(outcomes)
    return [
        _split(outcome, defects[position])
        if outcome.reason in _OPEN_ENDS and position in defects
        else outcome
        for position, outcome in zip(positions, outcomes, strict=True)
    ]


def _split(outcome: TurnOutcome, defect: float) -> TurnOutcome:
    rest = outcome.success + outcome.failure
    failed = rest * eighths(defect)
    return TurnOutcome.weighed(rest - failed, failed, outcome.goes_on, outcome.reason)
