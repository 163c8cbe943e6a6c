"""Keeps the models and request indexes of all assistants in memory, as the database names them."""

import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import structlog
from msgspec import Struct
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from labeling.models.in_use import ONLINE_MODEL, ModelKind, model_folder
from rewriting.encoders.text_encoder import PairEncoder, TextEncoder, encoder_id
from rewriting.index.follower import follow
from rewriting.index.request_index import RequestIndex
from rewriting.index.store import INDEX_STATES, IndexState, index_folder
from rewriting.ranking.candidate_guard import CandidateGuard
from rewriting.ranking.features import CANDIDATE_FEATURES, REQUEST_FEATURES
from rewriting.ranking.online_rewriter import OnlineRewriter
from rewriting.ranking.online_settings import OnlineSettings
from rewriting.ranking.ranker import Ranker
from services.lookup_api.followers.database import DatabaseFollower
from streams.stores.database_schema import reading
from streams.turn import AssistantId

log = structlog.get_logger()

TRY_AGAIN_S: Final = 10.0
"""Between tries to load models that could not be: raised, a folder that was copied late serves late; lowered,
a large damaged model is read again and again."""

Models = dict[ModelKind, str]


class OnlineParts(Struct, frozen=True):
    """All that rewrites the requests of one assistant online; swapped as a whole."""

    rewriter: OnlineRewriter
    index: RequestIndex | None  # None: there is no encoder
    models: Models  # by kind, the names of the artifacts in use


class _Trouble(Struct, frozen=True):
    """Why models, or an index, that the database names are not in use."""

    models: Models
    message: str
    since_s: float


