"""What signals tell of defects, learned from logs in which the true defects are known to the test alone."""

from collections.abc import Sequence

import numpy as np
import pytest
from msgspec import Struct
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from turns import turn_event

from labeling.labels.weak_defects import (
    CONTINUES,
    SIGNALS,
    DefectEvidence,
    defect_views,
    estimate_evidence,
    visible_defect,
)
from streams.turn import Feedback, Response, Signals, Status

SILENT = 0.3


class _Log(Struct, frozen=True):
    defects: NDArray[np.bool_]  # (turns,) the truth
    shares: NDArray[np.float64]  # (turns,) of such requests that are defects
    visible: NDArray[np.float64]  # (turns,) 1 where a defect shows
    views: Sequence[dict[str, str]]

    @property
    def predicted(self) -> NDArray[np.float64]:
        """Log odds of a visible defect, as a perfect model of the words gives them."""
        shown = self.shares * (1 - SILENT)
        odds: NDArray[np.float64] = np.log(shown) - np.log1p(-shown)
        return odds


def _log(n_turns: int = 20_000, seed: int = 1) -> _Log:
    """Requests of 20 kinds, of which 2 to 85 % are defects; of these 30 % show no sign.

    Of users who were not served 60 % end the dialogue, of the others 15 %.
    """
    generator = np.random.default_rng(seed)
    shares = np.linspace(0.02, 0.85, 20)[generator.integers(20, size=n_turns)] ** 1.5
    defects = generator.random(n_turns) < shares
    visible = defects & (generator.random(n_turns) >= SILENT)
    ends = generator.random(n_turns) < np.where(defects, 0.6, 0.15)
    views = [
        {SIGNALS: "error" if is_seen else "ok", CONTINUES: "last" if is_last else "0"}
        for is_seen, is_last in zip(visible, ends, strict=True)
    ]
    return _Log(defects, shares, visible.astype(np.float64), views)


LOG = _log()
EVIDENCE, FOUND = estimate_evidence(LOG.views, LOG.visible, LOG.predicted)


def test_the_share_of_silent_defects_is_found() -> None:
    assert EVIDENCE.silent == pytest.approx(SILENT, abs=0.08)
    assert FOUND.mean() == pytest.approx(LOG.defects.mean(), abs=0.03)


def test_what_a_signal_tells_is_its_likelihood_ratio() -> None:
    assert EVIDENCE.views[CONTINUES]["last"] == pytest.approx(np.log(0.6 / 0.15), abs=0.3)
    assert EVIDENCE.views[CONTINUES]["0"] == pytest.approx(np.log(0.4 / 0.85), abs=0.2)
    assert EVIDENCE.views[SIGNALS]["ok"] == pytest.approx(np.log(SILENT), abs=0.35)
    assert EVIDENCE.views[SIGNALS]["error"] > 4


def _truth() -> NDArray[np.float64]:
    """The probability of a defect where all that the log shows is known: (turns,)."""
    ends = np.array([view[CONTINUES] == "last" for view in LOG.views])
    yes = LOG.shares * SILENT * np.where(ends, 0.6, 0.4)
    no = (1 - LOG.shares) * np.where(ends, 0.15, 0.85)
    return np.where(LOG.visible == 1, 1.0, yes / (yes + no))


def test_probabilities_come_near_the_true_ones() -> None:
    assert np.abs(FOUND - _truth()).mean() < 0.03
    for low in np.arange(0, 1, 0.2):
        group = (low <= FOUND) & (low + 0.2 > FOUND)
        if group.sum() >= 300:
            assert LOG.defects[group].mean() == pytest.approx(FOUND[group].mean(), abs=0.08)


def test_silent_defects_are_ranked_better_than_by_what_is_visible_or_by_words_alone() -> None:
    found = average_precision_score(LOG.defects, FOUND)
    assert found > average_precision_score(LOG.defects, LOG.visible) + 0.03
    assert found > average_precision_score(LOG.defects, LOG.predicted) + 0.05
    assert found > average_precision_score(LOG.defects, _truth()) - 0.01


def test_turns_not_seen_are_judged_as_those_that_were() -> None:
    unseen = _log(2_000, seed=2)
    odds = [
        EVIDENCE.log_odds(float(visible), view)
        for visible, view in zip(unseen.predicted, unseen.views, strict=True)
    ]
    assert average_precision_score(unseen.defects, odds) == pytest.approx(
        average_precision_score(LOG.defects, FOUND), abs=0.04
    )
    seen = [
        EVIDENCE.log_odds(float(visible), view)
        for visible, view in zip(LOG.predicted[:200], LOG.views[:200], strict=True)
    ]
    np.testing.assert_allclose(1 / (1 + np.exp(-np.array(seen))), FOUND[:200], atol=0.01)


