"""Languages: the words by which one can tell, without understanding a request, that two ask for other things.

What a language is like is data (`languages/*.toml`), not code; numbers come from num2words, and names of
days, months, countries, languages and units from the CLDR, by way of Babel.
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping, Set
from contextlib import suppress
from functools import cache
from importlib.resources import files

from babel import Locale, UnknownLocaleError
from babel.units import format_unit
from msgspec import Struct
from num2words import num2words

from labeling.text.normalisation import normalise

LARGEST_SPOKEN = 999
"""Numbers up to this one are known as words, and the whole thousands up to 9,000; larger ones are read part
by part."""

_UNITS = (
    *(f"temperature-{unit}" for unit in ("celsius", "fahrenheit", "kelvin")),
    *(
        f"length-{unit}"
        for unit in ("millimeter", "centimeter", "meter", "kilometer", "inch", "foot", "yard", "mile")
    ),
    *(f"duration-{unit}" for unit in ("second", "minute", "hour", "day", "week", "month", "year")),
    *(f"mass-{unit}" for unit in ("gram", "kilogram", "ounce", "pound", "ton")),
    *(
        f"volume-{unit}"
        for unit in ("milliliter", "liter", "gallon", "pint", "cup", "tablespoon", "teaspoon")
    ),
    *(f"energy-{unit}" for unit in ("calorie", "kilocalorie", "joule", "kilowatt-hour")),
    *(f"power-{unit}" for unit in ("watt", "kilowatt")),
    *(f"speed-{unit}" for unit in ("kilometer-per-hour", "mile-per-hour")),
)


class Language(Struct, frozen=True, kw_only=True, eq=False):
    """What is known of one language; all words normalised."""

    code: str  # ISO 639
    negations: frozenset[str]
    opposites: Mapping[str, frozenset[str]]  # a word -> words that ask for the opposite
    giving_up: frozenset[str]  # what people say who want nothing more
    corrections: tuple[str, ...]  # how a correction begins that cannot stand alone
    conjunctions: frozenset[str]  # between two requests
    light: frozenset[str]  # words that tell no two requests apart
    minus: frozenset[str]
    point: frozenset[str]  # between the whole part of a number and the rest
    percent: frozenset[str]
    operators: Mapping[str, str]  # as they are spoken between numbers -> the sign
    opposite_prefixes: frozenset[str]  # with these, or without, a stem may ask for the opposite

    @property
    def words(self) -> frozenset[str]:
        """Words by which the language is recognised."""
        return _words_of(self)


@cache
def languages() -> Mapping[str, Language]:
    """All languages that there is data of, by code."""
    folder = files("labeling.text") / "languages"
    found = sorted(
        entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml")
    )
    return {code: _read(code, (folder / f"{code}.toml").read_text("utf-8")) for code in found}


def languages_of(locale: str | None, texts: Iterable[str]) -> tuple[Language, ...]:
    """The languages that texts may be in: the locale's, else those that most of their words are of.

    Args:
        locale: of the requests, as `de-DE` or `de_DE`; None or empty: not known.
        texts: normalised, and all in one language.

    Returns:
        Nothing where the locale's language is not known, or no word of any language occurs.
    """
    if locale:
        known = languages().get(locale.replace("_", "-").partition("-")[0].lower())
        return (known,) if known is not None else ()
    words = {word for text in texts for word in text.split()}
    likely = _most_hit(languages().values(), words, lambda language: language.words)
    if len(likely) != 1:
        likely = _most_hit(likely or languages().values(), words, _named) or likely
    return likely


def _most_hit(
    among: Iterable[Language], words: Set[str], known: Callable[[Language], Set[str]]
) -> tuple[Language, ...]:
    hits = [(len(words & known(language)), language) for language in among]
    most = max(count for count, _ in hits)
    return tuple(language for count, language in hits if count == most) if most else ()


@cache
def _words_of(language: Language) -> frozenset[str]:
    return language.light | language.negations | language.conjunctions | frozenset(language.opposites)


@cache
def _named(language: Language) -> Set[str]:
    return spoken_numbers(language.code).keys() | exclusive_terms(language.code).keys()


@cache
def spoken_numbers(code: str) -> Mapping[str, str]:
    """How a language speaks whole numbers -> in digits; empty where num2words does not know it."""
    try:
        numbers = {value: num2words(value, lang=code) for value in _SPOKEN}
    except NotImplementedError:
        return {}
    drop = languages()[code].conjunctions if code in languages() else frozenset[str]()
    spoken: dict[str, str] = {}
    for value, words in numbers.items():
        key = normalise(words)
        for form in (key, " ".join(word for word in key.split() if word not in drop)):
            spoken.setdefault(form, str(value))
    for value in _ORDINALS:
        with suppress(NotImplementedError, TypeError, KeyError):
            spoken.setdefault(normalise(num2words(value, lang=code, to="ordinal")), str(value))
    return spoken


@cache
def number_words(code: str) -> frozenset[str]:
    """The words that a language's spoken numbers are made of, without those that join them."""
    words = frozenset(word for number in spoken_numbers(code) for word in number.split())
    return words - (languages()[code].conjunctions if code in languages() else frozenset())


_ORDINALS = range(3, 32)  # of dates; "second" is a unit, too
_SPOKEN = (*range(LARGEST_SPOKEN + 1), *range(1_000, 10_000, 1_000))


@cache
def exclusive_terms(code: str) -> Mapping[str, tuple[str, str]]:
    """Names of which any two different ones mean other things -> (kind, which); none if not in the CLDR."""
    try:
        locale = Locale(code)
    except UnknownLocaleError:
        return {}
    terms: dict[str, tuple[str, str]] = {}

    def put(kind: str, which: object, name: str) -> None:
        if (key := normalise(name)) and not key.isdigit():
            terms.setdefault(key, (kind, str(which)))

    for unit in _UNITS:
        for count in (1, 2, 5):
            name = format_unit(count, unit, length="long", locale=locale)
            put("unit", unit, "".join(c for c in name if not c.isdigit()))
    for which, name in locale.days["format"]["wide"].items():
        put("day", which, name)
    for which, name in locale.months["format"]["wide"].items():
        put("month", which, name)
    for which, name in locale.territories.items():
        if len(which) == 2:
            put("territory", which, name)
    for which, name in locale.languages.items():
        if len(which) == 2:
            put("language", which, name)
    return terms


def _read(code: str, text: str) -> Language:
    data = tomllib.loads(text)

    def words(name: str) -> tuple[str, ...]:
        return tuple(normalise(word) for word in data[name])

    opposites: dict[str, set[str]] = {}
    for group in data["opposites"]:
        first, *others = map(normalise, group)
        for other in others:
            opposites.setdefault(first, set()).add(other)
            opposites.setdefault(other, set()).add(first)
    return Language(
        code=code,
        negations=frozenset(words("negations")),
        opposites={word: frozenset(others) for word, others in opposites.items()},
        giving_up=frozenset(words("giving_up")),
        corrections=words("corrections"),
        conjunctions=frozenset(words("conjunctions")),
        light=frozenset(words("light")),
        minus=frozenset(words("minus")),
        point=frozenset(words("point")),
        percent=frozenset(words("percent")),
        operators={normalise(word): sign for word, sign in data["operators"].items()},
        opposite_prefixes=frozenset(data["opposite_prefixes"]),
    )
