"""A log whose right rewrites are known, and what online rewriting makes of it.

Of each song, several users are misheard ("play sonk …"), fail, and say it again ("play song …") with success;
others are heard at once. Each caller has a contact that only they call, misheard in a way of its own.
"""

import itertools
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
from sqlalchemy import Engine
from tiny_encoder import write_tiny_base

from labeling.models.artifact import write_artifact
from labeling.models.in_use import ModelKind, model_folder, set_models
from labeling.text.question import NO_QUESTION
from rewriting.evidence.interpretation import Interpretation, understood_as
from rewriting.ranking.candidates import CandidateSettings, NearRequest, rewrite_candidates
from rewriting.ranking.examples import RankExample, asked_step
from rewriting.ranking.features import candidate_features, request_features
from rewriting.ranking.gates import RewriteGates
from rewriting.ranking.ranker import FACTS_FILE, KIND
from rewriting.ranking.settings import RankerSettings
from rewriting.ranking.training import train_ranker
from rewriting.requests.counts import RequestCounts, SharedStatistics
from rewriting.requests.history import RequestHistory
from rewriting.requests.silent_failures import NONE_SILENT
from rewriting.requests.step import RequestStep, RequestText, SessionRequests
from services.learners.index_encoding import encode_all
from services.learners.requests import RequestLearner
from streams.session import SessionId
from streams.turn import AssistantId, UserId

SONGS = ("jazz", "blues", "rock", "folk", "soul", "disco", "polka", "salsa", "tango", "waltz", "opera", "rap")
MISHEARD, HEARD = 0.3, 0.9
HOUR_MS = 3_600_000
DAYS = 24
START_MS = 1_735_776_000_000  # midnight of a Thursday, UTC
NOW_MS = START_MS + DAYS * 4 * len(SONGS) * HOUR_MS  # when the log has ended


def understood(text: str) -> Interpretation:
    """Each text has an interpretation of its own."""
    return understood_as("media", "say", [("text", text)])


def nlu(text: str, confidence: float = MISHEARD) -> dict[str, object]:
    """The same, as an assistant sends it."""
    slots = [{"name": "text", "value": text}]
    return {"domain": "media", "intent": "say", "slots": slots, "confidence": confidence}


def online_log(assistant_id: AssistantId) -> list[SessionRequests]:
    """The sessions, in the order of time."""
    log: list[SessionRequests] = []
    users = itertools.count()

    def add(user: str, *texts: str) -> None:
        start_ms = START_MS + len(log) * HOUR_MS
        steps = []
        for i, text in enumerate(texts):
            failed = i + 1 < len(texts)
            confidence = MISHEARD if failed else HEARD
            steps.append(
                RequestStep(
                    text=RequestText(text),
                    surface=text,
                    interpretation=understood(text),
                    ts_ms=start_ms + i * 8_000,
                    question=NO_QUESTION,
                    confidence=confidence,
                    asr_confidence=None,
                    nlu_confidence=confidence,
                    device=None,
                    failed=failed,
                    success=0.0 if failed else 1.0,
                    goes_on=1.0 if failed else 0.0,
                )
            )
        log.append(
            SessionRequests(SessionId(f"{assistant_id}-{len(log)}"), assistant_id, UserId(user), tuple(steps))
        )

    for _ in range(DAYS):
        for number, song in enumerate(SONGS):
            add(f"user-{next(users) % 101}", f"play sonk {song}", f"play song {song}")
            add(f"user-{next(users) % 101}", f"play song {song}")
            add(f"caller-{number}", f"call {song}s mom", f"call {song} smith")
            add(f"caller-{number}", f"call {song} smith")
    return log


def store_world(engine: Engine, assistant_id: AssistantId) -> None:
    """What the index worker makes of the log, but for the vectors."""
    learner = RequestLearner()
    with engine.begin() as connection:
        learner.absorb(connection, online_log(assistant_id))
        learner.write(connection)


def write_models(folder: Path) -> dict[ModelKind, str]:
    """Trains a ranker on the log, writes it and an encoder of random weights; gives their names."""
    from labeling.models.encoder_base import load_base
    from rewriting.encoders.export import export_text_encoder
    from rewriting.encoders.model import TextEncoderModel

    settings = RankerSettings(trees=60, min_leaf=10, threads=1)
    trained = train_ranker(list(_examples()), NONE_SILENT, settings)
    assert trained is not None
    # The log is too small for its last days to set the gates.
    gates = RewriteGates(min_defect=0.5, min_win=0.5, expected_wins=1.0, expected_losses=0.0, held_back=1)
    facts = msgspec.structs.replace(trained.ranker.facts, gates=gates)

    def write(partial: Path) -> None:
        trained.ranker.write(partial)
        (partial / FACTS_FILE).write_bytes(msgspec.json.encode(facts))

    write_artifact(folder / "ranker-1", KIND, write, facts={})
    base = write_tiny_base(folder.with_name(f"{folder.name}-base"), ["play", "song", "sonk", "call"])
    export_text_encoder(TextEncoderModel(load_base(base), dimension=8), folder / "encoder-1")
    return {"ranker": "ranker-1", "encoder": "encoder-1"}


def _examples() -> Iterator[RankExample]:
    """The requests of the log, each as the lookup API would have seen it."""
    settings = CandidateSettings()
    chance = random.Random(5)
    counts = RequestCounts(settings.min_users)
    shared = SharedStatistics(counts)
    histories: dict[UserId, RequestHistory] = {}
    for session in online_log(AssistantId("any")):
        history = histories.setdefault(session.user_id, RequestHistory())
        for i, step in enumerate(session.steps):
            meant = session.meant(i)
            assert meant is not None
            request = asked_step(session, i)
            # What an encoder of random weights finds near tells nothing; and at times there is none.
            near = [
                NearRequest(understood(f"play song {song}"), chance.uniform(0.5, 1.0))
                for song in chance.sample(SONGS, settings.similar * chance.randrange(2))
            ]
            candidates = rewrite_candidates(request, shared, history, near, settings)
            yield RankExample(
                ts_ms=step.ts_ms,
                user_id=session.user_id,
                text=request.text,
                locale=request.locale,
                own=step.interpretation,
                meant=session.steps[meant].interpretation,
                weight=1.0,
                request=request_features(request, shared, history),
                candidates=tuple(candidates),
                features=candidate_features(request, candidates, shared, history),
            )
        counts.add(session)
        history.add(session)


def use_models(
    engine: Engine, state: Path, assistant_id: AssistantId, models: Path, names: dict[ModelKind, str]
) -> None:
    """Has an assistant use models from now on, and encodes what waits for a vector."""
    for name in names.values():
        target = model_folder(state, assistant_id) / name
        if (models / name).exists() and not target.exists():
            shutil.copytree(models / name, target)
    with engine.begin() as connection:
        set_models(connection, assistant_id, names, 1)
    if "encoder" in names:
        encode_all(engine, state)
