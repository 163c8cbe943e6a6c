"""Request statistics: what all users of one assistant together show of a text, an interpretation, a question.

This is what the ranker reads, from the counts in memory (`RequestCounts`) or from the database
(`StoredStatistics`). Nothing in it names a user.
"""

from collections.abc import Iterable
from typing import Protocol

from msgspec import Struct, field

from labeling.text.question import Question
from rewriting.evidence.exact_count import add_count
from rewriting.evidence.interpretation import Interpretation
from rewriting.requests.step import RequestStep, RequestText

CONFIDENCE_BINS = 20
"""Equal bins of the confidence, 0..1: a recogniser gives one recording nearly the same confidence again, so
wide bins would mix well heard requests with badly heard ones of the same words."""

UNKNOWN_CONFIDENCE = CONFIDENCE_BINS  # the bin of requests without one


def confidence_bin(confidence: float | None) -> int:
    """The bin of a confidence: 0..CONFIDENCE_BINS - 1, or `UNKNOWN_CONFIDENCE`."""
    if confidence is None:
        return UNKNOWN_CONFIDENCE
    return min(int(confidence * CONFIDENCE_BINS), CONFIDENCE_BINS - 1)


class Outcomes(Struct, array_like=True, gc=False):
    """How often requests of one kind came and were met, by confidence bin."""

    requests: dict[int, int] = field(default_factory=dict)
    success: dict[int, float] = field(default_factory=dict)  # weight of those that were met
    shown: dict[int, int] = field(default_factory=dict)  # those that nothing spoke against

    def add(self, step: RequestStep, sign: int) -> None:
        """Adds (1) or takes away (-1) a request."""
        index = confidence_bin(step.confidence)
        add_count(self.requests, index, sign)
        add_count(self.success, index, sign * step.success)
        if step.success:
            add_count(self.shown, index, sign)

    @property
    def count(self) -> int:
        """Requests."""
        return sum(self.requests.values())

    @property
    def success_weight(self) -> float:
        """Weight of those that were met."""
        return sum(self.success.values())


class RepairStatistics(Struct, frozen=True, array_like=True, gc=False):
    """Second tries that led from one text, or interpretation, to one other interpretation."""

    users: int  # distinct
    bins: dict[int, int]  # confidence bin of the first try -> times

    @property
    def count(self) -> int:
        """Second tries."""
        return sum(self.bins.values())


class TextStatistics(Struct, frozen=True, array_like=True):
    """What is known of one text, or of one text as the answer to one question."""

    outcomes: Outcomes
    users: int  # distinct, who said it
    repairs: dict[Interpretation, RepairStatistics]  # those with the most second tries
    repair_bins: dict[int, int]  # of all second tries: confidence bin -> times

    @property
    def repair_count(self) -> int:
        """All second tries."""
        return sum(self.repair_bins.values())


class InterpretationStatistics(Struct, frozen=True, array_like=True):
    """What is known of one interpretation."""

    outcomes: Outcomes
    met_users: int  # distinct, who succeeded with it
    met_weight: float  # of their success
    text: str | None  # how most users say it; None: nobody, or too few to be told
    repairs: dict[Interpretation, RepairStatistics]
    repair_count: int


class AnswerStatistics(Struct, frozen=True, array_like=True, gc=False):
    """Answers with one interpretation to one question that were met."""

    users: int  # distinct
    weight: float  # of success


class QuestionStatistics(Struct, frozen=True, array_like=True):
    """How one question of the assistant is answered."""

    answers: dict[Interpretation, AnswerStatistics]  # the most frequent ones
    weight: float  # of all answers


TextKey = tuple[RequestText, Question]


class StatisticsSource(Protocol):
    """Where statistics are read from."""

    def prefetch(
        self,
        texts: Iterable[TextKey] = (),
        interpretations: Iterable[Interpretation] = (),
        questions: Iterable[Question] = (),
    ) -> None:
        """Tells what will be asked for next, so that it can be read in one go, where it is to be read."""
        return

    def text(self, text: RequestText, question: Question) -> TextStatistics | None:
        """Of a text after a question; of the empty question: of the text anywhere."""
        ...

    def interpretation(self, interpretation: Interpretation) -> InterpretationStatistics | None:
        """Of an interpretation."""
        ...

    def question(self, question: Question) -> QuestionStatistics | None:
        """Of a question."""
        ...
