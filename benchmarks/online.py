"""How long does a rewrite worked out at the time of the request take, at a million known requests?"""

import random
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from benchmarks.http_load import Answers, Load, http_request, send_load
from benchmarks.machine import this_machine
from benchmarks.measured_process import in_process
from benchmarks.report import MIB, BenchmarkReport, Cell, percentile
from benchmarks.server_memory import server_memory
from labeling.models.artifact import write_artifact
from labeling.models.in_use import ModelKind, model_folder, set_models
from labeling.text.question import NO_QUESTION, Question
from rewriting.encoders.text_encoder import TextEncoder, encoder_id
from rewriting.evidence.interpretation import Interpretation, understood_as
from rewriting.index.base import publish_base
from rewriting.index.indexed_request import IndexedRequest, request_id
from rewriting.index.request_index import RequestIndex
from rewriting.index.store import REQUEST_INDEX_STATE, index_folder
from rewriting.index.vector_index import VectorIndexSettings
from rewriting.ranking.candidates import CandidateSettings
from rewriting.ranking.examples import rank_examples
from rewriting.ranking.online_settings import OnlineSettings
from rewriting.ranking.ranker import KIND
from rewriting.ranking.settings import RankerSettings
from rewriting.ranking.training import train_ranker
from rewriting.requests.counts import TouchedKeys
from rewriting.requests.session_store import REQUEST_STORE
from rewriting.requests.silent_failures import NONE_SILENT
from rewriting.requests.statistics import (
    InterpretationStatistics,
    Outcomes,
    QuestionStatistics,
    RepairStatistics,
    StatisticsSource,
    TextStatistics,
)
from rewriting.requests.statistics_store import store_statistics
from rewriting.requests.step import RequestStep, RequestText, SessionRequests, session_requests
from services.lookup_api.messages import NluGuess, PreviousTurn, RewriteQuery, SlotGuess
from services.lookup_api.server import BackgroundServer
from services.platform.api_settings import LookupApiSettings, OnlineTask
from services.platform.database import open_database
from services.simulator import SimulationSettings
from services.simulator.simulation import simulate
from streams.session import SessionId, sessionize
from streams.stores.database_schema import chunks
from streams.turn import AssistantId, UserId

QUESTION = "how long does an online rewrite take through HTTP, at a million known requests?"
ENTRIES = 1_000_000
QUICK_ENTRIES = 2_000
USERS_PER_ENTRY = 0.1
SESSIONS_PER_USER = 20
HABITS_PER_USER = 8
SECONDS = 40.0
QUICK_SECONDS = 1.0
RATE = 50.0
CONNECTIONS = 8
ASKED = 5_000  # different requests; after that they come again
UNCUT_MS = 60_000.0  # a budget that cuts nothing: how long an answer takes by itself
ENCODED_TEXTS = 2_000  # of which all vectors are neighbours: encoding a million takes an hour
AT_A_TIME = 20_000
START_TIMEOUT_S = 900.0

ASSISTANT = AssistantId("bench-assistant")
END_MS = 1_750_000_000_000
DAY_MS = 86_400_000
_VERBS = ("play", "find", "add", "skip", "rate", "queue", "save", "show")
_ADJECTIVES = ("quiet", "golden", "broken", "early", "distant", "paper", "velvet", "hollow", "summer", "last")
_NOUNS = ("river", "engine", "garden", "mirror", "letter", "window", "harbour", "signal", "shadow", "station")
_ROOMS = ("kitchen", "bedroom", "hall", "study", "garage", "garden", "attic", "bathroom")


class _World(Struct, frozen=True):
    """Everything that a server needs."""

    database: Path
    state: Path
    entries: int
    users: int


