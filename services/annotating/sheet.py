"""Annotation sheets: turns as CSV that people fill in with a spreadsheet program, and what they filled in.

A cell that a spreadsheet program would take for a formula, a date or a number is written with an apostrophe
before it, which is taken away when the sheet is read. Sheets are read as programs save them: with a comma, a
semicolon or a tab between cells, in UTF-8 or UTF-16.
"""

import csv
import io
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, get_args

from msgspec import Struct

from labeling.annotations.annotation import FailurePoint
from labeling.text.rewritten_request import is_rewritten
from services.annotating.sample import SampledTurn
from services.errors import AnnotationSheetError
from streams.turn import EventId, NluHypothesis, TurnEvent

COLUMNS: Final = (
    "event_id",
    "previous_turns",
    "request",
    "alternatives",
    "understood",
    "response",
    "signals",
    "next_turns",
    "failure_point",  # a person fills it in
    "annotator",  # and this, where a sheet has several
    "note",
)

_POINTS: Final[tuple[FailurePoint, ...]] = get_args(FailurePoint)

_AROUND: Final = 3  # turns before and after: as many as people read
_MOST_CHARACTERS: Final = 1_000  # of a text
_MOST_CELL: Final = 30_000  # characters; spreadsheet programs hold 32,767
_MOST_FIELD: Final = 1_000_000  # characters of a cell that is read: more is no sheet

_FORMULA: Final = tuple("=+-@\t\r'")
_MONTH: Final = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_CHANGED: Final = re.compile(  # numbers, dates, times, and the words for true and false
    rf"[\d\W]*\d[\d\W]*(e[+-]?\d+|[ap]m|{_MONTH}[\d\W]*)?|{_MONTH}[\d\W]+|true|false", re.IGNORECASE
)
_LONGEST_CHANGED: Final = 40  # characters: no number or date is longer


class SheetLine(Struct, frozen=True):
    """What one person said of one turn."""

    event_id: EventId
    annotator: str
    failure_point: FailurePoint
    place: str  # file and line


