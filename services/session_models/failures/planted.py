"""Planted failures: simulated dialogues in which it is known at which stage each turn failed."""

from collections.abc import Mapping, Sequence
from itertools import islice

import msgspec
from msgspec import Struct

from labeling.annotations.annotation import Annotation
from services.simulator import SimulationSettings, simulate
from streams.session import sessionize
from streams.turn import EventId, TurnEvent

_TURNS_OF_USER = 60  # in the days that are simulated; rather fewer than there are
_DAYS = 14


class PlantedFailures(Struct, frozen=True):
    """Dialogues and what is known of their turns."""

    dialogues: Sequence[Sequence[TurnEvent]]
    annotations: Mapping[EventId, Annotation]


def planted_failures(turns: int, seed: int) -> PlantedFailures:
    """About so many turns of simulated dialogues, each with its failure point; the same ones for a seed.

    Their events have ids of their own, which no log has.
    """
    settings = SimulationSettings(
        seed=seed, users=turns // _TURNS_OF_USER + 1, days=_DAYS, test_days=0, stage_faults=True
    )
    events, annotations = [], {}
    for turn in islice(simulate(settings), turns):
        event_id = EventId(f"planted\x00{turn.event.event_id}")
        events.append(msgspec.structs.replace(turn.event, event_id=event_id))
        annotations[event_id] = Annotation(event_id=event_id, failure_point=turn.gold.failure_point)
    return PlantedFailures([session.turns for session in sessionize(events)], annotations)
