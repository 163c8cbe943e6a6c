import pytest

from rewriting.evidence.understanding_confidence import (
    ConfidenceParts,
    UnderstandingConfidence,
    turn_confidence,
    understanding_confidence,
)
from streams.turn import NluHypothesis, Recognition, Request, TurnEvent


@pytest.mark.parametrize(
    ("asr", "nlu", "value", "parts"),
    [
        (0.5, 0.5, 0.25, "product"),
        (0.5, None, 0.5, "asr"),
        (None, 0.7, 0.7, "nlu"),
        (0.0, None, 0.0, "asr"),
        (0.5, 7.0, 0.5, "product"),  # an NLU that scores otherwise is cut to 0..1
        (0.5, -1.0, 0.0, "product"),
    ],
)
def test_the_product_of_what_is_known_and_what_that_is(
    asr: float | None, nlu: float | None, value: float, parts: ConfidenceParts
) -> None:
    assert understanding_confidence(asr, nlu) == UnderstandingConfidence(value, parts)


def test_nothing_is_known_without_a_confidence() -> None:
    assert understanding_confidence(None, None) is None


def test_of_a_turn_the_best_hypotheses_count() -> None:
    turn = TurnEvent(
        schema_version=1,
        event_id="e",
        assistant_id="a",
        user_id="u",
        ts_ms=0,
        request=Request(
            text="x", asr=(Recognition(text="x", confidence=0.5), Recognition(text="y", confidence=1))
        ),
        nlu=(NluHypothesis(intent="i", confidence=0.4), NluHypothesis(intent="j", confidence=1)),
    )
    assert turn_confidence(turn) == UnderstandingConfidence(0.2, "product")
