"""The demo: a log through the whole of Rehear, on one machine, with real parts."""

import http.client
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import Engine

from labeling.labels.settings import LabelSettings
from labeling.labels.weak_defects import visible_defect
from rewriting.ranking.online_settings import OnlineSettings
from rewriting.rephrases.settings import RephraseSettings
from rewriting.serving.settings import SERVE_ALL
from rewriting.table.confidence_limits import limit_words
from rewriting.table.occasion import locale_key, turn_kind_of
from rewriting.table.rewrite import GLOBAL, Rewrite, Scope
from rewriting.table.rewrite_table import RewriteTable
from services.assistant_work import AssistantWork
from services.errors import DemoError
from services.evaluation.common.evaluation_run import run_evaluation
from services.evaluation.common.understanding import load_understanding
from services.evaluation.rewrites.evaluation import RewriteEvaluation
from services.explaining.explanation import draw_rewrite, explanation
from services.jobs.log_folder import LogFolder, find_logs
from services.jobs.online_models import OnlineLearning, learn_online
from services.jobs.rewrite_replay import ReplayedTurn
from services.lookup_api.messages import (
    MOST_PREVIOUS_TURNS,
    MOST_SLOTS,
    AskingDevice,
    NluGuess,
    PreviousTurn,
    RewriteAnswer,
    RewriteQuery,
    SlotGuess,
)
from services.lookup_api.routes.explanation import explanation_words, place_words
from services.lookup_api.server import BackgroundServer
from services.platform.api_settings import LookupApiSettings
from services.platform.clock import now_ms
from services.platform.database import open_database
from services.processes.supervisor import RunningRehear, running_rehear
from services.session_models.answers import stored_verdicts
from services.session_models.labels.kind import KIND as LABELS
from services.session_models.labels.kind import TURNS as LABEL_TURNS
from services.session_models.rephrases.kind import KIND as REPHRASES
from services.session_models.training import Learning, learn
from services.settings import SessionSettings, Settings
from services.simulator import PlantedPair, SimulationSettings, planted_log, write_simulation
from services.tasks.chain import TASK as CHAINS
from services.tasks.index import TASK as INDEX
from services.tasks.session import TASK as SESSIONS
from streams.kafka_settings import KafkaSettings
from streams.record_producer import RecordProducer
from streams.session import sessionize
from streams.stores.checkpoint import saved_offsets
from streams.stores.database_schema import reading
from streams.stores.session_store import has_waiting_sessions
from streams.stream_task import OutgoingRecord
from streams.topics import end_offsets
from streams.turn import AssistantId, EventId, TurnEvent, encode_turn
from streams.turn_file import read_turns

RECORDS_AT_A_TIME = 5_000
LOOK_EVERY_S = 0.25
PATIENCE_S = 600.0
"""How long nothing may move before the demo gives up on a part."""

IDLE_TIMEOUT_MS = 2_000
"""The log comes all at once, so the last sessions need not wait for as long as those of real users."""

UNHURRIED_MS = 10_000.0
"""The time for one answer: what is scored must not depend on how busy the machine is."""

REPHRASE_EXAMPLES = 4_000
"""Of the detector's training: enough for a simulated world, and a minute or two."""

LABELLED_TURNS = 2_000
"""Of a pass of the label model's training: enough for a simulated world, and a minute or two."""

EXAMPLES = 8


