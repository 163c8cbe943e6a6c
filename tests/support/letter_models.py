"""Session models whose answers are known: those that workers use in the tests, and a case for each kind."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import letter_detector
import letter_failures
import letter_labels
import moods
import msgspec
from jobs import work_on
from msgspec import Struct
from sqlalchemy import Connection, Engine, select

from labeling.models.in_use import set_models
from rewriting.rephrases.settings import RephraseSettings
from services.platform.clock import now_ms
from services.processes.worker import WORKERS, Loaders, Worker, session_model_worker
from services.session_models.backfill import Backfill, backfill
from services.session_models.failures.kind import KIND as FAILURES
from services.session_models.in_use import CurrentModels
from services.session_models.kind import SessionModelKind
from services.session_models.labels.kind import KIND as LABELS
from services.session_models.rephrases.kind import KIND as REPHRASES
from services.settings import Settings
from services.tasks.session_model import SessionModelTask
from streams.stores.database_schema import reading
from streams.topic_names import Topics
from streams.turn import AssistantId


class ModelCase(Struct, frozen=True):
    """A kind, and a model of it whose answers are known."""

    kind: SessionModelKind[Any, Any]
    new: Callable[[], Any]  # a model, which counts the sessions that it has judged in `judged`
    model: str  # its name in use
    settings: Mapping[str, Any] = {}  # under which all that the kind does is done
    prepare: Callable[[Engine], None] = lambda engine: None  # a database that has no tables of the kind

    def use(self, engine: Engine, *assistants: str, name: str | None = None) -> None:
        """Puts the model in use."""
        with engine.begin() as connection:
            for assistant_id in assistants:
                set_models(
                    connection, AssistantId(assistant_id), {self.kind.artifact: name or self.model}, now_ms()
                )

    def fill(self, engine: Engine, assistant_id: str, name: str | None = None) -> Backfill | None:
        """Has the model judge all that is stored, under this name; where it is in use, under its own."""
        settings = Settings(**self.settings)
        work = work_on(engine, assistant_id, settings)
        return backfill(self.kind, work, (name or self.model, self.new()))

    def task(
        self,
        engine: Engine,
        model: Any = None,
        *,
        partitions: Sequence[int] = (0,),
        load: Callable[[Path], Any] | None = None,
        **sections: Any,
    ) -> SessionModelTask[Any, Any]:
        """A task as a worker has it that has just got its partitions; other settings where they are given."""
        model = model or self.new()
        models = CurrentModels(engine, Path("state"), self.kind, load or (lambda folder: model))
        effect = self.kind.effect(engine, Settings(**{**self.settings, **sections}), now_ms)
        task = SessionModelTask(engine, Topics(), self.kind, models, effect)
        task.assigned(partitions)
        return task

    def told(self, task: SessionModelTask[Any, Any]) -> dict[str, Any]:
        """What the task announces of turns, and the broker then has, by key; nothing else is announced."""
        records = list(task.outgoing())
        task.produced()
        turns = self.kind.turns
        assert turns is not None
        assert {record.topic for record in records} <= {turns.topic(Topics())}
        return {
            (record.key or b"").decode(): record.value and msgspec.json.decode(record.value)
            for record in records
        }

    def kept(self, engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
        """What the tables of the kind hold, without what tells when it was written."""
        with reading(engine) as connection:
            return {table.name: _rows(connection, table) for table in self.kind.tables}


def _rows(connection: Connection, table: Any) -> list[tuple[Any, ...]]:
    columns = [column for column in table.columns if column.name == "ts_ms" or column.name[-3:] != "_ms"]
    return sorted((tuple(row) for row in connection.execute(select(*columns))), key=repr)


CASES: Final = (
    ModelCase(
        REPHRASES,
        letter_detector.LetterDetector,
        letter_detector.NAME,
        {"rephrases": RephraseSettings(in_chains=True)},
    ),
    ModelCase(LABELS, letter_labels.LetterLabels, letter_labels.NAME),
    ModelCase(FAILURES, letter_failures.LetterFailures, letter_failures.NAME),
    ModelCase(moods.MOODS, moods.LetterMoods, "moods-letters", prepare=moods.METADATA.create_all),
)

CASE_OF: Final = {case.kind.name: case for case in CASES}

LETTER_MODELS: Final[Loaders] = {case.kind.name: lambda folder, case=case: case.new() for case in CASES}

TEST_WORKERS: Final[Mapping[str, Worker]] = {**WORKERS, moods.MOODS.name: session_model_worker(moods.MOODS)}
