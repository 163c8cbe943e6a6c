"""Linear failures: logistic regression on what is known of a turn beside its texts, as a part of the model.

It is fitted first, and stays as it is; the network learns what it leaves over. Of few annotations it takes
what is plain to see, where a network would rather learn the turns by heart. How much each of them is worth is
told by dialogues that neither has learned from (`failure_calibration`).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from failure_isolation.rule import FAILURE_POINTS

_INVERSE_PENALTY = 0.03  # of some hundred columns, most of which are rarely there
_STEPS = 300  # at most
_TOLERANCE = 1e-3


class LinearFailures(nn.Module):
    """Columns of turns to logits; gradients train nothing of it."""

    weights: Tensor  # (columns, classes)
    bias: Tensor  # (classes,)

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.register_buffer("weights", torch.zeros(columns, len(FAILURE_POINTS)))
        self.register_buffer("bias", torch.zeros(len(FAILURE_POINTS)))

    def fit(
        self, columns: NDArray[np.float32], classes: NDArray[np.int64], class_weights: NDArray[np.float64]
    ) -> None:
        """Learns; a class that no turn has keeps a logit of 0, as do all where all turns are of one class.

        Args:
            columns: (turns, columns)
            classes: (turns,)
            class_weights: (classes,) how much a turn of each counts.
        """
        if len(np.unique(classes)) < 2:  # the others may all be held back
            return
        model = LogisticRegression(C=_INVERSE_PENALTY, max_iter=_STEPS, tol=_TOLERANCE)
        model.fit(columns, classes, sample_weight=class_weights[classes])
        slopes, constants = model.coef_, model.intercept_
        if len(model.classes_) == 2:  # it has one row, for the second class
            slopes, constants = np.concatenate([-slopes, slopes]) / 2, np.append(-constants, constants) / 2
        known = torch.from_numpy(model.classes_)
        self.weights[:, known] = torch.from_numpy(slopes.T).to(self.weights)
        self.bias[known] = torch.from_numpy(constants).to(self.bias)

    def forward(self, columns: Tensor) -> Tensor:
        """(turns, classes) from (turns, columns)."""
        logits: Tensor = columns @ self.weights + self.bias
        return logits
