"""Session evidence: what models have said of a session, beside what its turns show by themselves."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from rewriting.evidence.rephrase_link import RephraseLink
from rewriting.evidence.rephrase_outcome import DEFAULT_RULE, EvidenceRule


class SessionEvidence(Struct, frozen=True):
    """What is known of one session, as far as chains and online rewriting go by it."""

    links: Sequence[RephraseLink] | None = None  # its rephrases, from a detector; None: none has judged it
    rule: EvidenceRule = DEFAULT_RULE  # how links become weights
    defects: Mapping[int, float] = {}  # by position of the turn: the probability of a defect, 0..1


NO_EVIDENCE = SessionEvidence()
"""Nothing but its turns."""
