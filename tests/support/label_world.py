"""Dialogues whose goals, success, ratings, meaning and defects are known."""

import random
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from tiny_encoder import write_tiny_base

from labeling.annotations.annotation import AnnotatedSlot, Annotation, Annotations
from labeling.labels.targets import WeakLabels, WeakTurn
from labeling.labels.weak_defects import MADE_OF, visible_defect
from streams.turn import EventId, NluHypothesis, Request, Response, Signals, Slot, TurnEvent

GENRES = ("jazz", "blues", "folk", "rock")
ROOMS = ("kitchen", "hall", "cellar", "attic")
MORE = "more please"
"""Means what the request before it meant: neither it nor its response tells whether music or light."""

ANGRY = "awful"
"""Who says it gives 1 or 2, and the goal is missed."""

MISHEARD = "mumble"
"""A request with it fails. Four of five such failures are reported, the others show no sign."""

_WORDS = {word for text in (MORE, ANGRY, MISHEARD) for word in text.split()} | {
    *GENRES, *ROOMS, "play", "dim", "the", "light", "in", "playing", "dimming", "sorry", "again", "okay",
}  # fmt: skip


class WorldDialogue(Struct, frozen=True):
    """Turns, and what is true of each."""

    turns: tuple[TurnEvent, ...]
    annotations: tuple[Annotation, ...]
    defects: tuple[bool, ...]  # which no annotation says


def label_dialogues(count: int, seed: int = 1) -> list[WorldDialogue]:
    """Dialogues of one to four goals.

    A goal starts with "play jazz in the kitchen" or "dim the light in the hall"; most go on with a request
    for more, which means the same. Who wants music mostly stays with it, and so with light. A dialogue is
    rated by its worst turn.
    """
    chance = random.Random(seed)
    return [_dialogue(chance, f"{seed}-{number}") for number in range(count)]


def turns_of(world: Sequence[WorldDialogue]) -> list[tuple[TurnEvent, ...]]:
    """Of each dialogue."""
    return [dialogue.turns for dialogue in world]


def annotations_of(world: Sequence[WorldDialogue], *fields: str) -> Annotations:
    """What is true of all turns; of some fields alone, where these are named."""
    annotations = {
        EventId(annotation.event_id): annotation for dialogue in world for annotation in dialogue.annotations
    }
    if not fields:
        return annotations
    return {
        event_id: Annotation(event_id=event_id, **{name: getattr(annotation, name) for name in fields})
        for event_id, annotation in annotations.items()
    }


def weak_labels_of(world: Sequence[WorldDialogue]) -> WeakLabels:
    """The defects that the log shows."""
    shown = [[WeakTurn(defect=visible_defect(turn, None)) for turn in dialogue.turns] for dialogue in world]
    return WeakLabels(shown, {"defect": MADE_OF})


def write_world_base(folder: Path) -> Path:
    """A small transformer that knows the words of this world."""
    return write_tiny_base(folder, _WORDS, positions=200)


def _dialogue(chance: random.Random, name: str) -> WorldDialogue:
    turns: list[TurnEvent] = []
    annotations: list[Annotation] = []
    ts_ms = 1_700_000_000_000 + chance.randrange(10**9)
    is_angry = False
    intent = ""
    goals = chance.randint(1, 4)
    for goal in range(goals):
        if not goal or chance.random() < 0.15:
            intent = chance.choice(["music", "light"])
        genre, room = chance.choice(GENRES), chance.choice(ROOMS)
        requests = 1 + chance.choice([0, 1, 1])
        missed = chance.random() < 0.25
        angry_at = chance.randrange(requests) if missed else None
        for place in range(requests):
            text = MORE if place else _opening(chance, intent, genre, room)
            text += f" {ANGRY}" if angry_at == place else ""
            text = f"{MISHEARD} {text}" if chance.random() < 0.25 else text
            is_angry = is_angry or angry_at == place
            is_last = goal == goals - 1 and place == requests - 1
            event_id = f"{name}-{len(turns)}"
            turns.append(_turn(chance, event_id, ts_ms, text, intent, genre, room))
            annotations.append(
                Annotation(
                    event_id=event_id,
                    goal_id=f"{name}/{goal}",
                    goal_success=not missed if place == requests - 1 else None,
                    satisfaction=_ratings(chance, angry_at == place),
                    dialogue_satisfaction=_ratings(chance, is_angry) if is_last else None,
                    domain="sound" if intent == "music" else "home",
                    intent=intent,
                    slots=() if place else _slots(intent, genre, room),
                )
            )
            ts_ms += chance.randrange(5_000, 20_000)
    return WorldDialogue(
        tuple(turns), tuple(annotations), tuple(MISHEARD in turn.request.text for turn in turns)
    )


def _opening(chance: random.Random, intent: str, genre: str, room: str) -> str:
    shown = chance.choice([str.title, str.lower])
    return (
        f"play {shown(genre)}  in the {shown(room)}" if intent == "music" else f"dim the light in the {room}"
    )


def _slots(intent: str, genre: str, room: str) -> tuple[AnnotatedSlot, ...]:
    place = AnnotatedSlot(name="room", value=room)
    return (AnnotatedSlot(name="genre", value=genre), place) if intent == "music" else (place,)


def _ratings(chance: random.Random, is_angry: bool) -> tuple[int, ...]:
    return tuple(chance.choice([1, 2] if is_angry else [3, 4, 5]) for _ in range(3))


def _turn(
    chance: random.Random, event_id: str, ts_ms: int, text: str, intent: str, genre: str, room: str
) -> TurnEvent:
    is_seen = MISHEARD in text and chance.random() < 0.8
    said = f"playing {genre}" if intent == "music" else f"dimming the {room}"
    if MORE in text:
        said = "okay"
    value = Slot(name="genre", value=genre) if intent == "music" else Slot(name="room", value=room)
    return TurnEvent(
        schema_version=1,
        event_id=event_id,
        assistant_id="a",
        user_id="u",
        ts_ms=ts_ms,
        request=Request(text=text),
        nlu=(NluHypothesis(intent=chance.choice(["i1", "i2"]), slots=(value,)),),  # which tells nothing
        response=Response(text="sorry again" if is_seen else said, status="error" if is_seen else "ok"),
        signals=Signals(barge_in=chance.random() < 0.5 if is_seen else None),
    )
