"""What is known of a turn beside its texts, and that nothing of it is left where a part is hidden."""

import math
from collections.abc import Callable, Sequence
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
from turns import turn_event

from labeling.turns.dialogue_part import NO_CONTEXT, Part
from labeling.turns.features import (
    CATEGORIES,
    DISTANCES,
    GAPS,
    MISSING,
    MOST_CATEGORIES,
    NUMBERS,
    UNSEEN,
    DialogueFeatures,
    TurnFeatures,
    intent_name,
    interpretation,
    likeness,
    seconds_between,
)
from streams.turn import Device, NluHypothesis, Recognition, Request, Response, Signals, Slot, TurnEvent

EMPTY = TurnFeatures.fit([])


def _turn(number: int, text: str = "play jazz", **changes: Any) -> TurnEvent:
    """A turn of which everything is known, 10 s after the one before."""
    known: dict[str, Any] = {
        "event_id": str(number),
        "ts_ms": 1_000_000 + 10_000 * number,
        "request": Request(
            text=text, asr=(Recognition(text=text, confidence=0.9), Recognition(text="x", confidence=0.5))
        ),
        "nlu": (
            NluHypothesis(domain="music", intent="play", confidence=0.8),
            NluHypothesis(domain="news", intent="read", confidence=0.1),
        ),
        "response": Response(text="playing jazz", status="ok"),
        "signals": Signals(barge_in=False, terminated=False, feedback="positive"),
        "device": Device(type="speaker"),
        "locale": "en-GB",
    }
    return turn_event(text, **{**known, **changes})


DIALOGUE = [_turn(0), _turn(1, "play some jazz"), _turn(2, "stop")]
FEATURES = TurnFeatures.fit([DIALOGUE] * 2)


def _category(features: DialogueFeatures, name: str) -> list[int]:
    """Of each turn."""
    column: list[int] = features.categories[:, list(CATEGORIES).index(name)].tolist()
    return column


def _number(features: DialogueFeatures, name: str) -> list[tuple[float, bool]]:
    """Of each turn: the value, and whether it is missing."""
    column = list(NUMBERS).index(name)
    flags = features.numbers[:, len(NUMBERS) + column] == 1
    return list(zip(features.numbers[:, column].tolist(), flags.tolist(), strict=True))


def test_categories_are_numbered_by_how_often_they_are_seen() -> None:
    names = ["news"] * 2 + ["music"] * 3 + ["once"] + ["alarm"] * 2
    turns = [turn_event(nlu=(NluHypothesis(domain=name, intent="i"),)) for name in names]
    features = TurnFeatures.fit([turns])
    assert features.categories["domain"] == {"music": 2, "alarm": 3, "news": 4}
    assert features.sizes[list(CATEGORIES).index("domain")] == 5
    unknown = turn_event(nlu=(NluHypothesis(domain="never", intent="i"),))
    assert _category(features.of([*turns[:3], turns[5], unknown, turn_event()]), "domain") == [
        4, 4, 2, UNSEEN, UNSEEN, MISSING,
    ]  # fmt: skip


def test_of_many_categories_the_most_frequent_are_kept() -> None:
    times = {f"p{number:05}": 2 + (number % 2) for number in range(2 * MOST_CATEGORIES)}
    turns = [turn_event(locale=locale) for locale, count in times.items() for _ in range(count)]
    kept = TurnFeatures.fit([turns]).categories["locale"]
    assert len(kept) == MOST_CATEGORIES
    assert all(times[locale] == 3 for locale in kept)


def test_a_category_of_a_turn_is_that_of_its_first_interpretation() -> None:
    features = FEATURES.of(DIALOGUE[:1])
    assert FEATURES.categories["intent"] == {"music.play": 2}
    assert {name: _category(features, name) for name in CATEGORIES} == {name: [2] for name in CATEGORIES}
    assert intent_name(interpretation(turn_event())) is None
    assert intent_name(NluHypothesis(intent="play")) == ".play"


