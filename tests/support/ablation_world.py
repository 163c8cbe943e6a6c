"""A log, learned into a state, of which it is known who can mend which request.

Everybody mishears songs alike ("play sonk jazz"), and says them again ("play song jazz") with success: all
users together show what is meant. Each caller has a contact of their own, misheard in a way that nobody else
knows: only their own history shows what is meant.
"""

from itertools import count
from pathlib import Path

import msgspec
from databases import opened
from jobs import work_on
from msgspec import Struct
from report_command import write_lines
from tiny_encoder import write_tiny_base

from rewriting.encoders.settings import EncoderSettings
from rewriting.ranking.settings import RankerSettings
from services.jobs.online_models import learn_online
from services.jobs.turn_logs import learn_from_files
from services.platform.clock import now_ms
from services.settings import Settings
from streams.turn import (
    AssistantId,
    EventId,
    NluHypothesis,
    Recognition,
    Request,
    Response,
    Signals,
    Slot,
    TurnEvent,
)

ASSISTANT = AssistantId("planted-assistant")
SONGS = ("jazz", "blues", "rock", "folk", "soul", "disco", "polka", "salsa")
CALLED = ("anna", "boris", "clara", "dieter", "elena", "franz")
DAYS, TEST_DAYS = 14, 2
DAY_MS, HOUR_MS = 86_400_000, 3_600_000
START_MS = 1_736_121_600_000
SETTINGS = RankerSettings(win_loss=2.0, min_examples=100, trees=30, min_leaf=10, threads=1)


class AblationWorld(Struct, frozen=True):
    """Where its files are, and the settings with which it was learned."""

    settings: Settings
    turns: Path
    gold: Path
    understanding: Path
    other_gold: Path  # says of each request that something else was meant


def write_world(folder: Path) -> AblationWorld:
    """Writes the logs and learns from the first."""
    train, _ = _log(range(DAYS), strangers=False)
    test, meant = _log(range(DAYS, DAYS + TEST_DAYS), strangers=True)
    texts = sorted({turn.request.text for turn in train + test} | set(meant.values()))
    base = write_tiny_base(folder / "base", ["play", "song", "sonk", "call", *SONGS, *CALLED])
    settings = Settings(
        state=str(folder / "state"),
        ranker=SETTINGS,
        encoder=EncoderSettings(base=str(base), layers=None, train=False),
    )
    world = AblationWorld(
        settings=settings,
        turns=folder / "turns.test.jsonl",
        gold=folder / "gold.jsonl",
        understanding=folder / "nlu.jsonl",
        other_gold=folder / "other.jsonl",
    )
    write_lines(folder / "turns.train.jsonl", train)
    write_lines(world.turns, test)
    write_lines(world.gold, [_gold(turn.event_id, meant[turn.event_id]) for turn in test])
    write_lines(world.other_gold, [_gold(turn.event_id, "something else") for turn in test])
    write_lines(world.understanding, [{"text": text, **_frame(text)} for text in texts])
    (folder / "state").mkdir()
    with opened(settings.database_location) as engine:
        learn_from_files(engine, settings, [folder / "turns.train.jsonl"], now_ms)
        assert learn_online(work_on(engine, ASSISTANT, settings)).serves
    return world


def _log(days: range, *, strangers: bool) -> tuple[list[TurnEvent], dict[str, str]]:
    """Turns in the order of time, and by event what was meant."""
    turns: list[TurnEvent] = []
    meant: dict[str, str] = {}
    numbers = count()

    def say(user: str, at_ms: int, target: str, *texts: str) -> None:
        for i, text in enumerate((*texts, target)):
            event_id = EventId(f"d{days.start}-{next(numbers):05d}")
            meant[event_id] = target
            turns.append(_turn(event_id, user, at_ms + 8_000 * i, text, right=text == target))

    for day in days:
        for i, song in enumerate(SONGS):
            at_ms = START_MS + day * DAY_MS + i * HOUR_MS
            say(f"listener-{(day * 5 + i) % 40}", at_ms, f"play song {song}", f"play sonk {song}")
            for k in range(3):
                say(f"listener-{(day * 7 + i * 3 + k) % 40}", at_ms + (k + 1) * 600_000, f"play song {song}")
            if strangers:
                say(f"stranger-{i}", at_ms + 2_400_000, f"play song {song}", f"play sonk {song}")
        for i, name in enumerate(CALLED):
            at_ms = START_MS + day * DAY_MS + (12 + i) * HOUR_MS
            say(f"caller-{i}", at_ms, f"call {name} smith", f"call {name[::-1]} smyth")
            for k in range(3):
                say(f"caller-{i}", at_ms + (k + 1) * 600_000, f"call {name} smith")
    turns.sort(key=lambda turn: (turn.ts_ms, turn.event_id))
    return turns, meant


def _turn(event_id: EventId, user: str, ts_ms: int, text: str, *, right: bool) -> TurnEvent:
    confidence = 0.9 if right else 0.4
    frame = _frame(text)
    return TurnEvent(
        schema_version=1,
        event_id=event_id,
        assistant_id=ASSISTANT,
        user_id=user,
        ts_ms=ts_ms,
        request=Request(text=text, asr=(Recognition(text=text, confidence=confidence),)),
        nlu=(msgspec.convert({**frame, "confidence": confidence}, NluHypothesis),),
        response=Response(text=None, action=None, status="ok" if right else "error"),
        signals=Signals(barge_in=False, terminated=False),
    )


def _frame(text: str) -> dict[str, object]:
    slot = msgspec.to_builtins(Slot(name="text", value=text))
    return {"domain": "planted", "intent": "say", "slots": [slot]}


def _gold(event_id: str, text: str) -> dict[str, object]:
    return {"event_id": event_id, "reference_nlu": _frame(text), "reference_text": text}
