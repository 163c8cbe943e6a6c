"""Given labels: those that a turn has, and which of them are confident enough to be kept."""

from typing import Final

import msgspec

from labeling.labels.turn_label import LabelName, TurnLabel

FIELDS_OF: Final[dict[LabelName, tuple[str, ...]]] = {
    "goal_success": ("goal_success",),
    "defect": ("defect",),
    "satisfaction": ("satisfaction", "dissatisfaction"),
    "dialogue_satisfaction": ("dialogue_satisfaction", "dialogue_dissatisfaction"),
    "domain": ("domain",),
    "intent": ("intent",),
    "slots": ("slots",),
}
"""What a label says, where it may say nothing; which goal a turn belongs to is always said."""


def without_unsure(label: TurnLabel, *, min_confidence: float = 0.0, abstained_too: bool = True) -> TurnLabel:
    """The labels of a turn without those that are not sure; these are None.

    The goal stays: where a turn belongs is said of each.

    Args:
        label: of the turn.
        min_confidence: least confidence of a label that stays, 0..1; one without a confidence stays.
        abstained_too: whether labels below the wanted precision stay.
    """
    unsure = [
        name
        for name in FIELDS_OF
        if label.confidence.get(name, 1.0) < min_confidence or (name in label.abstained and not abstained_too)
    ]
    return msgspec.structs.replace(label, **{field: None for name in unsure for field in FIELDS_OF[name]})


def given_labels(label: TurnLabel) -> set[LabelName]:
    """The labels that a turn has, of those that it may lack."""
    return {
        name
        for name, fields in FIELDS_OF.items()
        if any(getattr(label, field) is not None for field in fields)
    }