def test_numbers_have_mean_0_and_spread_1_over_the_log_and_stay_in_range() -> None:
    lengths = [1, 2, 3, 9, 30]
    turns = [turn_event("word " * length) for length in lengths]
    features = TurnFeatures.fit([[turn] for turn in turns])
    values = [_number(features.of([turn]), "words of the request")[0] for turn in turns]
    assert not any(missing for _, missing in values)
    found = np.array([value for value, _ in values])
    assert found.mean() == pytest.approx(0, abs=1e-6)
    assert found.std() == pytest.approx(1, abs=1e-6)
    raw = np.log1p(lengths)
    np.testing.assert_allclose(found, (raw - raw.mean()) / raw.std(), atol=1e-6)
    assert np.abs(FEATURES.of([_turn(0, "word " * 5_000)]).numbers).max() == 5


def test_a_number_that_never_varies_is_no_division_by_zero() -> None:
    turn = turn_event("one", request=Request(text="one", asr=(Recognition(text="one", confidence=0.5),)))
    features = TurnFeatures.fit([[turn]] * 3)
    assert _number(features.of([turn]), "recogniser confidence") == [(0, False)]


def test_what_is_missing_is_0_with_a_flag() -> None:
    features = FEATURES.of([turn_event("hello")])
    assert (features.categories == MISSING).all()
    for name in NUMBERS:
        ((value, missing),) = _number(features, name)
        assert missing == (name not in ("words of the request", "turns before", "turns after"))
        assert value == 0 or not missing


@pytest.mark.parametrize(
    ("field", "value", "missing"),
    [
        ("nlu", (NluHypothesis(intent="play", confidence=0.8),), {"NLU margin"}),
        (
            "nlu",
            (NluHypothesis(intent="play"), NluHypothesis(intent="stop", confidence=1)),
            {"NLU confidence", "NLU margin"},
        ),
        (
            "request",
            Request(text="play", asr=(Recognition(text="play", confidence=0.3), Recognition(text="p"))),
            {"recogniser margin"},
        ),
        ("response", Response(status="ok"), {"words of the response"}),
    ],
)
def test_parts_of_fields_may_be_missing(field: str, value: object, missing: set[str]) -> None:
    alone = {name for name in NUMBERS if name.endswith(("before", "after")) and not name.startswith("turns")}
    features = FEATURES.of([_turn(0, **{field: value})])
    assert {name for name in NUMBERS if _number(features, name)[0][1]} == missing | alone


def test_neighbours_are_compared() -> None:
    features = FEATURES.of(DIALOGUE)
    same, other = _number(features, "like the one after")[:2]
    assert same > other
    assert _number(features, "like the one before")[1:] == [same, other]
    assert [missing for _, missing in _number(features, "like the one before")] == [True, False, False]
    assert likeness(DIALOGUE[0], DIALOGUE[1]) == 1  # all words of one are in the other
    assert likeness(DIALOGUE[0], None) is None
    assert likeness(turn_event(" "), DIALOGUE[0]) is None
    assert likeness(turn_event("PLAY Jazz"), turn_event("play jazz")) == 1


def test_slots_and_letters_in_common_are_told() -> None:
    jazz, loud = Slot(name="genre", value="jazz"), Slot(name="volume", value="loud")
    turns = [
        _turn(0, "play jas", nlu=(NluHypothesis(intent="play", slots=(jazz,)),)),
        _turn(1, "lay jazz", nlu=(NluHypothesis(intent="play", slots=(jazz, loud)),)),
        _turn(2, "stop", nlu=(NluHypothesis(intent="stop", slots=(loud,)),)),
        _turn(3, "stop", nlu=(NluHypothesis(intent="stop", slots=()),)),
        _turn(4, "stop", nlu=(NluHypothesis(intent="stop", slots=()),)),
    ]
    features = TurnFeatures.fit([turns])
    found = features.of(turns)
    slots = _number(found, "slots of the one before")
    assert [missing for _, missing in slots] == [True, False, False, False, True]
    shares = [value * features.spreads["slots of the one before"] for value, _ in slots[1:4]]
    assert [share - shares[2] for share in shares] == pytest.approx([0.5, 0.5, 0], abs=1e-6)
    letters = [value for value, _ in _number(found, "letters of the one before")]
    assert letters[3] == letters[4] > letters[1] > letters[2]


