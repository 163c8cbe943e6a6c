"""Judges that stand in for the ranker: without its models, and without its gates."""

import numpy as np
from msgspec import Struct

from rewriting.ranking.features import CANDIDATE_FEATURES, Features
from rewriting.ranking.gates import RewriteGates
from rewriting.ranking.ranker import Judge, Judgement

_NAMES = [name for name, _ in CANDIDATE_FEATURES]
_SIMILARITY, _LIKENESS = _NAMES.index("vector_similarity"), _NAMES.index("likeness")

NO_GATES = RewriteGates(min_defect=0.0, min_win=0.0, expected_wins=0.0, expected_losses=0.0, held_back=0)
"""Lets everything pass."""


class SimilarityJudge(Struct, frozen=True):
    """No ranker: the candidate whose vector is nearest, and how near it is.

    Of a candidate that the index did not find, the likeness of the letters counts.
    """

    gates: RewriteGates

    def judge(self, request: Features, candidates: Features) -> Judgement:
        """Judges one request; arguments as for `Judge.judge`."""
        if not len(candidates):
            return Judgement(1.0, None, 0.0, 0.0)
        similarity = candidates[:, _SIMILARITY]
        alike = np.where(np.isnan(similarity), candidates[:, _LIKENESS], similarity)
        best = int(alike.argmax())
        likeness = float(np.clip(alike[best], 0.0, 1.0))
        return Judgement(1.0, best, likeness, likeness)


class UngatedJudge(Struct, frozen=True):
    """No gates: the ranker's best candidate, wherever it is likelier meant than the request is right."""

    ranker: Judge

    @property
    def gates(self) -> RewriteGates:
        """None."""
        return NO_GATES

    def judge(self, request: Features, candidates: Features) -> Judgement:
        """Judges one request; arguments as for `Judge.judge`."""
        judged = self.ranker.judge(request, candidates)
        if judged.best is not None and judged.meant > 1 - judged.defect:
            return judged
        return Judgement(judged.defect, None, judged.meant, judged.win)
