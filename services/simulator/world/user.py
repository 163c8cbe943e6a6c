"""Users: what they want, when, in which words, and how they speak."""

from collections.abc import Mapping
from difflib import SequenceMatcher
from random import Random

from msgspec import Struct

from services.simulator.world.catalogue import Catalogue, Goal
from services.simulator.world.chance import bell, cumulative, pick, pick_by, rank_weights, stream
from streams.turn import Device

HABITS = 24
"""Goals that make most of a user's requests."""

HABIT_SHARE = 0.85
"""Share of requests that are habits; the rest are drawn from what everybody wants."""

CONFUSED_SHARE = 0.35
"""Share of users one of whose habits is taken for another valid request: only their own history can tell."""

AWKWARD_SHARE = 0.03
"""Share of wordings that the assistant does not understand, until it has failed them."""

THEMES = {
    "song": 24, "artist": 12, "weather": 17, "home": 21, "timer": 9, "call": 13, "unsupported": 4,
}  # fmt: skip
"""Percent of goals in each theme."""

DEVICES = (
    Device(type="speaker", has_screen=False),
    Device(type="speaker", has_screen=False),
    Device(type="display", has_screen=True),
    Device(type="phone", has_screen=True),
)


class User(Struct, frozen=True, kw_only=True):
    """A user, who stays the same over the whole log."""

    user_id: str
    device: Device
    habits: tuple[Goal, ...]  # the commonest first
    hours: tuple[int, int]  # of day around which most requests come
    patience: float  # chance to try again after a failure, 0..1
    misspoken: dict[str, str]  # phrase -> the other valid request it is mostly taken for


class Population:
    """Makes users one by one, so that none need be kept."""

    def __init__(self, seed: int, catalogue: Catalogue, themes: Mapping[str, int] = THEMES) -> None:
        self._seed = seed
        self._catalogue = catalogue
        self._themes = tuple(themes)
        self._theme_odds = cumulative(tuple(themes.values()))
        self._goal_odds = {theme: rank_weights(len(goals), 2) for theme, goals in catalogue.goals.items()}
        self._habit_odds = rank_weights(HABITS, 1.5)

    def user(self, number: int) -> User:
        """User number `number`, from 0."""
        rng = stream(self._seed, "user", number)
        habits: dict[Goal, None] = {}
        while len(habits) < HABITS:
            habits[self._popular(rng)] = None
        goals = tuple(habits)
        return User(
            user_id=f"u{number:05d}",
            device=pick(rng, DEVICES),
            habits=goals,
            hours=(6 + int(4 * rng.random()), 16 + int(6 * rng.random())),
            patience=bell(rng, 0.72, 0.25),
            misspoken=self._misspoken(goals, rng),
        )

    def wish(self, user: User, rng: Random) -> Goal:
        """What a user wants now."""
        if rng.random() < HABIT_SHARE:
            return pick_by(rng, user.habits, self._habit_odds)
        return self._popular(rng)

    def first_wording(self, user: User, goal: Goal, rng: Random) -> str:
        """How a user first asks for something: mostly as always."""
        if rng.random() < 0.8:
            rng = stream(self._seed, "wording", user.user_id, goal.frame)
        if goal.awkward and rng.random() < AWKWARD_SHARE:
            return pick(rng, goal.awkward)
        return pick_by(rng, goal.phrasings, _WORDING_ODDS[: len(goal.phrasings)])

    def next_wording(self, goal: Goal, failed: list[str], rng: Random) -> str:
        """How a user asks again after wordings that failed, at least one: the same once more, or others."""
        repeats = failed.count(failed[-1])
        if rng.random() < (0.55 if repeats == 1 else 0.2):
            return failed[-1]
        others = [text for text in goal.phrasings if text != failed[-1]]
        return pick(rng, others) if others else failed[-1]

    def _popular(self, rng: Random) -> Goal:
        theme = pick_by(rng, self._themes, self._theme_odds)
        return pick_by(rng, self._catalogue.goals[theme], self._goal_odds[theme])

    def _misspoken(self, habits: tuple[Goal, ...], rng: Random) -> dict[str, str]:
        if rng.random() >= CONFUSED_SHARE:
            return {}
        # One of the commonest habits, taken for the best sounding of the popular goals of its kind.
        meant = habits[int(3 * rng.random())]
        rivals = [
            goal
            for goals in self._catalogue.goals.values()
            for goal in goals[:25]
            if goal.frame.action == meant.frame.action and goal != meant and goal.supported
        ]
        if not rivals:
            return {}
        spoken = meant.phrasings[0]
        rival = max(
            rivals, key=lambda goal: SequenceMatcher(a=spoken, b=goal.phrasings[0], autojunk=False).ratio()
        )
        return dict(zip(meant.phrasings, rival.phrasings, strict=True))


_WORDING_ODDS = cumulative((12, 4, 2, 1))
"""How the understood wordings of a goal share its requests."""
