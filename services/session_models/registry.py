"""The registry: the kinds of session models, in the order in which they are learned."""

from typing import Any, Final

from services.session_models.failures.kind import KIND as FAILURES
from services.session_models.kind import SessionModelKind
from services.session_models.labels.kind import KIND as LABELS
from services.session_models.rephrases.kind import KIND as REPHRASES

SESSION_MODELS: Final[tuple[SessionModelKind[Any, Any], ...]] = (REPHRASES, LABELS, FAILURES)
"""Labels come after rephrases, whose links tell of success, and failures after both."""
