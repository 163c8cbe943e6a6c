"""Files of single requests with their intents: `{"text": ..., "intent": ...}` a line.

Each request becomes a dialogue of one turn, of a user of its own, and its intent an annotation.
"""

from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from labeling.annotations.annotation import Annotation
from services.evaluation.common.json_lines import decoded_lines
from services.evaluation.errors import EvaluationFileError
from services.platform.clock import now_ms
from streams.turn import EventId, Request, TurnEvent
from streams.turn_file import read_lines, read_turns

ASSISTANT: Final = "requests"
"""Of all such files: what one teaches, another may be labelled by."""


class _Line(Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    intent: str


_DECODER = msgspec.json.Decoder(_Line)


class IntentRequests(Struct, frozen=True):
    """The requests of a file."""

    turns: list[TurnEvent]
    annotations: list[Annotation]  # parallel to the turns


def is_intent_file(path: str | Path) -> bool:
    """Whether the first line of a file is a text with its intent; standard input never is.

    Raises:
        TurnFileError: the file cannot be read.
    """
    if str(path) == "-":
        return False
    for _, line in read_lines(path):
        try:
            _DECODER.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return False
        return True
    return False


def read_intent_file(path: str | Path) -> IntentRequests:
    """Reads a file, plain or gzipped; an event is called by the file's name and the number of its line.

    Raises:
        EvaluationFileError: a line is not a text with its intent; it names file and line.
        TurnFileError: the file cannot be read.
    """
    turns, annotations = [], []
    what = "a text with its intent, as the first line is"
    for number, line in decoded_lines(path, _DECODER.decode, what):
        event_id = f"{Path(path).name}:{number}"
        turns.append(
            TurnEvent(
                schema_version=1,
                event_id=event_id,
                assistant_id=ASSISTANT,
                user_id=event_id,
                dialogue_id=event_id,
                ts_ms=0,
                request=Request(text=line.text),
            )
        )
        annotations.append(Annotation(event_id=EventId(event_id), intent=line.intent))
    return IntentRequests(turns, annotations)


class LogReader(Struct):
    """Reads logs of turn events and files of single requests, and adds what the latter say to annotations."""

    annotations: dict[EventId, Annotation]  # of turns of any log
    paths: dict[str, Path] = {}  # of files of requests, by the name that their events have

    def read(self, path: Path) -> list[TurnEvent]:
        """The turns of a log of either kind.

        Raises:
            EvaluationFileError: a line is something else, or another file of requests has the same name.
            TurnFileError: the file cannot be read.
        """
        if not is_intent_file(path):
            return list(read_turns(path, now_ms))
        if path.name in self.paths:
            raise EvaluationFileError(
                f"{self.paths[path.name]} and {path} have the same name, by which their requests are "
                "called: rename one"
            )
        self.paths[path.name] = path
        requests = read_intent_file(path)
        self.annotations |= {EventId(one.event_id): one for one in requests.annotations}
        return requests.turns
