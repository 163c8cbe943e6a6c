"""How much CPU does the sessions worker take for a turn, read from a broker?"""

import shutil
from collections.abc import Sequence

from benchmarks.against.errors import QuestionError
from benchmarks.against.question import Figure
from benchmarks.against.side import Side
from benchmarks.ingest import PARTITIONS, produce_turns
from benchmarks.report import Cell
from services.simulator import generate_turns
from streams.broker import DevelopmentBroker
from streams.kafka_settings import KafkaSettings
from streams.topics import end_offsets, ensure_topics

TURNS = 50_000
"""Some five CPU seconds: the start of the worker, which is in the figure, is then a fourth of it."""

QUICK_TURNS = 500

CLOSE_ALL = {"REHEAR_SESSIONS__IDLE_TIMEOUT_MS": "0"}
"""All sessions are closed and produced in the end: else how many are depends on how turns come in batches."""


class IngestQuestion:
    """`rehear work sessions --until-idle`, with a broker, topics and a state that are new for each run.

    Args:
        turns: in the topic.
    """

    name = "ingest"
    question = "how much CPU does the sessions worker take for a turn, read from a broker?"
    figures = (Figure(what="CPU of rehear work sessions, start included", unit="microseconds per turn"),)

    def __init__(self, turns: int = TURNS) -> None:
        self._turns = turns

    @property
    def sizes(self) -> dict[str, Cell]:
        """How much is read."""
        return {"turns": self._turns, "partitions": PARTITIONS}

    def prepare(self, sides: Sequence[Side]) -> None:
        """Nothing is shared by the runs."""

    def measure(self, sides: Sequence[Side]) -> Sequence[Sequence[float]]:
        """Fills the topic, and has it read: one side after the other."""
        return [self._read(side) for side in sides]

    def _read(self, side: Side) -> Sequence[float]:
        state = side.folder / "ingest-state"  # a question before may have left another of the same turns
        with DevelopmentBroker(side.folder / "broker") as broker:
            kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
            ensure_topics(kafka, PARTITIONS)
            produce_turns(kafka, generate_turns(self._turns))
            settings = CLOSE_ALL | {"REHEAR_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers}
            ended = side.run("work", "sessions", "--state", str(state), "--until-idle", settings=settings)
            if not sum(end_offsets(kafka, kafka.topics.sessions).values()):
                raise QuestionError(
                    f"{side.name}: the sessions worker ended without having produced a session"
                )
        shutil.rmtree(state)
        shutil.rmtree(side.folder / "broker")
        return (ended.cpu_s / self._turns * 1e6,)