def sheet_bytes(sample: Sequence[SampledTurn], annotator: str = "") -> bytes:
    """A sheet to be filled in.

    Args:
        sample: turns, a row each.
        annotator: who will fill it in, where that is known.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in sample:
        turns, position = one.session.turns, one.position
        turn = turns[position]
        cells = {
            "event_id": turn.event_id,
            "previous_turns": _lines(turns[max(0, position - _AROUND) : position]),
            "request": _both(turn),
            "alternatives": "\n".join(_cut(other.text) for other in turn.request.asr[1:]),
            "understood": "\n".join(_in_words(meaning) for meaning in turn.nlu),
            "response": _response(turn),
            "signals": ", ".join(_signals(turn)),
            "next_turns": _lines(turns[position + 1 : position + 1 + _AROUND]),
            "annotator": annotator,
        }
        writer.writerow([guarded(cells.get(column, "")) for column in COLUMNS])
    return b"\xef\xbb\xbf" + stream.getvalue().encode()  # the mark by which spreadsheet programs know UTF-8


def read_sheets(paths: Iterable[Path], known: Container[str]) -> list[SheetLine]:
    """What people filled in; rows without a failure point are passed over.

    Where a row names no annotator, it is the file's name.

    Args:
        paths: of the sheets.
        known: the events of the log.

    Raises:
        AnnotationSheetError: a file is no sheet, a failure point is none, an event is unknown, or one
            annotator says two things of a turn. It names file and line.
    """
    said: dict[tuple[str, str], SheetLine] = {}
    for line in (line for path in paths for line in _sheet_lines(path, known)):
        before = said.setdefault((line.annotator, line.event_id), line)
        if before.failure_point != line.failure_point:
            raise AnnotationSheetError(
                f"{line.place}: annotator {line.annotator!r} says {line.failure_point} of event "
                f"{line.event_id!r}, but {before.failure_point} in {before.place}: keep one of them"
            )
    return list(said.values())


def _sheet_lines(path: Path, known: Container[str]) -> Iterator[SheetLine]:
    for number, row in _rows(path):
        place = f"{path}, line {number}"
        text = unguarded(row["failure_point"])
        if not text:
            continue
        point = re.sub(r"[\s-]+", "_", text.lower())
        if point not in _POINTS:
            raise AnnotationSheetError(
                f"{place}: {text!r} is no failure point: write one of {', '.join(_POINTS)}, or nothing"
            )
        event_id = row["event_id"].strip()
        if event_id not in known:
            event_id = unguarded(event_id)
        if event_id not in known:
            raise AnnotationSheetError(
                f"{place}: event {event_id!r} is in none of the logs: give all logs with --turns, and leave "
                "the column event_id as it was exported"
            )
        annotator = unguarded(row.get("annotator") or "") or path.name.split(".")[0]
        yield SheetLine(EventId(event_id), annotator, point, place)


def guarded(text: str) -> str:
    """A cell that every spreadsheet program shows, and saves, as the text that it is."""
    text = "".join(one if one in "\n\t" or one.isprintable() else " " for one in text)[:_MOST_CELL]
    is_changed = len(text) <= _LONGEST_CHANGED and _CHANGED.fullmatch(text.strip())
    return f"'{text}" if text.startswith(_FORMULA) or is_changed else text


def unguarded(cell: str) -> str:
    """What `guarded` was given, without spaces around."""
    cell = cell.strip()
    return cell[1:].strip() if cell.startswith("'") else cell


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows by column, with the number of the line on which each starts."""
    text = _text(path)
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    csv.field_size_limit(_MOST_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns: list[str] | None = None
    start = 1
    try:
        for cells in reader:
            if columns is None:
                columns = [cell.strip().lower() for cell in cells]
                missing = [name for name in ("event_id", "failure_point") if name not in columns]
                if missing:
                    raise AnnotationSheetError(
                        f"{path}, line 1: no column {' and '.join(missing)}: the first line must name the "
                        f"columns, as `rehear annotate export` writes it; it has {', '.join(columns[:12])}"
                    )
            elif any(cell.strip() for cell in cells):
                row = dict.fromkeys(columns, "") | dict(zip(columns, cells, strict=False))
                if not row["event_id"].strip():
                    raise AnnotationSheetError(f"{path}, line {start}: the row has no event_id")
                yield start, row
            start = reader.line_num + 1
    except csv.Error as error:
        raise AnnotationSheetError(f"{path}, line {reader.line_num}: not CSV: {error}") from error
    if columns is None:
        raise AnnotationSheetError(f"{path}: the file is empty")


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AnnotationSheetError(f"cannot read {path}: {error}") from error
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        raise AnnotationSheetError(
            f"{path}: not {encoding}: {error}; save the sheet as CSV in UTF-8"
        ) from error


def _lines(turns: Iterable[TurnEvent]) -> str:
    return "\n".join(f"user: {_both(turn)}\nassistant: {_response(turn)}" for turn in turns)


def _both(turn: TurnEvent) -> str:
    """What was said and, where that is something else, what was run."""
    said = _cut(turn.request.text)
    return f"{said} → run as {_cut(turn.executed)}" if is_rewritten(turn) else said


def _response(turn: TurnEvent) -> str:
    if turn.response is None:
        return ""
    status = f" [{turn.response.status}]" if turn.response.status not in (None, "ok") else ""
    return f"{_cut(turn.response.text or turn.response.action or '')}{status}"


def _signals(turn: TurnEvent) -> list[str]:
    named = (("interrupted", turn.signals.barge_in), ("stopped", turn.signals.terminated))
    signals = [name for name, there in named if there]
    return [*signals, f"{turn.signals.feedback} feedback"] if turn.signals.feedback else signals


def _in_words(meaning: NluHypothesis) -> str:
    slots = ", ".join(f"{slot.name}={slot.value}" for slot in meaning.slots)
    name = f"{meaning.domain}.{meaning.intent}" if meaning.domain else meaning.intent
    return _cut(f"{name} ({slots})" if slots else name)


def _cut(text: str) -> str:
    text = " ".join(text[: 2 * _MOST_CHARACTERS].split())
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
