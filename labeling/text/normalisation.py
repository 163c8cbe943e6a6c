"""The key of a text: what two requests have in common when they are the same words."""

import re
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

_SIGNED = re.compile(r"[\d*+]|[^\W\d_]\s?#|[#@$%&]{3}")  # without any of these, no sign carries meaning
_MASK = r"\w*\*{2,}[\w*]*|[^\W\d_]+\*[\w*]*[^\W\d_]|[*#@$%&]{3,}"
_SIGNS = re.compile(
    rf"(?P<mask>{_MASK})"
    r"|(?P<decimal>(?<=\d)[.,](?=\d))"
    r"|(?P<before>(?<![^\W\d_])[-\u2212\u2013\u2012](?=\s*\d)|[%\u2030](?=\s*\d))"
    r"|(?P<between>(?<=\d)\s*(?:[*/^=<>\u00d7\u00f7\u2044]|:(?!\s*\d\d(?!\d)))\s*(?=\d))"  # 7:30 is a time
    r"|(?P<after>(?<=\d)\s*[%\u2030\u00b0]|\++|(?<=[^\W\d_])\s?#+(?!\w))"
    r"|(?P<money>(?<=\d)\s*[$\u00a2-\u00a5\u20a0-\u20cf]|[$\u00a2-\u00a5\u20a0-\u20cf](?=\s*\d))"
)
_SIGN_SPELLINGS = str.maketrans("\u2212\u2013\u2012\u00d7\u00f7\u2044", "---*//")

_TELLING = "\U0001f44d\U0001f44e\u2705\u274c\u2714\u2716"  # thumbs up and down, ticks and crosses

_MOST_REMEMBERED = 50_000  # code points, about 5 MB: more than living languages use, less than there are


class _Characters(dict[int, str | None]):
    """What `str.translate` does with each code point: keeps it, sets it apart, or drops it (None)."""

    def __missing__(self, code_point: int) -> str | None:
        character = chr(code_point)
        category = unicodedata.category(character)
        kept: str | None = character if category[0] in "LMN" else " "
        if character in _TELLING:
            kept = f" {character} "
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
    control characters) separates words, which stand one space apart. Signs that carry meaning stay, as words
    of their own: minus and plus before a number, operators between two, a decimal mark within one, %, degrees
    and currencies beside one. A masked word ("f***") stays as it is. Normalising twice changes nothing.

    >>> normalise("  Don't  play AC/DC!")
    'dont play ac dc'
    >>> normalise("Set the wi-fi freezer to -18.5\u00b0, for $3")
    'set the wi fi freezer to - 18.5 \u00b0 for $ 3'
    """
    if text.isascii():
        lowered = text.lower()
        words = lowered.split()
        if "".join(words).isalnum():  # most requests: nothing to drop, and no sign
            return " ".join(words)
        if _SIGNED.search(lowered) is None:
            return " ".join(lowered.translate(_CHARACTERS).split())
        return " ".join(_words(lowered))
    # An accent that was typed for an apostrophe would decompose into a space and a mark: it goes first.
    text = text.translate(_APOSTROPHES_DROPPED)
    while (folded := _fold(text)) != text:  # a dropped character may bring others together that compose
        text = folded
    return text


def _fold(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    words = (_without_leading_marks(word) for word in _words(folded))
    return unicodedata.normalize("NFC", " ".join(word for word in words if word))


def _words(folded: str) -> list[str]:
    """The words of a folded text, and the signs between them that carry meaning."""
    if _SIGNED.search(folded) is None:
        return folded.translate(_CHARACTERS).split()
    parts = []
    end = 0
    for sign in _SIGNS.finditer(folded):
        parts.append(folded[end : sign.start()].translate(_CHARACTERS))
        kept = sign[0].strip().translate(_SIGN_SPELLINGS)
        parts.append(kept if sign.lastgroup == "decimal" else f" {kept} ")
        end = sign.end()
    parts.append(folded[end:].translate(_CHARACTERS))
    return "".join(parts).split()


def _without_leading_marks(word: str) -> str:
    if unicodedata.category(word[0])[0] != "M":
        return word
    start = 0
    while start < len(word) and unicodedata.category(word[start])[0] == "M":
        start += 1
    return word[start:]
