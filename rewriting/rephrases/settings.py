"""Settings of rephrase detection; in a module of their own, which loads no model library."""

from msgspec import Struct

from rewriting.evidence.rephrase_link import PointsAt
from rewriting.evidence.rephrase_outcome import EvidenceRule


class RephraseSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How second tries are found, and what is made of them."""

    train: bool = True
    """Whether `rehear learn` trains a detector."""

    base: str | None = None
    """BERT to start from: folder or name on the model hub; None: the weights that need no network."""

    layers: int | None = 3
    """The first layers of the base that are kept; None: all. Fewer are faster, and know less."""

    window_turns: int = 4
    """Following requests among which a second try is sought. Raised, slower, with more chance resemblances;
    lowered, tries after a detour are missed."""

    window_s: float = 120.0
    """Seconds within which it must come."""

    threshold: float = 0.5
    """Least score of a rephrase. Scores are calibrated: at 0.5 a rephrase is as likely as none."""

    points_at: PointsAt = "auto"
    """Which request of a run of tries `rehear rephrases` names: the `first`, the `previous` one, or by the
    kind of session."""

    min_users: int = 2
    """Distinct users behind a pair of texts before it becomes a candidate in the rewrite table."""

    evidence: int = 10
    """Sessions that a candidate names as its evidence, at most."""

    in_chains: bool = False
    """Whether the chains, and what online rewriting knows, go by the rephrases that were found, instead of by
    what two requests have in common in their words."""

    rule: EvidenceRule = EvidenceRule()
    """What they make of the probability of a rephrase."""

    most_examples: int = 20_000
    """Requests that the detector learns from, at most: of more, some are drawn. On two cores 1,000 take some
    ten seconds where the processor multiplies 16-bit floats, else most of a minute."""

    learning_rate: float = 2e-4
    """Of the detector's training, at its highest. A deep base (`bert-base-uncased`, all layers) stands a
    quarter of it; a shallow one that starts from nothing needs ten times as much."""

    device: str = "cpu"
    """`cpu`, `cuda`, or `auto`: the GPU where there is one."""

    seed: int = 1
