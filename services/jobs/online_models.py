"""Learning of the online models: from an assistant's stored sessions to an encoder, a ranker and an index.

The encoder learns from the time before the requests that the ranker learns from: of pairs that it has seen,
its vectors tell more than they will of new ones, and the ranker would trust them too much. Without the
packages of the `train` extra, the encoder in use stays.
"""

import importlib.util
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import structlog
from msgspec import Struct
from rich.progress import Progress

from labeling.models.artifact import Manifest, write_artifact
from labeling.models.in_use import ModelKind, current_models, drop_model, set_models
from rewriting.encoders.example import EncoderExample
from rewriting.encoders.text_encoder import PairEncoder, TextEncoder
from rewriting.evidence.interpretation import Interpretation, is_understood
from rewriting.ranking.candidates import Candidate
from rewriting.ranking.online_rewriter import pair_scores
from rewriting.ranking.ranker import KIND, Ranker
from rewriting.ranking.training import TrainedRanker
from rewriting.requests.session_store import REQUEST_STORE
from rewriting.requests.step import SessionRequests
from services.assistant_work import AssistantWork, shown_steps
from services.jobs.ranker import learn_ranker, ranker_examples, silent_failures_of
from services.jobs.ranker_warm_up import warm_up_ends_ms
from services.jobs.row_judging import judge_rows
from services.learners.assistant_miners import candidate_guard_of
from services.learners.index_encoding import encode_all
from services.session_models.model_files import delete_other_models, put_model
from services.settings import Settings
from streams.stores.database_schema import reading
from streams.turn import AssistantId, UserId

log = structlog.get_logger()

MIN_PAIRS = 20
"""Distinct second tries from which an encoder is trained: fewer teach it nothing but themselves."""

_NOT_KNOWN = Interpretation("")
"""Of what was said where something else was run."""

MOST_WEIGHT = 5
"""Times that a pair counts, at most: a few frequent requests would otherwise be all that is learned."""


class OnlineLearning(Struct, frozen=True, kw_only=True):
    """What was learned for one assistant."""

    assistant_id: AssistantId
    examples: int  # requests whose outcome the ranker learned from
    encoder: str | None  # name of the artifact in use
    ranker: TrainedRanker | None  # None: too little to learn from
    serves: bool  # whether its gates let anything pass
    encoded: int  # requests that were put into the index
    judged: int = 0  # rows of the table of which it is known what the ranker says

    @property
    def in_words(self) -> str:
        """One line for people."""
        index = f"{self.encoded:,} requests put into the index"
        if self.ranker is None:
            return f"{index}; too little is known to train a ranker, so the table answers alone"
        gates = self.ranker.ranker.facts.gates
        if not self.serves:
            return (
                f"{index}; the ranker does not reach the wanted win/loss on {gates.held_back:,} held-back "
                "requests, so the table answers alone"
            )
        return (
            f"{index}; a ranker learned from {self.examples:,} requests; on the held-back days "
            f"{gates.expected_wins:.0f} wins and at most {gates.expected_losses:.0f} losses are expected; "
            f"{self.judged:,} table rows judged"
        )


def learn_online(work: AssistantWork) -> OnlineLearning:
    """Trains the models of one assistant on all of its sessions, and puts them in use."""
    engine, settings, assistant_id = work.engine, work.settings, work.assistant_id
    progress, state, folder = work.progress, settings.state_folder, work.models
    candidates, ranker_settings = settings.online.candidates, settings.ranker
    with reading(engine) as connection:
        sessions = [session for session in REQUEST_STORE.all(connection, assistant_id) if session.steps]
        before = current_models(connection, assistant_id)
    silent = silent_failures_of(sessions, candidates.min_users)
    named: dict[ModelKind, str] = {}
    named |= _learn_encoders(sessions, folder, settings, progress)
    models = {**before, **named}
    encoder_name, pair_name = models.get("encoder"), models.get("pair")
    encoder = None if encoder_name is None else TextEncoder.load(folder / encoder_name)
    pair_encoder = None
    if pair_name is not None and settings.online.pairs:
        pair_encoder = PairEncoder.load(folder / pair_name)

    def pairs(text: str, found: list[Candidate]) -> list[float] | None:
        return pair_scores(pair_encoder, text, found, settings.online.pairs)

    examples = ranker_examples(sessions, encoder, candidates, ranker_settings, progress, pairs=pairs)
    guard = candidate_guard_of(settings)
    trained = learn_ranker(examples, silent, ranker_settings, progress, guard=guard)
    serves = trained is not None and trained.ranker.facts.gates.are_open
    if trained is not None and serves:
        named["ranker"] = put_model(folder, "ranker", lambda path: _write_ranker(trained.ranker, path))
    with engine.begin() as connection:
        set_models(connection, assistant_id, named, work.clock_ms())
        if not serves:
            drop_model(connection, assistant_id, "ranker")
    encoded = encode_all(engine, state)
    delete_other_models(folder, {*named.values(), *before.values()})
    judged = judge_rows(work)
    return OnlineLearning(
        assistant_id=assistant_id,
        examples=len(examples),
        encoder=encoder_name,
        ranker=trained,
        serves=serves,
        encoded=encoded,
        judged=judged,
    )


