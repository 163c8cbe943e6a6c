"""Turns files: JSON Lines, plain or gzipped, or `-` for standard input."""

import gzip
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, cast

from streams.byte_order_mark import marked_encoding, without_utf8_mark
from streams.errors import TurnDecodeError, TurnFileError, TurnTimeError
from streams.turn import TurnEvent, decode_turn

GZIP_MAGIC = b"\x1f\x8b"

_ARCHIVES: Final = {
    GZIP_MAGIC: "gzip",
    b"PK\x03\x04": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}


def read_turns(path: str | Path, clock_ms: Callable[[], int]) -> Iterator[TurnEvent]:
    """Yields the turns of a file in its order; blank lines are passed over.

    Args:
        path: of the file.
        clock_ms: the time now, milliseconds since 1970: a turn from the future is no turn event.

    Raises:
        TurnFileError: the file cannot be read, or a line is not a turn event. It names file and line.
    """
    for number, line in read_lines(path):
        try:
            yield decode_turn(line, clock_ms())
        except TurnTimeError as error:
            raise TurnFileError(f"{path}, line {number}: {error}") from error
        except TurnDecodeError as error:
            raise TurnFileError(f"{path}, line {number}: {error}{_remedy(line)}") from error


def read_lines(path: str | Path) -> Iterator[tuple[int, bytes]]:
    """Yields the number, from 1, and the bytes of each line that is not blank.

    The byte order mark of UTF-8 is passed over, also where files with one were joined.

    Raises:
        TurnFileError: the file cannot be read, or is no text in UTF-8; it names the file.
    """
    number = 0
    try:
        with _open(path) as stream:
            for number, line in enumerate(stream, 1):
                if number == 1:
                    _require_text(path, line)
                if stripped := without_utf8_mark(line).strip():
                    yield number, stripped
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TurnFileError(
            f"cannot read {path} after line {number}: {error}; it is cut off or damaged: fetch it again"
        ) from error
    except IsADirectoryError as error:
        raise TurnFileError(f"cannot read {path}: it is a folder: name the files in it") from error
    except OSError as error:
        raise TurnFileError(f"cannot read {path}: {error.strerror or error}") from error


def _require_text(path: str | Path, line: bytes) -> None:
    """Refuses a file whose first line shows that none can be read."""
    for magic, kind in _ARCHIVES.items():
        if line.startswith(magic):
            raise TurnFileError(
                f"cannot read {path}: its lines are compressed ({kind}): unpack it. Only files of gzip are "
                "unpacked here, and only once"
            )
    encoding = marked_encoding(line)
    if encoding not in (None, "UTF-8"):
        raise TurnFileError(
            f"cannot read {path}: it is {encoding}, by its byte order mark, and must be UTF-8: convert it "
            f"with `iconv -f {encoding} -t UTF-8`"
        )


def _remedy(line: bytes) -> str:
    """What to do about a line that is not a turn event, where its form tells."""
    if line.startswith(b"["):
        return "; a turns file is no JSON array: `jq -c '.[]'` writes one turn a line"
    if not line.startswith(b"{"):
        return "; each line is one turn event, a JSON object: `rehear schema` describes it"
    if not line.endswith(b"}"):
        return "; a turn is one whole line: `jq -c .` writes it so, unless the file was cut off here"
    return ""


@contextmanager
def _open(path: str | Path) -> Iterator[BinaryIO]:
    if str(path) == "-":
        yield sys.stdin.buffer
        return
    with Path(path).open("rb") as raw:
        if raw.peek(2)[:2] == GZIP_MAGIC:
            with gzip.open(raw) as unzipped:
                yield cast("BinaryIO", unzipped)
        else:
            yield raw
