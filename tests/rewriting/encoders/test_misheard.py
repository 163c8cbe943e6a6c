import numpy as np
import pytest

from rewriting.encoders.misheard import Mishearing, misheard_examples

KNOWN = {
    "call stephen on his phone": "phone|call|who=stephen",
    "call steven at work": "phone|call|who=steven",
    "play some jazz in the kitchen": "play|music|genre=jazz",
    "7": "n|n|",
    "播放音乐": "play|music|",
}


def test_a_known_text_is_misheard_as_something_like_it() -> None:
    examples = misheard_examples(KNOWN, 20, seed=1)
    assert {example.positive for example in examples} >= {text for text in KNOWN if " " in text}
    for example in examples:
        assert example.query not in ("", example.positive)
        assert example.positive_interpretation == KNOWN[example.positive]
        assert example.query_interpretation is None
        if len(words := example.positive.split()) > 3:
            assert set(words) & set(example.query.split())


def test_words_are_taken_for_words_that_sound_alike() -> None:
    heard = {example.query for example in misheard_examples(KNOWN, 60, seed=1)}
    assert "call steven on his phone" in heard


def test_the_same_seed_mishears_the_same() -> None:
    backwards = dict(reversed(KNOWN.items()))
    assert misheard_examples(KNOWN, 3, seed=1) == misheard_examples(backwards, 3, seed=1)
    assert misheard_examples(KNOWN, 3, seed=1) != misheard_examples(KNOWN, 3, seed=2)


def test_none_are_asked_for_and_none_known() -> None:
    assert misheard_examples(KNOWN, 0, seed=1) == []
    assert misheard_examples({}, 3, seed=1) == []


@pytest.mark.parametrize("text", ["", "a", "7", "one word", "播放"])
def test_any_text_can_be_misheard(text: str) -> None:
    mishearing = Mishearing(["one"])
    generator = np.random.default_rng(0)
    for _ in range(50):
        mishearing.mishear(text, generator)
