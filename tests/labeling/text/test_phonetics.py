import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.text.phonetics import phonetic_key, phonetic_similarity


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("play fedallah", "play fed all a"),  # spaces where the recogniser heard them
        ("call stephen", "call steven"),
        ("night", "knight"),
        ("Play JAZZ!", "play jazz"),
    ],
)
def test_texts_that_sound_alike_have_one_key(one: str, other: str) -> None:
    assert phonetic_key(one) == phonetic_key(other) != ""
    assert phonetic_similarity(one, other) == 1


@pytest.mark.parametrize(
    ("text", "key"), [("", ""), ("...", ""), ("7", "7"), ("7 30", "730"), ("джаз", "джаз"), ("播放", "播放")]
)
def test_what_has_no_code_stands_for_itself(text: str, key: str) -> None:
    assert phonetic_key(text) == key


def test_similarity_orders_by_sound() -> None:
    heard = "play fed all a"
    assert (
        phonetic_similarity(heard, "play fedallah")
        > phonetic_similarity(heard, "play federal")
        > phonetic_similarity(heard, "switch on kitchen")
    )


def test_nothing_sounds_like_nothing_alone() -> None:
    assert phonetic_similarity("", "") == 1
    assert phonetic_similarity("", "play jazz") == 0
    assert phonetic_similarity("джаз", "play") == 0


@given(st.text(), st.text())
def test_any_two_texts_have_a_similarity(one: str, other: str) -> None:
    similarity = phonetic_similarity(one, other)
    assert 0 <= similarity <= 1
    assert similarity == phonetic_similarity(other, one)
