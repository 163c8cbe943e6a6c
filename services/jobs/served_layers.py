"""The layers of rewriting as they are served, loaded once, for replays of a log."""

import math
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec
from msgspec import Struct
from sqlalchemy import Engine

from rewriting.index.request_index import RequestIndex
from rewriting.ranking.online_rewriter import OnlineAnswer
from rewriting.requests.asked_request import AskedRequest
from rewriting.requests.history import RequestHistory
from rewriting.requests.statistics import StatisticsSource
from rewriting.table.lookup import LookupTable
from rewriting.table.rewrite_table import RewriteTable
from rewriting.verdicts.row_verdicts import RowVerdicts
from services.learners.assistant_miners import candidate_guard_of
from services.lookup_api.followers.online import OnlineFollower
from services.lookup_api.followers.verdict_memory import VerdictMemory
from services.settings import Settings
from streams.turn import AssistantId


class RequestRewriter(Protocol):
    """What answers requests at run time: an `OnlineRewriter`, or what it is compared with."""

    def answer(
        self,
        request: AskedRequest,
        statistics: StatisticsSource,
        history: RequestHistory,
        index: RequestIndex | None,
    ) -> OnlineAnswer:
        """What a request should have been; arguments as for `OnlineRewriter.answer`."""
        ...


class OnlineLayer(Protocol):
    """What rewrites the requests of one assistant online."""

    @property
    def rewriter(self) -> RequestRewriter:
        """Answers requests."""
        ...

    @property
    def index(self) -> RequestIndex | None:
        """That it searches."""
        ...


class ServedLayers(Struct, frozen=True):
    """What requests are rewritten with, by assistant."""

    tables: Mapping[AssistantId, LookupTable]
    online: Mapping[AssistantId, OnlineLayer]
    verdicts: Mapping[AssistantId, RowVerdicts] = {}  # of those for whom a ranker was trained
    troubles: Mapping[AssistantId, str] = {}  # why models that were trained are not in use


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
    follower = OnlineFollower(engine, settings.state_folder, unhurried, candidate_guard_of(settings))
    follower.look()
    memory = VerdictMemory(engine)
    memory.look()
    return ServedLayers(tables, follower.parts, memory.all, follower.troubles)
