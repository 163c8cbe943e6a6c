"""Mishearings and misspellings: how a request is written when it was not heard or typed right."""
# ruff: noqa: RUF001  (letters of other scripts are meant)

import random

_ALIKE = {
    "b": "p", "p": "b", "d": "t", "t": "d", "c": "k", "k": "c", "g": "k", "f": "v", "v": "f", "m": "n",
    "n": "m", "s": "z", "z": "s",
}  # fmt: skip
_VOWELS = {"a": "e", "e": "i", "i": "e", "o": "u", "u": "o", "ä": "e", "ö": "o", "ü": "u", "é": "e", "ı": "i"}
_OTHER_SCRIPTS = {
    "か": "が", "が": "か", "た": "だ", "だ": "た", "し": "じ", "ず": "づ", "こ": "ご", "て": "で",
    "イ": "エ", "カ": "ガ", "タ": "ダ", "コ": "ゴ", "ス": "ズ", "ト": "ド", "ビ": "ピ", "ブ": "プ",
    "ت": "ط", "ط": "ت", "س": "ص", "ص": "س", "ه": "ح", "ح": "ه", "ق": "ك", "ك": "ق", "ذ": "ز",
    "б": "п", "п": "б", "д": "т", "т": "д", "о": "а", "а": "о", "и": "е", "е": "и", "з": "с", "с": "з",
}  # fmt: skip


def misheard(text: str, chance: random.Random, keep: tuple[str, ...] = ()) -> tuple[str, str]:
    """A part of a text, and what is heard or typed in its place: one letter off, a word split or two joined.

    Args:
        text: as it was meant.
        chance: draws how.
        keep: words that stay as they are; words with digits stay, too.

    Returns:
        The part, and its replacement: for `text.replace(part, heard, 1)`.
    """
    words = [word for word in text.split() if word.isalpha() and word not in keep]
    words.sort(key=len, reverse=True)
    word = words[0] if not words[1:] or len(words[1]) < 6 else words[chance.randrange(2)]
    if not word.isascii() and (spots := [i for i, sign in enumerate(word) if sign in _OTHER_SCRIPTS]):
        spot = spots[len(spots) // 2]
        return word, word[:spot] + _OTHER_SCRIPTS[word[spot]] + word[spot + 1 :]
    ways = [_doubled, _vowel, _consonant, _dropped]
    if len(word) >= 8:
        ways.append(_split)
    heard = word
    while heard == word:
        heard = chance.choice(ways)(word, chance)
    return word, heard


def _doubled(word: str, chance: random.Random) -> str:
    spot = chance.randrange(2, len(word) - 1)
    return word[:spot] + word[spot] + word[spot:]


def _vowel(word: str, chance: random.Random) -> str:
    spots = [i for i, sign in enumerate(word) if sign in _VOWELS and i]
    if not spots:
        return word
    spot = chance.choice(spots)
    return word[:spot] + _VOWELS[word[spot]] + word[spot + 1 :]


def _consonant(word: str, chance: random.Random) -> str:
    spots = [i for i, sign in enumerate(word) if sign in _ALIKE]
    if not spots:
        return word
    spot = chance.choice(spots)
    return word[:spot] + _ALIKE[word[spot]] + word[spot + 1 :]


def _dropped(word: str, chance: random.Random) -> str:
    spot = chance.randrange(2, len(word) - 1)
    return word[:spot] + word[spot + 1 :]


def _split(word: str, chance: random.Random) -> str:
    spot = chance.randrange(3, len(word) - 3)
    return f"{word[:spot]} {word[spot:]}"
