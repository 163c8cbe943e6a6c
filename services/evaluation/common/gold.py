"""Gold: what the log does not know, one line for each turn."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from services.evaluation.common.json_lines import decoded_lines
from services.evaluation.common.understanding import Meaning, frame_meaning, nlu_meaning
from services.evaluation.errors import EvaluationFileError
from streams.turn import Slot


class ReferenceNlu(Struct, frozen=True):
    """What a perfect NLU would have made of what was said."""

    intent: str | None
    domain: str | None = None
    slots: tuple[Slot, ...] = ()


class GoldTurn(Struct, frozen=True, kw_only=True):
    """What the user meant: as `reference_nlu`, or as `reference_frame`, (slot or act, value) pairs."""

    event_id: str
    reference_nlu: ReferenceNlu | None = None
    reference_frame: tuple[tuple[str, str], ...] | None = None
    reference_text: str | None = None
    correct: bool | None = None  # whether the request was understood as it was meant, where annotated
    recording_heard_before: bool | None = None  # the very recording occurs in the training log
    confused: bool | None = None  # a valid request, but not what this user means by it

    @property
    def reference(self) -> Meaning:
        """What the user meant."""
        if self.reference_nlu is not None:
            nlu = self.reference_nlu
            return nlu_meaning(nlu.domain, nlu.intent, nlu.slots)
        return frame_meaning(self.reference_frame or ())


def read_gold(path: str | Path) -> Iterator[GoldTurn]:
    """Yields the lines of a gold file, JSON Lines, plain or gzipped; unknown fields are passed over.

    Raises:
        EvaluationFileError: a line is not gold, or says nothing of what was meant.
        TurnFileError: the file cannot be read.
    """
    for number, turn in decoded_lines(path, msgspec.json.Decoder(GoldTurn).decode, "gold of a turn"):
        if turn.reference_nlu is None and turn.reference_frame is None:
            raise EvaluationFileError(
                f"{path}, line {number}: event {turn.event_id!r} has neither reference_nlu nor "
                "reference_frame: nothing says what the user meant; give a gold file that does"
            )
        yield turn
