"""Request counts: the statistics of one assistant, kept up session by session.

The counts follow the sessions exactly: adding a session and taking it away again leaves no trace, so they can
be kept up with a stream, and built in the order of time for training. They know who said what, which the
statistics do not.

What a rewrite has run counts for nobody: nobody has said it. What was said then has its users, and the second
tries that it led to; how it does as it is, is told by the requests alone that ran as they were.
"""

from collections.abc import Iterator

from msgspec import Struct, field

from labeling.text.question import NO_QUESTION, Question
from rewriting.evidence.exact_count import add_count, add_nested_count
from rewriting.evidence.interpretation import Interpretation
from rewriting.evidence.wordings import written_by_most
from rewriting.requests.statistics import (
    AnswerStatistics,
    InterpretationStatistics,
    Outcomes,
    QuestionStatistics,
    RepairStatistics,
    StatisticsSource,
    TextKey,
    TextStatistics,
    confidence_bin,
)
from rewriting.requests.step import RequestStep, RequestText, SessionRequests
from streams.turn import UserId

MOST_REPAIRS = 16
"""Targets of second tries in the statistics of a text: the ranker looks at fewer."""

MOST_ANSWERS = 200
"""Answers in the statistics of a question: more than people give to one, and little to read."""


class RequestCounts(StatisticsSource):
    """Counts over the sessions of one assistant.

    Args:
        min_users: distinct users who must have succeeded with a text before it is told to others.
    """

    def __init__(self, min_users: int) -> None:
        self.min_users = min_users
        self._texts: dict[TextKey, _TextCounts] = {}
        self._interpretations: dict[Interpretation, _InterpretationCounts] = {}
        self._questions: dict[Question, _QuestionCounts] = {}
        self._known_texts: dict[TextKey, TextStatistics] = {}  # as of now
        self._known_interpretations: dict[Interpretation, InterpretationStatistics] = {}
        self._known_questions: dict[Question, QuestionStatistics] = {}

    @property
    def texts(self) -> Iterator[TextKey]:
        """All texts, and all texts after a question, that were said."""
        return iter(self._texts)

    @property
    def interpretations(self) -> Iterator[Interpretation]:
        """All interpretations that occurred."""
        return iter(self._interpretations)

    @property
    def questions(self) -> Iterator[Question]:
        """All questions that were answered."""
        return iter(self._questions)

    def text(self, text: RequestText, question: Question) -> TextStatistics | None:
        """Of a text after a question; of the empty question: of the text anywhere."""
        key = text, question
        if key not in self._known_texts and key in self._texts:
            self._known_texts[key] = self._texts[key].statistics()
        return self._known_texts.get(key)

    def interpretation(self, interpretation: Interpretation) -> InterpretationStatistics | None:
        """Of an interpretation."""
        known = self._known_interpretations
        if interpretation not in known and interpretation in self._interpretations:
            known[interpretation] = self._interpretations[interpretation].statistics(self.min_users)
        return known.get(interpretation)

    def users_of(self, interpretation: Interpretation) -> int:
        """Distinct users whose requests were understood so, whatever came of them."""
        counts = self._interpretations.get(interpretation)
        return len(counts.users) if counts is not None else 0

    def question(self, question: Question) -> QuestionStatistics | None:
        """Of a question."""
        if question not in self._known_questions and question in self._questions:
            self._known_questions[question] = self._questions[question].statistics()
        return self._known_questions.get(question)

    def add(self, session: SessionRequests) -> None:
        """Adds a session that is not in."""
        self._change(session, 1)

    def remove(self, session: SessionRequests) -> None:
        """Takes a session away that is in, as it was added."""
        self._change(session, -1)

    def _change(self, session: SessionRequests, sign: int) -> None:
        for step, later in zip(session.steps, session.each_second_try(), strict=True):
            target = None if later is None else session.steps[later].interpretation
            for key in text_keys(step):
                text = self._texts.setdefault(key, _TextCounts())
                text.add(step, session.user_id, target, sign)
                if not text.users:
                    del self._texts[key]
                self._known_texts.pop(key, None)
            if step.run:
                continue
            interpretation = self._interpretations.setdefault(step.interpretation, _InterpretationCounts())
            interpretation.add(step, session.user_id, target, sign)
            if not interpretation.outcomes.requests:
                del self._interpretations[step.interpretation]
            self._known_interpretations.pop(step.interpretation, None)
            if step.question and step.success:
                question = self._questions.setdefault(step.question, _QuestionCounts())
                question.add(step, session.user_id, sign)
                if not question.answers:
                    del self._questions[step.question]
                self._known_questions.pop(step.question, None)


def text_keys(step: RequestStep) -> Iterator[TextKey]:
    """The keys under which a request counts: its text anywhere, and after the question."""
    yield step.text, NO_QUESTION
    if step.question:
        yield step.text, step.question


