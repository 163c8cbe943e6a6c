import numpy as np

from rewriting.ranking.gates import CLOSED, HeldBack, choose_gates
from rewriting.requests.silent_failures import NONE_SILENT, SilentFailures

N = 2000


def world(silent_share: float, seed: int = 0) -> tuple[HeldBack, np.ndarray]:
    """Requests whose score tells how likely a rewrite wins; a share of what fails shows no sign of it."""
    generator = np.random.default_rng(seed)
    win = generator.uniform(size=N)
    wrong = generator.uniform(size=N) < win
    shown = wrong & (generator.uniform(size=N) >= silent_share)
    days = HeldBack(defect=win, win=win, shown_right=~shown, shown_wrong=shown, mended=shown)
    return days, wrong


def win_loss(days: HeldBack, wrong: np.ndarray, min_win: float) -> float:
    passed = days.win >= min_win
    return float((passed & wrong).sum() / max((passed & ~wrong).sum(), 1))


def test_the_gates_reach_the_wanted_win_loss() -> None:
    days, wrong = world(0.0)
    lenient, strict = (choose_gates(days, NONE_SILENT, wanted) for wanted in (3, 9))
    assert win_loss(days, wrong, lenient.min_win) >= 3
    assert win_loss(days, wrong, strict.min_win) >= 9
    assert lenient.min_win < strict.min_win


def test_silent_failures_are_not_taken_for_losses() -> None:
    days, wrong = world(0.3)
    known = SilentFailures(0.3, 1.0, 0.2, 500)
    seen_as_losses = choose_gates(days, NONE_SILENT, 4)
    corrected = choose_gates(days, known, 4)
    assert (days.win >= corrected.min_win).sum() > 3 * (days.win >= seen_as_losses.min_win).sum()
    assert win_loss(days, wrong, corrected.min_win) >= 4


def test_gates_stay_closed_where_scores_tell_nothing() -> None:
    generator = np.random.default_rng(1)
    win = generator.uniform(size=N)
    wrong = generator.uniform(size=N) < 0.3
    days = HeldBack(defect=win, win=win, shown_right=~wrong, shown_wrong=wrong, mended=wrong)
    assert choose_gates(days, NONE_SILENT, 8.5) == CLOSED
    assert not CLOSED.pass_win(1.0)
    assert not CLOSED.pass_defect(1.0)


def test_no_held_back_requests_no_open_gate() -> None:
    nothing = np.zeros(0)
    none = np.zeros(0, dtype=bool)
    assert choose_gates(HeldBack(nothing, nothing, none, none, none), NONE_SILENT, 1.0) == CLOSED


def alike(mended: int, looks_right: int) -> HeldBack:
    """Requests of equal scores: rewrites fix some of them, and change others that look right."""
    n = mended + looks_right
    wrong = np.arange(n) < mended
    return HeldBack(np.full(n, 0.6), np.full(n, 0.8), shown_right=~wrong, shown_wrong=wrong, mended=wrong)


def test_a_request_exactly_at_the_thresholds_passes_and_one_below_does_not() -> None:
    gates = choose_gates(alike(100, 16), NONE_SILENT, 1.0)
    assert (gates.min_defect, gates.min_win) == (0.6, 0.8)
    assert gates.pass_defect(0.6)
    assert gates.pass_win(0.8)
    assert not gates.pass_defect(0.59)
    assert not gates.pass_win(0.79)


def test_losses_are_taken_to_be_a_standard_deviation_more_than_were_counted() -> None:
    gates = choose_gates(alike(100, 16), NONE_SILENT, 5.0)
    assert (gates.expected_wins, gates.expected_losses, gates.held_back) == (100, 16 + 4, 116)
    assert choose_gates(alike(100, 16), NONE_SILENT, 5.01) == CLOSED


def test_what_goes_wrong_in_silence_is_counted_among_wins_and_taken_off_losses() -> None:
    gates = choose_gates(alike(80, 64), SilentFailures(0.2, 1.0, 0.2, 500), 1.0)
    assert gates.expected_wins == 80 / 0.8
    assert gates.expected_losses == (64 - 80 * 0.2 / 0.8) + 8


def test_where_requests_are_known_to_be_wrong_silence_is_no_loss() -> None:
    days = alike(80, 64)
    silent = SilentFailures(0.2, 1.0, 0.2, 500)
    wrong = HeldBack(days.defect, days.win, days.shown_right, days.shown_wrong, days.mended, np.zeros(144))
    assert choose_gates(wrong, silent, 1.0).expected_losses == 0
    unknown = HeldBack(
        days.defect, days.win, days.shown_right, days.shown_wrong, days.mended, np.full(144, np.nan)
    )
    assert choose_gates(unknown, silent, 1.0) == choose_gates(days, silent, 1.0)


def test_where_requests_are_known_to_be_right_each_is_a_loss() -> None:
    days = alike(80, 64)
    right = HeldBack(days.defect, days.win, days.shown_right, days.shown_wrong, days.mended, np.ones(144))
    gates = choose_gates(right, SilentFailures(0.5, 1.0, 0.2, 500), 1.0)
    assert gates.expected_losses == 64 + 8


def test_at_most_half_of_the_requests_are_changed_however_well_rewrites_do() -> None:
    win = np.linspace(0.61, 1.0, N)
    all_wrong = np.ones(N, dtype=bool)
    days = HeldBack(np.ones(N), win, shown_right=~all_wrong, shown_wrong=all_wrong, mended=all_wrong)
    gates = choose_gates(days, NONE_SILENT, 1.0)
    assert (win >= gates.min_win).sum() == N // 2


def test_the_last_rewrites_let_through_must_win_more_than_their_losses_outweigh() -> None:
    # Of 200 all win; of the next 200 two in three do: more than half, and too few. The rest is right.
    number = np.arange(1000)
    wrong = (number < 200) | ((number < 400) & (number % 3 != 0))
    win = np.select([number < 200, number < 400], [0.9, 0.6], 0.0)
    days = HeldBack(np.ones(1000), win, shown_right=~wrong, shown_wrong=wrong, mended=wrong)
    assert choose_gates(days, NONE_SILENT, 4.0).min_win > 0.6
    assert 0 < choose_gates(days, NONE_SILENT, 1.0).min_win <= 0.6
