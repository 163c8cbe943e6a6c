"""Dialogues of two requests whose meaning a text shows: a song to play, then a town's weather."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from report_command import write_lines
from turns import START_MS, turn_event

from labeling.annotations.annotation import AnnotatedSlot, Annotation
from labeling.labels.turn_label import SlotLabel
from streams.turn import Response, TurnEvent

SONGS = ("jazz", "blues", "polka", "swing", "techno")
TOWNS = ("paris", "rome", "oslo", "cairo", "lima")
WORDS = {*SONGS, *TOWNS, "play", "some", "weather", "in", "now", "playing", "sunny"}


def request_dialogue(number: int, assistant_id: str = "a") -> list[TurnEvent]:
    song, town = SONGS[number % 5], TOWNS[number // 5 % 5]
    given: dict[str, Any] = {
        "assistant_id": assistant_id,
        "user_id": f"u{number % 40}",
        "dialogue_id": f"d{number}",
    }
    return [
        turn_event(
            text,
            event_id=f"{assistant_id}-{number}-{position}",
            ts_ms=START_MS + 1_000_000 * number + 10_000 * position,
            response=Response(text=said, status="ok"),
            **given,
        )
        for position, (text, said) in enumerate(
            [(f"play some {song}", f"playing {song}"), (f"weather in {town}", "sunny")]
        )
    ]


def request_log(numbers: Iterable[int], assistant_id: str = "a") -> list[TurnEvent]:
    return [turn for number in numbers for turn in request_dialogue(number, assistant_id)]


def true_slot(turn: TurnEvent) -> SlotLabel:
    """The last word of a request is its slot."""
    text = turn.request.text
    start = text.rindex(" ") + 1
    name = "song" if text.startswith("play") else "town"
    return SlotLabel(name=name, value=text[start:], start=start, end=len(text))


def true_intent(turn: TurnEvent) -> str:
    return turn.request.text.split()[0]


def annotation_of(turn: TurnEvent) -> Annotation:
    slot = true_slot(turn)
    return Annotation(
        event_id=turn.event_id,
        intent=true_intent(turn),
        slots=(AnnotatedSlot(name=slot.name, start=slot.start, end=slot.end),),
    )


def write_log(path: Path, turns: Iterable[TurnEvent]) -> Path:
    return write_lines(path, turns)


def write_annotations(path: Path, turns: Iterable[TurnEvent]) -> Path:
    return write_lines(path, map(annotation_of, turns))


def write_intents(path: Path, *lines: tuple[str, str]) -> Path:
    return write_lines(path, [{"text": text, "intent": intent} for text, intent in lines])
