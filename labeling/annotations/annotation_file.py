"""Annotations files: JSON Lines, plain or gzipped, or `-` for standard input."""

from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import get_args

from msgspec import Struct

from labeling.annotations.annotation import Annotation, FailurePoint, decode_annotation
from labeling.errors import AnnotationDecodeError, AnnotationFileError
from streams.errors import TurnFileError
from streams.turn import EventId
from streams.turn_file import read_lines


class AnnotationLine(Struct, frozen=True):
    """An annotation and where it stands."""

    annotation: Annotation
    place: str  # file and line


def read_annotations(*paths: str | Path) -> dict[EventId, Annotation]:
    """The annotations of one file or of several, by the id of their event; blank lines are passed over.

    Raises:
        AnnotationFileError: a file cannot be read, a line is not an annotation, or an event has two of them.
            It names file and line.
    """
    return {event: line.annotation for event, line in read_annotation_lines(*paths).items()}


def read_annotation_lines(*paths: str | Path) -> dict[EventId, AnnotationLine]:
    """The same with the place of each; errors are those of `read_annotations`."""
    found: dict[EventId, AnnotationLine] = {}
    for line in _lines(paths):
        event_id = EventId(line.annotation.event_id)
        if event_id in found:
            raise AnnotationFileError(
                f"{line.place}: event {event_id!r} is annotated already, in {found[event_id].place}: put "
                "what is said about it on one line"
            )
        found[event_id] = line
    return found


GIVE_ALL_LOGS = "give all logs that the annotations speak of, or the annotations of these logs alone"


def require_known_events(
    lines: Iterable[AnnotationLine], known: Container[EventId], where: str, remedy: str = GIVE_ALL_LOGS
) -> None:
    """Refuses annotations of events that nobody knows: mistyped ids, or the file of another log.

    Args:
        lines: of files.
        known: the events of all logs that they may speak of.
        where: the known events are, for the message, such as "the training log".
        remedy: what to do, for the message.

    Raises:
        AnnotationFileError: there are some; it names file and line of the first, and how many there are.
    """
    unknown = [line for line in lines if EventId(line.annotation.event_id) not in known]
    if unknown:
        first = unknown[0]
        others = f", and {len(unknown) - 1:,} more" if len(unknown) > 1 else ""
        raise AnnotationFileError(
            f"{first.place}: event {first.annotation.event_id!r} is not in {where}{others}: {remedy}"
        )


def _lines(paths: Iterable[str | Path]) -> Iterator[AnnotationLine]:
    for path in paths:
        try:
            for number, text in read_lines(path):
                place = f"{path}, line {number}"
                yield AnnotationLine(decode_annotation(text), place)
        except AnnotationDecodeError as error:
            points = f": it is one of {', '.join(get_args(FailurePoint))}"
            told = points if "failure_point" in str(error) else ""
            raise AnnotationFileError(f"{place}: {error}{told}") from error
        except TurnFileError as error:
            raise AnnotationFileError(str(error)) from error