def encoder_examples(
    sessions: Iterable[SessionRequests], min_users: int
) -> tuple[list[EncoderExample], dict[str, str]]:
    """Pairs of what was said and what was meant, and the interpretations of what users succeed with.

    Args:
        sessions: of one assistant.
        min_users: distinct users who must have said a text before a model is trained on it.
    """
    pairs: Counter[tuple[str, str, str, str]] = Counter()
    met: dict[str, Counter[str]] = {}
    users: dict[str, set[UserId]] = {}
    for session in sessions:
        for step, later in zip(session.steps, session.each_second_try(), strict=True):
            users.setdefault(step.text, set()).add(session.user_id)
            own = step.interpretation if not step.run else _NOT_KNOWN
            if step.success and not step.run and is_understood(step.interpretation):
                met.setdefault(step.text, Counter())[step.interpretation] += 1
            if later is not None:
                target = session.steps[later]
                pairs[step.text, target.text, own, target.interpretation] += 1
    shared = {text for text, who in users.items() if len(who) >= min_users}
    examples = [
        EncoderExample(
            query=query,
            positive=positive,
            query_interpretation=own if own != _NOT_KNOWN and is_understood(own) else None,
            positive_interpretation=meant,
            weight=float(min(times, MOST_WEIGHT)) ** 0.5,
        )
        for (query, positive, own, meant), times in sorted(pairs.items())
        if query != positive and own != meant and is_understood(meant) and {query, positive} <= shared
    ]
    known = {
        text: min(counts, key=lambda key: (-counts[key], key))
        for text, counts in sorted(met.items())
        if text in shared
    }
    return examples, known


def _learn_encoders(
    sessions: Sequence[SessionRequests],
    folder: Path,
    all_settings: Settings,
    progress: Progress | None,
) -> dict[ModelKind, str]:
    """Trains and writes the encoders that are used; gives their names, none where they cannot be trained."""
    if not sessions:
        return {}
    if importlib.util.find_spec("torch") is None:
        log.warning("the encoder is not trained: install rehear with the extra `train`")
        return {}
    from rewriting.encoders.export import export_encoder, export_pair_encoder, export_text_encoder
    from rewriting.encoders.pair_training import PairEncoderTraining, train_pair_encoder
    from rewriting.encoders.training import EncoderTraining, train_text_encoder

    settings, min_users = all_settings.encoder, all_settings.online.candidates.min_users
    until_ms = warm_up_ends_ms(sessions, all_settings.ranker)
    examples, known = encoder_examples(
        (session for session in sessions if session.end_ms < until_ms), min_users
    )
    if not settings.train or len(examples) < MIN_PAIRS:
        base = put_model(
            folder, "encoder", lambda path: export_encoder(settings.base, path, layers=settings.layers)
        )
        return {"encoder": base}
    show = shown_steps(progress, "encoder")
    training = EncoderTraining(
        base=settings.base, layers=settings.layers, device=settings.device, seed=settings.seed
    )
    model = train_text_encoder(examples, known, training, show)
    named: dict[ModelKind, str] = {
        "encoder": put_model(folder, "encoder", lambda path: export_text_encoder(model, path))
    }
    if all_settings.online.pairs:
        of_pairs = PairEncoderTraining(base=settings.base, device=settings.device, seed=settings.seed)
        pair_model = train_pair_encoder(examples, known, of_pairs, show)
        named["pair"] = put_model(folder, "pair", lambda path: export_pair_encoder(pair_model, path))
    return named


def _write_ranker(ranker: Ranker, folder: Path) -> Manifest:
    gates = ranker.facts.gates
    return write_artifact(
        folder, KIND, ranker.write, facts={"held_back": gates.held_back, "min_win": gates.min_win}
    )
