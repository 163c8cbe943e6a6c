"""Turns files: JSON Lines, plain or gzipped, or `-` for standard input."""

import gzip
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from streams.errors import TurnDecodeError, TurnFileError
from streams.turn import TurnEvent, decode_turn

GZIP_MAGIC = b"\x1f\x8b"


def read_turns(path: str | Path) -> Iterator[TurnEvent]:
    """Yields the turns of a file in its order; blank lines are passed over.

    Raises:
        TurnFileError: the file cannot be read, or a line is not a turn event. It names file and line.
    """
    for number, line in read_lines(path):
        try:
            yield decode_turn(line)
        except TurnDecodeError as error:
            raise TurnFileError(f"{path}, line {number}: {error}") from error


def read_lines(path: str | Path) -> Iterator[tuple[int, bytes]]:
    """Yields the number, from 1, and the bytes of each line that is not blank.

    Raises:
        TurnFileError: the file cannot be read; it names the file.
    """
    try:
        with _open(path) as stream:
            for number, line in enumerate(stream, 1):
                if stripped := line.strip():
                    yield number, stripped
    except (OSError, EOFError, zlib.error) as error:
        raise TurnFileError(f"cannot read {path}: {error}") from error


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