def test_who_takes_another_intent_is_told() -> None:
    stop = _turn(2, nlu=(NluHypothesis(intent="stop"),))
    turns = [_turn(0), _turn(1), stop, turn_event()]
    features = TurnFeatures.fit([turns]).of(turns)
    before = _number(features, "intent of the one before")
    assert [missing for _, missing in before] == [True, False, False, True]
    assert before[1] > before[2]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(0, 5_000, None), (5_000, 4_000, None), (5_000, 5_000, 0), (5_000, 6_500, 1.5)],
)
def test_seconds_that_a_log_does_not_tell_are_not_known(
    first: int, second: int, expected: float | None
) -> None:
    assert seconds_between(turn_event(ts_ms=first), turn_event(ts_ms=second)) == expected


def test_gaps_fall_into_buckets_and_unknown_ones_into_the_last() -> None:
    ends = [0, 4.999, 5, 14.999, 15, 45, 120, 600, 1e6]
    turns = [turn_event(ts_ms=1)] + [turn_event(ts_ms=1 + int(1000 * end)) for end in ends]
    gaps = EMPTY.of(turns).gaps
    assert gaps[0, 1:].tolist() == [0, 0, 1, 1, 2, 3, 4, 5, 5]
    assert (gaps == gaps.T).all()
    unknown = EMPTY.of([turn_event(ts_ms=0), *turns]).gaps
    assert (unknown[0] == GAPS - 1).all()
    assert (unknown[:, 0] == GAPS - 1).all()
    assert (unknown[1:, 1:] == gaps).all()
    assert (EMPTY.of(turns, frozenset(["time"])).gaps == GAPS - 1).all()


def test_distances_go_from_four_before_to_four_after() -> None:
    distances = EMPTY.of([turn_event()] * 7).distances
    assert distances[3].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert distances[0].tolist() == [4, 5, 6, 7, 8, 8, 8]
    assert distances[6].tolist() == [0, 0, 0, 1, 2, 3, 4]
    assert distances.max() == DISTANCES - 1


def test_what_a_turn_may_read_is_what_is_not_hidden() -> None:
    turns = [turn_event()] * 3
    assert EMPTY.of(turns).seen.all()
    assert (EMPTY.of(turns, frozenset(["preceding"])).seen == np.triu(np.ones((3, 3)))).all()
    assert (EMPTY.of(turns, frozenset(["following"])).seen == np.tril(np.ones((3, 3)))).all()
    assert (EMPTY.of(turns, NO_CONTEXT).seen == np.eye(3)).all()


Change = Callable[[TurnEvent], TurnEvent]


def _other_understanding(turn: TurnEvent) -> TurnEvent:
    return msgspec.structs.replace(turn, nlu=(NluHypothesis(domain="d", intent="i", confidence=0.2),))


def _other_recognition(turn: TurnEvent) -> TurnEvent:
    return msgspec.structs.replace(turn, request=Request(text=turn.request.text))


def _other_response(turn: TurnEvent) -> TurnEvent:
    return msgspec.structs.replace(turn, response=Response(text="I could not find it", status="ok"))


OF_THE_TURN: dict[Part, Change] = {
    "signals": lambda turn: msgspec.structs.replace(turn, signals=Signals(barge_in=True)),
    "status": lambda turn: msgspec.structs.replace(
        turn, response=Response(text="playing jazz", status="error")
    ),
    "responses": _other_response,
    "understanding": _other_understanding,
    "recognition": _other_recognition,
    "device": lambda turn: msgspec.structs.replace(turn, device=Device(type="watch"), locale="fr-FR"),
}
OF_ITS_NEIGHBOURS: dict[Part, Callable[[Sequence[TurnEvent]], list[TurnEvent]]] = {
    "time": lambda turns: [msgspec.structs.replace(turn, ts_ms=turn.ts_ms * 7 % 99_991) for turn in turns],
    "likeness": lambda turns: [_turn(number, f"new text{number}") for number in range(len(turns))],
}


