"""The key of a text: what two requests have in common when they are the same words."""

import unicodedata

_APOSTROPHES = "'`\u00b4\u02b9\u02bb\u02bc\u02bd\u05f3\u2018\u2019\u201b\u2032\uff07"

# Letters and marks that draw nothing: joiners between graphemes, fillers, variation selectors.
_INVISIBLE = frozenset(
    [
        *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0),
        *range(0x180B, 0x1810),
        *range(0xFE00, 0xFE10),
        *range(0xE0100, 0xE01F0),
    ]
)

_MOST_REMEMBERED = 50_000  # code points, about 5 MB: more than living languages use, less than there are


class _Characters(dict[int, str | None]):
    """What `str.translate` does with each code point: keeps it, makes it a space, or drops it (None)."""

    def __missing__(self, code_point: int) -> str | None:
        character = chr(code_point)
        category = unicodedata.category(character)
        kept: str | None = character if category[0] in "LMN" else " "
        if character in _APOSTROPHES or category == "Cf" or code_point in _INVISIBLE:
            kept = None
        if len(self) < _MOST_REMEMBERED:
            self[code_point] = kept
        return kept


_CHARACTERS = _Characters()
_APOSTROPHES_DROPPED = dict.fromkeys(map(ord, _APOSTROPHES))


def normalise(text: str) -> str:
    """The words of a text in one spelling: the key of the text in chains and in the rewrite table.

    Unicode NFKC and case folding; letters, marks and digits of all scripts stay; apostrophes and invisible
    format characters are dropped, so that a word stays one word; everything else (punctuation, symbols,
    control characters) separates words, which stand one space apart. Normalising twice changes nothing.

    >>> normalise("  Don't  play AC/DC!")
    'dont play ac dc'
    """
    if text.isascii():
        return " ".join(text.lower().translate(_CHARACTERS).split())
    # An accent that was typed for an apostrophe would decompose into a space and a mark: it goes first.
    text = text.translate(_APOSTROPHES_DROPPED)
    while (folded := _fold(text)) != text:  # a dropped character may bring others together that compose
        text = folded
    return text


def _fold(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    words = (_without_leading_marks(word) for word in folded.translate(_CHARACTERS).split())
    return unicodedata.normalize("NFC", " ".join(word for word in words if word))


def _without_leading_marks(word: str) -> str:
    if word[0].isalnum():
        return word
    start = 0
    while start < len(word) and unicodedata.category(word[start])[0] == "M":
        start += 1
    return word[start:]
