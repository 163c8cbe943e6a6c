"""Annotations files: JSON Lines, plain or gzipped, or `-` for standard input."""

from pathlib import Path

from labeling.annotation import Annotation, decode_annotation
from labeling.errors import AnnotationDecodeError, AnnotationFileError
from streams.errors import TurnFileError
from streams.turn import EventId
from streams.turn_file import read_lines


def read_annotations(*paths: str | Path) -> dict[EventId, Annotation]:
    """The annotations of one file or of several, by the id of their event; blank lines are passed over.

    Raises:
        AnnotationFileError: a file cannot be read, a line is not an annotation, or an event has two of them.
            It names file and line.
    """
    found: dict[EventId, Annotation] = {}
    places: dict[EventId, str] = {}
    for path in paths:
        try:
            for number, line in read_lines(path):
                place = f"{path}, line {number}"
                annotation = decode_annotation(line)
                event_id = EventId(annotation.event_id)
                if event_id in found:
                    raise AnnotationFileError(
                        f"{place}: event {event_id!r} is annotated already, in {places[event_id]}: put "
                        "what is said about it on one line"
                    )
                found[event_id], places[event_id] = annotation, place
        except AnnotationDecodeError as error:
            raise AnnotationFileError(f"{place}: {error}") from error
        except TurnFileError as error:
            raise AnnotationFileError(str(error)) from error
    return found
