"""Files of JSON Lines, plain or gzipped, or `-`: each line decoded, and named where it cannot be."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from services.evaluation.errors import EvaluationFileError
from streams.turn_file import read_lines


class EventLine(Protocol):
    """A line that is about one event."""

    @property
    def event_id(self) -> str:
        """Its id."""
        ...


Line = TypeVar("Line")
LineOfEvent = TypeVar("LineOfEvent", bound=EventLine)


def decoded_lines(path: str | Path, decode: Callable[[bytes], Line], what: str) -> Iterator[tuple[int, Line]]:
    """Yields the number and the content of each line.

    Args:
        path: of the file.
        decode: of a line; raises `msgspec.DecodeError` or `ValueError`.
        what: a line is, for messages.

    Raises:
        EvaluationFileError: a line is something else; it names file and line.
        TurnFileError: the file cannot be read.
    """
    for number, text in read_lines(path):
        try:
            line = decode(text)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise EvaluationFileError(f"{path}, line {number}: not {what}: {error}") from error
        yield number, line


def read_lines_of_events(
    path: str | Path, decode: Callable[[bytes], LineOfEvent], what: str
) -> list[LineOfEvent]:
    """The lines of a file that has at most one for each event; arguments as for `decoded_lines`.

    Raises:
        EvaluationFileError: a line is something else, or an event has two of them; it names file and line.
        TurnFileError: the file cannot be read.
    """
    found: list[LineOfEvent] = []
    places: dict[str, int] = {}
    for number, line in decoded_lines(path, decode, what):
        if line.event_id in places:
            raise EvaluationFileError(
                f"{path}, line {number}: event {line.event_id!r} has a line already, line "
                f"{places[line.event_id]}: keep one for each event"
            )
        places[line.event_id] = number
        found.append(line)
    return found