def run(quick: bool, entries: int = ENTRIES, base: str | None = None) -> BenchmarkReport:
    """Fills a database, models and an index, and asks a server from another process.

    Args:
        quick: small sizes.
        entries: requests that are known.
        base: transformer to make the encoder of; None: as `rehear learn` does.
    """
    machine = this_machine()
    entries = QUICK_ENTRIES if quick else entries
    seconds = QUICK_SECONDS if quick else SECONDS
    rows: list[dict[str, Cell]] = []
    sizes: dict[str, Cell] = {}
    with tempfile.TemporaryDirectory(prefix="rehear-benchmark-") as name:
        folder = Path(name)
        users = max(int(entries * USERS_PER_ENTRY), 10)
        world = _World(folder / "rehear.db", folder / "state", entries, users)
        began = time.monotonic()
        in_process(_make_models, world, quick, base)
        in_process(_fill, world)
        sizes["built in s"] = time.monotonic() - began
        for budget_ms in (UNCUT_MS, OnlineSettings().budget_ms):
            task = OnlineTask(state=str(world.state), settings=OnlineSettings(budget_ms=budget_ms))
            api = LookupApiSettings(port=0, stale_after_s=60.0)
            began = time.monotonic()
            with BackgroundServer(
                api, str(world.database), start_timeout_s=START_TIMEOUT_S, online=task
            ) as server:
                sizes["start to ready s"] = time.monotonic() - began
                rows += _measured(server, world, seconds, budget_ms)
                sizes["server MiB"], sizes["most MiB while loading"] = (
                    size / MIB for size in server_memory(server)
                )
        sizes["database MiB"] = world.database.stat().st_size / MIB
    return BenchmarkReport(
        name="online",
        question=QUESTION,
        machine=machine,
        quick=quick,
        sizes={
            "requests known": entries,
            "users": users,
            "sessions": users * SESSIONS_PER_USER,
            "server processes": 1,
            "seconds per run": seconds,
            **sizes,
        },
        figures=tuple(rows),
        notes=(
            f"{RATE:g} requests/s over {CONNECTIONS} connections from another process; latency counts from "
            f"when a request was due. A budget of {UNCUT_MS:g} ms cuts nothing; the other is the default.",
            "Stages: means of the server's own histograms. The encoder is the default base, exported without "
            "training; vectors of the index are those of some requests, moved a little each.",
        ),
    )


def _measured(
    server: BackgroundServer, world: _World, seconds: float, budget_ms: float
) -> Iterator[dict[str, Cell]]:
    address = urlsplit(server.url)
    host, port = address.hostname or "", address.port or 0
    asked = tuple(_requests(world, host))
    warm = Load(host, port, asked[-200:], 1, min(seconds, 5.0), RATE)
    in_process(send_load, warm)
    for path, ready in {"/healthz": (http_request("GET", "/healthz", host),), "/v1/rewrite": asked}.items():
        before = _counted(server)
        answers: Answers = in_process(send_load, Load(host, port, ready, CONNECTIONS, seconds, RATE)).value
        row: dict[str, Cell] = {
            "endpoint": path,
            "budget ms": budget_ms,
            "requests/s": len(answers.latencies_s) / answers.seconds,
            "p50 ms": percentile(answers.latencies_s, 0.5) * 1e3,
            "p99 ms": percentile(answers.latencies_s, 0.99) * 1e3,
            "failures": answers.failures,
        }
        if path != "/healthz":
            row |= _shares(before, _counted(server), len(answers.latencies_s))
        yield row