class TouchedKeys(Struct, frozen=True):
    """Of what the statistics are others once some sessions were added or removed."""

    texts: set[TextKey] = field(default_factory=set)
    interpretations: set[Interpretation] = field(default_factory=set)
    questions: set[Question] = field(default_factory=set)

    def touch(self, session: SessionRequests) -> None:
        """Adds the keys under which the requests of a session count."""
        for step in session.steps:
            self.texts.update(text_keys(step))
            if step.run:
                continue
            self.interpretations.add(step.interpretation)
            if step.question and step.success:
                self.questions.add(step.question)


class SharedStatistics(StatisticsSource):
    """Of the counts what may be told to any user: this is what the database holds of them.

    Of a text or an interpretation of fewer than `min_users` distinct users, nothing is told.
    """

    def __init__(self, counts: RequestCounts) -> None:
        self._counts = counts

    def text(self, text: RequestText, question: Question) -> TextStatistics | None:
        """Of a text after a question; of the empty question: of the text anywhere."""
        known = self._counts.text(text, question)
        return known if known is not None and known.users >= self._counts.min_users else None

    def interpretation(self, interpretation: Interpretation) -> InterpretationStatistics | None:
        """Of an interpretation."""
        is_told = self._counts.users_of(interpretation) >= self._counts.min_users
        return self._counts.interpretation(interpretation) if is_told else None

    def question(self, question: Question) -> QuestionStatistics | None:
        """Of a question."""
        return self._counts.question(question)


class _Repairs(Struct):
    users: dict[UserId, int] = field(default_factory=dict)  # whose they are -> times
    bins: dict[int, int] = field(default_factory=dict)


_RepairsByTarget = dict[Interpretation, _Repairs]


class _Counts(Struct):
    outcomes: Outcomes = field(default_factory=Outcomes)
    users: dict[UserId, int] = field(default_factory=dict)  # who said it -> times
    repairs: _RepairsByTarget = field(default_factory=dict)

    def add(self, step: RequestStep, user: UserId, target: Interpretation | None, sign: int) -> None:
        if not step.run:
            self.outcomes.add(step, sign)
        add_count(self.users, user, sign)
        if target is not None:
            _add_repair(self.repairs, target, user, step, sign)


class _TextCounts(_Counts):
    def statistics(self) -> TextStatistics:
        bins: dict[int, int] = {}
        for repairs in self.repairs.values():
            for index, times in repairs.bins.items():
                add_count(bins, index, times)
        return TextStatistics(self.outcomes, len(self.users), _most_repairs(self.repairs), bins)


class _InterpretationCounts(_Counts):
    met: dict[UserId, float] = field(default_factory=dict)  # who succeeded with it -> weight
    met_texts: dict[str, dict[UserId, int]] = field(default_factory=dict)  # as it was said -> who -> times

    def add(self, step: RequestStep, user: UserId, target: Interpretation | None, sign: int) -> None:
        _Counts.add(self, step, user, target, sign)
        if step.success:
            add_count(self.met, user, sign * step.success)
            add_nested_count(self.met_texts, step.surface, user, sign)

    def statistics(self, min_users: int) -> InterpretationStatistics:
        return InterpretationStatistics(
            outcomes=self.outcomes,
            met_users=len(self.met),
            met_weight=sum(self.met.values()),
            text=self._text(min_users),
            repairs=_most_repairs(self.repairs),
            repair_count=sum(sum(repairs.bins.values()) for repairs in self.repairs.values()),
        )

    def _text(self, min_users: int) -> str | None:
        known = {text: users for text, users in self.met_texts.items() if len(users) >= min_users}
        return written_by_most(known) if known else None


class _QuestionCounts(Struct):
    answers: dict[Interpretation, dict[UserId, float]] = field(default_factory=dict)  # met -> who -> weight

    def add(self, step: RequestStep, user: UserId, sign: int) -> None:
        add_nested_count(self.answers, step.interpretation, user, sign * step.success)

    def statistics(self) -> QuestionStatistics:
        answers = {
            key: AnswerStatistics(len(users), sum(users.values())) for key, users in self.answers.items()
        }
        most = sorted(answers.items(), key=lambda item: (-item[1].users, -item[1].weight, item[0]))
        return QuestionStatistics(
            dict(most[:MOST_ANSWERS]), sum(answer.weight for answer in answers.values())
        )


def _add_repair(
    repairs: _RepairsByTarget, target: Interpretation, user: UserId, step: RequestStep, sign: int
) -> None:
    counts = repairs.setdefault(target, _Repairs())
    add_count(counts.users, user, sign)
    add_count(counts.bins, confidence_bin(step.confidence), sign)
    if not counts.users:
        del repairs[target]


def _most_repairs(repairs: _RepairsByTarget) -> dict[Interpretation, RepairStatistics]:
    statistics = {
        key: RepairStatistics(len(counts.users), dict(counts.bins)) for key, counts in repairs.items()
    }
    most = sorted(statistics.items(), key=lambda item: (-item[1].count, item[0]))
    return dict(most[:MOST_REPAIRS])
