import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.text.language import Language, languages
from labeling.text.normalisation import normalise
from labeling.text.wish import LONGEST_TERM, Wish, phrases, wish_of


def wish(text: str, *codes: str) -> Wish:
    readers: tuple[Language, ...] = tuple(languages()[code] for code in codes or ("en",))
    return wish_of(normalise(text), readers)


@pytest.mark.parametrize(
    ("text", "code", "numbers"),
    [
        ("set it to 18", "en", ("18",)),
        ("set it to eighteen", "en", ("18",)),
        ("set it to -18", "en", ("-18",)),
        ("set it to minus eighteen", "en", ("-18",)),
        ("set it to \u221218.5\u00b0", "en", ("-18.5",)),
        ("stell auf minus achtzehn", "de", ("-18",)),
        ("stell auf 18,5 grad", "de", ("18.5",)),
        ("ninety nine point nine", "en", ("99.9",)),
        ("neunundneunzig komma neun", "de", ("99.9",)),
        ("room one zero one", "en", ("101",)),
        ("two thousand five hundred", "en", ("2500",)),
        ("five thousand two thousand", "en", ("5000", "2000")),
        ("1,000 steps", "en", ("1000",)),
        ("1.000.000 schritte", "de", ("1000000",)),
        ("1.5 liters", "en", ("1.5",)),
        ("five plus three", "en", ("5", "+", "3")),
        ("5 times 3", "en", ("5", "*", "3")),
        ("20 geteilt durch 4", "de", ("20", "/", "4")),
        ("play something", "en", ()),
    ],
)
def test_numbers_are_read_alike_in_digits_and_in_words(
    text: str, code: str, numbers: tuple[str, ...]
) -> None:
    assert wish(text, code).numbers == numbers


def test_one_is_counted_apart_from_the_numbers() -> None:
    assert (wish("play that one").numbers, wish("play that one").ones) == ((), 1)
    assert (wish("one hundred").numbers, wish("one hundred").ones) == (("100",), 0)


def test_an_operator_without_a_number_after_it_is_a_word_or_nothing() -> None:
    assert wish("switch minus").numbers == ()
    assert wish("play c# and b").numbers == ()


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        ("dim to 50%", {"%"}),
        ("dim to fifty percent", {"%"}),
        ("pay $5", {"$"}),
        ("pay 5 \u20ac", {"\u20ac"}),
        ("18\u00b0", {"\u00b0"}),
        ("dim to 50", set()),
    ],
)
def test_signs(text: str, signs: set[str]) -> None:
    assert wish(text).signs == signs


@pytest.mark.parametrize(
    ("text", "is_masked"),
    [("play f***ing hell", True), ("call ** now", True), ("play *** ", True), ("dim to 50 %", False)],
)
def test_a_word_that_cannot_be_read_is_masked(text: str, is_masked: bool) -> None:
    assert wish(text).is_masked is is_masked


def test_terms_are_found_whole_in_any_language_that_reads() -> None:
    assert wish("five kilometers to france on monday", "en").terms == {
        ("unit", "length-kilometer"),
        ("territory", "FR"),
        ("day", "0"),
    }
    assert ("territory", "US") in wish("weather in the united states", "en").terms
    assert ("territory", "FR") in wish("das wetter in frankreich", "en", "de").terms
    assert wish("das wetter in frankreich", "en").terms == set()


def test_a_script_without_spaces_is_read_by_its_characters() -> None:
    found = wish("\u97f3\u697d\u3092 5", "ja")
    assert found.words == ("\u97f3", "\u697d", "\u3092")
    assert found.letters == 3


def test_without_languages_words_are_words_and_digits_numbers() -> None:
    found = wish_of("play two of 7", ())
    assert (found.words, found.numbers) == (("play", "two", "of"), ("7",))


def test_phrases_are_runs_of_words_with_and_without_spaces() -> None:
    assert list(phrases(["a", "b"])) == ["a", "a b", "ab", "b"]
    longest = max(phrases(["x"] * (LONGEST_TERM + 2)), key=len)
    assert longest == " ".join(["x"] * LONGEST_TERM)


@given(st.text(), st.sets(st.sampled_from(sorted(languages())), max_size=3))
@settings(max_examples=200, deadline=None)
def test_any_text_can_be_read(text: str, codes: set[str]) -> None:
    found = wish_of(normalise(text), tuple(languages()[code] for code in sorted(codes)))
    assert found.letters == len("".join(found.words))
