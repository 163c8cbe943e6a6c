"""Settings of the online rewriter; in a module of their own, which loads no model library."""

from msgspec import Struct

from rewriting.ranking.candidates import CandidateSettings


class OnlineSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the online rewriter works."""

    candidates: CandidateSettings = CandidateSettings()

    budget_ms: float = 20.0
    """Time for one answer. When it is over between two stages, the request is left to the rewrite table.
    Raised, slow moments hold requests up; lowered, more requests go without."""

    pairs: int = 0
    """Candidates that the pair encoder reads, the most alike first; 0: it is not used. Each costs about as
    much as encoding a request."""
