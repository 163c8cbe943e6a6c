"""Turns whose failure point can be read off them: the word of the request, and the status of the response.

Every dialogue has a turn of each kind, so every user has each class as often.
"""

from collections.abc import Iterable, Sequence

from turns import turn_event

from failure_isolation.rule import FAILURE_POINTS
from failure_isolation.turn_failure import TurnFailure
from labeling.annotations.annotation import Annotation, FailurePoint
from services.evaluation.failures.gold import GoldFailure
from streams.turn import Device, EventId, NluHypothesis, Request, Response, TurnEvent

KINDS: tuple[FailurePoint, ...] = ("asr", "nlu", "result", "correct")

WORDS: dict[FailurePoint, str] = {
    "false_wake": "chatter",
    "asr": "chess",
    "nlu": "maybe",
    "entity_resolution": "who",
    "result": "later",
    "correct": "jazz",
}


def failure_dialogue(number: int, kinds: Sequence[FailurePoint] = KINDS, users: int = 12) -> list[TurnEvent]:
    """A dialogue with one turn of each kind."""
    return [
        turn_event(
            event_id=f"d{number}-{position}-{kind}",
            user_id=f"u{number % users}",
            dialogue_id=f"d{number}",
            ts_ms=1_700_000_000_000 + 3_600_000 * number + 10_000 * position,
            request=Request(text=f"play {WORDS[kind]} {number}"),
            nlu=(NluHypothesis(intent="play", domain="music"),),
            device=Device(type=("speaker", "phone")[number % 2]),
            response=Response(text="done", status="error" if kind == "result" else "ok"),
        )
        for position, kind in enumerate(kinds)
    ]


def failure_log(
    numbers: Iterable[int], kinds: Sequence[FailurePoint] = KINDS, users: int = 12
) -> list[TurnEvent]:
    return [turn for number in numbers for turn in failure_dialogue(number, kinds, users)]


def true_point(turn: TurnEvent) -> FailurePoint:
    (point,) = (point for point in FAILURE_POINTS if point == turn.event_id.split("-")[-1])
    return point


def gold_of(turns: Iterable[TurnEvent]) -> list[GoldFailure]:
    return [GoldFailure(event_id=EventId(turn.event_id), failure_point=true_point(turn)) for turn in turns]


def annotations_of(turns: Iterable[TurnEvent]) -> list[Annotation]:
    return [Annotation(event_id=turn.event_id, failure_point=true_point(turn)) for turn in turns]


def said(
    turn: TurnEvent, point: FailurePoint, confidence: float = 0.9, *, abstains: bool = False
) -> TurnFailure:
    """A failure whose other classes share what is left."""
    rest = (1 - confidence) / (len(FAILURE_POINTS) - 1)
    return TurnFailure(
        event_id=EventId(turn.event_id),
        failure_point=point,
        probabilities={one: confidence if one == point else rest for one in FAILURE_POINTS},
        abstains=abstains,
    )


class WordIsolator:
    """Reads the failure point off the word of the request; what it does not know is correct."""

    def isolate(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[TurnFailure]]:
        kind_of = {word: point for point, word in WORDS.items()}
        return [
            [said(turn, kind_of.get(turn.request.text.split()[1], "correct")) for turn in turns]
            for turns in sessions
        ]
