"""The layers of rewriting as they are served, loaded once, for replays of a log."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct
from sqlalchemy import Engine

from rewriting.lookup_table import LookupTable
from rewriting.rewrite_table import RewriteTable
from services.lookup_api.online_follower import OnlineFollower, OnlineParts
from services.settings import Settings
from streams.turn import AssistantId


class ServedLayers(Struct, frozen=True):
    """What requests are rewritten with, by assistant."""

    tables: Mapping[AssistantId, LookupTable]
    online: Mapping[AssistantId, OnlineParts]


def served_layers(engine: Engine, settings: Settings, clock_ms: Callable[[], int]) -> ServedLayers:
    """Loads the layers of all assistants as the lookup API would, but without a limit of time.

    A replay must not depend on how busy the machine is.
    """
    table = RewriteTable(engine, clock_ms)
    tables = {}
    for assistant_id in table.versions():
        snapshot = table.read(assistant_id)
        tables[assistant_id] = LookupTable.of(assistant_id, snapshot.version, snapshot.rewrites)
    unhurried = msgspec.structs.replace(settings.online, budget_ms=math.inf)
    follower = OnlineFollower(engine, Path(settings.state).absolute(), unhurried)
    follower.look()
    return ServedLayers(tables, follower.parts)
