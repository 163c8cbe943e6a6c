"""What the assistant knows, what its users want of it, and in which words.

Names are made of syllables, so that worlds with different seeds share next to none; a lexicon that is held
out shares none at all.
"""

from collections.abc import Sequence
from random import Random

from msgspec import Struct

from services.simulator.world.chance import pick, stream
from services.simulator.world.frame import Frame, frame
from services.simulator.world.lexicon import USUAL, Lexicon
from services.simulator.world.sound import sound_alike

SONGS, ARTISTS, CITIES, CONTACTS = 70, 24, 20, 20
"""Entries of each kind. More spreads the same log over more requests, so that fewer errors recur."""

TWIN_SHARE = 0.12
"""Share of names that sound like a better known one of the same kind. Raised, more errors are requests that
another user means, which no table for everybody can tell apart."""

DURATIONS = (
    *(f"{number} minutes" for number in ("ten", "five", "fifteen", "thirty", "nine", "fifty", "forty")),
    *(f"{number} minutes" for number in ("thirteen", "fourteen", "sixteen", "sixty")),
    "two hours",
)
ONSETS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z")
VOWELS = ("a", "e", "i", "o", "u")
CODAS = ("", "", "", "n", "r", "l", "s")

_ARTIST_WORDS = ("play {}", "play music by {}", "play something by {}")
_TIMER_WORDS = ("set a timer for {}", "timer for {}", "start a timer for {}")
_CALL_WORDS = ("call {}", "phone {}", "give {} a call")


class Goal(Struct, frozen=True, kw_only=True):
    """Something that a user may want."""

    frame: Frame
    phrasings: tuple[str, ...]  # that the assistant understands, the most usual first; at least one
    awkward: tuple[str, ...] = ()  # that it does not understand, or not as they are meant
    supported: bool = True


class Catalogue(Struct, frozen=True, kw_only=True):
    """Names by kind and goals by theme, each with the most popular first."""

    names: dict[str, tuple[str, ...]]  # slot -> values that exist
    goals: dict[str, tuple[Goal, ...]]  # theme -> goals
    twins: dict[str, str]  # word of a name -> the word of a better known name that it sounds like
    familiar: frozenset[str]  # words of everyday language

    @property
    def all_goals(self) -> tuple[Goal, ...]:
        """The goals of all themes."""
        return tuple(goal for goals in self.goals.values() for goal in goals)


def make_catalogue(seed: int, lexicon: Lexicon = USUAL) -> Catalogue:
    """The catalogue of a world, with names made of the words of `lexicon`."""
    coiner = _NameCoiner(seed, lexicon)
    songs = coiner.names("song", SONGS, title=True)
    artists = coiner.names("artist", ARTISTS, surname=True)
    cities = coiner.names("city", CITIES)
    contacts = coiner.names("contact", CONTACTS)
    rng = stream(seed, "popularity")
    goals = {
        "song": tuple(song_goal(song, lexicon) for song in songs),
        "artist": goals_of("music.play_artist", "artist", artists, _ARTIST_WORDS, ("give me some {}",)),
        "weather": tuple(_weather(city, tomorrow) for city in cities for tomorrow in (False, True)),
        "home": _shuffled(
            rng,
            [
                _switch(room, device, way)
                for room in lexicon.rooms
                for device in lexicon.devices
                for way in ("on", "off")
            ],
        ),
        "timer": goals_of("timer.set", "duration", DURATIONS, _TIMER_WORDS, ("wake me in {}",)),
        "call": goals_of("phone.call", "contact", contacts, _CALL_WORDS, ("get {} on the line",)),
        "unsupported": tuple(_unsupported(cities)),
    }
    names = {
        "song": songs,
        "artist": artists,
        "city": cities,
        "contact": contacts,
        "room": lexicon.rooms,
        "device": lexicon.devices,
        "duration": DURATIONS,
        "day": ("tomorrow",),
    }
    invented = {word for kind in (songs, artists, cities, contacts) for name in kind for word in name.split()}
    spoken = {
        word
        for theme in goals.values()
        for goal in theme
        for text in (*goal.phrasings, *goal.awkward)
        for word in text.split()
    }
    familiar = frozenset((spoken - invented) | set(lexicon.title_words))
    return Catalogue(names=names, goals=goals, twins=coiner.twins, familiar=familiar)


