"""`rehear table serving`; servers are given the settings, and offline commands keep nothing back."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from databases import opened
from rewrites import put, rewrite_row
from sqlalchemy import Engine
from typer.testing import CliRunner

from rewriting.serving.settings import ServingSettings
from rewriting.serving.switch import ServingSwitch, serving_switches
from rewriting.table.rewrite_table import RewriteTable
from services.cli.commands import app
from services.demo import demo_settings
from services.lookup_api import server
from services.lookup_api.server import ServerTask
from services.platform.clock import now_ms
from services.simulator import PlantedPair, planted_log
from streams.stores.database_schema import reading
from streams.turn import AssistantId, encode_turn

HOME = AssistantId("home")
ROW = rewrite_row("pley jazz", "play jazz")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    with opened(tmp_path / "rehear.db") as engine:
        put(RewriteTable(engine, lambda: 1), engine, [ROW])
    return tmp_path


def rehear(*arguments: object, status: int = 0) -> Result:
    done = CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "200", "TERM": "dumb"})
    assert done.exit_code == status, done.output + repr(done.exception)
    return done


def lines(*arguments: object) -> list[str]:
    return [line for line in rehear(*arguments).stdout.splitlines() if "[info" not in line]


def switch_of(engine: Engine) -> ServingSwitch | None:
    with reading(engine) as connection:
        return serving_switches(connection).get(HOME)


def test_serving_is_switched_off_and_on_with_a_reason(state: Path) -> None:
    before_ms = now_ms()
    shares = [
        "by these settings, shares of the users: 0.05 control, 0.95 treatment",
        "share of the other users' requests that are left unchanged: 0.01",
    ]
    shown = lines("table", "serving", "--state", state)
    assert shown == ["home: serving is on; the switch was never turned", *shares]
    command = ("table", "serving", "--state", state, "--reason")
    (first, *rest) = lines(*command, "users complain", "--off", "--actor", "eve")
    assert first.startswith("home: serving is off since 20")
    assert first.endswith(" UTC, by eve: users complain")
    assert rest == shares
    assert lines("table", "serving", "--state", state) == [first, *rest]
    with opened(state / "rehear.db") as engine:
        switch = switch_of(engine)
        assert switch is not None
        assert (switch.off, switch.reason, switch.actor) == (True, "users complain", "eve")
        assert before_ms <= switch.changed_ms <= now_ms()
        assert "serving is on since" in lines(*command, "the row is blocked", "--on")[0]
        switch = switch_of(engine)
        assert switch is not None
        assert (switch.off, switch.actor) == (False, "operator")


@pytest.mark.parametrize("wrong", [["--off"], ["--on", "--reason", " "], ["--reason", "why"]])
def test_the_switch_is_not_turned_without_a_reason_nor_by_a_reason_alone(
    state: Path, wrong: list[str]
) -> None:
    assert "--reason" in rehear("table", "serving", "--state", state, *wrong, status=2).output
    with opened(state / "rehear.db") as engine:
        assert switch_of(engine) is None


def test_settings_that_switch_it_off_are_named(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REHEAR_SERVING__OFF", "true")
    monkeypatch.setenv("REHEAR_SERVING__ARMS__GLOBAL__SHARE", "0.5")
    shown = lines("table", "serving", "--state", state, "--on", "--reason", "r")
    assert shown[1] == "but these settings have it off for all assistants: [serving] off = true"
    assert "0.05 control, 0.5 global, 0.45 treatment" in shown[2]


def test_a_server_is_given_the_settings_of_serving(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks: list[ServerTask] = []
    monkeypatch.setattr(server, "serve", tasks.append)
    rehear("serve", "--state", state)
    monkeypatch.setenv("REHEAR_SERVING__CONTROL", "0.2")
    monkeypatch.setenv("REHEAR_SERVING__SALT", "autumn")
    rehear("serve", "--state", state)
    assert [task.serving for task in tasks] == [
        ServingSettings(control=0.05, exploration=0.01),
        ServingSettings(control=0.2, exploration=0.01, salt="autumn"),
    ]


def test_the_demo_keeps_nothing_back(tmp_path: Path) -> None:
    demos = demo_settings(tmp_path).serving
    assert (demos.off, demos.control, demos.exploration) == (False, 0, 0)


def test_a_replay_serves_every_row_whatever_is_kept_back_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log.jsonl"
    pair = PlantedPair(source="pley jazz", target="play jazz", users=5)
    log.write_bytes(b"".join(encode_turn(turn) + b"\n" for turn in planted_log([pair], assistant_id=HOME)))
    state = tmp_path / "state"
    nothing_trained = ("--no-online", "--no-labels", "--no-failures", "--no-rephrases")
    rehear("learn", "--turns", log, "--state", state, *nothing_trained)
    rehear("table", "serving", "--state", state, "--off", "--reason", "a trial")
    for name, value in (("CONTROL", "1"), ("EXPLORATION", "1"), ("OFF", "true")):
        monkeypatch.setenv(f"REHEAR_SERVING__{name}", value)
    out = tmp_path / "out.jsonl"
    rehear("rewrite", "--turns", log, "--state", state, "--out", out)
    served = [json.loads(line)["rewrite"] for line in out.read_text().splitlines()]
    assert served.count("play jazz") == 5
