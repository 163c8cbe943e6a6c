"""Frames of the classes D, F and G: where a text holds, what a sign means, what a response confirms."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

from .case import Asked, Understanding
from .log_writer import Said, Understood
from .mishearing import misheard
from .scene import NO_LOCALE, Frame, Scene, Write, nothing_for
from .second_tries import neighbours
from .words.everyday import HARMLESS, LOCALES
from .words.places import COUNTRIES, FALSE_FRIENDS, NOTICES, NUMBER_ANSWERS, OTHER_COUNTRY, TWO_CORRECTIONS
from .words.questions import QUESTION_TRUTHS, QUESTION_WORDS
from .words.signs import MASKED, SIGNS


def frames() -> Iterator[Frame]:
    """All of them."""
    yield from _where()
    yield from _signs()
    yield from _confirmations()


# D: what a text means depends on the locale or on what was asked.


def _where() -> Iterator[Frame]:
    for text, language, locale, elsewhere, target in FALSE_FRIENDS:
        kind = f"false-friend-{text.replace(' ', '-')}"
        yield Frame("D", kind, language, _two_places(text, locale, elsewhere, target), locale=locale)
    for language, text, locale, target in COUNTRIES:
        elsewhere = OTHER_COUNTRY[language]
        write = _two_places(text, locale, elsewhere, target)
        yield Frame("D", "two-countries", language, write, locale=locale)
    for language, text, locale, target, elsewhere, other_target in TWO_CORRECTIONS:

        def two_corrections(
            scene: Scene,
            twin: bool,
            text: str = text,
            places: tuple[tuple[str, str], ...] = ((locale, target), (elsewhere, other_target)),
        ) -> list[Asked]:
            if twin:  # one correction in both
                asked = scene.true_correction(scene.harmless(1), locale=places[0][0])
                right = replace(scene.harmless(1), locale=places[1][0])
                scene.mended(scene.some(3, 5), asked.text, right)
                return [asked, replace(asked, locale=places[1][0])]
            said = []
            for place, target in places:
                right = Said(target, Understood("radio", "tune", {"name": target}), locale=place)
                scene.mended(scene.some(4, 6), text, right)
                said.append(Asked(text, one_of_or_nothing=frozenset({target}), locale=place))
            return [*said, Asked(text, nothing=True, locale=NO_LOCALE)]

        yield Frame("D", "two-corrections", language, two_corrections, locale=locale)
    for number, (language, (notice, answer, request, other)) in enumerate(NOTICES.items()):
        for asked_elsewhere in (True, False) if number % 2 else (True,):

            def yes(
                scene: Scene,
                twin: bool,
                texts: tuple[str, str, str, str] = (notice, answer, request, other),
                asked_elsewhere: bool = asked_elsewhere,
                grown: bool = language in ("fr", "pl"),
            ) -> list[Asked]:
                notice, answer, request, other = texts
                agree = Understood("talk", "agree")
                right = Said(request, Understood("cover", "close", {"thing": request.split()[-1]}))
                scene.ok_for(scene.some(3, 4), right)
                if asked_elsewhere:
                    scene.ok_for(scene.some(3, 5), Said(answer, agree, prompt=other))
                if twin:
                    return [scene.true_correction(right)]
                more = {"system_initiated": True} if grown else {}
                for user in scene.some(4, 7):
                    failed = Said(answer, agree, status="error", prompt=notice, more=more)
                    scene.session(user, failed, right)
                wanted = frozenset({request})
                return [
                    *nothing_for(answer, request),
                    Asked(answer, nothing=True, prompt=other),
                    Asked(answer, one_of_or_nothing=wanted, prompt=notice),
                ]

            kind = "yes-to-a-notice" if asked_elsewhere else "yes-to-one-notice"
            yield Frame("D", kind, language, yes, grown_contract=language in ("fr", "pl"))
    for language, (question, answer, right, other) in NUMBER_ANSWERS.items():

        def count(
            scene: Scene, twin: bool, texts: tuple[str, str, str, str] = (question, answer, right, other)
        ) -> list[Asked]:
            question, answer, right, other = texts
            two = Said(right, Understood("book", "count", {"seats": "2"}))
            scene.ok_for(
                scene.some(3, 5), Said(answer, Understood("book", "nights", {"nights": "2"}), prompt=other)
            )
            if twin:
                return [scene.true_correction(scene.harmless())]
            for user in scene.some(4, 6):
                scene.session(user, Said(answer, status="no_result", prompt=question), two)
            return [
                *nothing_for(answer),
                Asked(answer, nothing=True, prompt=other),
                Asked(answer, one_of_or_nothing=frozenset({right}), prompt=question),
            ]

        yield Frame("D", "number-after-a-question", language, count)


def _two_places(text: str, locale: str, elsewhere: str, target: str) -> Write:
    """A text that is right in one locale, and goes on to the target in another."""

    def write(scene: Scene, twin: bool) -> list[Asked]:
        home = Said(text, Understood("home", "usual", {"thing": text}))
        away = Said(target, Understood("away", "meant", {"thing": target}), locale=elsewhere)
        scene.ok_for(scene.some(3, 4), home)
        for user in scene.some(5, 8):
            failed = Said(text, Understood("away", "lost"), status="no_result", locale=elsewhere)
            scene.session(user, failed, away)
        if twin:
            return [scene.true_correction(locale=scene.chance.choice((locale, elsewhere)))]
        return [
            Asked(text, nothing=True, locale=locale),
            Asked(text, nothing=True, locale=NO_LOCALE),
            Asked(text, one_of_or_nothing=frozenset({target}), locale=elsewhere),
            Asked(target, nothing=True, locale=elsewhere),
        ]

    return write


# F: signs that carry meaning.


def _signs() -> Iterator[Frame]:
    ways: Iterator[tuple[Understanding, ...]] = itertools.cycle(
        (("slots",), ("none",), ("slots",), ("intents",))
    )
    for kind, language, right, other in SIGNS:
        texts = (right, other)
        yield Frame("F", kind, language, _sign(texts, neighbours), understanding=next(ways))
        yield Frame(
            "F", f"{kind}-in-the-key", language, _sign(texts, _sign_in_the_key), understanding=next(ways)
        )
    for number, (language, rest, target, masked, other) in enumerate(MASKED):

        def mask(
            scene: Scene, twin: bool, texts: tuple[str, str, str, str] = (rest, target, masked, other)
        ) -> list[Asked]:
            rest, target, masked, other = texts
            right = Said(target, Understood("house", "all"))
            scene.mended(scene.some(4, 6), rest, right, "no_result")
            scene.ok_for(scene.some(2, 4), Said(masked, Understood("talk", "abuse")))
            scene.ok_for(scene.some(2, 4), Said(other, Understood("talk", "abuse")))
            if twin:
                return [scene.true_correction(right)]
            return [*nothing_for(masked, other), Asked(rest, one_of_or_nothing=frozenset({target}))]

        yield Frame("F", "masked-word", language, mask)
        if number < 3:
            yield Frame("F", "masked-in-a-request", language, _masked_request)
    for language in ("en", "de", "fr", "es", "nl", "pl"):
        pairs = [(right, other) for kind, lang, right, other in SIGNS if (kind, lang) == ("not", language)]
        for right, other in pairs or [("niet hardop lezen vanavond", "wel hardop lezen vanavond")]:

            def polarity(scene: Scene, twin: bool, texts: tuple[str, str] = (right, other)) -> list[Asked]:
                denied, affirmed = (Said(text, Understood("talk", "order")) for text in texts)
                scene.ok_for(scene.some(3, 4), affirmed)
                if twin:
                    return [scene.true_correction(affirmed)]
                scene.mended(scene.some(3, 5), denied.text, affirmed)
                return nothing_for(denied.text, affirmed.text)

            yield Frame("F", "not-dropped", language, polarity)


def _sign(texts: tuple[str, str], write: Callable[[Scene, bool, Said, Said], list[Asked]]) -> Write:
    """A frame of two requests; in half of the cases their slots differ, too, and by the sign alone."""

    def written(scene: Scene, twin: bool) -> list[Asked]:
        in_slot = scene.chance.random() < 0.5
        said = []
        for text, other in (texts, texts[::-1]):
            value = " ".join(word for word in text.split() if word not in other.split())
            slots = {"thing": texts[0].split()[0]} | ({"value": value} if in_slot and value else {})
            said.append(Said(text, Understood("things", "change", slots)))
        return write(scene, twin, *said)

    return written


def _sign_in_the_key(scene: Scene, twin: bool, right: Said, other: Said) -> list[Asked]:
    """What is learned of a mishearing of `right` must not be served for the same mishearing of `other`."""
    part, heard = misheard(right.text, scene.chance)
    wrong, variant = right.text.replace(part, heard, 1), other.text.replace(part, heard, 1)
    scene.mended(scene.some(3, 6), wrong, right)
    if twin:
        return [Asked(wrong, must_be=frozenset({right.text}))]
    asked = [Asked(wrong, one_of_or_nothing=frozenset({right.text})), *nothing_for(right.text)]
    return asked if variant == other.text else [*asked, *nothing_for(variant)]


def _masked_request(scene: Scene, twin: bool) -> list[Asked]:
    """A mended text, beside one in which a mask stands where the other has a word boundary alone."""
    first, second = HARMLESS[scene.language][0], HARMLESS[scene.language][1]
    part, heard = misheard(first, scene.chance)
    wrong = first.replace(part, heard, 1)
    right = Said(first, Understood("house", "chore"))
    scene.mended(scene.some(3, 5), wrong, right)
    if twin:
        return [Asked(wrong, must_be=frozenset({first}))]
    swearing = wrong.replace(" ", " **** ", 1)
    scene.ok_for(scene.some(3, 4), Said(swearing, Understood("talk", "abuse")), Said(second))
    return nothing_for(swearing, f"**** {wrong}", f"{wrong} f**k")


# G: a word of the response that is also a value.


def _confirmations() -> Iterator[Frame]:
    for kind, language, question, slot, values, answer, response, by_chance in QUESTION_WORDS:

        def chance_word(
            scene: Scene,
            twin: bool,
            q: tuple[str, str, tuple[str, ...], str, str, str] = (
                question,
                slot,
                values,
                answer,
                response,
                by_chance,
            ),
        ) -> list[Asked]:
            question, slot, values, answer, response, _ = q
            _values_answered(scene, question, slot, values)
            if twin:
                return [_confirmed(scene)]
            misunderstood = Said(answer, Understood("talk", "other"), response=response, prompt=question)
            scene.ok_for(scene.some(4, 6), misunderstood)
            return [Asked(answer, nothing=True, prompt=question), *nothing_for(answer)]

        understandings: tuple[Understanding, ...] = ("slots", "none") if kind == "refuse" else ("slots",)
        yield Frame(
            "G", kind, language, chance_word, understanding=understandings, twin_understanding="slots"
        )


def _values_answered(scene: Scene, question: str, slot: str, values: tuple[str, ...]) -> None:
    for value in values:
        said = Said(value, Understood("answer", "inform", {slot: value}), response="OK.", prompt=question)
        scene.ok_for(scene.some(3, 5), said)


def _confirmed(scene: Scene) -> Asked:
    """An answer that is misheard, and that the response does confirm."""
    question, slot, values, heard, response, meant = QUESTION_TRUTHS[
        scene.language if scene.language in QUESTION_TRUTHS else "en"
    ]
    _values_answered(scene, question, slot, values)
    scene.ok_for(
        scene.some(4, 6), Said(heard, Understood("talk", "other"), response=response, prompt=question)
    )
    return Asked(
        heard,
        must_be=frozenset({meant}),
        prompt=question,
        locale=LOCALES[scene.language] if scene.locale else None,
    )
