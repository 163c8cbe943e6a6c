"""Frames of the classes A, B and C: what is taken for a second try, and for its target."""

import itertools
from collections.abc import Iterator
from dataclasses import replace

from .case import Asked, Understanding
from .log_writer import Said, Understood
from .mishearing import misheard
from .scene import Frame, Scene, Write, nothing_for
from .words.both_done import FAMILIES, INSTEAD, OPPOSITES, SOUND_ALIKE, TWO_PEOPLE
from .words.signs import COMPOUND, ONE_INTENT
from .words.what_follows import (
    ASKED_BACK,
    CONFIRMED,
    FRAGMENTS,
    GIVING_UP,
    GOODBYE,
    I_SAID,
    OFFERED,
    OUTBURSTS,
    PARDON,
    PEOPLE_PLEASE,
    QUALIFIERS,
)


def slots_or_none() -> Iterator[tuple[Understanding, ...]]:
    """With slots and without any NLU, in turn: where intents alone tell nothing apart."""
    return itertools.cycle((("slots",), ("none",)))


def frames() -> Iterator[Frame]:
    """All of them."""
    yield from _commonest_text()
    yield from _both_done()
    yield from _what_follows()


# A: the commonest text of the interpretation, though nobody who said the source ever said it.


def neighbours(scene: Scene, twin: bool, right: Said, commoner: Said) -> list[Asked]:
    """Few mend a mishearing of `right`; many say `commoner`, filed alike. The twin: many say `right`."""
    part, heard = misheard(right.text, scene.chance)
    wrong, other = right.text.replace(part, heard, 1), commoner.text.replace(part, heard, 1)
    few, many = scene.some(4, 7) if twin else scene.some(3, 5), scene.some(6, 9)
    scene.mended(few, wrong, right)
    scene.ok_for(many, right if twin else commoner)
    wanted = frozenset({right.text})
    if twin:
        scene.ok_for(scene.some(1, 2), commoner)
        return [Asked(wrong, must_be=wanted)]
    asked = [Asked(wrong, one_of_or_nothing=wanted)]
    if other != commoner.text:
        asked.append(Asked(other, one_of_or_nothing=frozenset({commoner.text})))
    return [*asked, *nothing_for(right.text, commoner.text)]


def _commonest_text() -> Iterator[Frame]:
    for kind, language, right, commoner, domain, intent in ONE_INTENT:

        def write(
            scene: Scene,
            twin: bool,
            texts: tuple[str, str] = (right, commoner),
            u: tuple[str, str] = (domain, intent),
        ) -> list[Asked]:
            understood = Understood(*u)
            return neighbours(scene, twin, Said(texts[0], understood), Said(texts[1], understood))

        understandings: tuple[Understanding, ...] = (
            ("intents",) if domain in ("search", "chat") else ("slots",)
        )
        if kind in ("shop-faq", "up-down", "clinic"):
            understandings = ("slots", "intents")
        if language in ("it", "ru", "ja"):
            understandings = (*understandings, "none")
        yield Frame("A", kind, language, write, understanding=understandings)
    for language, (both, one, other) in COMPOUND.items():

        def compound(
            scene: Scene, twin: bool, texts: tuple[str, str, str] = (both, one, other)
        ) -> list[Asked]:
            whole, half, rest = (Said(text, Understood("house", f"part_{i}")) for i, text in enumerate(texts))
            if not twin or scene.chance.random() < 0.5:
                for user in scene.some(3, 6):
                    scene.session(user, scene.failed(whole.text), half, rest)
            if twin:
                return [scene.true_correction(half), scene.true_correction(rest)]
            return nothing_for(whole.text, half.text, rest.text)

        yield Frame("A", "two-requests", language, compound)


# B: two alike requests in a row, both done.