def run_demo(logs: Path | None, out: Path) -> None:
    """Streams a log through Kafka, learns, serves, asks the API, scores the answers and shows what was fixed.

    Args:
        logs: folder of the log (see `find_logs`); None simulates one.
        out: folder for what the demo makes; what an earlier run has left there is replaced.

    Raises:
        StateError: the folder holds no log.
        DemoError: a part of Rehear stands still.
    """
    console = Console()
    out.mkdir(parents=True, exist_ok=True)
    for name in ("state", "report", "log"):
        shutil.rmtree(out / name, ignore_errors=True)
    if logs is None:
        console.rule("1. A simulated assistant and its users")
        files = write_simulation(SimulationSettings(), out / "log")
        console.print(f"{files.train_count:,} turns to learn from, {files.test_count:,} to be scored on")
        logs = out / "log"
    else:
        console.rule(f"1. The log in {logs}")
    folder = find_logs(logs)
    settings = demo_settings(out)
    engine = open_database(settings.database_location)
    table = RewriteTable(engine, now_ms)
    try:
        with running_rehear(settings) as running:
            console.rule("2. Through Kafka into a table")
            with _progress(console) as progress:
                n_turns = _stream(running.kafka, folder.train, progress)
                _wait_until_learned(engine, running.kafka, n_turns, progress)
            _print_table(table, console)
            console.rule("3. A mistake that nobody has made before")
            _show_live_learning(running, table, console)
        console.rule("4. Who meant what by the second try")
        _learn_rephrases(engine, settings, table, console)
        console.rule("5. Goals, and defects that nobody let see")
        _learn_labels(engine, settings, table, console)
        console.rule("6. A ranker for what no table knows")
        list(_learned(engine, settings, table, console, learn_online))
        if folder.test is not None:
            console.rule("7. Asking the lookup API about the test log")
            log_file = Path(settings.state) / "logs" / "lookup-api.log"
            with (
                BackgroundServer(
                    settings.api, settings.database_location, log_file, online=settings.online_task
                ) as server,
                _progress(console) as progress,
            ):
                _ask(server.url, list(read_turns(folder.test, now_ms)), out / "rewrites.jsonl", progress)
        if folder.can_be_scored:
            console.rule("8. What the rewrites mended in the test log")
            _score(folder, out, console)
        console.rule("9. Why the strongest rewrite is there")
        _explain(engine, table, out, console)
    finally:
        engine.dispose()


def demo_settings(out: Path) -> Settings:
    """The settings of a demo that makes everything in this folder."""
    return Settings(
        state=str(out / "state"),
        broker_port=0,
        sessions=SessionSettings(idle_timeout_ms=IDLE_TIMEOUT_MS),
        api=LookupApiSettings(port=0),
        online=OnlineSettings(budget_ms=UNHURRIED_MS),
        serving=SERVE_ALL,  # what is scored, and shown of one user, is what rewriting can do
        rephrases=RephraseSettings(most_examples=REPHRASE_EXAMPLES),
        labels=LabelSettings(most_turns=LABELLED_TURNS),
    )


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description:<34}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console)


def _stream(kafka: KafkaSettings, files: Sequence[Path], progress: Progress) -> int:
    """Produces all turns of the files to the turns topic, and says how many there were."""
    task = progress.add_task("turns sent to Kafka", total=None)
    producer = RecordProducer(kafka)
    sent = 0
    try:
        batch: list[OutgoingRecord] = []
        for turn in (turn for file in files for turn in read_turns(file, now_ms)):
            batch.append(_turn_record(kafka, turn))
            if len(batch) == RECORDS_AT_A_TIME:
                sent += producer.deliver(batch)
                batch.clear()
                progress.update(task, completed=sent)
        sent += producer.deliver(batch)
    finally:
        producer.close()
    progress.update(task, completed=sent, total=sent)
    return sent


def _turn_record(kafka: KafkaSettings, turn: TurnEvent) -> OutgoingRecord:
    return OutgoingRecord(topic=kafka.topics.turns, key=turn.key.encode(), value=encode_turn(turn))


def _wait_until_learned(engine: Engine, kafka: KafkaSettings, n_turns: int, progress: Progress) -> None:
    """Follows the workers until they have read everything and nothing is left to close."""
    topics = kafka.topics
    turns_read = progress.add_task("turns read into sessions", total=n_turns)
    sessions_read = progress.add_task("sessions read into chains and index", total=None)

    def done() -> tuple[bool, object]:
        with reading(engine) as connection:
            turns = saved_offsets(connection, SESSIONS, topics.turns)
            sessions = saved_offsets(connection, CHAINS, topics.sessions)
            indexed = saved_offsets(connection, INDEX, topics.sessions)
            left = has_waiting_sessions(connection, turns)
        produced = end_offsets(kafka, topics.sessions)
        read, total = min(sum(sessions.values()), sum(indexed.values())), sum(produced.values())
        progress.update(turns_read, completed=sum(turns.values()))
        progress.update(sessions_read, completed=read, total=total)
        finished = sum(turns.values()) >= n_turns and not left and read >= total
        return finished, (sum(turns.values()), read, total)

    _wait("the workers", done)


def _wait(what: str, done: Callable[[], tuple[bool, object]]) -> None:
    """Looks until something is done, or nothing has moved for too long."""
    last: object = None
    moved_s = time.monotonic()
    while True:
        finished, state = done()
        if finished:
            return
        if state != last:
            last, moved_s = state, time.monotonic()
        elif time.monotonic() - moved_s > PATIENCE_S:
            raise DemoError(
                f"{what} stood still for {PATIENCE_S:.0f} s at {state}: see the logs in the state folder"
            )
        time.sleep(LOOK_EVERY_S)


