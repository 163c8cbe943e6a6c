"""Sessions in which it is known who says what again."""

import random

from msgspec import Struct

from streams.turn import NluHypothesis, Recognition, Request, Response, Signals, Slot, TurnEvent

WISHES = (
    "turn on the kitchen lamp",
    "what time is it",
    "tell me a joke",
    "play some jazz",
    "how is the weather",
    "call my mother",
    "read today's news",
    "set an alarm for seven",
    "add milk to my shopping list",
    "open garage door",
    "who won last night",
    "remind me about dentist",
)
MISHEARD = ("light in case", "walnut timer", "cold miner other", "red onions", "ad mill", "opera garbage")


class WorldSession(Struct, frozen=True):
    """Turns, and for each the position of the request that it is the next try of."""

    turns: tuple[TurnEvent, ...]
    tries_again: tuple[int | None, ...]


def rephrase_sessions(count: int, seed: int = 1) -> list[WorldSession]:
    """Sessions of two to five requests; about half of the followers are next tries.

    A request that went wrong is tried again after 4 to 12 s: as it was, with a please, or, in a third of the
    tries, heard as something without a word in common. A new one comes after 20 to 40 s. The assistant shows
    two of three failures, and reports one in twenty successes as such.
    """
    chance = random.Random(seed)
    return [_session(chance, number) for number in range(count)]


def _session(chance: random.Random, number: int) -> WorldSession:
    turns: list[TurnEvent] = []
    again: list[int | None] = []
    ts_ms = 1_700_000_000_000 + number * 3_600_000
    wish = ""
    for position in range(chance.randint(2, 5)):
        is_try = bool(position) and again[-1] is None and chance.random() < 0.6
        if position:
            ts_ms += int(1000 * (chance.uniform(4, 12) if is_try else chance.uniform(20, 40)))
        if not is_try:
            wish = chance.choice([other for other in WISHES if other != wish])
        again.append(position - 1 if is_try else None)
        turns.append(_turn(chance, f"{number}-{position}", number, ts_ms, wish, is_try))
    # Whether a request failed is known once it is known whether it was tried again.
    for position in range(len(turns)):
        failed = position + 1 < len(turns) and again[position + 1] is not None
        shown = chance.random() < (0.67 if failed else 0.05)
        turns[position] = _answered(turns[position], shown)
    return WorldSession(tuple(turns), tuple(again))


def _turn(chance: random.Random, event_id: str, user: int, ts_ms: int, wish: str, is_try: bool) -> TurnEvent:
    text = wish
    if is_try:
        text = chance.choice([wish, f"{wish} please", chance.choice(MISHEARD)])
    return TurnEvent(
        schema_version=1,
        event_id=event_id,
        assistant_id="a",
        user_id=f"u{user % 50}",
        ts_ms=ts_ms,
        request=Request(text=text, asr=(Recognition(text=text, confidence=chance.uniform(0.3, 1)),)),
        nlu=(
            NluHypothesis(
                intent=text.split()[0], confidence=chance.uniform(0.3, 1), slots=(Slot(name="n", value=text),)
            ),
        ),
    )


def _answered(turn: TurnEvent, failed: bool) -> TurnEvent:
    said = "Sorry, I did not get that." if failed else "Okay."
    response = Response(text=said, status="error" if failed else "ok")
    return TurnEvent(
        **{
            name: getattr(turn, name)
            for name in turn.__struct_fields__
            if name not in ("response", "signals")
        },
        response=response,
        signals=Signals(barge_in=failed),
    )
