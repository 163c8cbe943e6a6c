import pytest

from rewriting.evidence.understanding_confidence import turn_confidence, understanding_confidence
from streams.turn import NluHypothesis, Recognition, Request, TurnEvent


@pytest.mark.parametrize(
    ("asr", "nlu", "confidence"),
    [
        (0.5, 0.5, 0.25),
        (0.5, None, 0.5),
        (None, 0.7, 0.7),
        (None, None, None),
        (0.0, None, 0.0),
        (0.5, 7.0, 0.5),  # an NLU that scores otherwise is cut to 0..1
        (0.5, -1.0, 0.0),
    ],
)
def test_the_product_of_what_is_known(asr: float | None, nlu: float | None, confidence: float | None) -> None:
    assert understanding_confidence(asr, nlu) == confidence


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
    assert turn_confidence(turn) == 0.2