def test_a_log_whose_defects_all_show_has_no_silent_ones() -> None:
    generator = np.random.default_rng(3)
    shares = np.where(generator.random(5_000) < 0.3, 0.97, 0.01)
    defects = (generator.random(5_000) < shares).astype(np.float64)
    views = [{SIGNALS: "error" if defect else "ok", CONTINUES: "unknown"} for defect in defects]
    evidence, found = estimate_evidence(views, defects, np.log(shares) - np.log1p(-shares))
    assert evidence.silent < 0.1
    assert average_precision_score(defects, found) > 0.999
    assert abs(evidence.views[CONTINUES]["unknown"]) < 1e-6  # always the same: tells nothing


def test_what_somebody_has_said_stands() -> None:
    known = np.full(len(LOG.defects), np.nan)
    known[:500] = 1 - LOG.visible[:500]
    evidence, found = estimate_evidence(LOG.views, LOG.visible, LOG.predicted, known)
    assert (found[:500] == known[:500]).all()
    assert evidence.silent != EVIDENCE.silent

    told = np.where(np.arange(len(known)) % 2, LOG.defects, np.nan)
    evidence, _ = estimate_evidence(LOG.views, LOG.visible, LOG.predicted, told)
    assert evidence.silent == pytest.approx(SILENT, abs=0.04)


def test_the_same_log_gives_the_same_estimates() -> None:
    again, found = estimate_evidence(LOG.views, LOG.visible, LOG.predicted)
    assert again == EVIDENCE
    assert (found == FOUND).all()


@pytest.mark.parametrize("visible", [0.0, 1.0])
@pytest.mark.parametrize("odds", [-700.0, 0.0, 700.0])
def test_one_turn_is_enough(visible: float, odds: float) -> None:
    evidence, found = estimate_evidence(
        [{SIGNALS: "ok", CONTINUES: "last"}], np.array([visible]), np.array([odds])
    )
    assert 0 <= evidence.silent <= 1
    assert np.isfinite(found).all()
    assert np.isfinite(evidence.log_odds(odds, {SIGNALS: "ok", CONTINUES: "never seen"}))


def test_a_value_that_was_never_seen_tells_nothing() -> None:
    evidence = DefectEvidence({SIGNALS: {"error": 3.0}, CONTINUES: {}}, 0.0)
    unseen = evidence.log_odds(-1.0, {SIGNALS: "new", CONTINUES: "4"})
    assert unseen == pytest.approx(-1)
    assert evidence.log_odds(-1.0, {SIGNALS: "error", CONTINUES: "4"}) == pytest.approx(unseen + 3)
    assert DefectEvidence({SIGNALS: {}}, 0.5).log_odds(-1.0, {SIGNALS: "ok"}) > -1


@pytest.mark.parametrize(
    ("status", "signals", "continues", "expected"),
    [
        ("ok", Signals(), None, 0.0),
        ("ok", Signals(), 0.4, 0.4),
        (None, Signals(), 0.4, 0.4),
        ("error", Signals(), 0.0, 1.0),
        ("no_result", Signals(), None, 1.0),
        ("unsupported", Signals(), None, 0.0),
        ("ok", Signals(barge_in=True), None, 1.0),
        ("ok", Signals(barge_in=True, terminated=True), 0.2, 0.2),
        ("ok", Signals(feedback="negative"), None, 1.0),
        ("error", Signals(barge_in=True, feedback="positive"), 0.9, 0.0),
    ],
)
def test_a_defect_is_visible_by_report_interruption_complaint_or_next_try(
    status: Status | None, signals: Signals, continues: float | None, expected: float
) -> None:
    turn = turn_event(response=None if status is None else Response(status=status), signals=signals)
    assert visible_defect(turn, continues) == expected


@pytest.mark.parametrize(
    ("status", "barge_in", "terminated", "feedback", "expected"),
    [
        (None, None, None, None, "none"),
        ("ok", False, False, None, "ok"),
        ("error", True, None, "negative", "error interrupted negative"),
        ("ok", True, True, "positive", "ok interrupted ended positive"),
    ],
)
def test_signals_of_a_turn_are_one_view(
    status: Status | None,
    barge_in: bool | None,
    terminated: bool | None,
    feedback: Feedback | None,
    expected: str,
) -> None:
    turn = turn_event(
        response=None if status is None else Response(status=status),
        signals=Signals(barge_in=barge_in, terminated=terminated, feedback=feedback),
    )
    assert defect_views(turn, None, is_last=False)[SIGNALS] == expected


def test_how_far_the_goal_goes_on_is_the_other_view() -> None:
    def goes_on(continues: float | None, *, is_last: bool = False) -> str:
        return defect_views(turn_event(), continues, is_last=is_last)[CONTINUES]

    assert [goes_on(share) for share in (0.0, 0.1, 0.29, 0.5, 0.89, 1.0)] == ["0", "1", "1", "3", "4", "5"]
    assert goes_on(None) == "unknown"
    assert goes_on(0.9, is_last=True) == goes_on(None, is_last=True) == "last"
