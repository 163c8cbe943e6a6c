"""Logs of any length for the benchmarks: quickly made, with the growth and the shape of real ones.

Goal g (from 0, the commonest first) is drawn with P(goal > g) = (1 + g / 20)^-1/2, Zipf's law with exponent
3/2: n turns hold on the order of n^(2/3) distinct texts, as Heaps' law has it. Each goal has wordings that
succeed and hearings that fail. Goals are joined where one hearing is shared: families of up to four goals
share one, which makes components of bounded size, and a share of all goals is strung to a single large one.
"""

from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from services.errors import SimulationError
from streams.turn import (
    Device,
    EventId,
    NluHypothesis,
    Recognition,
    Request,
    Response,
    Signals,
    Slot,
    TurnEvent,
    UserId,
)

HEAD_FLATNESS = 20.0
"""Goals that share the head: at 20 the commonest has 2.4 % of all requests, at 1 it has 29 %."""

BLOCK = 20_000
"""Sessions drawn at once: enough that numpy's share of the time is small, 2 MB of numbers."""

HEAD_GOALS = 4_000
"""Goals whose turns' parts are kept and shared, 93 % of requests; more only fills memory."""

TURN_MS = 2_000
"""From one turn to the next. Sessions follow each other; a user comes back when all others had theirs."""

SYLLABLES = tuple(onset + vowel for onset in "bdfgklmnprstvz" for vowel in "aeiou")
"""Digits of the invented words; all end in a vowel, so that word + consonant is no other word."""

_SPEAKER = Device(type="speaker", has_screen=False)
_OK_SIGNALS = Signals(barge_in=False, terminated=False)
_WRONG_SIGNALS = Signals(barge_in=True, terminated=False)
_OK = Response(text=None, action="music.play", status="ok")
_NO_RESULT = Response(text=None, action="music.play", status="no_result")

_OWN_ODDS = (0.55, 0.85, 0.95)
_STRUNG_ODDS = (0.2, 0.4, 0.6)
"""Up to where in 0..1 each of the first three failing hearings reaches; the fourth takes the rest. Goals of
the large component fail mostly with hearings that they share."""

Parts = tuple[Request, tuple[NluHypothesis, ...], Response, Signals]


