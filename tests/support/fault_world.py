"""Dialogues in which one stage fails, and what tells which one; each class is told by other things."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from tiny_encoder import write_tiny_base

from labeling.annotations.annotation import Annotation, FailurePoint
from streams.turn import (
    Entity,
    EventId,
    NluHypothesis,
    Recognition,
    Request,
    Response,
    Slot,
    TurnEvent,
)

GENRES = ("jazz", "blues", "folk", "rock")
ROOMS = ("kitchen", "hall", "cellar", "attic")
CHATTER = ("goals tonight", "rain tomorrow", "goals tomorrow", "rain tonight")

CLASSES: tuple[FailurePoint, ...] = ("false_wake", "asr", "nlu", "entity_resolution", "result", "correct")

_WORDS = {
    *GENRES, *ROOMS, "play", "in", "the", "goals", "rain", "tonight", "tomorrow", "okay", "sorry", "music",
    "light", "genre", "room",
}  # fmt: skip


def fault_dialogues(count: int, seed: int = 1) -> tuple[list[list[TurnEvent]], Mapping[EventId, Annotation]]:
    """Dialogues of one request and, where a stage failed, the same request again, which works.

    A false wake is told by the confidence of the wake word, a failure of the recogniser by the next turn,
    which says what stood among the alternatives, one of understanding by the interpretation, one of entity
    resolution by what the name was taken for, and one of the result by the status.
    """
    chance = random.Random(seed)
    dialogues, annotations = [], {}
    for number in range(count):
        turns, points = _dialogue(chance, f"{seed}-{number}")
        dialogues.append(turns)
        for turn, point in zip(turns, points, strict=True):
            event_id = EventId(turn.event_id)
            annotations[event_id] = Annotation(event_id=event_id, failure_point=point)
    return dialogues, annotations


def points_of(turns: Sequence[TurnEvent], annotations: Mapping[EventId, Annotation]) -> list[FailurePoint]:
    """The failure points of a dialogue."""
    return [point for turn in turns if (point := annotations[EventId(turn.event_id)].failure_point)]


def write_fault_base(folder: Path) -> Path:
    """A small transformer that knows the words of this world."""
    return write_tiny_base(folder, _WORDS, positions=400)


def _dialogue(chance: random.Random, name: str) -> tuple[list[TurnEvent], list[FailurePoint]]:
    point = chance.choice(CLASSES)
    ts_ms = 1_700_000_000_000 + chance.randrange(10**9)
    genre, room = chance.choice(GENRES), chance.choice(ROOMS)
    first = _turn(chance, f"{name}-0", ts_ms, genre, room, point)
    if point in ("correct", "false_wake"):
        return [first], [point]
    again = _turn(chance, f"{name}-1", ts_ms + chance.randrange(5_000, 20_000), genre, room, "correct")
    return [first, again], [point, "correct"]


def _turn(
    chance: random.Random, event_id: str, ts_ms: int, genre: str, room: str, point: FailurePoint
) -> TurnEvent:
    other_room = chance.choice([one for one in ROOMS if one != room])
    other_genre = chance.choice([one for one in GENRES if one != genre])
    heard = other_room if point == "asr" else room
    guess = room if point == "asr" else other_room
    text = f"play {genre} in the {heard}"
    alternative = f"play {genre} in the {guess}"
    if point == "false_wake":
        text = chance.choice(CHATTER)
    music = NluHypothesis(domain="sound", intent="music", slots=(Slot(name="genre", value=genre),))
    light = NluHypothesis(domain="home", intent="light", slots=(Slot(name="room", value=heard),))
    return TurnEvent(
        schema_version=1,
        event_id=event_id,
        assistant_id="a",
        user_id="u",
        ts_ms=ts_ms,
        request=Request(
            text=text,
            asr=(Recognition(text=text, confidence=0.8), Recognition(text=alternative, confidence=0.6)),
            wake_confidence=round((0.3 if point == "false_wake" else 0.7) + 0.2 * chance.random(), 3),
        ),
        nlu=(light, music) if point == "nlu" else (music, light),
        entities=(
            Entity(
                mention=genre,
                type="genre",
                resolved=other_genre if point == "entity_resolution" else genre,
                confidence=0.8,
            ),
        ),
        response=Response(
            text="sorry" if point == "result" else "okay", status="error" if point == "result" else "ok"
        ),
    )
