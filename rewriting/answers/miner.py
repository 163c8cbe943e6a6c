"""Answer mining: what a request after one question means, where the assistant's own answer tells.

After "What part of town do you have in mind?" the log has "no", and the assistant goes on with "... is a nice
place in the south of town": it had heard more than the log shows. What was confirmed so to several users is
what the text means after that question (docs/answers.md).
"""

from collections.abc import Iterable, Mapping

from labeling.text.normalisation import normalise
from labeling.text.question import Question
from rewriting.answers.counts import AnswerCounts, AnswerText, QuestionCounts
from rewriting.answers.settings import AnswerSettings
from rewriting.chains.miner import MinedChange
from rewriting.chains.step import BETWEEN_SENTENCES
from rewriting.evidence.interpretation import Interpretation, slots_of, told_by
from rewriting.guards.pair_guard import PairGuard
from rewriting.table.rewrite import GLOBAL, Rewrite, rewrite_id
from streams.session import SessionId
from streams.turn import AssistantId, UserId


class AnswerMiner:
    """What users answer to the questions of one assistant, and the rewrites it warrants, kept up to date."""

    def __init__(
        self, assistant_id: AssistantId, settings: AnswerSettings, guard: PairGuard | None = None
    ) -> None:
        self.assistant_id = assistant_id
        self._guard = guard or PairGuard()
        self.counts = AnswerCounts()
        self._settings = settings
        self._rewrites: dict[Question, dict[str, Rewrite]] = {}  # by question and source text
        self._touched: set[Question] = set()

    @property
    def rewrites(self) -> list[Rewrite]:
        """All rewrites that are warranted, as of the last `solve`, sorted by question and source text."""
        return _sorted(row for rows in self._rewrites.values() for row in rows.values())

    def touch(self, questions: Iterable[Question]) -> None:
        """Notes questions whose counts have changed."""
        self._touched.update(questions)

    def solve(self) -> MinedChange:
        """Mines the questions that were touched since the last time, and only these."""
        changed: list[Rewrite] = []
        withdrawn: list[Rewrite] = []
        for question in self._touched:
            before = self._rewrites.pop(question, {})
            counts = self.counts.questions.get(question)
            after = {row.source_text: row for row in self._mine(question, counts)} if counts else {}
            if after:
                self._rewrites[question] = after
            changed += [row for text, row in after.items() if before.get(text) != row]
            withdrawn += [row for text, row in before.items() if text not in after]
        self._touched.clear()
        return MinedChange(tuple(_sorted(changed)), tuple(_sorted(withdrawn)))

    def _mine(self, question: Question, counts: QuestionCounts) -> list[Rewrite]:
        slot = self._asked_slot(counts)
        if slot is None:
            return []
        values = _Values(counts, slot, self._settings)
        found = []
        for text in sorted(counts.texts):
            answer = counts.texts[text]
            if not answer.told or len(answer.users) < self._settings.min_text_users:
                continue
            if _gives(answer.home, slot):  # it is understood; and targets are such texts, so none is a source
                continue
            if (rewrite := self._decide(question, text, counts, slot, values)) is not None:
                found.append(rewrite)
        return found

    def _asked_slot(self, counts: QuestionCounts) -> str | None:
        """The slot that most answers give, if enough of them do."""
        weights: dict[str, int] = {}
        for interpretation, users in counts.answers.items():
            for slot in {name for name, _ in slots_of(interpretation)}:
                weights[slot] = weights.get(slot, 0) + len(users)
        if not weights:
            return None
        slot = min(weights, key=lambda name: (-weights[name], name))
        answers = sum(map(len, counts.answers.values()))
        return slot if weights[slot] >= self._settings.min_slot_share * answers else None

    def _decide(
        self, question: Question, text: str, counts: QuestionCounts, slot: str, values: "_Values"
    ) -> Rewrite | None:
        """The rewrite of one text after a question, or none."""
        settings = self._settings
        answer = counts.texts[text]
        confirmed = self._confirmed(answer, slot, values)
        if not confirmed:
            return None
        target_interpretation, sessions = min(
            confirmed.items(), key=lambda item: (-len(self._users(item[1])), -sum(item[1].values()), item[0])
        )
        users = self._users(sessions)
        share = sum(sessions.values()) / answer.requests
        target_text = self._target_text(counts, target_interpretation)
        if len(users) < settings.min_users or share < settings.min_share or target_text is None:
            return None
        is_by_chance = target_interpretation in values.by_chance
        if is_by_chance and not self._guard.is_same(text, normalise(target_text)):
            return None
        target = counts.texts[target_text]
        return Rewrite(
            rewrite_id=rewrite_id(self.assistant_id, GLOBAL, text, question),
            assistant_id=self.assistant_id,
            scope=GLOBAL,
            source_text=text,
            source_interpretation=self._shown(counts, answer.home, text),
            target_text=target.surface,
            target_interpretation=self._shown(counts, target_interpretation, target_text),
            method="answer",
            score=round(share, 6),
            sessions=len(sessions),
            users=len(users),
            source_success_rate=round(answer.success_rate, 6),
            source_count=answer.requests,
            target_success_rate=round(target.success_rate, 6),
            target_count=target.requests,
            failure_point=None,
            evidence=tuple(sorted(sessions)[: settings.evidence]),
            question=question,
        )

    def _shown(self, counts: QuestionCounts, interpretation: Interpretation, text: str) -> Interpretation:
        """An interpretation as a row tells it: whole if `min_text_users` users had it after the question."""
        is_shared = len(counts.answers[interpretation]) >= self._settings.min_text_users
        return interpretation if is_shared else told_by(interpretation, text)

    def _confirmed(
        self, answer: AnswerText, slot: str, values: "_Values"
    ) -> dict[Interpretation, dict[SessionId, int]]:
        """What was confirmed after a text that did not say it -> in which sessions -> times."""
        confirmed: dict[Interpretation, dict[SessionId, int]] = {}
        for (interpretation, told), sessions in answer.told.items():
            if _gives(interpretation, slot) or _is_met(interpretation, told):
                continue
            if (value := values.confirmed_by(told)) is None:
                continue
            times_in = confirmed.setdefault(value, {})
            for session_id, times in sessions.items():
                times_in[session_id] = times_in.get(session_id, 0) + times
        return confirmed

    def _users(self, sessions: Iterable[SessionId]) -> set[UserId]:
        return {self.counts.users[session_id] for session_id in sessions}

    def _target_text(self, counts: QuestionCounts, interpretation: Interpretation) -> str | None:
        """The text that most users say for an interpretation after a question; None if too few say any."""
        known = {
            text: len(answer.users)
            for text, answer in counts.texts.items()
            if len(answer.met_users) >= self._settings.min_text_users and answer.home == interpretation
        }
        return min(known, key=lambda text: (-known[text], text), default=None)


