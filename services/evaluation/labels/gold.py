"""Gold of labels: what is true of a turn, from annotations or from gold files of several makes."""

from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from labeling.annotations.annotation import AnnotatedSlot, Annotation, Rating
from services.evaluation.common.gold import ReferenceNlu
from services.evaluation.common.json_lines import read_lines_of_events
from services.evaluation.common.log_split import GoldKind
from services.evaluation.errors import EvaluationFileError
from streams.turn import EventId

NO_INTENT = "NONE"
"""In lists of intents, one for each service: the user wants nothing of that service."""


class GoldLabel(Struct, frozen=True, kw_only=True):
    """What is true of one turn; None: nobody says.

    Adjacent turns with the same `goal_id` work towards one goal.
    """

    event_id: EventId
    goal_id: str | None = None
    correct: bool | None = None  # the assistant did what the user had asked for
    goal_success: bool | None = None  # said on any turn of the goal
    ratings: tuple[int, ...] | None = None  # of this turn, 1..5, one for each rater
    dialogue_ratings: tuple[int, ...] | None = None  # of the dialogue that this turn ends
    domain: str | None = None
    intent: str | None = None
    intent_within_domain: bool = False  # the intent's name means something only together with the domain's
    slots: tuple[AnnotatedSlot, ...] | None = None

    @classmethod
    def of(cls, annotation: "Annotation | _Line") -> "GoldLabel":
        """What an annotation, or a line of a gold file with its fields, says is true."""
        return cls(
            event_id=EventId(annotation.event_id),
            goal_id=annotation.goal_id,
            correct=annotation.correct,
            goal_success=annotation.goal_success,
            ratings=annotation.satisfaction or None,
            dialogue_ratings=annotation.dialogue_satisfaction or None,
            domain=annotation.domain,
            intent=annotation.intent,
            slots=annotation.slots,
        )

    @property
    def says_anything(self) -> bool:
        """Whether any label can be scored by it."""
        return any(getattr(self, name) is not None for name in _LABELS)


_LABELS = (
    "goal_id", "correct", "goal_success", "ratings", "dialogue_ratings", "domain", "intent", "slots",
)  # fmt: skip


class _Dialogue(Struct, frozen=True):
    overall_ratings: tuple[Rating, ...] | None = None


class _Line(Struct, frozen=True, kw_only=True):
    """The fields of all makes; others are passed over."""

    event_id: EventId
    goal_id: str | None = None
    correct: bool | None = None
    goal_success: bool | None = None
    satisfaction: tuple[Rating, ...] | None = None
    dialogue_satisfaction: tuple[Rating, ...] | None = None
    domain: str | None = None
    intent: str | None = None
    slots: tuple[AnnotatedSlot, ...] | None = None
    reference_nlu: ReferenceNlu | None = None
    services: tuple[str, ...] = ()
    intents: tuple[str, ...] = ()
    notify: Literal["NOTIFY_SUCCESS", "NOTIFY_FAILURE"] | None = None
    satisfaction_ratings: tuple[Rating, ...] | None = None
    user_act: str | None = None
    dialogue: _Dialogue | None = None

    @property
    def label(self) -> GoldLabel:
        nlu = self.reference_nlu
        if nlu is not None:
            domain, intent = nlu.domain, nlu.intent
            slots = tuple(AnnotatedSlot(name=slot.name, value=slot.value) for slot in nlu.slots)
            return msgspec.structs.replace(
                self._base, domain=domain, intent=intent, intent_within_domain=True, slots=slots
            )
        if self.services:
            service = self.services[0]
            return msgspec.structs.replace(
                self._base,
                goal_id=self.goal_id or service,  # a goal is a stretch of turns about one service
                goal_success=None if self.notify is None else self.notify == "NOTIFY_SUCCESS",
                domain=service,
                intent=next((intent for intent in self.intents if intent != NO_INTENT), None),
            )
        return self._base

    @property
    def _base(self) -> GoldLabel:
        of_dialogue = None if self.dialogue is None else self.dialogue.overall_ratings
        known = GoldLabel.of(self)
        return msgspec.structs.replace(
            known,
            ratings=known.ratings or self.satisfaction_ratings or None,
            dialogue_ratings=known.dialogue_ratings or of_dialogue or None,
            intent=known.intent or self.user_act,
        )


def read_gold_labels(path: str | Path) -> list[GoldLabel]:
    """The lines of a gold file, JSON Lines, plain or gzipped, or `-`; unknown fields are passed over.

    A line is an annotation, or has `reference_nlu`, or `services` with `intents` and `notify`, or
    `satisfaction_ratings` and `dialogue.overall_ratings`.

    Raises:
        EvaluationFileError: a line is not gold, an event has two of them, or none says anything of a label.
        TurnFileError: the file cannot be read.
    """
    lines = read_lines_of_events(path, msgspec.json.Decoder(_Line).decode, "gold of a turn")
    gold = [line.label for line in lines]
    if gold and not any(line.says_anything for line in gold):
        raise EvaluationFileError(
            f"{path}: no line says anything that a label could be scored by: give annotations, or a gold "
            "file with goals, correctness, ratings, intents or slots"
        )
    return gold


def _nothing_said(gold: Path | None) -> str:
    if gold is None:
        return "the annotations speak of none of the turns to be scored on: annotate some, or give --gold"
    return f"{gold} speaks of none of the turns to be scored on: give the gold of these"


LABEL_GOLD: Final = GoldKind(
    read=read_gold_labels,
    of_annotation=GoldLabel.of,
    says_anything=lambda line: line.says_anything,
    nothing_said=_nothing_said,
)
"""What label models are scored by."""
