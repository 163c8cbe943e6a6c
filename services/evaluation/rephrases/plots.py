"""The pictures of a report on rephrases, as SVG: the same evaluation gives the same bytes."""

from services.evaluation.common.curve_plots import DrawnSystem, precision_recall_picture, reliability_picture
from services.evaluation.common.score_thresholds import ReliabilityBin
from services.evaluation.rephrases.ranking import WANTED_PRECISION
from services.evaluation.rephrases.score import RephraseScores, SystemScore


def precision_recall_plot(evaluation: RephraseScores) -> bytes | None:
    """Precision against recall as the score threshold falls; None where no system names any turn."""
    return precision_recall_picture(
        [_drawn(one) for one in evaluation.systems if one.ranking.curve],
        recall_of="rephrases",
        wanted_precision=WANTED_PRECISION,
    )


def reliability_plot(evaluation: RephraseScores) -> bytes | None:
    """How often turns of a score are right, in tenths of scores; None where no system names any turn."""
    drawn = [_drawn(one) for one in evaluation.systems]
    return reliability_picture(drawn, true="the named turn is right", items="turns")


def _drawn(system: SystemScore) -> DrawnSystem:
    return DrawnSystem(
        name=system.name,
        baseline=system.baseline,
        curve=system.ranking.curve,
        recall=system.overall.recall.value,
        precision=system.overall.precision.value,
        reliability=[
            ReliabilityBin(part.turns, part.mean_score, part.share_right) for part in system.calibration
        ],
    )
