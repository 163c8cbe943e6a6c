"""What is served after a log of trouble was learned, as `rehear learn` and `rehear rewrite` do it."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from databases import new_database
from trouble import Asked, Case, Turn

from services.jobs.rewrite_replay import replay_turns
from services.jobs.served_layers import served_layers
from services.jobs.turn_logs import learn_from_files
from services.platform.clock import now_ms
from services.platform.database import open_database
from services.settings import Settings
from streams.errors import TurnFileError
from streams.stores.database_schema import reading
from streams.turn_file import read_turns

DAY_MS = 86_400_000
EARLIEST_MS = 946_684_800_000  # no reader takes an earlier turn: such logs are learned apart

Key = tuple[str, int]
"""The name of a case, and which of its requests."""

Served = Mapping[Key, str | None]


def write_lines(path: Path, lines: Iterable[object]) -> Path:
    """A file of JSON Lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    return path


def asking_turns(case: Case, assistant_id: str | None = None) -> list[Turn]:
    """The requests of a case as turns, each of a new user, a day after its log ended."""
    after_ms = max(EARLIEST_MS, max(turn["ts_ms"] for turn in case.turns)) + DAY_MS
    asking = []
    for number, asked in enumerate(case.asked):
        request: Turn = {"text": asked.text}
        if asked.confidence is not None:
            request["asr"] = [{"text": asked.text, "confidence": asked.confidence}]
        turn: Turn = {
            "schema_version": 1,
            "event_id": f"{case.name}|{number}",
            "assistant_id": assistant_id or case.turns[0]["assistant_id"],
            "user_id": f"{case.name}-asks-{number}",
            "ts_ms": after_ms + number * 600_000,
            "request": request,
        }
        given = {"locale": asked.locale, "prompt": asked.prompt}
        asking.append(turn | {key: value for key, value in given.items() if value is not None})
    return asking


def served_after(
    cases: Sequence[Case],
    folder: Path,
    *,
    beside: Iterable[Path] = (),
    assistant_id: str | None = None,
) -> Served:
    """Learns the logs of cases in one go, and asks.

    Args:
        cases: whose turns are learned.
        folder: for the files; empty.
        beside: other logs, learned with them.
        assistant_id: that is asked; None: each case has its own.
    """
    log = write_lines(folder / "turns.jsonl", (turn for case in cases for turn in case.turns))
    asking = write_lines(
        folder / "asked.jsonl", (turn for case in cases for turn in asking_turns(case, assistant_id))
    )
    engine = open_database(new_database(folder / "rehear.db"))
    settings = Settings()
    try:
        learn_from_files(engine, settings, [*beside, log], now_ms)
        layers = served_layers(engine, settings, now_ms)
        with reading(engine) as connection:
            replayed = list(replay_turns(read_turns(asking, now_ms), layers, connection))
    finally:
        engine.dispose()
    return {key_of(line.event_id): line.rewrite for line in replayed}


def served_after_each(cases: Sequence[Case], folder: Path) -> Served:
    """The same for cases of assistants of their own; a log that a reader may refuse is learned by itself.

    Raises:
        TurnFileError: a log is refused that must not be.
    """
    alone = [case for case in cases if case.grown_contract or _too_early(case)]
    together = [case for case in cases if case not in alone]
    served = dict(served_after(together, folder / "together")) if together else {}
    for case in alone:
        try:
            served.update(served_after([case], folder / case.name))
        except TurnFileError:
            if case.may_be_refused:
                served.update({(case.name, number): None for number in range(len(case.asked))})
            # A log that must be read and is not serves nothing, and the case fails for want of an answer.
    return served


def key_of(event_id: str) -> Key:
    """The case and the request that a replayed turn stands for."""
    name, _, number = event_id.rpartition("|")
    return name, int(number)


def wrongly_served(case: Case, served: Served) -> list[str]:
    """In words, each request of a case that is answered as it must not be."""

    def answered(number: int, asked: Asked) -> str | None:
        if (case.name, number) not in served:
            return f"{asked.text!r}: the log was refused"
        got = served[case.name, number]
        if asked.allows(got):
            return None
        where = "".join(f", {word} {given!r}" for word, given in _given(asked) if given)
        return f"{asked.text!r}{where} -> {got!r}, wanted {asked.wanted}"

    wrong = (answered(number, asked) for number, asked in enumerate(case.asked))
    return [line for line in wrong if line is not None]


def _given(asked: Asked) -> list[tuple[str, str | None]]:
    return [("locale", asked.locale), ("after", asked.prompt)]


def _too_early(case: Case) -> bool:
    return any(turn["ts_ms"] < EARLIEST_MS for turn in case.turns)
