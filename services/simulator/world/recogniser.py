"""A speech recogniser that mishears by sound, and mostly in the same way."""

from functools import lru_cache
from random import Random

from msgspec import Struct

from services.simulator.world.catalogue import Catalogue
from services.simulator.world.chance import bell, cumulative, pick, pick_by, stream
from services.simulator.world.sound import sound_alike

FAMILIAR_ERROR_RATE = 0.009
"""Mean error rate of an everyday word. Raised, requests fail for words that all requests share."""

CLEARER = (1.0, 0.6, 0.45, 0.4)
"""Factor on the error rate at the first, second, ... try: who was not understood speaks more clearly."""

ONE_OFF_SHARE = 0.06
"""Share of errors that are like no other: the long tail, from which nothing can be learned."""

ALTERNATIVE_SHARE = 0.3
"""Share of recognitions that list a second hypothesis."""

REMEMBERED_PHRASES = 50_000
"""Phrases kept, so that memory stays flat over long logs; about 1 kB each."""


class Hearing(Struct, frozen=True):
    """How a phrase is heard."""

    error_rate: float  # at the first try, 0..1
    errors: tuple[str, ...]  # what it is taken for, the likeliest first; none equals the phrase


class Heard(Struct, frozen=True):
    """One recognition."""

    text: str
    confidence: float  # 0..1, three digits
    alternative: str | None  # second hypothesis


class Recogniser:
    """Hears phrases; which errors a phrase meets depends on the world's seed and the phrase alone."""

    def __init__(self, seed: int, catalogue: Catalogue) -> None:
        self._seed = seed
        self._catalogue = catalogue
        self._remembered = lru_cache(maxsize=REMEMBERED_PHRASES)(self._make_hearing)

    def hearing(self, phrase: str) -> Hearing:
        """How a phrase is heard: always the same for the same phrase."""
        return self._remembered(phrase)

    def hear(self, phrase: str, tries: int, rng: Random) -> Heard:
        """Hears a phrase at the user's try number `tries`, from 0."""
        hearing = self.hearing(phrase)
        text = phrase
        if rng.random() < hearing.error_rate * CLEARER[min(tries, len(CLEARER) - 1)]:
            text = self.misheard(phrase, rng)
        return self._heard(text, right=text == phrase, hearing=hearing, rng=rng)

    def hear_as(self, phrase: str, text: str, rng: Random) -> Heard:
        """Hears a phrase as another text, for a user whose way of speaking does that."""
        return self._heard(text, right=False, hearing=self.hearing(phrase), rng=rng)

    def heard_plainly(self, text: str, rng: Random) -> Heard:
        """Hears a text as it is said, as surely as what is heard rightly."""
        return self._heard(text, right=True, hearing=Hearing(0.0, ()), rng=rng)

    def misheard(self, phrase: str, rng: Random) -> str:
        """What a phrase is taken for when it is misheard."""
        if rng.random() < ONE_OFF_SHARE:
            words = phrase.split()
            place = int(rng.random() * len(words))
            words[place] = sound_alike(self._seed, words[place], 3 + int(rng.random() * 30))
            return " ".join(words)
        errors = self.hearing(phrase).errors
        return pick_by(rng, errors, _ERROR_ODDS[: len(errors)])

    def _heard(self, text: str, *, right: bool, hearing: Hearing, rng: Random) -> Heard:
        # Wide enough that the two overlap: right and wrong cannot be told by confidence alone.
        centre = 0.8 - 0.1 * hearing.error_rate if right else 0.6
        confidence = round(min(max(bell(rng, centre, 0.3), 0.02), 0.99), 3)
        alternative = None
        if rng.random() < ALTERNATIVE_SHARE:
            others = [other for other in hearing.errors if other != text]
            alternative = pick(rng, others) if others else None
        return Heard(text, confidence, alternative)

    def _make_hearing(self, phrase: str) -> Hearing:
        rng = stream(self._seed, "phrase", phrase)
        words = phrase.split()
        difficulties = [self._difficulty(word) for word in words]
        clear = 1.0
        for difficulty in difficulties:
            clear *= 1 - difficulty
        error_rate = min((1 - clear) * (0.35 + 1.1 * rng.random()), 0.9)
        hardest = max(range(len(words)), key=lambda place: (difficulties[place], place))
        second = int(rng.random() * len(words))
        candidates = [
            _replaced(words, hardest, self._sound_alike(words[hardest], 0)),
            _replaced(words, hardest, self._sound_alike(words[hardest], 1)),
            _replaced(words, second, self._sound_alike(words[second], 0 if second != hardest else 2)),
        ]
        if len(words) > 2:
            candidates.append(" ".join(words[:-1]))
        errors = tuple(dict.fromkeys(text for text in candidates if text != phrase))
        return Hearing(error_rate, errors)

    def _sound_alike(self, word: str, kind: int) -> str:
        twin = self._catalogue.twins.get(word)
        if twin is not None:
            return twin if kind == 0 else sound_alike(self._seed, word, kind - 1)
        return sound_alike(self._seed, word, kind)

    def _difficulty(self, word: str) -> float:
        """Error rate that a word brings: names are mostly easy, some hard, a few nearly hopeless."""
        rng = stream(self._seed, "difficulty", word)
        if word in self._catalogue.familiar:
            return FAMILIAR_ERROR_RATE * 2 * rng.random()
        kind = rng.random()
        if kind < 0.72:
            return 0.01 + 0.04 * rng.random()
        if kind < 0.92:
            return 0.1 + 0.25 * rng.random()
        return 0.5 + 0.35 * rng.random()


_ERROR_ODDS = cumulative((7, 3, 1, 0.6))
"""How the errors of a phrase share its error rate: one of them makes most, so that many users meet it."""


def _replaced(words: list[str], place: int, by: str) -> str:
    return " ".join([*words[:place], by, *words[place + 1 :]])