def goals_of(
    action: str,
    slot: str,
    names: Sequence[str],
    phrasings: Sequence[str],
    awkward: Sequence[str] = (),
    *,
    supported: bool = True,
) -> tuple[Goal, ...]:
    """A goal for each name, which is the value of its one slot and stands in its words at `{}`."""
    domain, _, intent = action.partition(".")
    return tuple(
        Goal(
            frame=frame(domain, intent, **{slot: name}),
            phrasings=tuple(words.format(name) for words in phrasings),
            awkward=tuple(words.format(name) for words in awkward),
            supported=supported,
        )
        for name in names
    )


def song_goal(song: str, lexicon: Lexicon = USUAL) -> Goal:
    """The wish for a song."""
    words = song.split()
    short = [word for word in words if word not in lexicon.title_words] if len(words) > 1 else []
    return Goal(
        frame=frame("music", "play_song", song=song),
        phrasings=(f"play {song}", f"play the song {song}", f"i want to hear {song}", f"put on {song}"),
        awkward=(*(f"play {word}" for word in short), f"start {song}"),
    )


def _weather(city: str, tomorrow: bool) -> Goal:
    slots, end = ({"day": "tomorrow"}, " tomorrow") if tomorrow else ({}, "")
    return Goal(
        frame=frame("weather", "query", city=city, **slots),
        phrasings=(
            f"what is the weather in {city}{end}",
            f"weather in {city}{end}",
            f"how is the weather in {city}{end}",
            f"weather forecast for {city}{end}",
        ),
        awkward=(f"will i need a coat in {city}{end}",),
    )


def _switch(room: str, device: str, way: str) -> Goal:
    return Goal(
        frame=frame("home", f"turn_{way}", room=room, device=device),
        phrasings=(
            f"turn {way} the {room} {device}",
            f"switch {way} the {device} in the {room}",
            f"turn the {room} {device} {way}",
        ),
        awkward=(f"kill the {room} {device}",) if way == "off" else (f"{room} {device} please",),
    )


def _unsupported(cities: Sequence[str]) -> list[Goal]:
    wishes = [
        Goal(frame=frame("food", "order", item="pizza"), phrasings=("order a pizza",), supported=False),
        Goal(frame=frame("fun", "horoscope"), phrasings=("read my horoscope",), supported=False),
        Goal(frame=frame("food", "order", item="sushi"), phrasings=("order a sushi",), supported=False),
    ]
    for city in cities[:6]:
        ride = frame("travel", "book_taxi", city=city)
        wishes.append(Goal(frame=ride, phrasings=(f"book a taxi to {city}",), supported=False))
    return wishes


def _shuffled(rng: Random, goals: Sequence[Goal]) -> tuple[Goal, ...]:
    keys = [rng.random() for _ in goals]
    return tuple(goals[place] for place in sorted(range(len(goals)), key=keys.__getitem__))


class _NameCoiner:
    """Coins names whose invented words are all different; `twins` fills as it goes."""

    def __init__(self, seed: int, lexicon: Lexicon) -> None:
        self.twins: dict[str, str] = {}
        self._seed = seed
        self._lexicon = lexicon
        self._used: set[str] = set()

    def names(self, kind: str, count: int, *, title: bool = False, surname: bool = False) -> tuple[str, ...]:
        """Names, the most popular first; the last of them are twins of the first."""
        rng = stream(self._seed, "names", kind)
        twins = int(count * TWIN_SHARE)
        names: list[str] = []
        for number in range(count):
            original = names[number - (count - twins)] if number >= count - twins else None
            names.append(self._name(rng, original, title=title, surname=surname))
        return tuple(names)

    def _name(self, rng: Random, original: str | None, *, title: bool, surname: bool) -> str:
        if original is not None:
            words = original.split()
            place = max(range(len(words)), key=lambda index: words[index] not in self._lexicon.title_words)
            twin = next(
                heard
                for kind in range(3, 99)
                if (heard := sound_alike(self._seed, words[place], kind)) not in self._used
                and " " not in heard
                and self._lexicon.admits(heard)
            )
            self._used.add(twin)
            self.twins[twin] = words[place]
            return " ".join([*words[:place], twin, *words[place + 1 :]])
        word = self._word(rng)
        if surname:
            return f"{word} {self._word(rng)}"
        if title and rng.random() < 0.5:
            plain = pick(rng, self._lexicon.title_words)
            return f"{plain} {word}" if rng.random() < 0.5 else f"{word} {plain}"
        return word

    def _word(self, rng: Random) -> str:
        while True:
            syllables = [pick(rng, ONSETS) + pick(rng, VOWELS) for _ in range(2 if rng.random() < 0.5 else 3)]
            word = "".join(syllables) + pick(rng, CODAS)
            if word not in self._used and self._lexicon.admits(word):
                self._used.add(word)
                return word
