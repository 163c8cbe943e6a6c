"""Locales and kinds of turn: which are the same, and which ids rows have by them."""

import itertools

import msgspec
import pytest
from turns import turn_event

from labeling.text.question import Question
from rewriting.table.occasion import (
    ANYWHERE,
    LONGEST_LOCALE,
    AskedKind,
    Occasion,
    Place,
    TurnKind,
    locale_fault,
    locale_key,
    occasion_of,
    turn_kind_of,
)
from rewriting.table.rewrite import GLOBAL, rewrite_id, user_scope
from streams.turn import Response, TurnEvent


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("en-GB", "en_gb"),
        ("EN", "en"),
        ("zh_Hant-TW", "ZH-hant_tw"),
        ("", None),
        ("sr_Latn_RS", "sr-latn-rs"),
    ],
)
def test_case_and_joints_of_a_locale_do_not_matter(one: str | None, other: str | None) -> None:
    assert locale_key(one) == locale_key(other)


def test_different_locales_are_told_apart() -> None:
    keys = [locale_key(locale) for locale in ("en", "en-GB", "en-US", "de", "enGB", None)]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    "locale",
    [
        "en GB",
        "en-",
        "-en",
        "en--GB",
        "en_US.UTF-8",
        "englishes-GB",
        "ен",
        "en\n",
        "en\x03",
        "*",
        " ",
        "a-" * 60 + "a",
    ],
)
def test_what_is_no_locale_has_a_fault_and_no_key(locale: str) -> None:
    assert locale_key(locale) == ""
    fault = locale_fault(locale)
    assert fault is not None
    assert "is no BCP 47 language tag: give one such as 'en' or 'en-GB'" in fault
    assert len(fault) < LONGEST_LOCALE + 100


@pytest.mark.parametrize("locale", [None, "", "en", "en_GB", "de-CH-1996", "x-klingon"])
def test_a_locale_or_none_has_no_fault(locale: str | None) -> None:
    assert locale_fault(locale) is None


def said(dialogue: str | None = None, response: str | None = None, **changes: object) -> TurnEvent:
    answer = None if response is None else Response(text=response)
    return turn_event("no", dialogue_id=dialogue, response=answer, **changes)


@pytest.mark.parametrize(
    ("turn", "previous", "kind"),
    [
        (said(), None, "opening"),
        (said(), said(response="What area?"), "opening"),  # perhaps not the next turn
        (said("d"), None, "opening"),
        (said("d"), said("d", "It is in the south."), "opening"),
        (said("d"), said("d", "What area?"), "answer"),
        (said(prompt="What area?"), None, "answer"),
        (said("d", prompt="Welcome."), said("d", "What area?"), "opening"),
        (said(system_initiated=True), None, "system"),
        (said("d", system_initiated=True), said("d", "What area?"), "system"),
        (said(prompt="Shall I lock the door?", system_initiated=True), None, "system"),
        (said("d", system_initiated=False), said("d", "What area?"), "answer"),
    ],
)
def test_the_kind_of_a_turn_goes_by_what_was_said_before(
    turn: TurnEvent, previous: TurnEvent | None, kind: AskedKind
) -> None:
    assert turn_kind_of(turn, previous) == kind


def test_the_occasion_of_a_turn_is_what_a_lookup_is_asked_with() -> None:
    turn = said("d", locale="en_GB")
    asked = Occasion(question=Question("what area"), locale="en_GB", turn_kind="answer")
    assert occasion_of(turn, said("d", "What area?")) == asked


@pytest.mark.parametrize(
    ("expected", "known"),
    [
        ("706957f29a40229c7d83050c", ("home", GLOBAL, "turn of the lamp")),
        ("18a949835a448457376ad653", ("home", GLOBAL, "no", "what area")),
        ("79f6377580fb5c8a5d28be09", ("home", user_scope("ann"), "play it")),
        ("5fb7dd68d711aa82704f60c6", ("home", GLOBAL, "play it", "", "rephrase")),
        ("620e6ac2c262808c46218c90", ("home", GLOBAL, "no", "what area", "rephrase")),
    ],
)
def test_rows_that_hold_everywhere_have_the_ids_that_they_always_had(
    expected: str, known: tuple[str, ...]
) -> None:
    assert rewrite_id(*known) == expected  # type: ignore[arg-type]  # a method is a text
    assert rewrite_id(*known, locale="", turn_kind="any") == expected  # type: ignore[misc,arg-type]


def test_each_place_has_an_id_of_its_own_and_each_spelling_the_same() -> None:
    kinds: tuple[TurnKind, ...] = ("any", "opening", "answer", "system")
    ids = {
        rewrite_id("home", GLOBAL, "no", question, method, locale, kind)
        for question, locale, kind in itertools.product(("", "what area"), ("", "en", "en-GB"), kinds)
        for method in ("chain", "rephrase")
    }
    assert len(ids) == 2 * 3 * 4 * 2
    assert rewrite_id("home", GLOBAL, "no", locale="en-GB") == rewrite_id(
        "home", GLOBAL, "no", locale="EN_gb"
    )


def test_wider_places_are_those_that_hold_there_too() -> None:
    key = locale_key("en")
    assert set(Place(key, "answer").wider()) == {Place(key), Place(turn_kind="answer"), ANYWHERE}
    assert list(Place(key).wider()) == list(Place(turn_kind="answer").wider()) == [ANYWHERE]
    assert list(ANYWHERE.wider()) == []
    assert msgspec.structs.replace(Place(key), locale=locale_key(None)) == ANYWHERE