def _both_done() -> Iterator[Frame]:
    ways = slots_or_none()
    for kind, (domain, intent, slot, by_language) in FAMILIES.items():
        for language, (phrase, values) in by_language.items():

            def family(
                scene: Scene,
                twin: bool,
                phrase: str = phrase,
                values: tuple[str, ...] = values,
                u: tuple[str, str, str] = (domain, intent, slot),
            ) -> list[Asked]:
                said = [Said(phrase.format(v), Understood(u[0], u[1], {u[2]: v})) for v in values]
                for user in scene.some(4, 7):
                    scene.session(user, *said[: scene.chance.randint(2, 3)])
                scene.ok_for(scene.some(1, 4), said[0])
                scene.ok_for(scene.some(0, 3), said[1])
                if twin:
                    return [scene.true_correction(said[0], keep=tuple(values[0].split()))]
                return nothing_for(*(one.text for one in said))

            yield Frame("B", kind, language, family, understanding=next(ways))
    for language, pairs in OPPOSITES.items():
        for number, pair in enumerate(pairs[:3]):
            kind = ("opposites", "opposites-asked-apart", "opposites-and-back")[number]

            def opposites(
                scene: Scene, twin: bool, pair: tuple[str, str] = pair, n: int = number
            ) -> list[Asked]:
                first, second = (
                    Said(text, Understood("things", f"act_{i}", {"thing": text.split()[-1]}))
                    for i, text in enumerate(pair)
                )
                scene.ok_for(scene.some(3, 8), first)
                for user in scene.some(4, 6):
                    scene.session(user, *((first, second, first) if n == 2 else (first, second)))
                scene.ok_for(scene.some(3, 4), second)
                if twin:
                    return [scene.true_correction(first)]
                return nothing_for(first.text, second.text)

            yield Frame("B", kind, language, opposites)
    for language, texts in TWO_PEOPLE.items():

        def two_people(scene: Scene, twin: bool, texts: tuple[str, str] = texts) -> list[Asked]:
            first, second = (
                Said(text, Understood("music", "put_on", {"what": text.split()[-1]})) for text in texts
            )
            scene.each(scene.some(3, 6), first, second)
            scene.ok_for(scene.some(2, 4), first)
            return [scene.true_correction(first)] if twin else nothing_for(first.text, second.text)

        yield Frame("B", "two-people", language, two_people, understanding=next(ways))
    for language, (meant, other, number_meant, number_other) in SOUND_ALIKE.items():

        def sound_alike(
            scene: Scene,
            twin: bool,
            pair: tuple[tuple[str, str], ...] = ((meant, number_meant), (other, number_other)),
        ) -> list[Asked]:
            first, second = (Said(t, Understood("clock", "wake", {"minutes": n})) for t, n in pair)
            scene.ok_for(scene.some(8, 11), first)
            scene.each(scene.some(4, 6), first, second)
            if twin:
                return [scene.true_correction(scene.harmless())]
            return nothing_for(first.text, second.text)

        yield Frame("B", "numbers-alike", language, sound_alike, understanding=next(ways))
    for language in ("en", "es", "nl"):
        yield Frame("B", "right-when-sure", language, _by_confidence(0.92, 0.3))
        yield Frame("B", "right-when-unsure", language, _by_confidence(0.3, 0.92))
    for language in ("en", "de", "it"):
        yield Frame("B", "clock-at-1970", language, _boots, may_be_refused=True)


def _by_confidence(right_at: float, wrong_at: float) -> Write:
    """A text that is right where it is heard so surely, and wrong where it is heard otherwise."""

    def write(scene: Scene, twin: bool) -> list[Asked]:
        meant = scene.harmless(0)
        part, heard = misheard(meant.text, scene.chance)
        text = meant.text.replace(part, heard, 1)
        own = Said(text, Understood("other", "own", {"what": heard}), confidence=right_at)
        if not twin:
            scene.ok_for(scene.some(8, 11), own)
        for user in scene.some(5, 7):
            wrong = replace(scene.failed(text), confidence=wrong_at)
            scene.session(user, wrong, replace(meant, confidence=0.9))
        wanted = frozenset({meant.text})
        if twin:
            return [Asked(text, must_be=wanted, confidence=wrong_at)]
        return [
            Asked(text, nothing=True, confidence=right_at),
            Asked(text, one_of_or_nothing=wanted, confidence=wrong_at),
            *nothing_for(meant.text),
        ]

    return write


