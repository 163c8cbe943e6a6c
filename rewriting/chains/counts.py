"""Chain counts: what the chain of one assistant is made of.

A session is added or taken away, exactly: all weights are binary fractions of few digits (`TurnOutcome`), so
no order of sessions, and no detour over sessions that were revised, leaves a trace in their sums.
"""

from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import NewType

from msgspec import Struct

from rewriting.chains.confidence_cell import ConfidenceCell, cell_of
from rewriting.chains.request_days import RequestDays
from rewriting.chains.step import ChainStep, SessionSteps
from rewriting.chains.union_find import UnionFind
from rewriting.evidence.exact_count import add_count, add_nested_count
from rewriting.evidence.interpretation import Interpretation, slots_of
from rewriting.evidence.wordings import Wordings
from streams.session import SessionId
from streams.turn import UserId

MOST_TRIES = 8
"""Requests after a text that may be second tries of it. Raised, the work grows with the length of a run of
tries; lowered, who needed more tries is not learned from."""


class SecondTry(Struct, frozen=True, array_like=True, gc=False):
    """What one session shows of a text and what its user came to from it."""

    user_id: UserId  # the person's, where ids are linked
    text: str  # what was said at last, normalised
    day: int  # days since 1970
    visible: bool  # the first request failed visibly; else the two only look alike
    is_answer: bool  # the assistant had asked something
    is_echo: bool  # the assistant's own words
    after_run: bool = False  # a rewrite was run for the first request


TextKey = NewType("TextKey", str)
"""A normalised text in one locale: what is learned of it there holds there."""

_BEFORE_LOCALE = "\x1f"  # no normalised text has a control character


def text_key(text: str, locale: str = "") -> TextKey:
    """The key of a normalised text in one locale; of no locale: the text itself."""
    return TextKey(f"{text}{_BEFORE_LOCALE}{locale}" if locale else text)


def text_of(key: TextKey) -> tuple[str, str]:
    """The text and the locale of a key."""
    text, _, locale = key.partition(_BEFORE_LOCALE)
    return text, locale


class RunOutcome(Struct, frozen=True, array_like=True, gc=False):
    """How one request ended that a rewrite was run for."""

    user_id: UserId  # the person's, where ids are linked
    day: int  # days since 1970
    failed: bool  # visibly
    met: bool  # nothing speaks against it


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


class CellCounts:
    """How the requests of one text ended that were understood as surely."""

    __slots__ = ("following", "requests", "success")

    def __init__(self) -> None:
        self.requests = 0
        self.success = 0.0
        self.following: dict[int, float] | None = None  # as in `OutcomeCounts`; None: nothing, as of most

    def add(self, step: ChainStep, following: int | None, sign: int) -> None:
        """Adds (sign 1) or takes away (sign -1) one step; `following` where it goes on."""
        self.requests += sign
        self.success += sign * step.success
        if following is not None:
            if self.following is None:
                self.following = {}
            add_count(self.following, following, sign * step.goes_on)


class TextCounts(Wordings):
    """What is known of one normalised text."""

    __slots__ = ("cells", "days", "interpretations", "led_to", "run")

    def __init__(self) -> None:
        super().__init__()
        self.cells: dict[ConfidenceCell, CellCounts] = {}  # by how surely it was understood
        self.days = RequestDays()  # as it was said; where a rewrite was run: `run`
        self.interpretations: dict[int, int] = {}  # number of the interpretation -> times
        self.led_to: dict[int, dict[SessionId, SecondTry]] = {}
        """Number of an interpretation -> sessions that came to it from this text by second tries. These are
        the evidence of a rewrite (`_second_tries`)."""
        self.run: dict[str, dict[RunOutcome, int]] = {}
        """What a rewrite has run in its place, normalised -> how that ended -> times."""

    def times_by_user(self) -> Counter[UserId]:
        """How often each user said it, whatever was run."""
        times = Counter(self.days.times())
        for run in self.run.values():
            for outcome, runs in run.items():
                times[outcome.user_id] += runs
        return times

    def is_of_any(self, users: AbstractSet[UserId]) -> bool:
        """Whether one of these users said it, whatever was run."""
        return self.days.has_any_of(users) or any(
            outcome.user_id in users for run in self.run.values() for outcome in run
        )

    def is_said_by(self, users: int) -> bool:
        """Whether at least so many users said it, and it was run so."""
        return len(self.days) >= users

    @property
    def requests(self) -> int:
        """Times it was said, and run so."""
        return sum(cell.requests for cell in self.cells.values())

    @property
    def success(self) -> float:
        """Weight of success."""
        return sum(cell.success for cell in self.cells.values())

    @property
    def success_rate(self) -> float:
        """Share of its requests that were met as they are, 0..1."""
        return self.success / self.requests if self.requests else 0.0

    def cell(self, index: ConfidenceCell) -> CellCounts:
        """The counts of the requests that were understood as surely, by all that is known of it."""
        counts = self.cells.get(index)
        if counts is None:
            counts = self.cells[index] = CellCounts()
        return counts


