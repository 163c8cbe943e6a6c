"""Variants of the failure model: each lacks something, when it is trained or when it is used."""

from collections.abc import Sequence
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from failure_isolation.part import TRACES, FailurePart
from failure_isolation.settings import FailureSettings
from failure_isolation.turn_failure import FailureIsolator, TurnFailure
from labeling.turns.dialogue_part import NO_CONTEXT
from services.evaluation.common.log_split import LogSplit
from services.evaluation.common.variant_output import ModelVariant
from services.evaluation.failures.gold import GoldFailure
from streams.turn import TurnEvent

Withheld = Literal["traces", "context", "later turns", "responses"]

METADATA_PARTS: Final[frozenset[FailurePart]] = frozenset(
    {"signals", "status", "understanding", "recognition", "time", "likeness", "device"}
)
"""What a log says beside its texts and traces."""


class FailureVariant(ModelVariant, frozen=True, kw_only=True):
    """A failure model that is made like that of the settings, but for what it says here."""

    hidden: frozenset[FailurePart] = frozenset()  # in training and in use
    withheld: Withheld | None = None  # in use alone, from the model that has learned to read it

    def why_not(self, split: LogSplit[GoldFailure], settings: FailureSettings) -> str | None:
        """Why it would be nothing of its own on these logs; None: it would."""
        lacks_traces = self.withheld == "traces" or bool(TRACES & self.hidden)
        lacks_context = self.withheld in ("context", "later turns") or bool(NO_CONTEXT & self.hidden)
        if lacks_traces:
            if not settings.traces:
                return "the settings have no traces"
            if not any(map(has_traces, split.test_turns)):
                return "the turns have no traces"
        if lacks_context:
            if not settings.context:
                return "the settings have no context"
            if all(len(session.turns) == 1 for session in split.test):
                return "every dialogue has one turn"
        if self.withheld == "responses" or "responses" in self.hidden:
            if not any(turn.response and turn.response.text for turn in split.test_turns):
                return "there are no responses"
        return None


ALL_OF_IT: Final = "all of it"

VARIANTS: Final = (
    FailureVariant(name=ALL_OF_IT),
    FailureVariant(name="without traces", hidden=TRACES),
    FailureVariant(name="without context", hidden=frozenset(NO_CONTEXT)),
    FailureVariant(name="without later turns", hidden=frozenset({"following"})),
    FailureVariant(name="without responses", hidden=frozenset({"responses"})),
    FailureVariant(name="without metadata", hidden=METADATA_PARTS),
    FailureVariant(name="traces withheld", withheld="traces"),
    FailureVariant(name="context withheld", withheld="context"),
    FailureVariant(name="later turns withheld", withheld="later turns"),
    FailureVariant(name="responses withheld", withheld="responses"),
)
"""In the order of the report; the first is compared with all others."""


def has_traces(turn: TurnEvent) -> bool:
    """Whether a log says more of a turn than what was recognised and understood."""
    return (
        len(turn.request.asr) > 1
        or len(turn.nlu) > 1
        or bool(turn.entities)
        or turn.request.wake_confidence is not None
    )


def without_traces(turn: TurnEvent) -> TurnEvent:
    """A turn as a log without traces has it."""
    request = replace(turn.request, asr=turn.request.asr[:1], wake_confidence=None)
    return replace(turn, request=request, nlu=turn.nlu[:1], entities=())


def without_response_text(turn: TurnEvent) -> TurnEvent:
    """A turn as a log without what the assistant said has it."""
    return turn if turn.response is None else replace(turn, response=replace(turn.response, text=None))


class WithholdingIsolator(Struct, frozen=True):
    """Gives an isolator less of each dialogue than there is."""

    isolator: FailureIsolator
    withheld: Withheld

    def isolate(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[TurnFailure]]:
        """What the isolator says of each turn, with as much as it is given."""
        if self.withheld in ("traces", "responses"):
            less = without_traces if self.withheld == "traces" else without_response_text
            return self.isolator.isolate([[less(turn) for turn in turns] for turns in sessions])
        alone = self.withheld == "context"
        found = []
        for turns in sessions:  # each part ends with the turn in question
            parts = [turns[number if alone else 0 : number + 1] for number in range(len(turns))]
            found.append([of_part[-1] for of_part in self.isolator.isolate(parts)])
        return found