def _counted(server: BackgroundServer) -> dict[str, float]:
    with urllib.request.urlopen(f"{server.url}/metrics") as answer:  # noqa: S310 (our own server)
        lines = answer.read().decode().splitlines()
    pairs = (line.rsplit(maxsplit=1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def _shares(before: dict[str, float], after: dict[str, float], n_asked: int) -> dict[str, Cell]:
    def added(name: str) -> float:
        return after.get(name, 0.0) - before.get(name, 0.0)

    stages: dict[str, Cell] = {}
    for stage in ("history", "encode", "search", "gather", "judge"):
        label = f'{{stage="{stage}"}}'
        count = added(f"rehear_online_stage_seconds_count{label}")
        stages[f"{stage} ms"] = added(f"rehear_online_stage_seconds_sum{label}") / max(count, 1) * 1e3
        if stage == "gather":
            stages["asked online"] = count / n_asked
    late = added(f'rehear_online_out_of_time_total{{assistant="{ASSISTANT}"}}')
    rewritten = sum(
        added(f'rehear_lookup_answers_total{{assistant="{label}",layer="{layer}"}}')
        for label in (ASSISTANT,)
        for layer in ("global", "personal")
    )
    return {**stages, "out of time": late / n_asked, "rewritten": rewritten / n_asked}


def _make_models(world: _World, quick: bool, base: str | None) -> None:
    """A ranker that has learned from a simulated log, and an encoder of the size that training makes."""
    from labeling.models.encoder_base import load_base
    from rewriting.encoders.export import export_text_encoder
    from rewriting.encoders.model import TextEncoderModel
    from rewriting.encoders.training import EncoderTraining

    simulation = SimulationSettings(users=60 if quick else 120, days=3 if quick else 10, test_days=0)
    turns = [turn.event for turn in simulate(simulation)]
    sessions = [session_requests(session) for session in sessionize(turns)]
    in_order = sorted((s for s in sessions if s.steps), key=lambda session: session.steps[0].ts_ms)
    examples = list(rank_examples(in_order, 0, CandidateSettings()))
    settings = RankerSettings(trees=20, threads=1) if quick else RankerSettings()
    trained = train_ranker(examples, NONE_SILENT, settings)
    if trained is None:
        raise RuntimeError("the simulated log is too small to train a ranker on")
    folder = model_folder(world.state, ASSISTANT)
    write_artifact(folder / "ranker", KIND, trained.ranker.write, facts={})
    size = EncoderTraining()
    encoder = TextEncoderModel(load_base(base, layers=1 if quick else size.layers), size.dimension)
    export_text_encoder(encoder, folder / "encoder")
    engine = open_database(world.database)
    names: dict[ModelKind, str] = {"ranker": "ranker", "encoder": "encoder"}
    with engine.begin() as connection:
        set_models(connection, ASSISTANT, names, END_MS)
    engine.dispose()


def _fill(world: _World) -> None:
    engine = open_database(world.database)
    for numbers in chunks(range(world.entries), AT_A_TIME):
        keys = TouchedKeys(
            {(_text(number), NO_QUESTION) for number in numbers}, set(map(_meant, numbers)), set()
        )
        source = _Drawn(numbers, world.entries)
        with engine.begin() as connection:
            store_statistics(connection, ASSISTANT, source, keys)
    for users in chunks(range(world.users), AT_A_TIME // SESSIONS_PER_USER):
        with engine.begin() as connection:
            REQUEST_STORE.store(connection, (session for user in users for session in _sessions(world, user)))
    folder = model_folder(world.state, ASSISTANT) / "encoder"
    requests = [
        IndexedRequest(
            request_id=request_id(_meant(number)), text=_text(number), interpretation=_meant(number)
        )
        for number in range(world.entries)
    ]
    index = RequestIndex.of(
        ASSISTANT,
        encoder_id(folder),
        requests,
        _vectors(TextEncoder.load(folder), world.entries),
        version=1,
        settings=VectorIndexSettings(),
    )
    with engine.begin() as connection:
        row = {"assistant_id": ASSISTANT, "version": 1, "base_version": 0, "base_name": None}
        connection.execute(REQUEST_INDEX_STATE.insert().values(row))
    publish_base(engine, index, index_folder(world.state))
    engine.dispose()


def _vectors(encoder: TextEncoder, count: int) -> NDArray[np.float32]:
    """(count, dimension) vectors of length 1, around those of real requests."""
    texts = [_text(number) for number in range(min(count, ENCODED_TEXTS))]
    centres = encoder.encode(texts)
    chance = np.random.default_rng(1)
    vectors = np.empty((count, centres.shape[1]), np.float32)
    for start in range(0, count, AT_A_TIME):
        some = centres[np.arange(start, min(start + AT_A_TIME, count)) % len(centres)]
        moved = some + 0.4 / some.shape[1] ** 0.5 * chance.standard_normal(some.shape, dtype=np.float32)
        vectors[start : start + len(some)] = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    return vectors


def _words(number: int) -> tuple[str, str]:
    chance = random.Random(number)
    song = f"{chance.choice(_ADJECTIVES)} {chance.choice(_NOUNS)} {number}"
    return song, chance.choice(_ROOMS)


def _text(number: int) -> RequestText:
    song, room = _words(number)
    return RequestText(f"{_VERBS[number % len(_VERBS)]} {song} in the {room}")


def _meant(number: int) -> Interpretation:
    song, room = _words(number)
    return understood_as("music", _VERBS[number % len(_VERBS)], [("song", song), ("room", room)])


class _Drawn(StatisticsSource):
    """Statistics of requests: each is said in several ways of which second tries lead to its neighbours."""

    def __init__(self, numbers: Iterable[int], entries: int) -> None:
        self._texts = {_text(number): number for number in numbers}
        self._meanings = {_meant(number): number for number in self._texts.values()}
        self._entries = entries

    def text(self, text: RequestText, question: Question) -> TextStatistics | None:
        """Of a text after a question."""
        repairs = self._repairs(self._texts[text])
        return TextStatistics(_outcomes(), 12, repairs, {5: 6, 9: 4})

    def interpretation(self, interpretation: Interpretation) -> InterpretationStatistics | None:
        """Of an interpretation."""
        number = self._meanings[interpretation]
        repairs = self._repairs(number)
        return InterpretationStatistics(_outcomes(), 11, 30.0, _text(number), repairs, 10)

    def question(self, question: Question) -> QuestionStatistics | None:
        """Of a question: nothing was asked."""
        return None

    def _repairs(self, number: int) -> dict[Interpretation, RepairStatistics]:
        near = ((number + step) % self._entries for step in range(1, 5))
        return {_meant(other): RepairStatistics(3, {5: 2, 9: 1}) for other in near}


def _outcomes() -> Outcomes:
    bins = range(4, 19)
    return Outcomes(
        {index: 3 for index in bins}, {index: 2.0 for index in bins}, {index: 2 for index in bins}
    )


def _habits(world: _World, user: int) -> list[int]:
    chance = random.Random(f"habits {user}")
    return [chance.randrange(world.entries) for _ in range(HABITS_PER_USER)]


def _sessions(world: _World, user: int) -> Iterator[SessionRequests]:
    """A user asks for the same few things, and every third time is misheard first."""
    chance = random.Random(f"sessions {user}")
    habits = _habits(world, user)
    for number in range(SESSIONS_PER_USER):
        start_ms = END_MS - (SESSIONS_PER_USER - number) * DAY_MS + chance.randrange(DAY_MS // 2)
        wanted = chance.choice(habits)
        said = [wanted] if number % 3 else [(wanted + 1) % world.entries, wanted]
        steps = tuple(
            _step(what, start_ms + 8_000 * i, failed=i + 1 < len(said)) for i, what in enumerate(said)
        )
        key = SessionId(f"{user:012x}{number:012x}")
        yield SessionRequests(key, ASSISTANT, UserId(f"u{user}"), steps)


def _step(what: int, ts_ms: int, *, failed: bool) -> RequestStep:
    return RequestStep(
        text=_text(what),
        surface=_text(what),
        interpretation=_meant(what),
        ts_ms=ts_ms,
        question=NO_QUESTION,
        confidence=0.5,
        asr_confidence=0.7,
        nlu_confidence=0.7,
        device="speaker",
        failed=failed,
        success=0.0 if failed else 1.0,
        goes_on=1.0 if failed else 0.0,
    )


def _requests(world: _World, host: str) -> Iterator[bytes]:
    """Requests of all users: of their own habits, of others', and in words that are nowhere known."""
    chance = random.Random(11)
    for i in range(ASKED):
        user = chance.randrange(world.users)
        number = _habits(world, user)[0] if i % 2 else chance.randrange(world.entries)
        said = _text(number) if i % 3 else f"{_text(number)[:-1]}x please"
        song, room = _words(number)
        nlu = NluGuess(
            domain="music",
            intent=_VERBS[number % len(_VERBS)],
            slots=(SlotGuess(name="song", value=song), SlotGuess(name="room", value=room)),
            confidence=0.6,
        )
        query = RewriteQuery(
            text=said,
            user_id=f"u{user}",
            assistant_id=ASSISTANT,
            asr_confidence=0.7,
            nlu=nlu,
            previous_turns=(PreviousTurn(text=_text(number + 1), ts_ms=END_MS - 8_000, barge_in=True),),
            ts_ms=END_MS,
        )
        yield http_request("POST", "/v1/rewrite", host, msgspec.json.encode(query))
