"""Turns as tokens: which are of the request, where in its text they are, and what is cut."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from labeling.models.byte_pair_tokenizer import END, SPECIAL_TOKENS, START, train_byte_pairs
from labeling.turns.tokenizer import (
    FURTHER_TOKENS,
    IN_PROMPT,
    IN_REQUEST,
    IN_RESPONSE,
    MOST_TOKENS,
    PROMPT_TOKENS,
    REQUEST_TOKENS,
    RESPONSE_TOKENS,
    SPECIAL,
    TurnTokenizer,
)

LEARNED = train_byte_pairs(["play some jazz", "playing jazz now", "播放 jazz"] * 3, 400)
TOKENIZER = TurnTokenizer(LEARNED)
FIRST, LAST = SPECIAL_TOKENS.index(START), SPECIAL_TOKENS.index(END)


def test_a_turn_is_request_and_response_between_special_tokens() -> None:
    tokens = TOKENIZER.tokens("play some jazz", "playing jazz")
    assert [LEARNED.id_to_token(number) for number in tokens.ids] == [
        "<s>", "Ġplay", "Ġsome", "Ġjazz", "</s>", "</s>", "Ġplaying", "Ġjazz", "</s>",
    ]  # fmt: skip
    assert tokens.segments == (
        SPECIAL, *[IN_REQUEST] * 3, SPECIAL, SPECIAL, *[IN_RESPONSE] * 2, SPECIAL,
    )  # fmt: skip
    assert tokens.request == slice(1, 4)


def test_a_response_that_is_none_is_not_read_and_an_empty_one_has_no_tokens() -> None:
    without = TOKENIZER.tokens("play jazz", None)
    assert len(without.ids) == 4
    assert IN_RESPONSE not in without.segments
    assert TOKENIZER.tokens("play jazz", "").ids == (*without.ids, LAST, LAST)


def test_what_was_said_before_and_further_texts_follow() -> None:
    tokens = TOKENIZER.tokens("play jazz", None, "some jazz", ["now", None, "play"])
    assert [LEARNED.id_to_token(number) for number in tokens.ids] == [
        "<s>", "Ġplay", "Ġjazz", "</s>", "</s>", "Ġsome", "Ġjazz", "</s>", "Ġnow", "</s>", "Ġplay",
    ]  # fmt: skip
    assert tokens.segments == (
        SPECIAL, IN_REQUEST, IN_REQUEST, SPECIAL, SPECIAL, IN_PROMPT, IN_PROMPT,
        SPECIAL, IN_PROMPT + 1, SPECIAL, IN_PROMPT + 3,
    )  # fmt: skip


def test_of_what_was_said_before_the_end_is_kept_and_of_further_texts_the_start() -> None:
    long = " ".join(["play"] * 200 + ["jazz"] * 30)
    tokens = TOKENIZER.tokens("now", None, long, [long])
    read = [
        [
            LEARNED.id_to_token(number)
            for number, of in zip(tokens.ids, tokens.segments, strict=True)
            if of == segment
        ]
        for segment in (IN_PROMPT, IN_PROMPT + 1)
    ]
    assert read == [["Ġjazz"] * PROMPT_TOKENS, ["Ġplay"] * FURTHER_TOKENS]


def test_offsets_are_characters_of_the_request_as_it_is() -> None:
    text = "  Play\tJAZZ, 播放"
    tokens = TOKENIZER.tokens(text, "playing jazz")
    parts = [text[start:end] for start, end in tokens.offsets]
    assert parts == ["Play", "JAZZ", ",", "播放"]
    assert len(tokens.offsets) == tokens.request.stop - tokens.request.start
    assert set(tokens.segments[tokens.request]) == {IN_REQUEST}


def test_an_empty_request_has_no_tokens() -> None:
    tokens = TOKENIZER.tokens("", None)
    assert (tokens.ids, tokens.segments, tokens.offsets) == ((FIRST, LAST), (SPECIAL, SPECIAL), ())
    assert tokens.request == slice(1, 1)


@pytest.mark.parametrize("text", ["jazz " * 2_000, "x" * 10_000, "播" * 10_000])
def test_long_texts_are_cut_at_their_end(text: str) -> None:
    assert len(TOKENIZER.tokens(text, text, text).ids) == MOST_TOKENS
    tokens = TOKENIZER.tokens(text, text)
    assert tokens.segments.count(IN_REQUEST) == len(tokens.offsets) == REQUEST_TOKENS
    assert tokens.segments.count(IN_RESPONSE) == RESPONSE_TOKENS
    assert tokens.ids[tokens.request][:RESPONSE_TOKENS] == tokens.ids[-1 - RESPONSE_TOKENS : -1]
    assert TOKENIZER.tokens("play jazz", text).offsets == TOKENIZER.tokens("play jazz", None).offsets


@pytest.mark.parametrize("text", SPECIAL_TOKENS)
def test_what_looks_like_a_special_token_is_text(text: str, tmp_path: Path) -> None:
    TOKENIZER.save(tmp_path / "tokenizer.json")
    special = range(len(SPECIAL_TOKENS))
    for tokenizer in (TOKENIZER, TurnTokenizer.load(tmp_path / "tokenizer.json")):
        tokens = tokenizer.tokens(f"play {text} jazz", text)
        inside = [
            number for number, segment in zip(tokens.ids, tokens.segments, strict=True) if segment != SPECIAL
        ]
        assert not set(inside) & set(special)


def test_what_is_saved_reads_as_before(tmp_path: Path) -> None:
    TOKENIZER.save(tmp_path / "tokenizer.json")
    loaded = TurnTokenizer.load(tmp_path / "tokenizer.json")
    for request, response in [("Play some jazz", "Playing 播放 jazz"), ("", None), ("é" * 500, "")]:
        assert loaded.tokens(request, response) == TOKENIZER.tokens(request, response)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(Exception, match="EOF"):
        TurnTokenizer.load(tmp_path / "tokenizer.json")


def test_a_tokenizer_with_other_special_tokens_keeps_its_own(tiny_base: Path) -> None:
    own = Tokenizer.from_file(str(tiny_base / "tokenizer.json"))
    tokens = TurnTokenizer(own).tokens("Play jazz", "mom")
    assert [own.id_to_token(number) for number in tokens.ids] == [
        "[CLS]", "play", "jazz", "[SEP]", "[SEP]", "mom", "[SEP]",
    ]  # fmt: skip
    assert tokens.offsets == ((0, 4), (5, 9))
