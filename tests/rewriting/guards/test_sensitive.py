import pytest

from labeling.text.normalisation import normalise
from rewriting.guards.sensitive import private_parts, sensitive_kinds
from rewriting.guards.settings import SensitiveSettings

SHIPPED = SensitiveSettings()


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("unlock the front door", True),
        ("lock the front door", False),
        ("please buy more batteries", True),
        ("send money to anna", True),
        ("send anna a message about money", False),
        ("entsperre die Haustür", True),
        ("überweise 20 euro an anna", True),
        ("déverrouille la porte", True),
        ("llama a mi madre", True),
        ("kilidi aç", True),
        ("play the unlocked album", False),
        ("", False),
    ],
)
def test_requests_are_sensitive_for_whole_words_of_the_list(text: str, is_so: bool) -> None:
    assert bool(sensitive_kinds(normalise(text), None, SHIPPED)) is is_so


@pytest.mark.parametrize(
    ("interpretation", "kinds"),
    [
        ("smart_home|UnlockDoor|", {"unlock"}),
        ("shop|buy_item|item=milk", {"buy"}),
        ("shop|BUY|", {"buy"}),
        ("Banking|balance|", {"banking"}),
        ("phone|makeCall|", {"phone", "call"}),
        ("music|recall_song|", set()),
        ("smart_home|Lock|what=unlock", set()),
        ("text:banking", set()),
        ("banking", set()),
        (None, set()),
    ],
)
def test_requests_are_sensitive_for_parts_of_their_intent_and_for_their_domain(
    interpretation: str | None, kinds: set[str]
) -> None:
    assert sensitive_kinds("do it", interpretation, SHIPPED) == kinds


def test_the_list_is_the_settings() -> None:
    own = SensitiveSettings(domains=("Oven",), intents=("PreHeat",), words=("Turn On the Stove",))
    assert sensitive_kinds("please turn on the stove", "oven|preheat|", own) == {
        "turn on the stove",
        "preheat",
        "oven",
    }
    assert sensitive_kinds("unlock the door", "security|Unlock|", own) == set()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("call 555 01 99", {"555 01 99"}),
        ("my pin is 1234", {"1234"}),
        ("wake me at 7 30", set()),
        ("in 365 days", set()),
        ("mail anna@example", {"@"}),
        ("play some jazz", set()),
    ],
)
def test_long_numbers_and_addresses_look_private(text: str, parts: set[str]) -> None:
    assert private_parts(text, ()) == parts


def test_people_who_were_understood_are_private_and_songs_are_not() -> None:
    slots = (("contact", "anna"), ("song", "hello"), ("email", ""))
    assert private_parts("ring anna", slots) == {"anna"}
