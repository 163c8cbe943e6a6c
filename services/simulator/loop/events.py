"""What happens in the world of the closed loop: which songs change, and what becomes of them."""

from itertools import pairwise
from random import Random

from msgspec import Struct

from services.errors import SimulationError
from services.simulator.loop.settings import LoopWorldSettings
from services.simulator.world.catalogue import CODAS, ONSETS, VOWELS, Catalogue, Goal, song_goal
from services.simulator.world.chance import pick, stream
from services.simulator.world.recogniser import Recogniser
from services.simulator.world.sound import sound_alike


class SongChange(Struct, frozen=True):
    """A song, and the one that takes its place."""

    old: Goal
    new: Goal


class LoopEvents(Struct, frozen=True, kw_only=True):
    """What happens to songs; on which day, the settings say."""

    switched: tuple[SongChange, ...]
    renamed: tuple[SongChange, ...]
    withdrawn: tuple[Goal, ...]
    released: Goal
    unchanged: tuple[Goal, ...]  # songs to which nothing happens, the most popular first
    unpopular: Goal  # the least popular of them that is no twin


def draw_events(
    seed: int, catalogue: Catalogue, recogniser: Recogniser, settings: LoopWorldSettings
) -> LoopEvents:
    """Draws the songs that change: of each kind some that are popular, and some that are not.

    None of them is the twin of another: what is meant by their words is plain. The best known songs, which
    have twins, may switch; renamed or withdrawn, they would be most of what goes wrong.
    """
    twins = catalogue.twins
    rng = stream(seed, "loop", "events")
    songs = [goal for goal in catalogue.goals["song"] if twins.keys().isdisjoint(title_of(goal).split())]
    switched = _drawn(songs, settings.switched.songs, rng)
    with_twins = frozenset(twins.values())
    others = [
        goal for goal in songs if goal not in switched and with_twins.isdisjoint(title_of(goal).split())
    ]
    renamed = _drawn(others, settings.renamed.songs, rng)
    withdrawn = _drawn([goal for goal in others if goal not in renamed], settings.withdrawn.songs, rng)
    changed = {*switched, *renamed, *withdrawn}
    names = SongNames(seed, catalogue, recogniser)

    def changes(old: tuple[Goal, ...], alike: bool) -> tuple[SongChange, ...]:
        return tuple(SongChange(goal, names.alike(goal) if alike else names.other(rng)) for goal in old)

    return LoopEvents(
        switched=changes(switched, settings.switched.sounds_alike),
        renamed=changes(renamed, settings.renamed.sounds_alike),
        withdrawn=withdrawn,
        released=names.other(rng),
        unchanged=tuple(goal for goal in catalogue.goals["song"] if goal not in changed),
        unpopular=[goal for goal in songs if goal not in changed][-1],
    )


def _drawn(songs: list[Goal], count: int, rng: Random) -> tuple[Goal, ...]:
    """So many of some songs, one from each part of the list; all from the most popular down."""
    places = [len(songs) * number // max(count, 1) for number in range(count + 1)]
    return tuple(pick(rng, songs[first:end]) for first, end in pairwise(places))


class SongNames:
    """Makes songs that the catalogue does not have."""

    def __init__(self, seed: int, catalogue: Catalogue, recogniser: Recogniser) -> None:
        self._seed = seed
        self._familiar = catalogue.familiar
        self._recogniser = recogniser
        self._used = {word for names in catalogue.names.values() for name in names for word in name.split()}

    def other(self, rng: Random) -> Goal:
        """A song whose name is like no other."""
        while True:
            word = "".join(pick(rng, ONSETS) + pick(rng, VOWELS) for _ in range(3)) + pick(rng, CODAS)
            if word not in self._used:
                self._used.add(word)
                return song_goal(word)

    def alike(self, goal: Goal) -> Goal:
        """A song whose name sounds like that of another, and that is not what the other is misheard as."""
        words = title_of(goal).split()
        place = max(range(len(words)), key=lambda i: (words[i] not in self._familiar, i))
        misheard = {text for phrase in goal.phrasings for text in self._recogniser.hearing(phrase).errors}
        for kind in range(3, 999):
            heard = sound_alike(self._seed, words[place], kind)
            made = song_goal(" ".join([*words[:place], heard, *words[place + 1 :]]))
            if " " not in heard and heard not in self._used and misheard.isdisjoint(made.phrasings):
                self._used.add(heard)
                return made
        raise SimulationError(f"no name sounds like {words[place]!r}: take another seed")


def title_of(goal: Goal) -> str:
    """The name of a song."""
    return goal.frame.slots[0].value or ""
