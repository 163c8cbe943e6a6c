import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeling.text.normalisation import normalise


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Play Some JAZZ", "play some jazz"),
        ("  play\t\n some   jazz ", "play some jazz"),
        ("play... some, jazz?!", "play some jazz"),
        ("wake-up at 7:30", "wake up at 7 30"),
        ("what's don't o'clock", "whats dont oclock"),
        ("what\u2019s", "whats"),
        ("what\u00b4s", "whats"),
        ("what\uff07s", "whats"),
        ("the dogs' toys", "the dogs toys"),
        ("'quoted'", "quoted"),
        ("a\x00b\x07c\x7fd\x85e", "a b c d e"),
        ("\ufb01ve \uff21\uff22 \u2460", "five ab 1"),
        ("STRASSE Straße", "strasse strasse"),
        ("cafe\u0301 CAFÉ", "café café"),
        ("ΑΘΗΝΑΣ αθηνας", "αθηνασ αθηνασ"),
        ("Поставь ДЖАЗ!", "поставь джаз"),
        ("播放音乐。", "播放音乐"),
        ("संगीत चलाओ", "संगीत चलाओ"),
        ("شغّل الموسيقى؟", "شغّل الموسيقى"),
        ("می\u200cخواهم", "میخواهم"),  # noqa: RUF001 (the subject is the joiner inside a Persian word)
        ("soft\u00adhyphen", "softhyphen"),
        ("ring \U0001f514\ufe0f now", "ring now"),
        ("", ""),
        ("?!... ", ""),
        ("\u200b\u0301", ""),
        ("\ud800 lone", "lone"),
    ],
)
def test_the_same_words_have_one_key(text: str, key: str) -> None:
    assert normalise(text) == key
    assert normalise(key) == key


@given(st.text())
def test_normalising_twice_changes_nothing(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(alphabet="aI\u0130\u0345\u0301\u0323'\u00b4\u200d\ufe0fﬁ\u1fb3ß가\u11a8\u1160 .", max_size=8))
def test_normalising_twice_changes_nothing_where_characters_meet(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


SIGNS = "-+*/:^=<>.,%\u2030\u00b0#@&\U0001f44d\U0001f44e\u2705\u274c\u2714\u2716"
"""What stays beside words where it carries meaning."""


@given(st.text())
def test_a_key_holds_words_one_space_apart(text: str) -> None:
    key = normalise(text)
    assert key == " ".join(key.split())
    others = {character for character in key if unicodedata.category(character)[0] not in "LMNZ"}
    assert {character for character in others if unicodedata.category(character) != "Sc"} <= set(SIGNS)
    assert set(key) & set("\t\n\r\x0b\x0c\u00a0") == set()


def test_every_character_alone_normalises_once_for_all() -> None:
    changed = [
        code_point
        for code_point in range(sys.maxunicode + 1)
        if normalise(normalise(chr(code_point))) != normalise(chr(code_point))
    ]
    assert changed == []


def test_ascii_and_other_texts_are_normalised_alike() -> None:
    for code_point in range(128):
        alone = f"a{chr(code_point)}B"
        assert normalise(alone) == normalise(f"{alone} ж").removesuffix(" ж")