class ChainCounts:
    """Counts over the sessions of one assistant."""

    def __init__(self) -> None:
        self.texts: dict[TextKey, TextCounts] = {}
        self.interpretations: list[Interpretation] = []  # by number
        self.outcomes: list[OutcomeCounts] = []  # by number
        self.texts_at: list[dict[TextKey, int]] = []  # by number: text -> times it was understood so
        self.days: dict[UserId, dict[int, int]] = {}  # user -> day -> sessions without a second try
        self._ordinary: dict[UserId, int] = {}  # user -> the same in all
        self.locales: dict[str, int] = {}  # -> sessions
        self.unordered: dict[TextKey, dict[TextKey, dict[UserId, int]]] = {}
        """Text -> another of the same time, one of which may be a second try -> by whom -> times;
        each pair both ways."""
        self._tried: dict[UserId, set[TextKey]] = {}  # user -> texts that they ever came from by second tries
        self._seen: set[UserId] = set()  # users of sessions that came or went since `take_seen`
        self._slotted = 0  # requests that were understood with slots
        self._with_slots: list[bool] = []  # by number
        self._numbers: dict[Interpretation, int] = {}
        self._joined = UnionFind()  # numbers that ever shared a session's chain

    def add(self, session: SessionSteps) -> set[int]:
        """Adds a session that is not in; gives the numbers of the interpretations it touched."""
        return self._change(session, 1)

    def remove(self, session: SessionSteps) -> set[int]:
        """Takes a session away that is in, as it was added."""
        return self._change(session, -1)

    @property
    def has_slots(self) -> bool:
        """Whether the assistant logs what it understood in detail."""
        return self._slotted > 0

    def home(self, key: TextKey) -> int:
        """The interpretation that a text mostly has."""
        numbers = self.texts[key].interpretations
        return min(numbers, key=lambda number: (-numbers[number], self.interpretations[number]))

    def ordinary_sessions(self, user: UserId) -> int:
        """Sessions of a user without a second try."""
        return self._ordinary.get(user, 0)

    def take_seen(self) -> set[UserId]:
        """The users of sessions that came or went since the last time: they may count otherwise now."""
        seen, self._seen = self._seen, set()
        return seen

    def tried_by(self, users: AbstractSet[UserId]) -> set[int]:
        """The interpretations of texts that users ever came from by second tries."""
        keys = {key for user in users for key in self._tried.get(user, ()) if key in self.texts}
        return {number for key in keys for number in self.texts[key].interpretations}

    def keys_of(self, text: str) -> list[TextKey]:
        """The keys of a text in all locales that it is said in."""
        keys = (text_key(text, locale) for locale in sorted({"", *self.locales}))
        return [key for key in keys if key in self.texts]

    def connected(self, numbers: Iterable[int]) -> list[list[int]]:
        """All interpretations that are, or once were, in one component with the given ones; by component.

        A union is never undone, so a list may hold several components by now: solve them apart.
        """
        roots = {self._joined.root(number) for number in numbers}
        groups: dict[int, list[int]] = {root: [] for root in roots}
        for number in range(len(self._joined)):
            root = self._joined.root(number)
            if root in groups:
                groups[root].append(number)
        return list(groups.values())

    def _change(self, session: SessionSteps, sign: int) -> set[int]:
        steps = session.steps
        user, locale = session.person, session.locale
        numbers = [self._number(step.interpretation) for step in steps]
        keys = [text_key(step.text, locale) for step in steps]
        add_count(self.locales, locale, sign)
        self._seen.add(user)
        for i, (step, key, number) in enumerate(zip(steps, keys, numbers, strict=True)):
            following = numbers[i + 1] if step.goes_on else None
            if step.said:  # what became of a rewrite is no evidence for the text that was run
                run = self._text(text_key(step.said, locale)).run
                add_nested_count(
                    run, step.text, RunOutcome(user, session.day, step.failed, bool(step.success)), sign
                )
                continue
            text = self._text(key)
            text.cell(cell_of(step)).add(step, following, sign)
            self.outcomes[number].add(step, following, sign)
            text.note(step.surface, user, bool(step.success), sign)
            text.days.note(user, session.day, bool(step.success), sign)
            if number not in text.interpretations:  # those that are in are joined already
                for other in (*text.interpretations, *text.led_to):
                    self._joined.join(number, other)
            add_count(text.interpretations, number, sign)
            self._slotted += sign * self._with_slots[number]
            add_count(self.texts_at[number], key, sign)
            if step.is_unordered and not steps[i + 1].said:
                self._note_unordered(key, keys[i + 1], user, sign)
            if following is not None:
                self._joined.join(number, following)
        second_tries = _second_tries(session, keys, numbers)
        if not second_tries:
            add_nested_count(self.days, user, session.day, sign)
            add_count(self._ordinary, user, sign)
        for (source, target), second_try in second_tries.items():
            led_to = self.texts[source].led_to
            if sign > 0:
                self._tried.setdefault(user, set()).add(source)
                for number in self.texts[source].interpretations:
                    self._joined.join(number, target)
                led_to.setdefault(target, {})[session.session_id] = second_try
            else:
                del led_to[target][session.session_id]
                if not led_to[target]:
                    del led_to[target]
        run_for = {text_key(step.said, locale) for step in steps if step.said}
        elsewhere: set[TextKey] = set()  # rows there may depend on what is said here
        if len(self.locales) > (locale in self.locales):
            elsewhere.update(key for step in steps for key in self.keys_of(step.text))
        touched = set(numbers)
        for key in run_for | elsewhere:
            touched.update(self.texts[key].interpretations)
        if sign < 0:
            for key in run_for.union(keys):
                if key in self.texts and not self.texts[key].said and not self.texts[key].run:
                    del self.texts[key]
        return touched

    def _note_unordered(self, first: TextKey, second: TextKey, user: UserId, sign: int) -> None:
        for one, other in {(first, second), (second, first)}:
            others = self.unordered.setdefault(one, {})
            add_nested_count(others, other, user, sign)
            if not others:
                del self.unordered[one]

    def _text(self, text: TextKey) -> TextCounts:
        counts = self.texts.get(text)
        if counts is None:
            counts = self.texts[text] = TextCounts()
        return counts

    def _number(self, interpretation: Interpretation) -> int:
        number = self._numbers.get(interpretation)
        if number is None:
            number = self._numbers[interpretation] = len(self.interpretations)
            self.interpretations.append(interpretation)
            self._with_slots.append(bool(slots_of(interpretation)))
            self.outcomes.append(OutcomeCounts())
            self.texts_at.append({})
            self._joined.add()
        return number


