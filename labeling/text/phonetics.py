"""How a text sounds: recognisers mistake words for others that sound alike, not for others spelt alike."""

from functools import lru_cache

from metaphone import doublemetaphone
from rapidfuzz.distance import Indel

from labeling.text.normalisation import normalise

_WORDS_REMEMBERED = 100_000  # about 20 MB: the words that all users of an assistant say
_VOWEL = "A"  # the code of any vowel, which only the first letter of a word has


def phonetic_key(text: str) -> str:
    """The Double Metaphone codes of the words of a text, one after the other without spaces.

    Recognisers put spaces in other places than speakers do, so they do not count, nor do vowels that begin a
    word but the first (others have no code anyway). A word for which there is no code (digits, other scripts)
    stands for itself. The key is empty only where no letter and no digit is.

    >>> phonetic_key("play Fedallah")
    'PLFTL'
    """
    codes = [_code(word) for word in normalise(text).split()]
    return "".join(codes[:1] + [code.removeprefix(_VOWEL) for code in codes[1:]])


def phonetic_similarity(first: str, second: str) -> float:
    """How alike two texts sound, 0..1: 1 where their keys are equal, 0 where they share no sound.

    >>> phonetic_similarity("play fedallah", "play fed all a")
    1.0
    """
    return Indel.normalized_similarity(phonetic_key(first), phonetic_key(second))


@lru_cache(_WORDS_REMEMBERED)
def _code(word: str) -> str:
    primary, _ = doublemetaphone(word)
    return str(primary) or word
