"""Answer counts: what users have said to each question of one assistant, and what it then stated.

A session is added or taken away, exactly: all counts are multiples of a half, so no order of sessions, and no
detour over sessions that were revised, leaves a trace in them.
"""

from labeling.text.question import Question
from rewriting.chains.step import ChainStep, SessionSteps
from rewriting.evidence.exact_count import add_count, add_nested_count
from rewriting.evidence.interpretation import Interpretation
from rewriting.evidence.wordings import Wordings
from streams.session import SessionId
from streams.turn import UserId


class AnswerText(Wordings):
    """What is known of one normalised text after one question."""

    __slots__ = ("interpretations", "requests", "success", "told")

    def __init__(self) -> None:
        super().__init__()
        self.requests = 0
        self.success = 0.0
        self.interpretations: dict[Interpretation, int] = {}  # -> times it was understood so
        self.told: dict[tuple[Interpretation, str], dict[SessionId, int]] = {}
        """How it was understood and what was stated in response -> sessions -> times."""

    @property
    def success_rate(self) -> float:
        """Share of its requests that were met as they are, 0..1."""
        return self.success / self.requests if self.requests else 0.0

    @property
    def home(self) -> Interpretation:
        """How it is mostly understood."""
        return min(self.interpretations, key=lambda name: (-self.interpretations[name], name))

    def change(self, step: ChainStep, session: SessionSteps, sign: int) -> None:
        """Adds (sign 1) or takes away (sign -1) one step of a session."""
        self.requests += sign
        self.success += sign * step.success
        self.note(step.surface, session.person, bool(step.success), sign)
        add_count(self.interpretations, step.interpretation, sign)
        if step.told:
            add_nested_count(self.told, (step.interpretation, step.told), session.session_id, sign)


class QuestionCounts:
    """What is known of one question."""

    __slots__ = ("answers", "texts")

    def __init__(self) -> None:
        self.texts: dict[str, AnswerText] = {}
        self.answers: dict[Interpretation, dict[UserId, int]] = {}  # -> who was understood so -> times


class AnswerCounts:
    """Counts over the sessions of one assistant."""

    def __init__(self) -> None:
        self.questions: dict[Question, QuestionCounts] = {}
        self.users: dict[SessionId, UserId] = {}  # of the sessions in which something was asked

    def add(self, session: SessionSteps) -> set[Question]:
        """Adds a session that is not in; gives the questions in it."""
        return self._change(session, 1)

    def remove(self, session: SessionSteps) -> set[Question]:
        """Takes a session away that is in, as it was added."""
        return self._change(session, -1)

    def _change(self, session: SessionSteps, sign: int) -> set[Question]:
        asked = [step for step in session.steps if step.question and not step.said]  # as it was run
        for step in asked:
            counts = self.questions.setdefault(step.question, QuestionCounts())
            text = counts.texts.setdefault(step.text, AnswerText())
            text.change(step, session, sign)
            if not text.requests:
                del counts.texts[step.text]
            add_nested_count(counts.answers, step.interpretation, session.person, sign)
            if not counts.texts:
                del self.questions[step.question]
        if asked and sign > 0:
            self.users[session.session_id] = session.person
        elif asked:
            del self.users[session.session_id]
        return {step.question for step in asked}
