"""Settings of the encoder of requests; in a module of their own, which loads no model library."""

from msgspec import Struct


class EncoderSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the encoder of requests is trained; the fields left out are as in `EncoderTraining`."""

    train: bool = True
    """Whether it is trained at all; without, the base is used as it is."""

    base: str | None = None
    """Folder or name on the model hub; None: the weights that need no network."""

    layers: int | None = 3
    """The first layers of the base that are kept; None: all. Fewer are faster, and know less."""

    device: str = "cpu"
    """`cpu`, `cuda`, or `auto`: the GPU where there is one."""

    seed: int = 1