class _Values:
    """The values that answer a question, and where the assistant confirms one of them."""

    def __init__(self, counts: QuestionCounts, slot: str, settings: AnswerSettings) -> None:
        self._by_words = _values(counts.answers, slot, settings.min_value_users)
        self._most_words = max((len(value.split()) for value in self._by_words), default=0)
        self._known: dict[str, Interpretation | None] = {}
        self.by_chance = self._said_by_chance(counts, slot, settings.min_confirmed_share)

    def _said_by_chance(
        self, counts: QuestionCounts, slot: str, least: float
    ) -> frozenset[Interpretation | None]:
        """What the words of a response do not confirm by themselves: who said it is not told it in response.

        "No problem" is no "no": where those who said "no" hear "Fine.", a response with the word says
        something else. What too few have heard a response to is not known to confirm anything either.
        """
        told: dict[str, list[int]] = {value: [0, 0] for value in self._by_words}
        for answer in counts.texts.values():
            for (interpretation, said), sessions in answer.told.items():
                given = {value for name, value in slots_of(interpretation) if name == slot and value in told}
                mentioned = {
                    value for part in said.split(BETWEEN_SENTENCES) for value in self._mentioned(part)
                }
                for value in given:
                    told[value][0] += sum(sessions.values()) * (value in mentioned)
                    told[value][1] += sum(sessions.values())
        return frozenset(
            self._by_words[value]
            for value, (confirmed, heard) in told.items()
            if confirmed < max(least * heard, 1)
        )

    def confirmed_by(self, told: str) -> Interpretation | None:
        """The interpretation with the one value that a response mentions; None if none, or several."""
        if told not in self._known:
            mentioned = {value for part in told.split(BETWEEN_SENTENCES) for value in self._mentioned(part)}
            self._known[told] = self._by_words[mentioned.pop()] if len(mentioned) == 1 else None
        return self._known[told]

    def _mentioned(self, sentence: str) -> Iterable[str]:
        """The values in a sentence; of those that overlap, the longest from the left."""
        words = sentence.split()
        start = 0
        while start < len(words):
            for end in range(min(len(words), start + self._most_words), start, -1):
                if (value := " ".join(words[start:end])) in self._by_words:
                    yield value
                    start = end
                    break
            else:
                start += 1


def _values(
    answers: Mapping[Interpretation, Mapping[UserId, int]], slot: str, min_users: int
) -> dict[str, Interpretation | None]:
    """The values that were ever given -> how most were understood who gave nothing else with them.

    None where too few did: such a value cannot be confirmed, but where it is mentioned beside another one,
    that one is not confirmed either.
    """
    values: dict[str, Interpretation | None] = {}
    for interpretation in sorted(answers, key=lambda name: (-len(answers[name]), name)):
        slots = slots_of(interpretation)
        is_answer = len(slots) == 1 and len(answers[interpretation]) >= min_users
        for value in (value for name, value in slots if name == slot and value):
            values[value] = values.get(value) or (interpretation if is_answer else None)
    return values


def _is_met(interpretation: Interpretation, told: str) -> bool:
    """Whether a response takes up a value that the request was understood with."""
    return any(value and f" {value} " in f" {told} " for _, value in slots_of(interpretation))


def _gives(interpretation: Interpretation, slot: str) -> bool:
    return any(name == slot for name, _ in slots_of(interpretation))


def _sorted(rewrites: Iterable[Rewrite]) -> list[Rewrite]:
    return sorted(rewrites, key=lambda row: (row.question, row.source_text))
