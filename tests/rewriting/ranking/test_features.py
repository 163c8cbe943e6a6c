import math

import numpy as np
from request_sessions import meaning, repaired, session, step

from rewriting.ranking.candidates import Candidate, Source
from rewriting.ranking.features import (
    CANDIDATE_FEATURES,
    REQUEST_FEATURES,
    Group,
    candidate_features,
    gate_summaries,
    request_features,
)
from rewriting.requests.asked_request import AskedRequest, EarlierRequest
from rewriting.requests.counts import RequestCounts
from rewriting.requests.history import RequestHistory
from rewriting.requests.step import RequestText

DAY_MS = 86_400_000

TRIES = [repaired(user, "play jess", "play jazz", confidence=0.3) for user in ("a", "b", "c")]
WELL_HEARD = [session(user, step("play jess", confidence=0.9), number=7) for user in ("a", "b", "d")]


def counts() -> RequestCounts:
    made = RequestCounts(3)
    for one in [*TRIES, *WELL_HEARD]:
        made.add(one)
    return made


def asked(text: str = "play jess", confidence: float | None = 0.3, **changes: object) -> AskedRequest:
    request = AskedRequest(
        text=RequestText(text), ts_ms=DAY_MS, interpretation=meaning(text), confidence=confidence
    )
    return AskedRequest(**{name: getattr(request, name) for name in request.__struct_fields__} | changes)


def of_request(request: AskedRequest, history: RequestHistory | None = None) -> dict[str, float]:
    values = request_features(request, counts(), history or RequestHistory())
    return {name: float(value) for (name, _), value in zip(REQUEST_FEATURES, values, strict=True)}


def of_candidates(
    request: AskedRequest, *texts: str, history: RequestHistory | None = None
) -> list[dict[str, float]]:
    candidates = [Candidate(meaning(text), text, Source.HABIT) for text in texts]
    table = candidate_features(request, candidates, counts(), history or RequestHistory())
    names = [name for name, _ in CANDIDATE_FEATURES]
    return [dict(zip(names, map(float, row), strict=True)) for row in table]


def test_success_is_judged_by_requests_heard_as_well() -> None:
    badly, well = of_request(asked(confidence=0.3)), of_request(asked(confidence=0.9))
    assert badly["text_success_rate"] == well["text_success_rate"] == 0.5
    assert badly["text_success_near"] < 0.2
    assert well["text_success_near"] > 0.8
    assert badly["text_repair_rate_near"] > 0.7
    assert well["text_repair_rate_near"] < 0.01


def test_what_is_not_known_is_not_a_number() -> None:
    unknown = of_request(asked("never said", None))
    assert unknown["text_requests"] == 0
    for name in ("confidence", "text_success_rate", "answer_share", "earlier_age_s", "own_meaning_age_days"):
        assert math.isnan(unknown[name])


def test_second_tries_are_those_of_the_candidate() -> None:
    jazz, rock = of_candidates(asked(), "play jazz", "play rock")
    assert (jazz["repairs"], jazz["repair_users"]) == (3, 3)
    assert jazz["repair_share"] == 0.75
    assert rock["repairs"] == 0


def test_sound_and_letters_lead() -> None:
    jazz, other = of_candidates(asked(), "play jazz", "stop the oven timer")
    assert jazz["likeness"] > other["likeness"]
    assert jazz["phonetics"] > other["phonetics"]
    assert jazz["likeness_lead"] == np.float32(jazz["likeness"] - other["likeness"])
    assert other["likeness_lead"] < 0


def test_habits_tell_weight_age_and_hour() -> None:
    history = RequestHistory([session("u", step("play jazz", ts_ms=0))])
    (jazz,) = of_candidates(asked(), "play jazz", history=history)
    assert (jazz["habit_weight"], jazz["habit_share"], jazz["habit_age_days"]) == (1, 1, 1)
    assert jazz["habit_hour"] == 1  # the same hour of the day
    later = asked(ts_ms=DAY_MS + 5 * 3_600_000)
    assert of_candidates(later, "play jazz", history=history)[0]["habit_hour"] == 0


def test_what_has_been_tried_is_told() -> None:
    before = EarlierRequest(text=RequestText("play jazz"), interpretation=meaning("play jazz"), failed=True)
    request = asked(earlier=(before,))
    jazz, rock = of_candidates(request, "play jazz", "play rock")
    assert (jazz["was_tried"], rock["was_tried"]) == (1, 0)
    assert of_request(request)["earlier_failed"] == 1


def test_of_no_candidates_there_is_an_empty_table() -> None:
    table = candidate_features(asked(), [], counts(), RequestHistory())
    assert table.shape == (0, len(CANDIDATE_FEATURES))
    assert np.isfinite(gate_summaries(table)).all()


def test_a_candidate_does_not_depend_on_the_order_of_the_others() -> None:
    texts = ("play jazz", "play rock", "stop")
    forward, backward = of_candidates(asked(), *texts), of_candidates(asked(), *reversed(texts))
    np.testing.assert_equal(forward, backward[::-1])


def test_every_group_can_be_left_out_of_something() -> None:
    used = {group for _, group in (*REQUEST_FEATURES, *CANDIDATE_FEATURES)}
    assert used == set(Group)