def _second_tries(
    session: SessionSteps, keys: list[TextKey], numbers: list[int]
) -> dict[tuple[TextKey, int], SecondTry]:
    """What the session shows of each text, and an interpretation that it came to from it by second tries.

    Each request on the way shows that it failed, or that the next one rephrases it: it goes on with its whole
    weight. No source is a request that a rewrite was run for, nor one that answers the assistant: what came
    before it, after a question, or of a dialogue what follows the opening request ("any", "the north") means
    something else wherever something else was said.
    """
    steps = session.steps
    found: dict[tuple[TextKey, int], SecondTry] = {}
    for i in range(1 if session.is_dialogue else len(steps)):
        source = steps[i]
        if (source.question and not session.is_dialogue) or source.is_answer:
            continue
        for j in range(i + 1, min(i + MOST_TRIES, len(steps) - 1) + 1):
            if steps[j - 1].goes_on != 1 or steps[j].said:
                break
            target = steps[j]
            if target.text == source.said:
                continue  # they say it again, as it is not what they said that was run
            said = text_key(source.said, session.locale) if source.said else keys[i]
            found[said, numbers[j]] = SecondTry(
                session.person,
                target.text,
                session.day,
                source.failed,
                target.is_answer,
                target.is_echo,
                bool(source.said),
            )
    return found