def _boots(scene: Scene, twin: bool) -> list[Asked]:
    domain, intent, slot, by_language = FAMILIES["two-timers"]
    phrase, values = by_language[scene.language]
    said = [Said(phrase.format(v), Understood(domain, intent, {slot: v})) for v in values]
    if twin:
        return [scene.true_correction(said[0], keep=(values[0],))]
    for number, user in enumerate(scene.some(4, 6)):
        for boot in (0, 1):  # the clock starts anew with each boot
            scene.now_ms = 21_000 + 60 * number + 9_000 * boot
            scene.session(user, said[boot], rest=False)
    return nothing_for(*(one.text for one in said))


# C: what follows a failure is taken for what was meant.


def _after_failure(
    scene: Scene,
    twin: bool,
    source: Said,
    *following: Said,
    response: str | None = None,
    allowed: frozenset[str] = frozenset(),
) -> list[Asked]:
    """A request fails visibly, and one of several things is said next, which are no second tries."""
    failed = scene.failed(source.text, source.understood)
    if response:
        failed = Said(failed.text, failed.understood, status="no_result", response=response)
    for number, user in enumerate(scene.some(2, 2) if twin else scene.some(4, 9)):
        scene.session(user, failed, following[number % len(following)])
    if not response:
        scene.ok_for(scene.some(1, 3), source)
    if twin:
        return [scene.true_correction(source if source.status == "ok" and not response else None)]
    asked = Asked(source.text, one_of_or_nothing=allowed) if allowed else Asked(source.text, nothing=True)
    return [asked, *nothing_for(*(one.text for one in following))]


