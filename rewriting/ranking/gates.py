"""The two gates: when a ranked candidate is good enough to take the place of a request.

The **defect gate** asks whether the request is likely to fail as it is, the **rank gate** whether the rewrite
is likely enough to win if it changes anything. Both thresholds are set on held-back days, for a wanted
win/loss.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from rewriting.requests.silent_failures import SilentFailures

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DEFECT_STEPS = 10
WIN_STEPS = 150
"""Thresholds tried of each gate: finer ones fit the held-back days closer than they can tell."""

MOST_CHANGED = 0.5
"""Share of the requests that may be changed, at most, of those that pass the defect gate: more than ever fail
in an assistant that is in use."""

LOSS_WEIGHT = 2.0
"""Wins that a loss outweighs where thresholds are compared: it takes away a request that was right, and the
trust in those that follow. Raised, the last rewrites that are let through must win more."""

LEAST_WIN = 0.6
"""Probability that a rewrite wins, below which none is let through, whatever the held-back days show: they
are too few to tell rare losses. Raised, fewer rewrites; lowered, one that is nearly as likely to harm passes.
"""

CAUTION = 1.0
"""Standard deviations by which losses are taken to be more than was counted."""


class RewriteGates(Struct, frozen=True, kw_only=True):
    """Thresholds, and what they gave on the held-back days."""

    min_defect: float  # of the probability that the request fails as it is, 0..1
    min_win: float  # of the probability that the rewrite wins, of all that it changes, 0..1
    expected_wins: float  # on the held-back days, silent failures included
    expected_losses: float
    held_back: int  # requests

    @property
    def are_open(self) -> bool:
        """Whether they let anything pass."""
        return self.min_win <= 1 and self.min_defect <= 1

    def pass_defect(self, defect: float) -> bool:
        """Whether the request is likely enough to fail."""
        return defect >= self.min_defect

    def pass_win(self, win: float) -> bool:
        """Whether the rewrite is likely enough to win."""
        return win >= self.min_win


CLOSED = RewriteGates(min_defect=2.0, min_win=2.0, expected_wins=0.0, expected_losses=0.0, held_back=0)
"""Lets nothing pass: where the held-back days do not show that the wanted win/loss can be reached."""


class HeldBack(Struct, frozen=True):
    """Judged requests of the held-back days; arrays of one length."""

    defect: Floats  # probability that the request fails as it is
    win: Floats  # `win_probability` of its best candidate; 0 where there is none
    shown_right: Bools  # nothing spoke against the request as it was
    shown_wrong: Bools  # something did
    mended: Bools  # the best candidate is what the session shows to have been meant
    right: Floats | None = None  # `right_probability` of the request; NaN, or None for all: not known


def choose_gates(days: HeldBack, silent: SilentFailures, win_loss: float) -> RewriteGates:
    """The thresholds with the most wins less weighted losses among those that reach the wanted win/loss.

    With the silent share s of what goes wrong, W requests that are mended and O others that visibly go wrong
    stand for W / (1 - s) and O / (1 - s) in all. The silent ones are among the L that look right, so

        wins = W / (1 - s)      losses = L - (W + O) s / (1 - s) + CAUTION sqrt(L)

    Where enough requests like one are known to tell whether it is right, this needs no share: of those that
    look right, as many are losses as their probabilities of being right add up to, with the same caution.

    Args:
        days: the held-back requests.
        silent: how much goes wrong without a sign.
        win_loss: wanted wins for each loss.
    """
    most, best = 0.0, CLOSED
    weight = min(LOSS_WEIGHT, win_loss)  # what is wanted is not to be refused for its losses
    for min_defect in _thresholds(days.defect, np.linspace(1.0, 0.05, DEFECT_STEPS)):
        likely = days.defect >= min_defect
        for min_win in _thresholds(
            np.maximum(days.win[likely], LEAST_WIN),
            np.linspace(MOST_CHANGED, 0.0, WIN_STEPS, endpoint=False),
        ):
            wins, losses = _expected(days, likely & (days.win >= min_win), silent)
            gain = wins - weight * losses
            if wins >= win_loss * losses and gain > most:
                most = gain
                best = RewriteGates(
                    min_defect=float(min_defect),
                    min_win=float(min_win),
                    expected_wins=wins,
                    expected_losses=losses,
                    held_back=len(days.win),
                )
    return best


def _expected(days: HeldBack, passed: Bools, silent: SilentFailures) -> tuple[float, float]:
    """Wins and losses among the requests that pass."""
    visible = 1 - silent.silent_share
    mended = int((passed & days.mended & days.shown_wrong).sum())
    changed = passed & ~days.mended & days.shown_right
    is_known = np.zeros(len(passed), dtype=bool) if days.right is None else ~np.isnan(days.right)
    known = 0.0 if days.right is None else float(days.right[changed & is_known].sum())
    looks_right = int((changed & ~is_known).sum())
    wrong = int((passed & ~is_known & days.shown_wrong).sum())
    silent_wrong = wrong * silent.silent_share / visible
    losses = max(looks_right - silent_wrong, 0.0) + known
    return mended / visible, losses + CAUTION * float(np.sqrt(looks_right) + np.sqrt(known))


def _thresholds(values: Floats, shares: Floats) -> Sequence[float]:
    """The values that these shares of all reach, from the lowest."""
    if not len(values):
        return ()
    return sorted({float(value) for value in np.quantile(values, 1 - shares)})
