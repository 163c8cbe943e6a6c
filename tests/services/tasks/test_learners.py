"""What holds for both tasks that learn from sessions: chains, and what online rewriting knows."""

from pathlib import Path
from typing import Any

import pytest
from learning_tasks import chain_task, index_task, rest
from msgspec import Struct
from sqlalchemy import Engine
from streaming import everything, feed, records_of, requests_in, rewrites_in, store_log

from services.platform.clock import now_ms
from services.privacy.forgetting import forget_user
from services.simulator import PlantedPair, planted_log
from streams.errors import CheckpointConflictError
from streams.turn import AssistantId, TurnEvent, UserId

ASSISTANT = AssistantId("planted-assistant")


@pytest.fixture
def log() -> list[TurnEvent]:
    return planted_log(
        [PlantedPair(source=f"play sonk {i}", target=f"play song {i}", users=4) for i in range(3)]
    )


class Case(Struct, frozen=True):
    name: str
    engine: Engine
    state: Path

    def task(self) -> Any:
        return chain_task(self.engine) if self.name == "chains" else index_task(self.engine, self.state)

    def learned(self) -> set[str]:
        """The texts that are known after the log."""
        if self.name == "chains":
            return {row.source_text for row in rewrites_in(self.engine)}
        return {text for _, _, text, _ in requests_in(self.engine)["index"]}

    @property
    def all(self) -> set[str]:
        return {f"play {'sonk' if self.name == 'chains' else 'song'} {i}" for i in range(3)}


@pytest.fixture(params=["chains", "index"])
def case(request: pytest.FixtureRequest, engine: Engine, tmp_path: Path) -> Case:
    return Case(request.param, engine, tmp_path / "state")


def test_old_records_do_not_bring_back_what_was_revised(case: Case, log: list[TurnEvent]) -> None:
    first_tries = [turn for turn in log if "sonk" in turn.request.text]
    store_log(case.engine, first_tries)
    store_log(case.engine, log)
    task = case.task()
    place = feed(task, records_of(log))
    rest(task)
    before = rewrites_in(case.engine), requests_in(case.engine)
    feed(task, records_of(first_tries), place)
    rest(task)
    assert (rewrites_in(case.engine), requests_in(case.engine)) == before
    assert case.learned() == case.all


def test_old_records_do_not_bring_back_a_forgotten_user(case: Case, log: list[TurnEvent]) -> None:
    store_log(case.engine, log)
    task = case.task()
    place = feed(task, records_of(log))
    forget_user(case.engine, now_ms, ASSISTANT, UserId("u00001"))
    rest(task)
    place = feed(task, records_of(log), place)
    feed(case.task(), records_of(log), place)
    assert "u00001" not in everything(case.engine)
    assert "u00002" in everything(case.engine)


def test_a_conflict_changes_nothing_and_the_worker_goes_on(case: Case, log: list[TurnEvent]) -> None:
    store_log(case.engine, log)
    task = case.task()
    records = records_of(log)
    place = feed(task, records[:6])
    with pytest.raises(CheckpointConflictError):
        feed(task, records[6:], place - 1)
    feed(task, records[6:], place)
    rest(task)
    assert case.learned() == case.all
