"""Chain counts: what the chain of one assistant is made of.

A session is added or taken away, exactly: all weights are binary fractions of few digits (`TurnOutcome`), so
no order of sessions, and no detour over sessions that were revised, leaves a trace in their sums.
"""

from collections.abc import Iterable, Iterator

from rewriting.chains.step import N_BANDS, ChainStep, SessionSteps
from rewriting.evidence.exact_count import add_count
from rewriting.evidence.interpretation import Interpretation
from rewriting.evidence.wordings import Wordings
from streams.session import SessionId
from streams.turn import UserId


class OutcomeCounts:
    """How the requests of one kind ended."""

    __slots__ = ("failure", "following", "requests", "success")

    def __init__(self) -> None:
        self.requests = 0
        self.success = 0.0
        self.failure = 0.0
        self.following: dict[
            int, float
        ] = {}  # number of the next interpretation -> weight that went on to it

    def add(self, step: ChainStep, following: int | None, sign: int) -> None:
        """Adds (sign 1) or takes away (sign -1) one step; `following` where it goes on."""
        self.requests += sign
        self.success += sign * step.success
        self.failure += sign * step.failure
        if following is not None:
            add_count(self.following, following, sign * step.goes_on)


class TextCounts(Wordings):
    """What is known of one normalised text."""

    __slots__ = ("bands", "interpretations", "led_to")

    def __init__(self) -> None:
        super().__init__()
        self.bands: list[OutcomeCounts | None] = [None] * N_BANDS
        self.interpretations: dict[int, int] = {}  # number of the interpretation -> times
        self.led_to: dict[int, dict[SessionId, UserId]] = {}
        """Number of an interpretation -> sessions that came to it from this text by second tries -> whose
        they are. These are the evidence of a rewrite (`_repairs`)."""

    @property
    def requests(self) -> int:
        """Times it was said."""
        return sum(band.requests for band in self.bands if band)

    @property
    def success(self) -> float:
        """Weight of success."""
        return sum(band.success for band in self.bands if band)

    @property
    def success_rate(self) -> float:
        """Share of its requests that were met as they are, 0..1."""
        return self.success / self.requests if self.requests else 0.0

    def band(self, index: int) -> OutcomeCounts:
        """The counts of one confidence band."""
        counts = self.bands[index]
        if counts is None:
            counts = self.bands[index] = OutcomeCounts()
        return counts


class ChainCounts:
    """Counts over the sessions of one assistant."""

    def __init__(self) -> None:
        self.texts: dict[str, TextCounts] = {}
        self.interpretations: list[Interpretation] = []  # by number
        self.outcomes: list[OutcomeCounts] = []  # by number
        self.texts_at: list[dict[str, int]] = []  # by number: text -> times it was understood so
        self._numbers: dict[Interpretation, int] = {}
        self._parents: list[int] = []  # union-find over numbers that ever shared a session's chain

    def add(self, session: SessionSteps) -> set[int]:
        """Adds a session that is not in; gives the numbers of the interpretations it touched."""
        return self._change(session, 1)

    def remove(self, session: SessionSteps) -> set[int]:
        """Takes a session away that is in, as it was added."""
        return self._change(session, -1)

    def connected(self, numbers: Iterable[int]) -> list[list[int]]:
        """All interpretations that are, or once were, in one component with the given ones; by component.

        A union is never undone, so a list may hold several components by now: solve them apart.
        """
        roots = {self._root(number) for number in numbers}
        groups: dict[int, list[int]] = {root: [] for root in roots}
        for number in range(len(self._parents)):
            root = self._root(number)
            if root in groups:
                groups[root].append(number)
        return list(groups.values())

    def _change(self, session: SessionSteps, sign: int) -> set[int]:
        steps = session.steps
        numbers = [self._number(step.interpretation) for step in steps]
        for i, step in enumerate(steps):
            number = numbers[i]
            following = numbers[i + 1] if step.goes_on else None
            text = self._text(step.text)
            text.band(step.band).add(step, following, sign)
            self.outcomes[number].add(step, following, sign)
            text.note(step.surface, session.user_id, bool(step.success), sign)
            add_count(text.interpretations, number, sign)
            add_count(self.texts_at[number], step.text, sign)
            if following is not None:
                self._join(number, following)
            for other in text.interpretations:
                self._join(number, other)
        for source, target in set(_repairs(session, numbers)):
            led_to = self.texts[source].led_to
            if sign > 0:
                led_to.setdefault(target, {})[session.session_id] = session.user_id
            else:
                del led_to[target][session.session_id]
                if not led_to[target]:
                    del led_to[target]
        for step in steps:
            if step.text in self.texts and not self.texts[step.text].said:
                del self.texts[step.text]
        return set(numbers)

    def _text(self, text: str) -> TextCounts:
        counts = self.texts.get(text)
        if counts is None:
            counts = self.texts[text] = TextCounts()
        return counts

    def _number(self, interpretation: Interpretation) -> int:
        number = self._numbers.get(interpretation)
        if number is None:
            number = self._numbers[interpretation] = len(self.interpretations)
            self.interpretations.append(interpretation)
            self.outcomes.append(OutcomeCounts())
            self.texts_at.append({})
            self._parents.append(number)
        return number

    def _root(self, number: int) -> int:
        while (parent := self._parents[number]) != number:
            self._parents[number] = self._parents[parent]
            number = parent
        return number

    def _join(self, a: int, b: int) -> None:
        a, b = self._root(a), self._root(b)
        if a != b:
            self._parents[max(a, b)] = min(a, b)


def _repairs(session: SessionSteps, numbers: list[int]) -> Iterator[tuple[str, int]]:
    """Pairs of a text, and an interpretation that the session came to from it by second tries.

    Each request on the way shows that it failed, or that the next one rephrases it: it goes on with its whole
    weight. Of a dialogue only the opening request counts as a source: a later one answers what the assistant
    has just said ("any", "the north"), and means something else wherever something else was said.
    """
    steps = session.steps
    for i in range(1 if session.is_dialogue else len(steps)):
        j = i
        while steps[j].goes_on == 1:
            j += 1
            yield steps[i].text, numbers[j]