def _equal(first: DialogueFeatures, second: DialogueFeatures) -> bool:
    return all(
        np.array_equal(getattr(first, name), getattr(second, name))
        for name in DialogueFeatures.__struct_fields__
    )


@pytest.mark.parametrize("part", OF_THE_TURN)
@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_hidden_field_of_any_turn_changes_nothing(part: Part, position: int) -> None:
    changed = list(DIALOGUE)
    changed[position] = OF_THE_TURN[part](changed[position])
    assert not _equal(FEATURES.of(changed), FEATURES.of(DIALOGUE))
    hidden: frozenset[Part] = frozenset([part])
    assert _equal(FEATURES.of(changed, hidden), FEATURES.of(DIALOGUE, hidden))
    assert not _equal(FEATURES.of(changed, hidden), FEATURES.of(DIALOGUE))


@pytest.mark.parametrize("part", OF_ITS_NEIGHBOURS)
def test_what_is_hidden_between_turns_changes_nothing(part: Part) -> None:
    changed = OF_ITS_NEIGHBOURS[part](DIALOGUE)
    same_lengths = [msgspec.structs.replace(turn, request=Request(text="new text")) for turn in DIALOGUE]
    before = same_lengths if part == "likeness" else DIALOGUE
    hidden: frozenset[Part] = frozenset([part, "recognition"])
    assert not _equal(FEATURES.of(changed), FEATURES.of(before))
    assert _equal(FEATURES.of(changed, hidden), FEATURES.of(before, hidden))


@pytest.mark.parametrize("part", ["preceding", "following"])
def test_nothing_of_hidden_turns_is_left_in_what_a_turn_reads(part: Part) -> None:
    others = [turn_event("quite another text", ts_ms=5), turn_event("and one more", ts_ms=9)]
    changed = [*others, DIALOGUE[0]] if part == "preceding" else [DIALOGUE[0], *others]
    place = 2 if part == "preceding" else 0
    features = FEATURES.of(changed, frozenset([part]))
    alone = FEATURES.of(DIALOGUE[:1], frozenset([part]))
    assert features.seen[place].sum() == 1
    assert features.seen[place, place]
    assert (features.categories[place] == alone.categories[0]).all()
    assert (features.numbers[place] == alone.numbers[0]).all()


def test_every_part_but_texts_is_some_features_own() -> None:
    parts = {kind.part for kind in CATEGORIES.values()}.union(*(kind.parts for kind in NUMBERS.values()))
    assert parts == set(get_args(Part))


@pytest.mark.parametrize(
    "texts",
    [["hello"], ["", ""], ["播放爵士乐", "播放"], ["x" * 10_000, "word " * 2_000], ["\u0130\ud7ff", "\n\t"]],
    ids=["one turn", "empty", "other script", "10,000 characters", "odd letters"],
)
def test_any_dialogue_has_features(texts: list[str]) -> None:
    turns = [turn_event(text) for text in texts]
    for features in (FEATURES, EMPTY, TurnFeatures.fit([turns])):
        found = features.of(turns)
        assert found.categories.shape == (len(turns), len(CATEGORIES))
        assert found.numbers.shape == (len(turns), 2 * len(NUMBERS))
        assert np.isfinite(found.numbers).all()
        assert (found.categories < np.array(features.sizes)).all()


def test_the_same_log_gives_the_same_features_and_they_are_kept_as_json() -> None:
    again = TurnFeatures.fit([DIALOGUE] * 2)
    assert again == FEATURES
    assert msgspec.json.decode(msgspec.json.encode(FEATURES), type=TurnFeatures) == FEATURES
    assert math.isfinite(sum(FEATURES.means.values()))
