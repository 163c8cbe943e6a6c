"""Settings of evidence, as several sections make them; in a module of their own, which loads no store."""

from msgspec import Struct

from labeling.labels.settings import LabelSettings
from rewriting.evidence.rephrase_outcome import DEFAULT_RULE, EvidenceRule
from rewriting.rephrases.settings import RephraseSettings


class EvidenceSettings(Struct, frozen=True, kw_only=True):
    """What chains and online rewriting go by, beside the turns of a session."""

    links: bool = False  # rephrases that detectors have found
    rule: EvidenceRule = DEFAULT_RULE  # how they become weights
    defects: bool = False  # probabilities of defects, from labels

    @classmethod
    def of(
        cls, rephrases: RephraseSettings | None = None, labels: LabelSettings | None = None
    ) -> "EvidenceSettings":
        """As these settings want it."""
        rephrases, labels = rephrases or RephraseSettings(), labels or LabelSettings()
        return cls(links=rephrases.in_chains, rule=rephrases.rule, defects=labels.in_chains)
