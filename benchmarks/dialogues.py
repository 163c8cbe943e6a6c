"""Drawn dialogues of a voice assistant: mostly short, some long, with requests that are tried again."""

import random

from streams.turn import NluHypothesis, Recognition, Request, Response, Signals, Slot, TurnEvent

LENGTHS = (40, 20, 12, 8, 5, 4, 3, 2, 2, 2, 1, 1)
"""How many of a hundred dialogues have 1, 2, ... 12 turns: 2.9 on average. Between the logs of smart homes,
where three of four have one turn, and those of calls, where hardly any has."""

TRIED_AGAIN = 0.3  # of the requests that another one follows
HIDDEN_FAILURES = 0.3  # the assistant takes them for successes

_VERBS = ("play", "find", "add", "skip", "rate", "queue", "save", "show", "open", "close", "read", "call")
_ADJECTIVES = ("quiet", "golden", "broken", "early", "distant", "paper", "velvet", "hollow", "summer", "last")
_NOUNS = ("river", "engine", "garden", "mirror", "letter", "window", "harbour", "signal", "shadow", "station")
_ROOMS = ("kitchen", "bedroom", "hall", "study", "garage", "attic")


def draw_dialogues(count: int, seed: int = 1) -> list[tuple[TurnEvent, ...]]:
    """The turns of each; the same count and seed give the same dialogues."""
    chance = random.Random(seed)
    lengths = chance.choices(range(1, len(LENGTHS) + 1), LENGTHS, k=count)
    return [_dialogue(chance, number, length) for number, length in enumerate(lengths)]


def _dialogue(chance: random.Random, number: int, length: int) -> tuple[TurnEvent, ...]:
    turns: list[TurnEvent] = []
    ts_ms = 1_700_000_000_000
    text = _wish(chance)
    for position in range(length):
        tried_again = position + 1 < length and chance.random() < TRIED_AGAIN
        shown = chance.random() >= HIDDEN_FAILURES if tried_again else chance.random() < 0.05
        turns.append(_turn(chance, f"{number}-{position}", f"u{number}", ts_ms, text, shown))
        ts_ms += int(1000 * (chance.uniform(4, 12) if tried_again else chance.uniform(10, 40)))
        text = _once_more(chance, text) if tried_again else _wish(chance)
    return tuple(turns)


def _wish(chance: random.Random) -> str:
    """Three words or six."""
    room = f" in the {chance.choice(_ROOMS)}" if chance.random() < 0.5 else ""
    return f"{chance.choice(_VERBS)} {chance.choice(_ADJECTIVES)} {chance.choice(_NOUNS)}{room}"


def _once_more(chance: random.Random, text: str) -> str:
    """The same, with a please, or with another word."""
    words = text.split()
    words[chance.randrange(len(words))] = chance.choice(_NOUNS)
    return chance.choice((text, f"{text} please", " ".join(words)))


def _turn(
    chance: random.Random, event_id: str, user_id: str, ts_ms: int, text: str, failed: bool
) -> TurnEvent:
    verb, *rest = text.split()
    confidence = chance.uniform(0.3, 1)
    return TurnEvent(
        schema_version=1,
        event_id=event_id,
        assistant_id="bench-assistant",
        user_id=user_id,
        ts_ms=ts_ms,
        request=Request(text=text, asr=(Recognition(text=text, confidence=confidence),)),
        nlu=(
            NluHypothesis(
                domain="music",
                intent=verb,
                confidence=confidence,
                slots=(Slot(name="what", value=" ".join(rest[:2])), Slot(name="where", value=rest[-1])),
            ),
        ),
        response=Response(
            text="Sorry, I did not get that." if failed else f"Okay, {text}.",
            status="error" if failed else "ok",
        ),
        signals=Signals(barge_in=failed),
    )
