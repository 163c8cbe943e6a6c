"""What each kind of evidence adds to rephrase detection: detectors that were trained without it."""

import math
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from rewriting.rephrase_link import RephraseDetector
from rewriting.rephrase_settings import RephraseSettings
from services.evaluation.rephrase_system import RephraseSystem

ALL_TURNS = 1_000
"""Following requests, in the place of all: sessions are shorter."""


class RephraseVariant(Struct, frozen=True, kw_only=True):
    """A detector that is trained and used like that of the settings, but for what it says here."""

    name: str
    time_gaps: bool = True
    responses: bool = True
    signals: bool = True
    window_turns: int | None = None  # None: as in the settings

    def of(self, settings: RephraseSettings) -> RephraseSettings:
        """The settings with the window of the variant; of all turns, with no limit of time either."""
        if self.window_turns is None:
            return settings
        changed = replace(settings, window_turns=self.window_turns)
        return replace(changed, window_s=math.inf) if self.window_turns == ALL_TURNS else changed


VARIANTS = (
    RephraseVariant(name="no time gaps", time_gaps=False),
    RephraseVariant(name="no responses", responses=False),
    RephraseVariant(name="no signals", signals=False),
    RephraseVariant(name="window of 2 turns", window_turns=2),
    RephraseVariant(name="window of 5 turns", window_turns=5),
    RephraseVariant(name="window of all turns", window_turns=ALL_TURNS),
)

TrainVariant = Callable[[RephraseVariant], RephraseDetector]
"""Trains the detector of a variant."""


def ablated_systems(
    train: TrainVariant,
    settings: RephraseSettings,
    variants: Sequence[RephraseVariant] = VARIANTS,
    on_trained: Callable[[str], None] = lambda name: None,
) -> list[RephraseSystem]:
    """Trains the variants, each believed from the threshold of the settings on."""
    systems = []
    for variant in variants:
        systems.append(
            RephraseSystem(name=variant.name, detector=train(variant), threshold=settings.threshold)
        )
        on_trained(variant.name)
    return systems
