"""What can fail in failure isolation.

FailureIsolationError
├── FailureTrainingError   a failure model cannot be trained as asked, or from these annotations
└── FailureInputError      dialogue whose failures cannot be isolated
"""

from streams.errors import RehearError


class FailureIsolationError(RehearError):
    """Base of all errors of this package."""


class FailureTrainingError(FailureIsolationError, ValueError):
    """A failure model cannot be trained as asked, or from these annotations; the message says why."""


class FailureInputError(FailureIsolationError, ValueError):
    """Dialogue whose failures cannot be isolated; the message says what is wrong with it, and what to do."""