def _what_follows() -> Iterator[Frame]:
    ways_of_logging = slots_or_none()
    for language, ways in GIVING_UP.items():

        def give_up(scene: Scene, twin: bool, ways: tuple[str, ...] = ways) -> list[Asked]:
            ends = [Said(text, Understood("talk", "nevermind")) for text in ways]
            if scene.chance.random() < 0.6:
                ends = ends[:1]
            return _after_failure(scene, twin, scene.harmless(), *ends)

        yield Frame("C", "giving-up", language, give_up)
    for language, (source, please) in PEOPLE_PLEASE.items():

        def human(scene: Scene, twin: bool, texts: tuple[str, str] = (source, please)) -> list[Asked]:
            source = Said(texts[0], Understood("parcel", "track"))
            return _after_failure(scene, twin, source, Said(texts[1], Understood("talk", "handover")))

        yield Frame("C", "a-person-please", language, human)
    for kind, table in (("outbursts", OUTBURSTS), ("pardon", PARDON), ("goodbye", GOODBYE)):
        for language, ways in table.items():

            def talk(scene: Scene, twin: bool, ways: tuple[str, ...] = ways, kind: str = kind) -> list[Asked]:
                said = [Said(text, Understood("talk", kind)) for text in ways]
                return _after_failure(scene, twin, scene.harmless(), said[scene.chance.randrange(len(said))])

            yield Frame("C", kind, language, talk)
    for language, pairs in FRAGMENTS.items():
        for number, (source, fragment) in enumerate(pairs):

            def correct(scene: Scene, twin: bool, texts: tuple[str, str] = (source, fragment)) -> list[Asked]:
                source = Said(texts[0], Understood("things", "show"))
                last = texts[1].split()[-1]
                fragment = Said(texts[1], Understood("things", "show", {"which": last}))
                return _after_failure(scene, twin, source, fragment)

            yield Frame(
                "C",
                ("no-i-meant", "the-other-one")[number],
                language,
                correct,
                understanding=next(ways_of_logging),
            )
    for language, (source, qualifier) in QUALIFIERS.items():

        def qualify(scene: Scene, twin: bool, texts: tuple[str, str] = (source, qualifier)) -> list[Asked]:
            source = Said(texts[0], Understood("news", "play"))
            return _after_failure(
                scene, twin, source, Said(texts[1], Understood("news", "play", {"where": texts[1]}))
            )

        yield Frame("C", "where", language, qualify, understanding=next(ways_of_logging))
    for language, (wrong, right, phrase) in I_SAID.items():

        def insist(
            scene: Scene, twin: bool, texts: tuple[str, str, str] = (wrong, right, phrase)
        ) -> list[Asked]:
            wrong, right, phrase = texts
            understood = Understood("things", "on", {"thing": right.split()[-1]})
            insisted = Said(phrase.format(right), understood)
            scene.mended(scene.some(4, 7), wrong, insisted)
            if twin:
                scene.turns.clear()
                scene.mended(scene.some(3, 6), wrong, Said(right, understood))
                return [Asked(wrong, must_be=frozenset({right}))]
            return [Asked(wrong, one_of_or_nothing=frozenset({right})), *nothing_for(insisted.text)]

        yield Frame("C", "i-said", language, insist)
    for number, (language, (source, question, answers)) in enumerate(ASKED_BACK.items()):
        for declared in (True, False) if number < 6 else (False,):

            def asked_back(
                scene: Scene,
                twin: bool,
                texts: tuple[str, str, tuple[str, ...]] = (source, question, answers),
                declared: bool = declared,
            ) -> list[Asked]:
                source, question, answers = texts
                first = Said(source, Understood("find", "find"), status="no_result", response=question)
                for number, user in enumerate(scene.some(5, 8)):
                    area = answers[0 if number < 4 else number % len(answers)]
                    answer = Said(area, Understood("find", "find", {"area": area}), response="OK.")
                    scene.session(user, first, answer, dialogue=declared)
                if twin:
                    return [scene.true_correction(scene.harmless())]
                return nothing_for(source, *answers)

            kind = "which-area-declared" if declared else "which-area"
            yield Frame("C", kind, language, asked_back, understanding=next(ways_of_logging))
    for language, (source, response, proposal) in OFFERED.items():

        def offered(
            scene: Scene, twin: bool, texts: tuple[str, str, str] = (source, response, proposal)
        ) -> list[Asked]:
            source, response, proposal = texts
            echo = Said(proposal, Understood("menu", "open"))
            return _after_failure(scene, twin, Said(source), echo, response=response)

        yield Frame("C", "echo", language, offered)
    for language, (phrase, names) in INSTEAD.items():

        def instead(
            scene: Scene, twin: bool, phrase: str = phrase, names: tuple[str, str] = names
        ) -> list[Asked]:
            """Some take another where the first is down for a moment; it is right as said."""
            first, second = (
                Said(phrase.format(name), Understood("radio", "tune", {"name": name})) for name in names
            )
            scene.ok_for(scene.some(5, 8), first)
            for user in scene.some(4, 5):
                scene.session(user, first.failing(scene.chance.choice(("error", "no_result"))), second)
            scene.ok_for(scene.some(3, 5), second)
            return [scene.true_correction(first)] if twin else nothing_for(first.text, second.text)

        yield Frame("C", "another-instead", language, instead, understanding=next(ways_of_logging))
    for language, (question, yes, certainly) in CONFIRMED.items():

        def confirmed(
            scene: Scene, twin: bool, texts: tuple[str, str, str] = (question, yes, certainly)
        ) -> list[Asked]:
            right = scene.harmless()
            part, heard = misheard(right.text, scene.chance)
            wrong = right.text.replace(part, heard, 1)
            if twin:
                scene.mended(scene.some(3, 6), wrong, right, "no_result")
                return [Asked(wrong, must_be=frozenset({right.text}))]
            answers = [Said(text, Understood("talk", "confirm")) for text in texts[1:]]
            return _after_failure(
                scene,
                twin,
                Said(wrong),
                *answers,
                response=texts[0].format(right.text),
                allowed=frozenset({right.text}),
            )

        yield Frame("C", "confirmation", language, confirmed)
