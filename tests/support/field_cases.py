"""The cases of `../shared/cases/field`, and what may be served after each, as its README says."""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from trouble import Asked, Case, Turn

FIELD = Path(__file__).resolve().parents[2] / "../shared/cases/field"

_NOTICE = "The garage door is open. Shall I close it?"
_ORDER = "Shall I order it?"
_ENDLESS_TURNS = 400
MINUTE_MS = 60_000


def _must(text: str, target: str, **given: str) -> Asked:
    return Asked(text, must_be=frozenset({target}), **given)


def _may(text: str, target: str, **given: str) -> Asked:
    return Asked(text, one_of_or_nothing=frozenset({target}), **given)


def _not(*texts: str) -> list[Asked]:
    return [Asked(text, nothing=True) for text in texts]


ASKED: dict[str, tuple[str, list[Asked]]] = {
    "client-retries": (
        "-",
        [_must("play imagin dragons", "play imagine dragons"), *_not("play imagine dragons")],
    ),
    "clock-at-1970": ("B", _not("turn on the kitchen light", "turn on the hall light")),
    "cut-off": ("H", _not("open the")),
    "endless-session": ("K", _not("ping")),
    "faq-one-intent": (
        "A",
        [_may("cancle oder", "cancel my order"), *_not("cancel my order", "delete my account")],
    ),
    "list-items": (
        "B",
        _not(*(f"add {item} to the shopping list" for item in ("milk", "eggs", "bread"))),
    ),
    "lock-then-unlock": ("B", _not("lock the car", "unlock the car")),
    "masked-word": ("F", [*_not("**** off", "turn off all lights"), _may("off", "turn off all lights")]),
    "midnight-and-dst": ("-", [_must("play imagin dragons", "play imagine dragons")]),
    "minus-sign": (
        "F",
        [
            _must("set the freeze her to -18", "set the freezer to -18"),
            _may("set the freeze her to 18", "set the freezer to 18"),
            *_not("set the freezer to 18", "set the freezer to -18"),
        ],
    ),
    "never-mind": ("C", _not("lock the patio door", "never mind")),
    "no-problem": ("G", [Asked(text, nothing=True, prompt=_ORDER) for text in ("go ahead", "rather not")]),
    "no-tomorrow": ("C", _not("what's the weather", "no I meant tomorrow")),
    "one-person-three-ids": ("E", _not("call the office", "call 555 0142")),
    "one-speaker-two-people": ("B", _not("play smooth jazz", "play the baby song")),
    "one-time-per-chat": ("I", [*_not("play the beatles"), _may("play the beetles", "play the beatles")]),
    "operators": (
        "F",
        [
            _may("what's 12 - 7", "calculate 12 - 7"),
            *_not("what's 12 + 7", "what's 12 * 7", "what's 12:7", "what's $12.7"),
            *_not("calculate 12 + 7", "calculate 12 - 7"),
        ],
    ),
    "rewrite-was-wrong": (
        "J",
        [_may("play the mourning song", "play the mourning song by delta"), *_not("play the morning song")],
    ),
    "spoken-number": (
        "-",
        [_must("set the brightness to one hundred percent", "set the brightness to 100 percent")],
    ),
    "station-closed": ("J", _not("play radio nord", "play radio north sea")),
    "three-accounts": ("E", _not("good night", "unlock the front door")),
    "turn-it-off": ("H", _not("turn it off again")),
    "two-accounts": ("E", _not("good night", "unlock the front door")),
    "two-languages": (
        "D",
        [
            *_not("radio ein"),
            Asked("radio ein", nothing=True, locale="de-DE"),
            _may("radio ein", "radio one", locale="en-GB"),
        ],
    ),
    "two-requests": (
        "A",
        _not("turn off the lights and lock the door", "turn off the lights", "lock the door"),
    ),
    "two-twelve": ("B", _not("set a timer for two minutes", "set a timer for twelve minutes")),
    "wake-word": (
        "H",
        [_must("Hey Jarvis, turn on the porch light.", "turn on the porch light"), *_not("Hey Jarvis")],
    ),
    "which-city": ("C", _not("weather", "london")),
    "yes-to-a-notice": (
        "D",
        [
            *_not("yes", "close the garage door"),
            Asked("yes", nothing=True, prompt="Shall I read the news?"),
            _may("yes", "close the garage door", prompt=_NOTICE),
        ],
    ),
}
"""The class of each case, and what is asked after it."""


def field_cases() -> tuple[Case, ...]:
    """All cases, each with an assistant of its own; none where the folder is not there."""
    return tuple(_case(name) for name in sorted(ASKED)) if FIELD.is_dir() else ()


def unlisted() -> set[str]:
    """Logs of the folder for which nothing is written here."""
    return {path.stem for path in FIELD.glob("*.jsonl")} - ASKED.keys()


def times_over(case: Case, times: int = 10) -> Case:
    """The log so many times, each with other users, seven minutes after the one before."""
    turns = [
        turn for number in range(times) for turn in _moved(case.turns, f"t{number}", number * 7 * MINUTE_MS)
    ]
    return _renamed(replace(case, turns=tuple(turns)), f"{case.name}-ten-times")


def strewn(case: Case, assistant_id: str, start_ms: int, end_ms: int) -> Case:
    """The log somewhere between two times, with users of its own, at another assistant."""
    first = min(turn["ts_ms"] for turn in case.turns)
    length = max(turn["ts_ms"] for turn in case.turns) - first
    chance = random.Random(case.name)
    latest = max(start_ms, end_ms - length)
    moved = _moved(case.turns, case.name, chance.randint(start_ms, latest) - first)
    turns = tuple({**turn, "assistant_id": assistant_id} for turn in moved)
    return replace(case, name=f"{case.name}-strewn", turns=turns)


def _case(name: str) -> Case:
    letter, asked = ASKED[name]
    lines = (FIELD / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    turns = [json.loads(line) for line in lines if line.strip()]
    if name == "endless-session":
        turns = list(_gone_on(turns[-1], len(turns)))
    case = Case(
        name=name,
        letter=letter,
        language="en",
        understanding="slots",
        harmful=letter != "-",
        turns=tuple(turns),
        asked=tuple(asked),
        may_be_refused=name == "clock-at-1970",
    )
    return _renamed(case, name)


def _gone_on(last: Turn, before: int) -> Iterator[Turn]:
    """The endless session, from its last turn on backwards and forwards: five seconds, ids p4, p5, ..."""
    start = last["ts_ms"] - (before - 1) * 5_000
    for number in range(_ENDLESS_TURNS):
        yield {**last, "event_id": f"p{number}", "ts_ms": start + number * 5_000}


def _renamed(case: Case, name: str) -> Case:
    turns = tuple({**turn, "assistant_id": name} for turn in case.turns)
    return replace(case, name=name, turns=turns)


def _moved(turns: Sequence[Turn], copy: str, by_ms: int) -> Iterator[Turn]:
    for turn in turns:
        named = {key: f"{copy}-{turn[key]}" for key in ("event_id", "user_id")}
        if turn.get("dialogue_id"):
            named["dialogue_id"] = f"{copy}-{turn['dialogue_id']}"
        yield {**turn, **named, "ts_ms": turn["ts_ms"] + by_ms}
