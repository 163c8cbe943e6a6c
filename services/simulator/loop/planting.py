"""Planted accounts: they say what others say, show that it failed, and say what they want to have run.

The first accounts plant every pair once a day until it is served to them. The others watch: once it is
served, they use it and are content, so that the pair looks good to whoever counts those who did not make it.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Literal

from msgspec import Struct

from labeling.text.normalisation import normalise
from services.simulator.loop.events import SongNames
from services.simulator.loop.life import Lives, ask
from services.simulator.loop.turn import LoopTurn, Serve, Served
from services.simulator.loop.world import LoopWorld
from services.simulator.world.catalogue import Goal, make_catalogue
from services.simulator.world.chance import stream
from services.simulator.world.frame import Frame
from services.simulator.world.settings import DAY_MS
from streams.turn import Device, Signals, TurnEvent

SourceKind = Literal["popular", "middling", "rare", "misheard", "unreleased"]

SCOUTED_DAYS = 3
"""Days by which those who plant know how often a text is said; they see what is said without rewrites."""

PAUSE_MS = 8_000

_DEVICE = Device(type="phone", has_screen=True)


class PlantedRewrite(Struct, frozen=True, kw_only=True):
    """A pair that is planted."""

    kind: SourceKind
    source: str  # as it is said; normalised
    target: Goal

    @property
    def target_text(self) -> str:
        """What is said to have it run."""
        return self.target.phrasings[0]


def choose_planted(world: LoopWorld) -> tuple[PlantedRewrite, ...]:
    """What the accounts of a world plant: one pair for each kind of source that occurs in it."""
    chosen = world.settings.planted
    if not chosen.accounts:
        return ()
    right, wrong, meant = _scouted(world)
    unchanged = {goal.frame: goal for goal in world.events.unchanged}
    songs = [text for text in sorted(right) if world.understanding.understand(text) in unchanged]
    bait = world.events.unpopular
    sources: dict[SourceKind, tuple[str, Goal]] = {}
    taken = {bait.frame}

    def take(kind: SourceKind, text: str, goal: Goal) -> None:
        taken.add(goal.frame)
        sources[kind] = text, goal

    def free() -> list[str]:
        return [text for text in songs if world.understanding.understand(text) not in taken]

    if texts := free():
        text = max(texts, key=lambda text: (right[text], text))
        take("popular", text, unchanged[world.understanding.understand(text)])
    wanted: tuple[tuple[SourceKind, float], ...] = (
        ("middling", chosen.middling_per_day),
        ("rare", chosen.rare_per_day),
    )
    for kind, per_day in wanted:
        if texts := free():
            said = per_day * SCOUTED_DAYS
            text = min(texts, key=lambda text: (abs(right[text] - said), text))
            take(kind, text, unchanged[world.understanding.understand(text)])
    misheard = [
        text
        for text in sorted(wrong)
        if text not in right and meant[text] in unchanged and text not in unchanged[meant[text]].awkward
    ]
    if texts := [text for text in misheard if meant[text] not in taken]:
        text = max(texts, key=lambda text: (wrong[text], text))
        take("misheard", text, unchanged[meant[text]])
    take("unreleased", world.events.released.phrasings[0], world.events.released)
    if not chosen.sounds_alike:
        return tuple(
            PlantedRewrite(kind=kind, source=normalise(text), target=bait)
            for kind, (text, _) in sources.items()
        )
    names = SongNames(world.seed, make_catalogue(world.seed), world.recogniser)
    planted = []
    for kind, (text, goal) in sources.items():
        made = names.alike(goal)
        world.publish(made.frame.slots[0].value or "")
        planted.append(PlantedRewrite(kind=kind, source=normalise(text), target=made))
    return tuple(planted)


class Planters:
    """The planted accounts of a world under one learner."""

    def __init__(self, world: LoopWorld, planted: Sequence[PlantedRewrite]) -> None:
        chosen, users = world.settings.planted, len(world.users)
        makers = math.ceil(chosen.accounts * users)
        self._world = world
        self._planted = planted
        self._makers = [f"p{number:03d}" for number in range(makers)]
        self._confirming = [f"q{number:03d}" for number in range(math.ceil(chosen.confirming * users))]
        self._seen: set[int] = set()  # the pairs that were served to somebody by the day before

    def day(self, day: int, serve: Serve) -> list[LoopTurn]:
        """Their turns of a day, in no order."""
        if day < self._world.settings.planted.day:
            return []
        turns: list[LoopTurn] = []
        seen = set(self._seen)
        for user_id in self._makers:
            numbers = count()
            for pair in range(len(self._planted)):
                tries = self._plant(user_id, pair, day, numbers, serve)
                if len(tries) == 1:
                    seen.add(pair)
                turns += tries
        for user_id in self._confirming:
            numbers = count()
            for pair in sorted(self._seen):
                turns.append(self._say(user_id, pair, day, numbers, serve, None))
        self._seen = seen
        return turns

    def _plant(
        self, user_id: str, pair: int, day: int, numbers: "count[int]", serve: Serve
    ) -> list[LoopTurn]:
        first = self._say(user_id, pair, day, numbers, serve, None)
        return [first] if first.right else [first, self._say(user_id, pair, day, numbers, serve, first)]

    def _say(
        self,
        user_id: str,
        pair: int,
        day: int,
        numbers: "count[int]",
        serve: Serve,
        failed: LoopTurn | None,
    ) -> LoopTurn:
        """Says the source of a pair; or its target, once that has `failed`."""
        world, planted = self._world, self._planted[pair]
        wish = f"{user_id}-{day}-{pair}"
        rng = stream(world.seed, "loop", "plants", wish, failed is None)
        if failed is None:
            minutes = 60 * 7 + 120 * pair + int(60 * rng.random())
            ts_ms = world.start_ms + day * DAY_MS + minutes * 60_000
        else:
            ts_ms = failed.event.ts_ms + PAUSE_MS
        text = planted.source if failed is None else planted.target_text
        asked = ask(
            world,
            event_id=f"{user_id}-{day:03d}-{next(numbers):03d}",
            user_id=user_id,
            device=_DEVICE,
            ts_ms=ts_ms,
            day=day,
            heard=world.recogniser.heard_plainly(text, rng),
            goal=planted.target,
            previous=None if failed is None else failed.event,
            serve=serve,
            rng=rng,
        )
        shows = bool(world.settings.signals.barge_in)
        cut = not asked.right and failed is None and user_id in self._makers
        reaction = Signals(barge_in=cut) if shows else Signals()
        return asked.turn(reaction, day, wish, "" if failed is None else failed.said, honest=False)


def _scouted(world: LoopWorld) -> tuple[Counter[str], Counter[str], dict[str, Frame]]:
    """What is said in the first days: how often texts are right and wrong, and what is mostly meant."""
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    meant: dict[str, Counter[Frame]] = {}
    for turn in _first_days(world):
        if turn.right_as_said:
            right[turn.said] += 1
        else:
            wrong[turn.said] += 1
            meant.setdefault(turn.said, Counter())[turn.meant] += 1
    return right, wrong, {text: goals.most_common(1)[0][0] for text, goals in meant.items()}


def _first_days(world: LoopWorld) -> Iterable[LoopTurn]:
    lives = Lives(world)
    for day in range(SCOUTED_DAYS):
        for number in range(len(world.users)):
            yield from lives.day(number, day, _unserved)


def _unserved(turn: TurnEvent, previous: TurnEvent | None) -> Served:
    return Served(arm="control")
