"""Byte order marks: some programs write one in front of a text, and no JSON parser takes it."""

import codecs
from typing import Final

_MARKS: Final = {  # longer ones first: that of UTF-32 starts with that of UTF-16
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF8: "UTF-8",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def marked_encoding(text: bytes) -> str | None:
    r"""The encoding that the byte order mark of a text names; None: it has no mark.

    >>> marked_encoding("{}".encode("utf-16"))
    'UTF-16'
    """
    return next((encoding for mark, encoding in _MARKS.items() if text.startswith(mark)), None)


def without_utf8_mark(text: bytes) -> bytes:
    """The text without the mark of UTF-8, if it has that: the mark changes nothing of what follows."""
    return text.removeprefix(codecs.BOM_UTF8)


def json_fault(text: bytes, error: Exception) -> str:
    """Why a text is not JSON, in terms of its encoding where that is to blame.

    Args:
        text: that is not JSON.
        error: of the parser, which says no more than at which byte it stopped.
    """
    encoding = marked_encoding(text)
    if encoding == "UTF-8":
        return "it starts with a byte order mark (EF BB BF): leave these three bytes out"
    if encoding is not None:
        return f"it is {encoding}, by its byte order mark: write it as UTF-8, without a mark"
    try:
        text.decode()
    except UnicodeDecodeError as undecodable:
        at = undecodable.start
        return f"it is not UTF-8 (byte {at} is {text[at]:02X}): write it as UTF-8"
    return str(error)
