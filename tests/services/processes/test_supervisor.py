import os
import signal
from pathlib import Path

import msgspec
import pytest
from streaming import eventually_rewrites, learned_from_file, send_turns
from waiting import eventually

from services.platform.api_settings import LookupApiSettings
from services.processes.supervisor import running_rehear, worker_settings
from services.processes.worker import WORKERS
from services.settings import MetricsSettings, SessionSettings, Settings
from services.simulator import PlantedPair, planted_log
from streams.kafka_settings import KafkaSettings


def workers() -> dict[str, int]:
    """Process ids of the workers that this process has started, by kind."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if "services.processes.worker_process" in words and str(os.getpid()) in words:
            found[words[words.index("services.processes.worker_process") + 1]] = int(folder.name)
    return found


@pytest.mark.skipif(not Path("/proc").exists(), reason="finds the processes in /proc")
def test_a_worker_that_dies_is_started_again_and_nothing_is_left_running(tmp_path: Path) -> None:
    log = planted_log(
        [PlantedPair(source=f"play sonk {i}", target=f"play song {i}", users=4) for i in range(5)]
    )
    expected = learned_from_file(log, tmp_path)
    settings = Settings(
        state=str(tmp_path / "state"),
        broker_port=0,
        sessions=SessionSettings(idle_timeout_ms=0),
        api=LookupApiSettings(port=0),
    )
    with running_rehear(settings) as running:
        eventually(lambda: workers().keys() == set(WORKERS), "a worker of each kind")
        send_turns(running.kafka, log[: len(log) // 2])
        first = workers()
        for pid in first.values():
            os.kill(pid, signal.SIGKILL)
        send_turns(running.kafka, log[len(log) // 2 :])
        eventually_rewrites(settings.database_location, expected)
        eventually(lambda: workers().keys() == set(WORKERS), "a new worker of each kind")
        assert not set(workers().values()) & set(first.values())
    assert workers() == {}


def test_workers_under_one_supervisor_do_not_share_ports_or_places() -> None:
    settings = Settings(state="here", kafka=KafkaSettings(), metrics=MetricsSettings(port=9_000))
    first, second = worker_settings(settings, 0), worker_settings(settings, 1)
    assert (first.metrics.port, second.metrics.port) == (9_000, 9_001)
    assert worker_settings(Settings(), 1).metrics.port == 0
    assert first.kafka is not None
    assert first.kafka.group_instance_id is not None
    elsewhere = worker_settings(msgspec.structs.replace(settings, state="there"), 0)
    assert elsewhere.kafka is not None
    assert elsewhere.kafka.group_instance_id != first.kafka.group_instance_id