class GeneratedLogSettings(Struct, frozen=True, kw_only=True):
    """Shape of a generated log.

    Raises:
        SimulationError: a value is out of range.
    """

    seed: int = 7
    users: int = 20_000  # at least 100; they come in turns, so that none has two sessions within a gap
    failure_rate: float = 0.15  # share of first tries that fail, 0..1
    large_component_share: float = 0.2  # share of goals that are strung to one large component, 0..1
    start_ms: int = 1_736_121_600_000
    assistant_id: str = "bench-assistant"

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise SimulationError(f"seed of a generated log is {self.seed}: give 0 or more")
        if self.users < 100:
            raise SimulationError(f"a generated log has {self.users} users: give at least 100")
        for name in ("failure_rate", "large_component_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise SimulationError(f"{name} of a generated log is {getattr(self, name)}: give 0 to 1")


def generate_turns(n_turns: int, settings: GeneratedLogSettings | None = None) -> Iterator[TurnEvent]:
    """Yields `n_turns` turns in time order; the first m of n turns are the m turns of the shorter log.

    Sessions: one try that succeeds; or one or two that fail and then one that succeeds, of the same goal; or
    one that fails, and no more (a fifth of the failures).

    Raises:
        SimulationError: `n_turns` is negative.
    """
    if n_turns < 0:
        raise SimulationError(f"a generated log of {n_turns} turns: give 0 or more")
    settings = settings or GeneratedLogSettings()
    speech = _Speech(settings)
    # The bit stream of PCG64 and its uniform numbers are the same on all platforms and versions.
    chance = np.random.Generator(np.random.PCG64(settings.seed))
    assistant_id, users, ts_ms, number, session = (
        settings.assistant_id,
        settings.users,
        settings.start_ms,
        0,
        0,
    )
    while True:
        draws = chance.random((4, BLOCK))
        # Inverse of P(goal > g); a quotient is exact on every platform, a power is not.
        goals = (HEAD_FLATNESS * (1 / np.square(1 - draws[0]) - 1)).clip(max=2**50).astype(np.int64)
        failing = draws[1] < settings.failure_rate
        # What is left of a draw after its use is a draw again.
        kinds = np.where(failing, draws[1] / max(settings.failure_rate, 1e-9), 1.0)
        for goal, kind, which, wording in zip(
            goals.tolist(), kinds.tolist(), draws[2].tolist(), draws[3].tolist(), strict=True
        ):
            if kind >= 1.0:
                steps: tuple[Parts, ...] = (speech.right(goal, wording),)
            elif kind < 0.2:
                steps = (speech.wrong(goal, which),)
            elif kind < 0.8:
                steps = (speech.wrong(goal, which), speech.right(goal, wording))
            else:
                other = speech.wrong(goal, which * 7 % 1)
                steps = (speech.wrong(goal, which), other, speech.right(goal, wording))
            user_id = UserId(f"u{session % users:06d}")
            session += 1
            for request, nlu, response, signals in steps:
                if number == n_turns:
                    return
                yield TurnEvent(
                    schema_version=1,
                    event_id=EventId(f"e{number:09d}"),
                    assistant_id=assistant_id,
                    user_id=user_id,
                    ts_ms=ts_ms,
                    locale="en",
                    device=_SPEAKER,
                    request=request,
                    nlu=nlu,
                    response=response,
                    signals=signals,
                )
                number += 1
                ts_ms += TURN_MS


class _Speech:
    """What is heard when a goal is asked for, and what comes of it."""

    def __init__(self, settings: GeneratedLogSettings) -> None:
        share = settings.large_component_share
        self._stride = round(1 / share) if share else 0
        self._kept: dict[tuple[int, int], Parts] = {}

    def right(self, goal: int, draw: float) -> Parts:
        """One of two wordings, both understood as the same."""
        return self._parts(goal, 0 if draw < 0.7 else 1)

    def wrong(self, goal: int, draw: float) -> Parts:
        """One of the hearings that fail: two of the goal's own, or two that it shares with others."""
        odds = _STRUNG_ODDS if self._strung(goal) else _OWN_ODDS
        return self._parts(goal, 2 + sum(draw >= odd for odd in odds))

    def _strung(self, goal: int) -> bool:
        return self._stride > 0 and goal % self._stride == 0

    def _parts(self, goal: int, kind: int) -> Parts:
        kept = self._kept.get((goal, kind))
        if kept is not None:
            return kept
        parts = self._make_parts(goal, kind)
        if goal < HEAD_GOALS:
            self._kept[goal, kind] = parts
        return parts

    def _make_parts(self, goal: int, kind: int) -> Parts:
        right = kind < 2
        if right:
            song = _word(goal)
        elif kind < 4:
            song = _word(goal) + ("n" if kind == 2 else "r")
        else:
            song = self._shared(goal, kind)
        text = f"play the song {song}" if kind == 1 else f"play {song}"
        confidence = 0.8 if right else 0.6
        hypothesis = NluHypothesis(
            domain="music", intent="play_song", slots=(Slot(name="song", value=song),), confidence=confidence
        )
        return (
            Request(text=text, asr=(Recognition(text=text, confidence=confidence),)),
            (hypothesis,),
            _OK if right else _NO_RESULT,
            _OK_SIGNALS if right else _WRONG_SIGNALS,
        )

    def _shared(self, goal: int, kind: int) -> str:
        if self._strung(goal):
            # A tree: a goal shares its own hearing with two rarer goals, and theirs with a commoner one.
            place = goal // self._stride
            return _word(place if kind == 4 else place // 2) + "l"
        return _word(goal // 4) + "s"


def _word(number: int) -> str:
    """An invented word for a number from 0; different words for different numbers."""
    syllables = []
    number += len(SYLLABLES)  # at least two syllables
    while number:
        number, digit = divmod(number, len(SYLLABLES))
        syllables.append(SYLLABLES[digit])
    return "".join(syllables)
