"""The labels that the detector learns from, as a system of their own: what is above them, the model adds."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from msgspec import Struct

from rewriting.evidence.rephrase_link import RephraseLink
from rewriting.rephrases.settings import RephraseSettings
from rewriting.rephrases.weak_rephrases import WeakRephrases
from streams.session import Session
from streams.turn import TurnEvent


class WeakLabels(Struct, frozen=True):
    """A `RephraseDetector` of several assistants, each of which was learned from its own log."""

    by_assistant: Mapping[str, WeakRephrases]

    @classmethod
    def fit(cls, past: Iterable[Session], settings: RephraseSettings) -> "WeakLabels":
        """Learns from the sessions of a training log, those of an assistant one after the other.

        Raises:
            RephraseTrainingError: the log of an assistant does not show how its users rephrase.
        """
        grouped = groupby(past, key=lambda session: session.assistant_id)
        return cls({key: WeakRephrases.fit([one.turns for one in group], settings) for key, group in grouped})

    def detect(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[RephraseLink]]:
        """The links of each session with their probability; of assistants without a training log, none."""
        numbers: dict[str, list[int]] = {}
        for number, turns in enumerate(sessions):
            numbers.setdefault(turns[0].assistant_id, []).append(number)
        found: list[list[RephraseLink]] = [[] for _ in sessions]
        for assistant_id, of_assistant in numbers.items():
            weak = self.by_assistant.get(assistant_id)
            if weak is None:
                continue
            links = weak.detect([sessions[number] for number in of_assistant])
            for number, of_session in zip(of_assistant, links, strict=True):
                found[number] = of_session
        return found