class OnlineFollower(DatabaseFollower):
    """Looks a few times a second which models and index versions are in use, and takes them over.

    What is new is loaded and used once before requests come to it, and then put in the place of what was
    there by one assignment; the former is freed when the last request that uses it has its answer. Models
    that cannot be loaded are logged once: the former stay in use, or the assistant goes without.

    A look costs two small queries.

    Args:
        engine: of the database.
        state: folder of models and indexes.
        settings: of the answers.
        guard: of what the ranker decides for.
        poll_interval_s: from one look to the next.
        clock_s: monotonic.
        assistants: whose models are followed; None: all.
    """

    def __init__(
        self,
        engine: Engine,
        state: Path,
        settings: OnlineSettings,
        guard: CandidateGuard,
        poll_interval_s: float = 0.25,
        clock_s: Callable[[], float] = time.monotonic,
        assistants: Collection[AssistantId] | None = None,
    ) -> None:
        super().__init__("models", poll_interval_s, clock_s)
        self._engine = engine
        self._state = state
        self._settings = settings
        self._guard = guard
        self._assistants = assistants
        self._parts: Mapping[AssistantId, OnlineParts] = {}
        self._troubles: dict[AssistantId, _Trouble] = {}

    @property
    def parts(self) -> Mapping[AssistantId, OnlineParts]:
        """What requests are rewritten with, by assistant."""
        return self._parts

    @property
    def troubles(self) -> Mapping[AssistantId, str]:
        """By assistant, why the models that the database names are not in use."""
        return {key: trouble.message for key, trouble in dict(self._troubles).items()}

    def _take_over(self) -> None:
        with reading(self._engine) as connection:
            named = _models_in_use(connection, self._kinds())
            states = INDEX_STATES.all(connection)
        if self._assistants is not None:
            named = {key: models for key, models in named.items() if key in self._assistants}
        for assistant_id in self._parts.keys() - named.keys():
            self._put(assistant_id, None)
        for assistant_id in self._troubles.keys() - named.keys():
            del self._troubles[assistant_id]
        for assistant_id, models in named.items():
            self._bring_up(assistant_id, models, states.get(assistant_id, IndexState()))

    def _kinds(self) -> frozenset[ModelKind]:
        return frozenset({"ranker", "encoder", "pair"} if self._settings.pairs else {"ranker", "encoder"})

    def _bring_up(self, assistant_id: AssistantId, models: Models, state: IndexState) -> None:
        held = self._parts.get(assistant_id)
        index = None if held is None else held.index
        is_new = held is None or held.models != models
        if not is_new and (
            index is None or (index.version, index.base_name) == (state.version, state.base_name)
        ):
            self._troubles.pop(assistant_id, None)
            return
        trouble = self._troubles.get(assistant_id)
        if trouble is not None and trouble.models == models:
            if self._clock_s() - trouble.since_s < TRY_AGAIN_S:
                return
        try:
            parts = self._loaded(assistant_id, models, held)
            _warm_up(parts)
        except (DBAPIError, PoolTimeoutError):
            raise
        except Exception as error:  # whatever one assistant's models fail with, the others' are served
            if trouble is None or (trouble.models, trouble.message) != (models, str(error)):
                log.error(
                    "models for online rewriting cannot be used",
                    assistant_id=assistant_id,
                    models=models,
                    in_use="the former" if held is not None else "none",
                    error=str(error),
                )
            self._troubles[assistant_id] = _Trouble(models, str(error), self._clock_s())
            return
        self._put(assistant_id, parts)
        self._troubles.pop(assistant_id, None)
        if is_new:
            log.info("models for online rewriting loaded", assistant_id=assistant_id, models=models)

    def _loaded(self, assistant_id: AssistantId, models: Models, held: OnlineParts | None) -> OnlineParts:
        """The parts with these models and the newest index; what is the same as before is not read again."""
        rewriter, index = (None, None) if held is None else (held.rewriter, held.index)
        if rewriter is None or held is None or held.models != models:
            folder = model_folder(self._state, assistant_id)
            encoder, pairs = models.get("encoder"), models.get("pair")
            rewriter = OnlineRewriter(
                Ranker.load(folder / models["ranker"]),
                None if encoder is None else TextEncoder.load(folder / encoder),
                None if pairs is None else PairEncoder.load(folder / pairs),
                self._settings,
                self._guard,
            )
            index = self._index_for(assistant_id, rewriter, folder / (encoder or ""), index)
        if index is not None:
            with reading(self._engine) as connection:
                index = follow(index, connection, index_folder(self._state))
        return OnlineParts(rewriter, index, models)

    def _index_for(
        self, assistant_id: AssistantId, rewriter: OnlineRewriter, folder: Path, index: RequestIndex | None
    ) -> RequestIndex | None:
        """The index to begin with: the one that is held, where the encoder is the same."""
        if rewriter.encoder is None:
            return None
        key = encoder_id(folder)
        if index is not None and index.encoder_id == key:
            return index
        return RequestIndex.empty(assistant_id, key, rewriter.encoder.dimension)

    def _put(self, assistant_id: AssistantId, parts: OnlineParts | None) -> None:
        others = {key: value for key, value in self._parts.items() if key != assistant_id}
        self._parts = others if parts is None else {**others, assistant_id: parts}


def _models_in_use(connection: Connection, kinds: frozenset[ModelKind]) -> dict[AssistantId, Models]:
    """The models of each assistant that has a ranker: without one, nothing is decided online."""
    found: dict[AssistantId, Models] = {}
    for assistant_id, kind, name in connection.execute(_MODELS):
        if kind in kinds:
            found.setdefault(AssistantId(assistant_id), {})[kind] = name
    return {key: models for key, models in found.items() if "ranker" in models}


_MODELS = select(ONLINE_MODEL.c.assistant_id, ONLINE_MODEL.c.kind, ONLINE_MODEL.c.name)


def _warm_up(parts: OnlineParts) -> None:
    """Uses each part once: the first use of a model takes many times as long as any other."""
    rewriter = parts.rewriter
    if rewriter.encoder is not None and parts.index is not None:
        parts.index.search(rewriter.encoder.encode(["turn on the light"])[0], 1)
    if rewriter.pair_encoder is not None:
        rewriter.pair_encoder.score("turn on the light", ["turn off the light"])
    rewriter.ranker.judge(
        np.zeros(len(REQUEST_FEATURES), np.float32), np.zeros((1, len(CANDIDATE_FEATURES)), np.float32)
    )
