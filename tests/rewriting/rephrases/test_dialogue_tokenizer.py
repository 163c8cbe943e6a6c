from collections.abc import Sequence
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from turns import turn_event

from labeling.models.encoder_base import load_base
from rewriting.rephrases.dialogue_tokenizer import REQUEST_TOKENS, DialogueTokenizer, SpanInput
from streams.turn import Recognition, Request, Response, Signals, TurnEvent


@pytest.fixture(scope="module")
def tokenizer(tiny_base: Path) -> DialogueTokenizer:
    return DialogueTokenizer.of(load_base(tiny_base).tokenizer, 70)


@pytest.fixture(scope="module")
def spelled(tokenizer: DialogueTokenizer, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(path)
    return Tokenizer.from_file(str(path))


def _tokens(spelled: Tokenizer, ids: Sequence[int]) -> list[str]:
    return [spelled.id_to_token(number) for number in ids]


FAILED = turn_event(
    event_id="0",
    ts_ms=100_000,
    request=Request(text="play", asr=(Recognition(text="play", confidence=0.3),)),
    response=Response(text="jazz", status="error"),
    signals=Signals(barge_in=True),
)
AGAIN = turn_event("play jazz", event_id="1", ts_ms=108_000)
SILENT = turn_event("", event_id="2", ts_ms=0)


def test_a_sequence_holds_source_gaps_signals_and_responses(
    tokenizer: DialogueTokenizer, spelled: Tokenizer
) -> None:
    sequence = tokenizer.sequence([FAILED, AGAIN, SILENT], 0, [1, 2])
    assert _tokens(spelled, sequence.ids) == [
        "[CLS]", "play", "[status error]", "[barge-in]", "[heard 1]", "[answer]", "jazz", "[SEP]",
        "[gap 9]", "[words 9]", "[meaning: unknown]", "play", "jazz", "[status none]", "[answer]",
        "[gap unknown]", "[words -1]", "[meaning: unknown]", "[empty]", "[status none]", "[answer]", "[SEP]",
    ]  # fmt: skip
    assert sequence.types == [0] * 8 + [1] * 14


def test_spans_are_none_and_the_words_of_each_candidate(
    tokenizer: DialogueTokenizer, spelled: Tokenizer
) -> None:
    sequence = tokenizer.sequence([FAILED, AGAIN, SILENT], 0, [1, 2])
    words = [_tokens(spelled, sequence.ids[first : last + 1]) for first, last in sequence.spans]
    assert words == [["[CLS]"], ["play", "jazz"], ["[empty]"]]
    assert sequence.targets == (1, 2)


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("time", ["[gap 9]"]),
        ("signals", ["[status error]", "[barge-in]", "[heard 1]"]),
        ("responses", ["[answer]"]),
        ("likeness", ["[words 9]", "[meaning: unknown]"]),
    ],
)
def test_a_hidden_part_is_not_in_the_sequence(
    tokenizer: DialogueTokenizer, spelled: Tokenizer, hidden: str, shown: list[str]
) -> None:
    def tokens(sequence: SpanInput) -> set[str]:
        return set(_tokens(spelled, sequence.ids))

    everything = tokens(tokenizer.sequence([FAILED, AGAIN], 0, [1]))
    rest = tokens(tokenizer.sequence([FAILED, AGAIN], 0, [1], frozenset([hidden])))  # type: ignore[list-item]  # a Part
    assert everything >= set(shown)
    assert not rest & set(shown)


def test_hidden_words_are_those_of_the_source_alone(tokenizer: DialogueTokenizer, spelled: Tokenizer) -> None:
    sequence = tokenizer.sequence([FAILED, AGAIN], 0, [1], frozenset(["words"]))
    tokens = _tokens(spelled, sequence.ids)
    assert tokens[1] == "[hidden]"
    assert tokens.count("play") == 1


def test_words_in_brackets_are_not_taken_for_signals(
    tokenizer: DialogueTokenizer, spelled: Tokenizer
) -> None:
    turns = [turn_event("[barge-in] [CLS]", event_id="0", ts_ms=1), AGAIN]
    tokens = _tokens(spelled, tokenizer.sequence(turns, 0, [1]).ids)
    assert "[barge-in]" not in tokens
    assert tokens.count("[CLS]") == 1


def test_long_requests_are_cut_and_candidates_without_room_left_out(tokenizer: DialogueTokenizer) -> None:
    turns: list[TurnEvent] = [
        turn_event("play " * 2_000, event_id=str(number), ts_ms=1000 * number) for number in range(1, 9)
    ]
    sequence = tokenizer.sequence(turns, 0, range(1, 8))
    assert len(sequence.ids) <= 70
    assert sequence.spans[1][1] - sequence.spans[1][0] + 1 == REQUEST_TOKENS
    assert sequence.targets == (1,)


@pytest.mark.parametrize("text", ["", "?!", "播放爵士乐", "عزف", "😀 😀", "a\x00b"])
def test_any_text_makes_a_sequence(tokenizer: DialogueTokenizer, text: str) -> None:
    turns = [turn_event(text, event_id=str(number), ts_ms=number) for number in (1, 2)]
    sequence = tokenizer.sequence(turns, 0, [1])
    first, last = sequence.spans[1]
    assert 0 < first <= last < len(sequence.ids)


def test_it_is_the_same_after_saving(tokenizer: DialogueTokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = DialogueTokenizer.load(tmp_path / "tokenizer.json", tokenizer.max_tokens)
    assert loaded.sequence([FAILED, AGAIN], 0, [1]) == tokenizer.sequence([FAILED, AGAIN], 0, [1])
