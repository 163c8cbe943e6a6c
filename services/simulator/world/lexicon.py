"""The words that a world's names are made of.

A world that is held out shares no name with the worlds that are not: its rooms, devices and words of titles
are others, and of invented words it has only those whose letters add up to an odd number, the other worlds
only those whose letters add up to an even one.
"""

from typing import Literal

from msgspec import Struct


class Lexicon(Struct, frozen=True, kw_only=True):
    """What names are made of, apart from invented words, and which invented words there may be."""

    rooms: tuple[str, ...]
    devices: tuple[str, ...]
    title_words: tuple[str, ...]
    invented: Literal["any", "even", "odd"] = "any"  # by the sum of the codes of the letters

    def admits(self, word: str) -> bool:
        """Whether an invented word may be part of a name."""
        return self.invented == "any" or sum(map(ord, word)) % 2 == (self.invented == "odd")


USUAL = Lexicon(
    rooms=("kitchen", "bedroom", "hall", "study", "garage", "garden", "attic", "bathroom"),
    devices=("lights", "lamp", "heater", "fan", "radio", "blinds", "kettle"),
    title_words=(
        "blue", "river", "night", "summer", "golden", "paper", "silver", "winter", "velvet", "morning",
    ),
)  # fmt: skip

SEEN = Lexicon(rooms=USUAL.rooms, devices=USUAL.devices, title_words=USUAL.title_words, invented="even")
"""Of worlds to learn from, where others are held out."""

HELD_OUT = Lexicon(
    rooms=("lounge", "cellar", "porch", "nursery", "loft", "pantry", "office", "laundry"),
    devices=("spotlight", "chandelier", "boiler", "ventilator", "stereo", "shutters", "oven"),
    title_words=(
        "green", "ocean", "dawn", "autumn", "copper", "marble", "crystal", "spring", "amber", "evening",
    ),
    invented="odd",
)  # fmt: skip
"""Of worlds to test on, where the others are learned from."""
