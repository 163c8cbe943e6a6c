import pytest

from labeling.text.language import exclusive_terms, languages, languages_of, spoken_numbers
from labeling.text.normalisation import normalise

CODES = sorted(languages())


def codes_of(locale: str | None, *texts: str) -> list[str]:
    return [language.code for language in languages_of(locale, texts)]


@pytest.mark.parametrize("code", CODES)
def test_the_words_of_a_language_are_keys_of_texts(code: str) -> None:
    language = languages()[code]
    several = (*language.giving_up, *language.corrections, *language.opposites)
    for word in (*language.words, *several, *language.minus, *language.point, *language.percent):
        assert word
        assert normalise(word) == word


@pytest.mark.parametrize("code", CODES)
def test_opposites_are_mutual_and_no_word_is_its_own(code: str) -> None:
    opposites = languages()[code].opposites
    for word, others in opposites.items():
        assert word not in others
        assert all(word in opposites[other] for other in others)


@pytest.mark.parametrize("locale", ["de", "de-AT", "de_DE", "DE-de"])
def test_a_locale_tells_the_language_whatever_the_words_are(locale: str) -> None:
    assert codes_of(locale, "turn on the light") == ["de"]


def test_a_locale_of_a_language_without_data_tells_none() -> None:
    assert codes_of("tlh", "turn on the light") == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("turn on the light please", "en"),
        ("schalte bitte das licht ein", "de"),
        ("allume la lumière de la cuisine", "fr"),
        ("enciende la luz de la cocina", "es"),
    ],
)
@pytest.mark.parametrize("locale", [None, ""])
def test_without_a_locale_the_words_tell_the_language(locale: str | None, text: str, code: str) -> None:
    assert codes_of(locale, *text.split()) == [code]


@pytest.mark.parametrize("texts", [(), ("",), ("xyzzy plugh",)])
def test_what_has_no_word_of_any_language_is_in_none(texts: tuple[str, ...]) -> None:
    assert codes_of(None, *texts) == []


@pytest.mark.parametrize(
    ("code", "words", "number"),
    [
        ("en", "zero", "0"),
        ("en", "twenty one", "21"),
        ("en", "one hundred and five", "105"),
        ("en", "one hundred five", "105"),
        ("en", "nine hundred and ninety nine", "999"),
        ("en", "nine thousand", "9000"),
        ("en", "third", "3"),
        ("en", "thirty first", "31"),
        ("de", "einundzwanzig", "21"),
        ("fr", "vingt et un", "21"),
        ("fr", "vingt un", "21"),
        ("es", "veintiuno", "21"),
    ],
)
def test_numbers_as_they_are_spoken(code: str, words: str, number: str) -> None:
    assert spoken_numbers(code)[words] == number


def test_second_is_a_unit_before_it_is_a_number() -> None:
    assert "second" not in spoken_numbers("en")
    assert exclusive_terms("en")["second"] == ("unit", "duration-second")


@pytest.mark.parametrize(
    ("code", "name", "kind"),
    [
        ("en", "monday", "day"),
        ("de", "montag", "day"),
        ("en", "march", "month"),
        ("fr", "mars", "month"),
        ("en", "france", "territory"),
        ("de", "frankreich", "territory"),
        ("en", "french", "language"),
        ("de", "meilen", "unit"),
    ],
)
def test_names_of_which_any_two_are_other_things(code: str, name: str, kind: str) -> None:
    assert exclusive_terms(code)[name][0] == kind


def test_a_unit_is_one_thing_in_singular_and_plural_and_in_all_languages() -> None:
    assert exclusive_terms("en")["mile"] == exclusive_terms("en")["miles"] == exclusive_terms("de")["meilen"]


def test_a_language_that_nobody_knows_has_no_numbers_and_no_names() -> None:
    assert spoken_numbers("xx") == {}
    assert exclusive_terms("xx") == {}
