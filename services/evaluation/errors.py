"""What can fail in an evaluation.

EvaluationError
├── BaselineError           a baseline cannot learn from the training log
├── EvaluationFileError     a gold, predictions or understanding file cannot be used
├── EvaluationStateError    a state holds nothing to evaluate
├── ExperimentError         a log has no arms that can be compared
├── MismatchError           turns, gold and predictions do not speak of the same events
└── OtherCheckoutError      another checkout cannot be driven by its commands
"""

from streams.errors import RehearError


class EvaluationError(RehearError):
    """Base of all errors of this package."""


class BaselineError(EvaluationError):
    """A baseline cannot learn from the training log; the message says what the log lacks."""


class EvaluationFileError(EvaluationError):
    """A file cannot be used; the message names the file, the line, and what is wrong with it."""


class EvaluationStateError(EvaluationError):
    """A state holds nothing of what is to be evaluated; the message says what is missing."""


class ExperimentError(EvaluationError):
    """A log has no arms that can be compared; the message says what it lacks."""


class MismatchError(EvaluationError):
    """Turns, gold and predictions do not speak of the same events; the message says which, and what to do."""


class OtherCheckoutError(EvaluationError):
    """Another checkout cannot be driven by its commands; the message says which command, and how it ended."""
