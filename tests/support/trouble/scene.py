"""Scenes: what frames are made of, and how a frame becomes a case and its harmless twin."""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from .case import Asked, Case, Understanding
from .log_writer import FAILURES, NOT_UNDERSTOOD, LogWriter, Said, Understood
from .mishearing import misheard
from .words.everyday import HARMLESS, LOCALES

NO_LOCALE = ""
"""As the locale of an `Asked`: asked without one, whatever the log has."""


class Scene(LogWriter):
    """The log of a frame while it is written."""

    def __init__(
        self,
        name: str,
        language: str,
        understanding: Understanding,
        chance: random.Random,
        locale: str | None,
    ) -> None:
        super().__init__(name, understanding, chance, locale)
        self.language = language

    def some(self, least: int, most: int) -> list[str]:
        """A few new users."""
        return self.users(self.chance.randint(least, most))

    def failed(self, text: str, understood: Understood = NOT_UNDERSTOOD, how: str | None = None) -> Said:
        """A request that goes wrong visibly, in one of four ways."""
        return Said(text, understood).failing(how or self.chance.choice(FAILURES))

    def mended(
        self, users: Iterable[str], wrong: str, right: Said, how: str | None = None, *, dialogue: bool = False
    ) -> None:
        """A session of each user: it fails visibly, and is said right."""
        how = how or self.chance.choice(FAILURES)
        for user in users:
            failed = replace(self.failed(wrong, how=how), locale=right.locale)
            self.session(user, failed, right, dialogue=dialogue)

    def ok_for(self, users: Iterable[str], *said: Said) -> None:
        """Each request in a session of its own, for each user."""
        for user in users:
            for one in said:
                self.session(user, one)

    def harmless(self, number: int | None = None) -> Said:
        """A request that nobody minds getting."""
        texts = HARMLESS[self.language]
        chosen = self.chance.randrange(len(texts)) if number is None else number % len(texts)
        what = texts[chosen].split()[-1]
        return Said(texts[chosen], Understood("house", f"chore_{chosen}", {"what": what}))

    def true_correction(
        self,
        right: Said | None = None,
        users: Iterable[str] | None = None,
        keep: tuple[str, ...] = (),
        locale: str | None = None,
    ) -> Asked:
        """Three or more users mend a mishearing the same way; the rewrite must be served."""
        right = replace(right or self.harmless(), locale=locale)
        part, heard = misheard(right.text, self.chance, keep)
        wrong = right.text.replace(part, heard, 1)
        self.mended(self.some(3, 12) if users is None else users, wrong, right)
        return Asked(wrong, must_be=frozenset({right.text}), locale=locale)


Write = Callable[[Scene, bool], list[Asked]]
"""Writes the log of a frame: the scene, and whether it is the twin. Gives what is asked."""


@dataclass(frozen=True)
class Frame:
    """A trouble in one language."""

    letter: str
    kind: str
    language: str
    write: Write
    locale: str | None = "usual"  # None: the log has none
    understanding: tuple[Understanding, ...] = ()  # empty: one of the three, in turn
    twin_understanding: Understanding | None = None  # where the twin's truth needs one
    may_be_refused: bool = False
    grown_contract: bool = False


def cases_of(frames: Iterable[Frame]) -> Iterator[Case]:
    """Two cases of each frame, the harmful one and its twin; with and without NLU in turn."""
    turns: tuple[Understanding, ...] = ("slots", "none", "intents")
    for number, frame in enumerate(frames):
        for understanding in frame.understanding or (turns[number % 3],):
            name = f"{frame.letter}-{frame.kind}-{frame.language}-{understanding}"
            for harmful in (True, False):
                used = understanding if harmful else frame.twin_understanding or understanding
                full = name if harmful else f"{name}-twin"
                locale = frame.locale
                if locale == "usual":  # two logs of three have locales
                    locale = LOCALES[frame.language] if number % 3 else None
                scene = Scene(full, frame.language, used, random.Random(full), locale)
                asked = [
                    replace(
                        one,
                        locale=scene.locale if one.locale is None else one.locale or None,
                        confidence=one.confidence or scene.confidence_of(one.text),
                    )
                    for one in frame.write(scene, not harmful)
                ]
                yield Case(
                    name=full,
                    letter=frame.letter,
                    language=frame.language,
                    understanding=used,
                    harmful=harmful,
                    turns=tuple(scene.turns),
                    asked=tuple(asked),
                    may_be_refused=frame.may_be_refused,
                    grown_contract=frame.grown_contract,
                )


def nothing_for(*texts: str) -> list[Asked]:
    """Requests for which nothing may be served."""
    return [Asked(text, nothing=True) for text in texts]
