"""The world of the closed loop: who lives in it, what is there on which day, and what is right."""

from functools import lru_cache

import msgspec

from services.simulator.loop.events import LoopEvents, draw_events, title_of
from services.simulator.loop.settings import LoopWorldSettings
from services.simulator.world.assistant import Answer, Assistant
from services.simulator.world.catalogue import Catalogue, Goal, make_catalogue
from services.simulator.world.chance import stream
from services.simulator.world.frame import Frame
from services.simulator.world.language_understanding import REMEMBERED_TEXTS, LanguageUnderstanding
from services.simulator.world.recogniser import Hearing, Recogniser
from services.simulator.world.settings import SimulationSettings
from services.simulator.world.user import Population, User

CALL = "phone.call"


class LoopWorld:
    """All that does not depend on what anybody learns: the same seed and settings, the same world."""

    def __init__(self, seed: int, users: int, settings: LoopWorldSettings) -> None:
        base = SimulationSettings(
            seed=seed, users=users, requests_per_user_day=settings.users.requests_per_day
        )
        self.seed = seed
        self.settings = settings
        self.assistant_id = base.assistant_id
        self.start_ms = base.start_ms
        self._catalogue = make_catalogue(seed)
        self.understanding = LanguageUnderstanding(self._catalogue)
        self.recogniser = _LoopRecogniser(seed, self._catalogue)
        self.events = draw_events(seed, self._catalogue, self.recogniser, settings)
        for change in self.events.switched:
            self.recogniser.hear_alike(change.new, change.old)
        self.population = Population(seed, self._catalogue)
        self.users: tuple[User, ...] = tuple(self.population.user(number) for number in range(users))
        self._adopters = frozenset(
            number
            for number in range(users)
            if stream(seed, "loop", "adopts", number).random() < settings.released.users
        )
        self._published: list[str] = []  # by planted accounts
        self._renamed = {change.old: change.new for change in self.events.renamed}
        self._old_names = {change.new: change.old for change in self.events.renamed}
        self._switched = {change.old: change.new for change in self.events.switched}
        self._withdrawn = frozenset(goal.frame for goal in self.events.withdrawn)
        self._assistants: dict[tuple[bool, ...], Assistant] = {}
        self._answers = lru_cache(maxsize=REMEMBERED_TEXTS)(self._answer)

    def publish(self, song: str) -> None:
        """Adds a song to the catalogue, for all days; nobody wants it."""
        self._published.append(song)
        self._assistants.clear()
        self._answers.cache_clear()

    def answer(self, text: str, day: int) -> Answer:
        """What the assistant does with a text on a day."""
        return self._answers(text, self._era(day))

    def is_right(self, text: str, goal: Goal, day: int) -> bool:
        """Whether a text that is run on a day gets what is wanted."""
        return self.understanding.understand(text) == goal.frame and not self.is_gone(goal.frame, day)

    def is_gone(self, frame: Frame, day: int) -> bool:
        """Whether what a frame asks for has been withdrawn by a day."""
        return frame in self._withdrawn and day >= self.settings.withdrawn.day

    def calls(self, text: str, day: int) -> bool:
        """Whether running a text makes a call."""
        if self.understanding.understand(text).action != CALL:
            return False
        return self.answer(text, day).response.status == "ok"

    def wanted(self, wish: Goal, number: int, day: int) -> Goal:
        """What user `number` wants on a day, who wanted `wish` before anything changed."""
        new = self._switched.get(wish)
        if new is not None and day >= self.settings.switched.day:
            chance = stream(self.seed, "loop", "switches", number, wish.frame).random()
            return new if chance < self.settings.switched.share else wish
        renamed = self._renamed.get(wish)
        if renamed is not None and day >= self.settings.renamed.day:
            return renamed
        return wish

    def adopts_release(self, number: int, day: int) -> bool:
        """Whether a user wants the released song on a day."""
        return day >= self.settings.released.day and number in self._adopters

    def old_name(self, goal: Goal) -> Goal | None:
        """The same song by the name that it had before; None: it was not renamed."""
        return self._old_names.get(goal)

    def _era(self, day: int) -> tuple[bool, ...]:
        chosen = self.settings
        parts = (chosen.switched, chosen.renamed, chosen.withdrawn, chosen.released)
        return tuple(day >= part.day for part in parts)

    def _answer(self, text: str, era: tuple[bool, ...]) -> Answer:
        if era not in self._assistants:
            self._assistants[era] = Assistant(self.seed, _catalogue_of(self._catalogue, self.songs(era)))
        return self._assistants[era].answer(self.understanding.understand(text), text)

    def songs(self, era: tuple[bool, ...]) -> tuple[str, ...]:
        """The songs there are, once these have happened: switched, renamed, withdrawn, released."""
        events: LoopEvents = self.events
        switched, renamed, withdrawn, released = era
        gone = {title_of(change.old) for change in events.renamed} if renamed else set()
        gone |= {title_of(goal) for goal in events.withdrawn} if withdrawn else set()
        new = [change.new for change in events.switched] if switched else []
        new += [change.new for change in events.renamed] if renamed else []
        new += [events.released] if released else []
        there = [song for song in self._catalogue.names["song"] if song not in gone]
        return (*there, *map(title_of, new), *self._published)


class _LoopRecogniser(Recogniser):
    """A recogniser to which some phrases sound like others."""

    def __init__(self, seed: int, catalogue: Catalogue) -> None:
        super().__init__(seed, catalogue)
        self._like: dict[str, str] = {}

    def hear_alike(self, goal: Goal, other: Goal) -> None:
        """From now on, the wordings of a goal are misheard as those of the other are."""
        self._like |= zip(goal.phrasings, other.phrasings, strict=True)

    def hearing(self, phrase: str) -> Hearing:
        """How a phrase is heard."""
        like = self._like.get(phrase)
        if like is None:
            return super().hearing(phrase)
        other = super().hearing(like)
        return Hearing(other.error_rate, tuple(text for text in other.errors if text != phrase))


def _catalogue_of(catalogue: Catalogue, songs: tuple[str, ...]) -> Catalogue:
    return msgspec.structs.replace(catalogue, names={**catalogue.names, "song": songs})
