"""Long-running parts: everything at once, single workers, the lookup API, the broker, dead letters."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from services.cli.options import SettingsOption, StateOption, settings_alone, settings_of
from services.errors import SettingsError
from services.session_models.registry import SESSION_MODELS
from services.settings import Settings
from streams.kafka_settings import KafkaSettings


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(up)
    app.command()(work)
    app.command()(serve)
    app.command()(broker)
    app.command()(replay)
    app.command("api-key")(api_key)


def up(state: StateOption = None, settings: SettingsOption = None) -> None:
    """Run everything on this machine: workers, lookup API, and a broker unless Kafka is configured.

    Stop it with Ctrl-C. Example: `rehear up --state state`
    """
    from services.processes.supervisor import running_rehear, wait_for_signal

    with running_rehear(settings_of(settings, state)) as running:
        print(f"turns topic:  {running.kafka.topics.turns} at {running.kafka.bootstrap_servers}")
        print(f"lookup API:   {running.api_url}  (OpenAPI: {running.api_url}/schema)")
        if running.operator_key is not None:
            print(f"operator key: {running.operator_key}")
        print("Ctrl-C stops everything", flush=True)
        wait_for_signal()


def work(
    kind: Annotated[
        str,
        typer.Argument(
            help="sessions (turns to sessions), chains (sessions to rewrites), index (sessions to what "
            "online rewriting knows), or a kind of session model: "
            f"{', '.join(f'{kind.name} ({kind.work_help})' for kind in SESSION_MODELS)}."
        ),
    ],
    state: StateOption = None,
    settings: SettingsOption = None,
    until_idle: Annotated[bool, typer.Option("--until-idle", help="Stop when all is read.")] = False,
    instance: Annotated[
        str | None,
        typer.Option(
            help="Name of this worker's place in its group, the same after a restart: it then has its "
            "partitions back at once. Needed on the development broker, where a dead worker is never missed."
        ),
    ] = None,
) -> None:
    """Run one worker; several of a kind share the work of their consumer group.

    Example: `rehear work sessions --settings rehear.toml`
    """
    from services.processes.supervisor import PARTITIONS
    from services.processes.worker import WORKERS, run_worker
    from streams.topics import ensure_topics

    chosen = settings_of(settings, state)
    if kind not in WORKERS:
        raise SettingsError(f"no worker of kind {kind!r}: there are {', '.join(WORKERS)}")
    kafka = _kafka(chosen)
    if instance is not None:
        kafka = msgspec.structs.replace(kafka, group_instance_id=instance)
    ensure_topics(kafka, PARTITIONS)
    run_worker(WORKERS[kind], kafka, chosen, until_idle=until_idle)


def serve(state: StateOption = None, settings: SettingsOption = None) -> None:
    """Serve the lookup API.

    By default, 5 % of the users and 1 % of the others' requests are left as they are, so that the log shows
    what rewriting changes: such an answer has the reason `held_out` and names what was kept back. `[serving]`
    in the settings sets these shares.

    Example: `rehear serve --state state`, then
    `curl -H 'Content-Type: application/json' -d '{"user_id":"u","text":"play imagine dragon"}'
    localhost:8420/v1/rewrite`
    """
    from services.lookup_api.operator_key import operator_key
    from services.lookup_api.server import ServerTask
    from services.lookup_api.server import serve as serve_api

    chosen = settings_of(settings, state)
    chosen.api.check_binding()
    key = operator_key(chosen.api, Path(chosen.state))
    if key is not None:
        print(f"operator key: {key.path}", flush=True)
    serve_api(
        ServerTask(
            settings=chosen.api,
            database_url=chosen.database_location,
            online=chosen.online_task,
            serving=chosen.serving,
            operator_key_sha256=None if key is None else key.sha256,
        )
    )


def broker(
    state: StateOption = None,
    port: Annotated[int, typer.Option(help="Port of the broker.")] = 9092,
) -> None:
    """Run a broker for development, for other programs to send turns to."""
    from services.processes.supervisor import PARTITIONS, wait_for_signal
    from streams.broker import DevelopmentBroker
    from streams.topics import ensure_topics

    with DevelopmentBroker(Path(settings_of(None, state).state) / "broker", port) as running:
        ensure_topics(KafkaSettings(bootstrap_servers=running.bootstrap_servers), PARTITIONS)
        print(f"Kafka at {running.bootstrap_servers}; Ctrl-C stops it", flush=True)
        wait_for_signal()


def replay(
    settings: SettingsOption = None,
    error: Annotated[
        list[str] | None, typer.Option(help="Replay only dead letters with this class of error.")
    ] = None,
    topic: Annotated[str | None, typer.Option(help="Replay only dead letters from this topic.")] = None,
    partition: Annotated[
        int | None, typer.Option(help="Replay only dead letters from this partition.")
    ] = None,
    first_offset: Annotated[int | None, typer.Option(help="First offset to replay.")] = None,
    last_offset: Annotated[int | None, typer.Option(help="Last offset to replay.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count the dead letters without sending them.")
    ] = False,
) -> None:
    """Send dead letters back to where they came from, after what was wrong with them was mended.

    Each source record is sent once; a turn that had been processed after all changes nothing.
    """
    from streams.dead_letter import Selection, replay_dead_letters

    selection = Selection(
        errors=frozenset(error) if error else None,
        topic=topic,
        partition=partition,
        first_offset=first_offset,
        last_offset=last_offset,
    )
    report = replay_dead_letters(_kafka(settings_alone(settings)), selection, dry_run=dry_run)
    for name, count in sorted(report.replayed.items()):
        print(f"{count:,} {'would be ' if dry_run else ''}sent back: {name}")
    for name, count in sorted(report.not_replayable.items()):
        print(f"{count:,} cannot be sent back, cut off and gone from their source: {name}")
    print(f"{report.repeated:,} were repeated, {report.passed_over:,} not selected")


class KeyRole(StrEnum):
    """What a key is for."""

    LOOKUP = "lookup"
    OPERATOR = "operator"


def api_key(
    assistant: Annotated[str, typer.Argument(help="The assistant that the key opens.")],
    name: Annotated[str, typer.Option(help="Name of the key's owner, for the logs.")] = "assistant",
    role: Annotated[
        KeyRole, typer.Option(help="lookup: ask and give feedback; operator: everything.")
    ] = KeyRole.LOOKUP,
) -> None:
    """Make an API key: the key for the caller, and its hash for the settings."""
    from services.platform.api_keys import new_api_key

    key, entry = new_api_key(name, assistant, role.value)
    print(f"key, shown only now:  {key}")
    print("for the settings file:\n\n[[api.api_keys]]")
    for field, value in msgspec.to_builtins(entry).items():
        print(f"{field} = {msgspec.json.encode(value).decode()}")


def _kafka(settings: Settings) -> KafkaSettings:
    if settings.kafka is None:
        raise SettingsError(
            "no Kafka is configured: set REHEAR_KAFKA__BOOTSTRAP_SERVERS=host:port, or bootstrap_servers "
            "under [kafka] in the settings file"
        )
    return settings.kafka
