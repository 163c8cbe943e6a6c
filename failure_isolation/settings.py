"""Settings of failure isolation; in a module of their own, which loads no model library."""

from msgspec import Struct


class FailureSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How failures are isolated."""

    train: bool = True
    """Whether `rehear learn` trains a failure model, where there are annotations of failure points."""

    base: str | None = None
    """RoBERTa to start from: folder or name on the model hub (`roberta-base`); None: one that is made of the
    weights that need no network."""

    layers: int | None = 3
    """Of the base that are kept; None: all, for a GPU or a night."""

    context: bool = True
    """Whether a turn is read together with the others of its dialogue, later ones included."""

    traces: bool = True
    """Whether the lists of alternatives are read: recognitions, interpretations, entities."""

    planted_turns: int = 0
    """Simulated turns with planted faults that are learned from beside the annotated ones, about so many;
    they teach what traces and signals tell."""

    passes: int | None = None
    """Passes over the annotated turns, where the default is not wanted: about 45,000 turns in all, at least
    two passes and at most eight."""

    coverage: float = 0.9
    """Wanted share of turns for which the model does not abstain, 0..1."""

    device: str = "cpu"
    """`cpu`, `cuda`, or `auto`: the GPU where there is one."""

    seed: int = 1
