"""What Rehear must beat: doing nothing, and a plain chain over request texts."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from services.evaluation.rewrites.prediction import Prediction
from streams.session import sessionize
from streams.turn import TurnEvent

MINIMUM_SUPPORT = 2
"""Sessions that must have led from a text to its rewrite. Chosen on the training log of smart speakers alone:
learned from its first three weeks, 2 fixed the most in the fourth (the last text of a session that ended well
standing for what was meant). Higher, it fixes less; at 1 it loses more than it adds."""


def no_rewrite(turns: Iterable[TurnEvent]) -> Iterator[Prediction]:
    """Leaves every request alone."""
    return (Prediction(event_id=turn.event_id, rewrite=None) for turn in turns)


class TextChain(Struct, frozen=True):
    """Where sessions that begin with a text end, learned from texts alone.

    No interpretations, no users, no context: a text is replaced by the text that most often ended the
    sessions in which it occurred, provided that they ended well.
    """

    rewrites: Mapping[tuple[str, str], tuple[str, float]]
    """(assistant, text) -> rewrite, and the share of the sessions that ended in it, 0..1."""

    def predict(self, turns: Iterable[TurnEvent]) -> Iterator[Prediction]:
        """One prediction for each turn, in order."""
        for turn in turns:
            rewrite, share = self.rewrites.get((turn.assistant_id, _normalised(turn)), (None, None))
            yield Prediction(
                event_id=turn.event_id,
                rewrite=rewrite,
                method=None if rewrite is None else "text chain",
                scope=None if rewrite is None else "global",
                score=share,
            )


def learn_text_chain(turns: Iterable[TurnEvent], minimum_support: int = MINIMUM_SUPPORT) -> TextChain:
    """Counts, for each text, the last texts of the sessions that it occurred in and that ended well."""
    ends: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for session in sessionize(turns):
        if _ended_well(session.turns[-1]):
            texts = [_normalised(turn) for turn in session.turns]
            for text in sorted(set(texts)):
                ends[session.assistant_id, text][texts[-1]] += 1
    rewrites: dict[tuple[str, str], tuple[str, float]] = {}
    for (assistant_id, text), counts in sorted(ends.items()):
        end, sessions = min(counts.items(), key=lambda item: (-item[1], item[0]))
        if end != text and text and end and sessions >= minimum_support:
            rewrites[assistant_id, text] = (end, sessions / counts.total())
    return TextChain(rewrites)


def _normalised(turn: TurnEvent) -> str:
    return " ".join(turn.request.text.lower().split())


def _ended_well(turn: TurnEvent) -> bool:
    status = None if turn.response is None else turn.response.status
    signals = turn.signals
    return (
        status in (None, "ok")
        and not signals.barge_in
        and not signals.terminated
        and signals.feedback != "negative"
    )
