"""What each kind of evidence adds to rephrase detection: detectors that were trained without it."""

import math
from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from rewriting.evidence.rephrase_link import RephraseDetector
from rewriting.rephrases.dialogue_tokenizer import Part
from rewriting.rephrases.settings import RephraseSettings
from services.evaluation.rephrases.system import RephraseSystem
from streams.turn import TurnEvent

ALL_TURNS = 1_000
"""Following requests, in the place of all: sessions are shorter."""


class RephraseVariant(Struct, frozen=True, kw_only=True):
    """A detector that is trained and used like that of the settings, but for what it says here."""

    name: str
    hidden: frozenset[Part] = frozenset()  # what it never reads
    window_turns: int | None = None  # None: as in the settings

    def of(self, settings: RephraseSettings) -> RephraseSettings:
        """The settings with the window of the variant; of all turns, with no limit of time either."""
        if self.window_turns is None:
            return settings
        changed = replace(settings, window_turns=self.window_turns)
        return replace(changed, window_s=math.inf) if self.window_turns == ALL_TURNS else changed


VARIANTS = (
    RephraseVariant(name="no time gaps", hidden=frozenset({"time"})),
    RephraseVariant(name="no responses", hidden=frozenset({"responses"})),
    RephraseVariant(name="no signals", hidden=frozenset({"signals"})),
    RephraseVariant(name="window of 2 turns", window_turns=2),
    RephraseVariant(name="window of 5 turns", window_turns=5),
    RephraseVariant(name="window of all turns", window_turns=ALL_TURNS),
)


TrainDetector = Callable[[Sequence[Sequence[TurnEvent]], RephraseSettings, frozenset[Part]], RephraseDetector]
"""Trains a detector on sessions, by settings, that never reads the hidden parts."""


def ablated_systems(
    train: TrainDetector,
    sessions: Sequence[Sequence[TurnEvent]],
    settings: RephraseSettings,
    on_trained: Callable[[str], None] = lambda name: None,
) -> list[RephraseSystem]:
    """Trains the variants, each believed from the threshold of the settings on.

    Args:
        train: trains one.
        sessions: of the training log.
        settings: that the variants change.
        on_trained: called with a variant's name when it is done.
    """
    systems = []
    for variant in VARIANTS:
        detector = train(sessions, variant.of(settings), variant.hidden)
        systems.append(RephraseSystem(name=variant.name, detector=detector, threshold=settings.threshold))
        on_trained(variant.name)
    return systems
