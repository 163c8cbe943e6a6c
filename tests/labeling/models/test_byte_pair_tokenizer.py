"""The tokenizer that is learned from a log: its tokens, and where in a text they are."""

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from labeling.errors import EncoderTrainingError
from labeling.models.byte_pair_tokenizer import (
    LEAST_VOCABULARY,
    SPECIAL_TOKENS,
    UNKNOWN,
    as_it_is,
    train_byte_pairs,
)

TEXTS = ["turn on the Kitchen lights", "turn off the kitchen lights", "播放 jazz", "播放 blues"] * 3

LEARNED = train_byte_pairs(TEXTS, 400)


def _read(tokenizer: Tokenizer, text: str) -> list[str]:
    """The part of a text that each of its tokens stands for."""
    offsets = tokenizer.encode(text, add_special_tokens=False).offsets
    return [text[start:end] for start, end in offsets]


def test_words_of_the_log_are_tokens() -> None:
    encoding = LEARNED.encode("kitchen lights on")
    assert encoding.tokens == ["<s>", "Ġkitchen", "Ġlights", "Ġon", "</s>"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Turn on the KITCHEN lights", ["Turn", "on", "the", "KITCHEN", "lights"]),
        ("  turn on\n\tkitchen ", ["turn", "on", "", "kitchen"]),
        ("kitchen\N{NO-BREAK SPACE}lights", ["kitchen", "lights"]),
        ("播放 jazz", ["播放", "jazz"]),
        ("kitchen 😀 lights", ["kitchen", "", "😀", "😀", "😀", "😀", "lights"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_offsets_are_those_of_the_given_text(text: str, parts: list[str]) -> None:
    assert _read(LEARNED, text) == parts


def test_a_small_letter_of_two_code_points_has_the_place_of_its_capital() -> None:
    text = "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}x kitchen"
    parts = _read(LEARNED, text)
    assert "".join(dict.fromkeys(parts)) == text.replace(" ", "")
    assert parts[-1] == "kitchen"


@given(st.text())
def test_nothing_is_unknown_and_every_character_but_space_is_in_a_token(text: str) -> None:
    encoding = LEARNED.encode(text, add_special_tokens=False)
    assert LEARNED.token_to_id(UNKNOWN) not in encoding.ids
    covered = {place for start, end in encoding.offsets for place in range(start, end)}
    assert covered >= {place for place, character in enumerate(text) if not character.isspace()}
    assert all(0 <= start <= end <= len(text) for start, end in encoding.offsets)


@pytest.mark.parametrize("token", SPECIAL_TOKENS)
def test_a_special_token_in_a_text_is_text(token: str, tmp_path: Path) -> None:
    special = range(len(SPECIAL_TOKENS))
    LEARNED.save(str(tmp_path / "tokenizer.json"))
    for tokenizer in (LEARNED, as_it_is(Tokenizer.from_file(str(tmp_path / "tokenizer.json")))):
        ids = tokenizer.encode(f"kitchen {token} lights", add_special_tokens=False).ids
        assert not set(ids) & set(special)
        assert tokenizer.token_to_id(token) == SPECIAL_TOKENS.index(token)


def test_a_long_text_is_not_cut() -> None:
    assert len(LEARNED.encode("kitchen " * 5_000, add_special_tokens=False).ids) == 5_000


def test_without_texts_each_byte_is_a_token() -> None:
    tokenizer = train_byte_pairs([], 8_000)
    assert tokenizer.get_vocab_size() == LEAST_VOCABULARY
    assert _read(tokenizer, "hé") == ["", "h", "é", "é"]


def test_a_vocabulary_without_room_for_all_bytes_is_refused() -> None:
    assert train_byte_pairs(TEXTS, LEAST_VOCABULARY).get_vocab_size() == LEAST_VOCABULARY
    with pytest.raises(EncoderTrainingError, match="vocabulary is 260"):
        train_byte_pairs(TEXTS, LEAST_VOCABULARY - 1)


LEARN_AGAIN = """
import sys
from labeling.models.byte_pair_tokenizer import train_byte_pairs
heavy = {"torch", "transformers"} & set(sys.modules)
words = [f"word{n % 97} of {n % 31} things" for n in range(500)]
print(heavy, train_byte_pairs(words, 500).to_str())
"""


def test_another_process_learns_the_same_and_loads_no_model_library() -> None:
    words = [f"word{n % 97} of {n % 31} things" for n in range(500)]
    again = subprocess.run([sys.executable, "-c", LEARN_AGAIN], capture_output=True, text=True, check=True)
    assert again.stdout.strip() == f"set() {train_byte_pairs(words, 500).to_str()}"
