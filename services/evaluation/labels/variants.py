"""Variants of the label model: each lacks one part of what it learns from or reads, or is a baseline."""

import math
from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from labeling.annotations.annotation import Annotations
from labeling.labels.settings import LabelSettings
from services.evaluation.common.log_split import LogSplit, stable_number
from services.evaluation.common.variant_output import ModelVariant
from services.evaluation.labels.gold import GoldLabel
from streams.session import Session
from streams.turn import EventId

TWENTIETH: Final = 0.05
"""Share of the annotated dialogues, where few are to do."""

LEAST_STEPS: Final = 300
"""Of a training with a share of the annotations: as many as settle the learning rate's rise and fall. Of
fewer, what is missed would be steps, not annotations."""


class LabelVariant(ModelVariant, frozen=True, kw_only=True):
    """A label model that is made like that of the settings, but for what it says here."""

    context: bool = True  # whether turns are read together with the others of their dialogue
    pretrain: bool = True
    annotated: float = 1.0  # share of the annotated dialogues whose annotations are learned from
    is_plain: bool = False  # no label model, but a plain encoder of request texts

    def settings(self, settings: LabelSettings) -> LabelSettings:
        """The settings without what the variant is without."""
        return replace(
            settings, context=settings.context and self.context, pretrain=settings.pretrain and self.pretrain
        )

    def annotations(self, sessions: Sequence[Session], annotations: Annotations) -> Annotations:
        """What the variant is told of an assistant's sessions.

        Of a share, it is all that is said of the annotated dialogues with the lowest hashes, rounded up.
        """
        if self.annotated == 1.0:
            return annotations
        said = [
            session
            for session in sessions
            if any(EventId(turn.event_id) in annotations for turn in session.turns)
        ]
        said.sort(key=lambda session: stable_number(session, "share"))
        kept = said[: math.ceil(self.annotated * len(said))]
        events = (EventId(turn.event_id) for session in kept for turn in session.turns)
        return {event: annotations[event] for event in events if event in annotations}

    def why_not(self, split: LogSplit[GoldLabel], settings: LabelSettings) -> str | None:
        """Why it would be nothing of its own on these logs; None: it would."""
        if not self.context:
            if not settings.context:
                return "the settings have no context"
            if all(len(session.turns) == 1 for session in (*split.train, *split.test)):
                return "every dialogue has one turn"
        if not self.pretrain:
            if not settings.pretrain:
                return "the settings have no pre-training"
            if not any(turn.response and turn.response.text for turn in split.train_turns):
                return "there are no responses to pre-train with"
        if self.annotated < 1.0 and not split.annotations:
            return "there are no annotations"
        if self.is_plain and not any(
            (one.domain, one.intent, one.slots) != (None, None, None) for one in split.annotations.values()
        ):
            return "no annotation names a domain, an intent or slots"
        return None


ALL_OF_IT: Final = "all of it"

VARIANTS: Final = (
    LabelVariant(name=ALL_OF_IT),
    LabelVariant(name="without context", context=False),
    LabelVariant(name="without pre-training", pretrain=False),
    LabelVariant(name="a twentieth of the annotations", annotated=TWENTIETH),
    LabelVariant(name="a twentieth, without pre-training", annotated=TWENTIETH, pretrain=False),
    LabelVariant(name="log alone", annotated=0.0),
    LabelVariant(name="plain encoder", is_plain=True),
)
"""In the order of the report; the first is compared with all others."""
