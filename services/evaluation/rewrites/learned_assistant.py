"""What a state holds of one assistant, in memory: what its variants are trained from and served with."""

import math
from collections.abc import Callable

import msgspec
from msgspec import Struct
from sqlalchemy import Engine

from labeling.models.in_use import current_models, model_folder
from rewriting.encoders.text_encoder import PairEncoder, TextEncoder, encoder_id
from rewriting.index.follower import follow
from rewriting.index.request_index import RequestIndex
from rewriting.index.store import index_folder
from rewriting.ranking.candidate_guard import CandidateGuard
from rewriting.ranking.candidates import CandidateSettings
from rewriting.ranking.online_rewriter import OnlineRewriter
from rewriting.ranking.online_settings import OnlineSettings
from rewriting.ranking.ranker import Judge, Ranker
from rewriting.requests.session_store import REQUEST_STORE
from rewriting.requests.silent_failures import SilentFailures
from rewriting.requests.step import SessionRequests
from rewriting.table.lookup import LookupTable
from rewriting.table.rewrite import Rewrite, TableVersion
from rewriting.table.rewrite_table import RewriteTable
from services.evaluation.common.vector_memory import VectorMemory
from services.jobs.ranker import silent_failures_of
from services.jobs.served_layers import RequestRewriter
from services.learners.assistant_miners import candidate_guard_of
from services.settings import Settings
from streams.stores.database_schema import reading
from streams.turn import AssistantId


class OnlineVariant(Struct, frozen=True):
    """An online rewriter and its index; an `OnlineLayer`."""

    rewriter: RequestRewriter
    index: RequestIndex | None = None


class LearnedAssistant(Struct, frozen=True, kw_only=True):
    """Sessions, table and models of one assistant."""

    assistant_id: AssistantId
    sessions: list[SessionRequests]  # by their start, none of them empty
    rewrites: tuple[Rewrite, ...]
    version: TableVersion
    ranker: Ranker | None  # None: its gates were closed, or there was too little to learn from
    encoder: VectorMemory | None
    pair_encoder: PairEncoder | None
    index: RequestIndex | None
    silent: SilentFailures
    guard: CandidateGuard
    settings: OnlineSettings  # with no limit of time: a replay must not depend on how busy the machine is

    def table(self, keeps: Callable[[Rewrite], bool] = lambda row: True) -> LookupTable:
        """The table of some of its rows."""
        rows = [row for row in self.rewrites if keeps(row)]
        return LookupTable.of(self.assistant_id, self.version, rows)

    def online(
        self, judge: Judge | None, candidates: CandidateSettings | None = None
    ) -> OnlineVariant | None:
        """The online layers with some judge and candidates; None, as in serving, if it lets nothing pass."""
        if judge is None or not judge.gates.are_open:
            return None
        settings = self.settings
        if candidates is not None:
            settings = msgspec.structs.replace(settings, candidates=candidates)
        rewriter = OnlineRewriter(judge, self.encoder, self.pair_encoder, settings, self.guard)
        return OnlineVariant(rewriter, self.index)


def read_learned_assistant(
    engine: Engine, settings: Settings, assistant_id: AssistantId, clock_ms: Callable[[], int]
) -> LearnedAssistant:
    """Reads all of one assistant.

    Raises:
        ArtifactError: a model that the database names cannot be used.
    """
    state = settings.state_folder
    folder = model_folder(state, assistant_id)
    snapshot = RewriteTable(engine, clock_ms).read(assistant_id)
    with reading(engine) as connection:
        models = current_models(connection, assistant_id)
        sessions = [session for session in REQUEST_STORE.all(connection, assistant_id) if session.steps]
        encoder = TextEncoder.load(folder / models["encoder"]) if "encoder" in models else None
        index = None
        if encoder is not None:
            name = encoder_id(folder / models["encoder"])
            empty = RequestIndex.empty(assistant_id, name, encoder.dimension)
            index = follow(empty, connection, index_folder(state))
    return LearnedAssistant(
        assistant_id=assistant_id,
        sessions=sessions,
        rewrites=tuple(snapshot.rewrites),
        version=snapshot.version,
        ranker=Ranker.load(folder / models["ranker"]) if "ranker" in models else None,
        encoder=None if encoder is None else VectorMemory(encoder),
        pair_encoder=(
            PairEncoder.load(folder / models["pair"]) if settings.online.pairs and "pair" in models else None
        ),
        index=index,
        silent=silent_failures_of(sessions, settings.online.candidates.min_users),
        guard=candidate_guard_of(settings),
        settings=msgspec.structs.replace(settings.online, budget_ms=math.inf),
    )
