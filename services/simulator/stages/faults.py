"""Where a simulated assistant fails when its stages can fail one by one, and how often.

All rates are shares of the requests that can fail so, before the factors of device, locale and outage.
"""

from random import Random
from typing import Literal

from msgspec import Struct

InjectedStage = Literal["nlu", "entity_resolution", "result"]

FALSE_WAKES_PER_DAY = 0.32
"""Of a user, on average over devices: about 5 % of all turns."""

ASR_RATE = 1.0
"""Factor on the error rates of `recogniser`; language understanding and entity resolution make good half of
the errors."""

FALSE_WAKE_WHILE_USED = 0.03
"""Chance that the next thing after a request, within the visit, is not for the device."""

NLU_RATE = 0.07
"""Of requests that the assistant should understand; some of them are made good."""

NLU_OVERRIDDEN = 0.15
"""Share of wrong first interpretations for which the assistant carries out the right second one."""

ABSORBED = 0.5
"""Share of misheard everyday words that language understanding sees through."""

ENTITY_RATE = 0.08
"""Of requests with a name of the catalogue."""

RESULT_RATE = 0.06
"""Of requests that the assistant supports."""

STICKY: dict[InjectedStage, float] = {"nlu": 0.45, "entity_resolution": 0.35, "result": 0.3}
"""Chance that the same fault strikes again at the next try in the same words: what failed once, fails."""

OUTAGE_EVERY_DAYS = 5
"""Every fifth day one domain has an outage: there is something to see in a plot over time."""

OUTAGE_FIRST_DAY = 3
"""The first day with an outage, from 0."""

OUTAGE_FACTOR = 4.0
"""On the share of failing results during an outage."""

Device = Literal["speaker", "display", "phone", "car", "tv"]
DEVICES: dict[Device, tuple[bool, int, float, float]] = {
    "speaker": (False, 40, 1.0, 1.2),
    "display": (True, 20, 1.0, 1.0),
    "phone": (True, 20, 0.8, 0.3),
    "car": (True, 10, 1.7, 0.6),
    "tv": (True, 10, 1.1, 2.2),
}
"""Screen, percent of users, factor on mishearings, factor on false wakes."""

LOCALES: dict[str, tuple[int, float]] = {
    "en-US": (40, 1.0), "en-GB": (25, 0.9), "en-IN": (20, 1.5), "en-AU": (15, 1.1),
}  # fmt: skip
"""Percent of users, factor on mishearings."""


class Faults(Struct, frozen=True):
    """The stages at which a turn is made to fail."""

    stages: frozenset[InjectedStage]


NO_FAULTS = Faults(frozenset())


def draw_faults(rng: Random, *, repeated: Faults, outage: bool) -> Faults:
    """The stages that fail in a turn, if its request can fail there.

    `repeated` are the faults of the try before, where the words are the same, else none.
    """
    rates: dict[InjectedStage, float] = {
        "nlu": NLU_RATE,
        "entity_resolution": ENTITY_RATE,
        "result": RESULT_RATE * (OUTAGE_FACTOR if outage else 1.0),
    }
    struck = [
        stage
        for stage, rate in rates.items()
        if rng.random() < (STICKY[stage] if stage in repeated.stages else rate)
    ]
    return Faults(frozenset(struck))
