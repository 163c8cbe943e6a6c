"""What happens in the world of the closed loop: which songs change, and what becomes of them."""

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
    unpopular: Goal  # the least popular of them that has no twin


def draw_events(
    seed: int, catalogue: Catalogue, recogniser: Recogniser, settings: LoopWorldSettings
) -> LoopEvents:
    """Draws the songs that change. None of them has a twin: what is meant by their words is plain.

    Raises:
        SimulationError: more songs are to change than there are.
    """
    twins = {*catalogue.twins, *catalogue.twins.values()}
    songs = [goal for goal in catalogue.goals["song"] if twins.isdisjoint(title_of(goal).split())]
    wanted = settings.switched.songs + settings.renamed.songs + settings.withdrawn.songs
    if wanted >= len(songs):
        raise SimulationError(
            f"{wanted} songs of the loop's world are to change: it has {len(songs)} without a twin, and one "
            "must stay"
        )
    rng = stream(seed, "loop", "events")
    drawn = sorted(songs, key=lambda goal: (rng.random(), title_of(goal)))[:wanted]
    names = SongNames(seed, catalogue, recogniser)

    def changes(old: list[Goal], alike: bool) -> tuple[SongChange, ...]:
        return tuple(SongChange(goal, names.alike(goal) if alike else names.other(rng)) for goal in old)

    first, second = settings.switched.songs, settings.switched.songs + settings.renamed.songs
    return LoopEvents(
        switched=changes(drawn[:first], settings.switched.sounds_alike),
        renamed=changes(drawn[first:second], settings.renamed.sounds_alike),
        withdrawn=tuple(drawn[second:]),
        released=names.other(rng),
        unchanged=tuple(goal for goal in catalogue.goals["song"] if goal not in drawn),
        unpopular=[goal for goal in songs if goal not in drawn][-1],
    )


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
