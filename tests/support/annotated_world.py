"""Sessions in which it is known who says what again, as a person would annotate them."""

import random
from collections.abc import Iterable, Sequence

import msgspec
from rephrase_world import WorldSession, rephrase_sessions
from turns import turn_event

from labeling.annotations.annotation import Annotation
from rewriting.evidence.rephrase_link import RephraseLink, resolve
from streams.turn import EventId, Request, Response, TurnEvent

ENCORE = "another one"
UNLIKE = ("lamp", "jokes", "quiz", "why", "bedtime")


def annotations_of(world: Iterable[WorldSession]) -> dict[EventId, Annotation]:
    """Goal and outcome of every turn: a request was wrong if it is tried again."""
    return {
        EventId(turn.event_id): Annotation(
            event_id=turn.event_id,
            goal_id=session.turns[_first_try(session, position)].event_id,
            correct=position not in session.tries_again,
        )
        for session in world
        for position, turn in enumerate(session.turns)
    }


def encore_sessions(count: int, seed: int = 1) -> list[WorldSession]:
    """Sessions of users who say "another one", 4 to 12 s after they got what they had wanted.

    By words, meaning, time and outcome these are second tries; but each is a goal of its own.
    """
    chance = random.Random(seed)
    return [_encores(chance, number) for number in range(count)]


def unlike_sessions(count: int, seed: int = 1) -> list[WorldSession]:
    """Sessions in which no two requests are alike, neither second tries nor others."""
    return [
        WorldSession(
            tuple(
                msgspec.structs.replace(turn, request=Request(text=text))
                for turn, text in zip(session.turns, UNLIKE, strict=False)
            ),
            session.tries_again,
        )
        for session in rephrase_sessions(count, seed)
    ]


def f1_of(world: Sequence[WorldSession], found: Sequence[Sequence[RephraseLink]]) -> float:
    """F1 of links with a probability of one half or more."""
    right = told = planted = 0
    for session, links in zip(world, found, strict=True):
        kept = [link for link in resolve(links) if link.score >= 0.5]
        told += len(kept)
        planted += sum(source is not None for source in session.tries_again)
        right += sum(session.tries_again[link.target] == link.source for link in kept)
    return 2 * right / (told + planted)


def _first_try(session: WorldSession, position: int) -> int:
    before = session.tries_again[position]
    return position if before is None else _first_try(session, before)


def _encores(chance: random.Random, number: int) -> WorldSession:
    ts_ms = 1_720_000_000_000 + number * 3_600_000
    turns: list[TurnEvent] = []
    for position in range(chance.randint(2, 4)):
        turns.append(
            turn_event(
                ENCORE,
                event_id=f"encore-{number}-{position}",
                user_id=f"u{number % 50}",
                ts_ms=ts_ms,
                response=Response(text="Okay.", status="ok"),
            )
        )
        ts_ms += int(1000 * chance.uniform(4, 12))
    return WorldSession(tuple(turns), (None,) * len(turns))