class _LookupClient:
    """One connection to the lookup API."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)

    def ask(self, query: RewriteQuery) -> RewriteAnswer:
        """What an assistant does before it runs a request."""
        headers = {"Content-Type": "application/json"}
        self._connection.request("POST", "/v1/rewrite", msgspec.json.encode(query), headers)
        response = self._connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise DemoError(f"the lookup API answered {response.status}: {body.decode(errors='replace')}")
        return msgspec.json.decode(body, type=RewriteAnswer)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()


def _learned(
    engine: Engine,
    settings: Settings,
    table: RewriteTable,
    console: Console,
    learn_one: Callable[[AssistantWork], Learning | OnlineLearning],
) -> Iterator[AssistantId]:
    """Learns something of every assistant, says what, and then gives the assistant."""
    for assistant_id in table.versions():
        with _progress(console) as progress:
            work = AssistantWork(
                engine=engine,
                settings=settings,
                assistant_id=assistant_id,
                clock_ms=now_ms,
                progress=progress,
            )
            learned = learn_one(work)
        console.print(f"{assistant_id}: {learned.in_words}", highlight=False, soft_wrap=True)
        yield assistant_id


def _learn_rephrases(engine: Engine, settings: Settings, table: RewriteTable, console: Console) -> None:
    """Trains the detector of every assistant, and shows what users most often meant by what."""
    for assistant_id in _learned(engine, settings, table, console, partial(learn, REPHRASES)):
        found = [row for row in table.read(assistant_id).rewrites if row.method == "rephrase"]
        for row in sorted(found, key=lambda row: (-row.users, row.source_text))[:EXAMPLES]:
            console.print(
                f"  {row.source_text!r} was tried again as {row.target_text!r} by {row.users} users",
                highlight=False,
                markup=False,
            )


def _learn_labels(engine: Engine, settings: Settings, table: RewriteTable, console: Console) -> None:
    """Trains the label model of every assistant, and shows which requests most often fail in silence."""
    for assistant_id in _learned(engine, settings, table, console, partial(learn, LABELS)):
        goals: dict[str, float] = {}
        defects: list[TurnEvent] = []
        with reading(engine) as connection:
            for one in stored_verdicts(connection, assistant_id, LABEL_TURNS):
                # its last turn is the last to say it
                goals[one.verdict.goal_id] = one.verdict.goal_success or 0.0
                if (one.verdict.defect or 0.0) >= 0.5:
                    defects.append(one.turn)
        if not goals:
            continue
        silent = Counter(turn.request.text for turn in defects if visible_defect(turn, None) < 0.5)
        reached = sum(success >= 0.5 for success in goals.values()) / len(goals)
        console.print(
            f"  {reached:.0%} of {len(goals):,} goals are reached; {len(defects):,} requests failed, "
            f"{silent.total():,} of them while the assistant said that all was well and nobody stopped it",
            highlight=False,
        )
        for text, count in sorted(silent.items(), key=lambda item: (-item[1], item[0]))[:EXAMPLES]:
            console.print(f"  {count:,} times {text!r}", highlight=False, markup=False)


def _ask(api_url: str, turns: Sequence[TurnEvent], answers: Path, progress: Progress) -> None:
    """Asks the API about each turn in order of time, and writes down what it says."""
    api = _LookupClient(api_url)
    in_time = sorted(
        ((turn, session.turns[:i]) for session in sessionize(turns) for i, turn in enumerate(session.turns)),
        key=lambda asked: (asked[0].ts_ms, asked[0].event_id),
    )
    with answers.open("wb") as stream:
        for turn, earlier in progress.track(in_time, description="requests asked of the lookup API"):
            served = api.ask(_query(turn, earlier)).rewrite
            line = ReplayedTurn(EventId(turn.event_id), None, None, None, None)
            if served is not None:
                line = ReplayedTurn(
                    line.event_id, served.text, served.method, Scope(served.scope), served.score
                )
            stream.write(msgspec.json.encode(line) + b"\n")
    api.close()


def _query(turn: TurnEvent, earlier: Sequence[TurnEvent]) -> RewriteQuery:
    return RewriteQuery(
        assistant_id=turn.assistant_id,
        user_id=turn.user_id,
        text=turn.request.text,
        ts_ms=turn.ts_ms,
        prompt=turn.prompt,
        locale=locale_key(turn.locale) or None,
        turn_kind=turn_kind_of(turn, earlier[-1] if earlier else None),
        asr_confidence=turn.request.asr[0].confidence if turn.request.asr else None,
        nlu=_guess(turn),
        device=None if turn.device is None else AskingDevice(type=turn.device.type),
        previous_turns=tuple(
            PreviousTurn(
                text=before.executed,
                response_text=before.response.text if before.response else None,
                ts_ms=before.ts_ms,
                nlu=_guess(before),
                status=before.response.status if before.response else None,
                barge_in=bool(before.signals.barge_in),
                feedback=before.signals.feedback,
            )
            for before in earlier[-MOST_PREVIOUS_TURNS:]
        ),
    )


def _guess(turn: TurnEvent) -> NluGuess | None:
    """What the assistant understood."""
    if not turn.nlu:
        return None
    best = turn.nlu[0]
    return NluGuess(
        intent=best.intent,
        domain=best.domain,
        confidence=best.confidence,
        slots=tuple(SlotGuess(name=slot.name, value=slot.value) for slot in best.slots[:MOST_SLOTS]),
    )


def _show_live_learning(running: RunningRehear, table: RewriteTable, console: Console) -> None:
    """Lets a few users make a new mistake now, and times how long the API takes to know better."""
    assistant_id = min(table.versions(), default=AssistantId("demo-assistant"))
    pair = PlantedPair(source="pley the mourning song", target="play the morning song", users=3)
    turns = planted_log([pair], assistant_id=assistant_id, start_ms=now_ms())
    for turn in turns:
        console.print(f"  {turn.user_id}: {turn.request.text!r}", highlight=False)
    api = _LookupClient(running.api_url)
    query = RewriteQuery(assistant_id=assistant_id, user_id="somebody-else", text=pair.source)
    producer = RecordProducer(running.kafka)
    producer.deliver([_turn_record(running.kafka, turn) for turn in turns])
    producer.close()
    started_s = time.monotonic()

    def done() -> tuple[bool, object]:
        answer = api.ask(query)
        return answer.rewrite is not None and answer.rewrite.text == pair.target, answer

    _wait("learning", done)
    api.close()
    console.print(
        f"{time.monotonic() - started_s:.1f} s later somebody else's {pair.source!r} is answered with "
        f"[bold]{pair.target!r}[/] ({IDLE_TIMEOUT_MS / 1000:g} s of them waiting for the sessions to end)",
        highlight=False,
    )


def _print_table(table: RewriteTable, console: Console) -> None:
    for assistant_id, version in table.versions().items():
        rows = [row for row in table.read(assistant_id).rewrites if row.status == "live"]
        console.print(f"{assistant_id}: {len(rows):,} live rewrites, version {version}. The strongest:")
        for row in _strongest(rows):
            sure = (
                "" if row.limits is None else f", when understood with a confidence {limit_words(row.limits)}"
            )
            when = "".join(f" {words}" for words in place_words(row))
            console.print(
                f"  {row.source_text!r}{when} → [bold]{row.target_text!r}[/]"
                f"  ({row.users} users in {row.sessions} sessions{sure})",
                highlight=False,
                soft_wrap=True,
            )


def _strongest(rows: Iterable[Rewrite]) -> list[Rewrite]:
    return sorted(rows, key=lambda row: (-row.sessions, row.source_text))[:EXAMPLES]


def _score(folder: LogFolder, out: Path, console: Console) -> None:
    if folder.test is None or folder.gold is None or folder.understanding is None:
        return
    run_evaluation(
        RewriteEvaluation(understanding=load_understanding(folder.understanding)),
        turns=folder.test,
        gold=folder.gold,
        lines={"rehear": out / "rewrites.jsonl"},
        out=out / "report",
        train_turns=folder.train,
        console=console,
    )


def _explain(engine: Engine, table: RewriteTable, out: Path, console: Console) -> None:
    """Explains the strongest rewrite, with a session behind it and a picture."""
    rows = [
        row
        for key in table.versions()
        for row in table.read(key).rewrites
        if row.status == "live" and row.scope == GLOBAL
    ]
    if not rows:
        console.print("Nothing was rewritten, so there is nothing to explain.")
        return
    row = _strongest(rows)[0]
    console.print(f"{row.source_text!r} → [bold]{row.target_text!r}[/]", highlight=False)
    for line in (*explanation_words(row), *explanation(engine, row, 1)):
        console.print(f"  {line}", highlight=False, markup=False)
    picture = out / "chain.svg"
    draw_rewrite(engine, row, picture)
    console.print(f"picture of its chain: {picture}")
    console.print(f"more: rehear table show --state {out / 'state'}")
