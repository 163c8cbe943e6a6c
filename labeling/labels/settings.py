"""Settings of label generation; in a module of their own, which loads no model library."""

from typing import Literal

from msgspec import Struct

Preset = Literal["small", "full"]


class LabelSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How labels are made."""

    train: bool = True
    """Whether `rehear learn` trains a label model."""

    preset: Preset = "small"
    """`small`: three layers of the base, two passes over at most 20,000 turns (up to six over fewer), minutes
    on two cores. `full`: all layers, four passes over all turns, for a GPU or a night."""

    most_turns: int | None = None
    """Turns of one pass, where the preset's number is not wanted: of more, others are drawn for each pass. On
    two cores a pass over 1,000 takes some ten seconds."""

    passes: int | None = None
    """Passes over the turns, where the preset's number is not wanted."""

    base: str | None = None
    """RoBERTa to start from: folder or name on the model hub (`roberta-base`); None: one that is made of the
    weights that need no network."""

    context: bool = True
    """Whether a turn is read together with the others of its dialogue."""

    pretrain: bool = True
    """Whether the encoder first learns from unlabelled dialogues which responses belong to which requests."""

    precision: float = 0.9
    """Wanted share of right labels among those that are not abstained from, 0..1."""

    in_chains: bool = False
    """Whether the chains, and what online rewriting knows, weigh requests by the probability of a defect,
    instead of by what the signals of the turn say."""

    device: str = "cpu"
    """`cpu`, `cuda`, or `auto`: the GPU where there is one."""

    seed: int = 1
