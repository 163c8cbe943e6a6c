"""What is learned of each turn: from annotations before the log, and nothing that a signal gives away."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from turns import turn_event

from labeling.annotations.annotation import AnnotatedSlot, Annotation
from labeling.labels.space import LabelSpace
from labeling.labels.targets import (
    LEAST_ANNOTATED,
    UNKNOWN,
    Annotations,
    TurnTarget,
    WeakLabels,
    WeakTurn,
    dialogue_targets,
    found_slots,
    label_space,
    slot_tags,
    tagged_slots,
)
from labeling.labels.turn_label import LabelName, SlotLabel
from labeling.turns.dialogue_part import Part
from streams.turn import EventId, Response, Signals, TurnEvent


def _dialogue(n_turns: int, **changes: Any) -> list[TurnEvent]:
    return [turn_event(f"play jazz {number}", event_id=str(number), **changes) for number in range(n_turns)]


def _annotated(n_turns: int, say: Callable[[int], dict[str, Any]]) -> Annotations:
    return {
        EventId(str(number)): Annotation(event_id=str(number), **say(number)) for number in range(n_turns)
    }


def _shown(turns: Sequence[WeakTurn], made_of: dict[LabelName, frozenset[Part]] | None = None) -> WeakLabels:
    return WeakLabels([turns], made_of or {})


FOUR: tuple[dict[str, Any], ...] = (
    {"intent": "play", "domain": "sound", "slots": (AnnotatedSlot(name="genre", value="jazz"),)},
    {"intent": "dim", "domain": "home", "slots": (AnnotatedSlot(name="room", value="hall"),)},
    {"intent": "stop", "domain": "home", "slots": ()},
    {"intent": "play", "domain": "sound", "slots": (AnnotatedSlot(name="genre", value="jazz"),)},
)


def test_what_is_annotated_often_enough_is_learned_and_the_rest_says_why_not() -> None:
    n_turns = LEAST_ANNOTATED
    annotations = _annotated(
        n_turns, lambda number: {"correct": number % 2 == 0, **({"goal_id": "g"} if number else {})}
    )
    space, why_not = label_space([_dialogue(n_turns)], annotations, None)
    assert space == LabelSpace(tasks=("defect",))
    assert why_not == {
        "goal_start": "49 turns are annotated, 50 are needed",
        **dict.fromkeys(
            ("goal_success", "satisfaction", "dialogue_satisfaction", "domain", "intent", "slots"),
            "no annotation says it",
        ),
    }


def test_annotations_of_other_events_teach_nothing() -> None:
    annotations = {
        EventId(f"other {number}"): Annotation(event_id=f"other {number}", correct=True)
        for number in range(100)
    }
    space, why_not = label_space([_dialogue(100)], annotations, None)
    assert space.tasks == ()
    assert why_not["defect"] == "no annotation says it"


def test_names_are_learned_that_are_said_three_times() -> None:
    space, why_not = label_space([_dialogue(60)], _annotated(60, lambda number: FOUR[number % 4]), None)
    assert space.tasks == ("domain", "intent", "slots")
    assert space.domains == ("home", "sound")
    assert space.intents == ("play", "dim", "stop")
    assert space.slots == ("genre", "room")
    assert not why_not.keys() & set(space.tasks)

    rare = _annotated(60, lambda number: {"intent": "rare" if number < 2 else "play", "slots": ()})
    space, why_not = label_space([_dialogue(60)], rare, None)
    assert space == LabelSpace(tasks=())
    assert why_not["intent"] == "fewer than 2 have been said 3 times"
    assert why_not["slots"] == "no slot has been said 3 times"


def test_what_the_log_shows_is_learned_with_what_it_was_made_of_hidden() -> None:
    made_of: dict[LabelName, frozenset[Part]] = {"defect": frozenset(["status", "signals"])}
    shown = [WeakTurn(defect=0.1, goal_start=0.5, intent=FOUR[number % 4]["intent"]) for number in range(60)]
    space, why_not = label_space([_dialogue(60)], {}, _shown(shown, made_of))
    assert space.tasks == space.from_log == ("goal_start", "defect", "intent")
    assert space.hidden == {"defect": ("signals", "status")}
    assert set(why_not) == {"goal_success", "satisfaction", "dialogue_satisfaction", "domain", "slots"}


def test_annotated_meaning_takes_the_place_of_what_was_understood_and_defects_join() -> None:
    annotations = _annotated(60, lambda number: {"correct": number % 3 > 0, "intent": f"i{number % 2}"})
    made_of: dict[LabelName, frozenset[Part]] = {
        "defect": frozenset(["status"]),
        "intent": frozenset(["understanding"]),
    }
    shown = [WeakTurn(defect=0.1, intent="taken for")] * 150
    space, _ = label_space([_dialogue(150)], annotations, _shown(shown, made_of))
    assert space.from_log == ("defect",)
    assert space.hidden == {"defect": ("status",)}
    assert space.intents == ("i0", "i1")
    few = _annotated(20, lambda number: {"intent": f"i{number % 2}"})
    space, _ = label_space([_dialogue(150)], few, _shown(shown, made_of))
    assert space.from_log == ("defect", "intent")
    assert set(space.intents) == {"i0", "i1", "taken for"}


def test_what_the_log_shows_gives_way_where_annotations_say_half_as_much() -> None:
    annotations = _annotated(60, lambda number: {"correct": number % 3 > 0})
    made_of: dict[LabelName, frozenset[Part]] = {"defect": frozenset(["status"])}
    shown = _shown([WeakTurn(defect=0.1)] * 120, made_of)
    turns = _dialogue(120)
    space, _ = label_space([turns], annotations, shown)
    assert space.tasks == ("defect",)
    assert not space.from_log
    assert not space.hidden
    targets = dialogue_targets(turns, space, annotations, shown.dialogues[0])
    assert [target.tells("defect") for target in targets] == [True] * 60 + [False] * 60


def _with_signals(wrong: int) -> tuple[list[TurnEvent], Annotations]:
    """300 turns, of which 100 are annotated as defects; the status says the same of all but a few."""
    turns = []
    for number in range(300):
        is_seen = (number < 100) != (number < wrong)
        response = Response(text="x", status="error" if is_seen else "ok")
        turns.append(turn_event(event_id=str(number), response=response, signals=Signals(barge_in=True)))
    return turns, _annotated(
        300,
        lambda number: {"correct": number >= 100, "goal_success": number >= 100, "intent": f"{number % 2}"},
    )


@pytest.mark.parametrize(("wrong", "expected"), [(0, ("status",)), (1, ("status",)), (2, ())])
def test_a_signal_that_gives_an_annotation_away_is_hidden(wrong: int, expected: tuple[str, ...]) -> None:
    turns, annotations = _with_signals(wrong)
    space, _ = label_space([turns], annotations, None)
    assert space.tasks == ("goal_success", "defect", "intent")
    assert space.hidden == ({"goal_success": expected, "defect": expected} if expected else {})


def test_feedback_that_gives_an_annotation_away_is_hidden() -> None:
    turns = [
        turn_event(event_id=str(n), signals=Signals(feedback="negative" if n % 4 == 0 else None))
        for n in range(80)
    ]
    space, _ = label_space([turns], _annotated(80, lambda number: {"correct": number % 4 > 0}), None)
    assert space.hidden == {"defect": ("signals",)}


SPACE = LabelSpace(
    tasks=(
        "goal_start", "goal_success", "defect", "satisfaction", "dialogue_satisfaction",
        "domain", "intent", "slots",
    ),
    domains=("home", "sound"),
    intents=("play", "dim"),
    slots=("genre", "room"),
    from_log=("goal_start", "defect", "intent", "slots"),
)  # fmt: skip
GENRE = SlotLabel(name="genre", value="jazz", start=5, end=9)


def _targets(
    said: Sequence[dict[str, Any]], shown: Sequence[WeakTurn] | None = None, space: LabelSpace = SPACE
) -> list[TurnTarget]:
    turns = _dialogue(len(said))
    annotations = {
        EventId(turn.event_id): Annotation(event_id=turn.event_id, **one)
        for turn, one in zip(turns, said, strict=True)
        if one
    }
    return dialogue_targets(turns, space, annotations, shown)


def test_annotations_take_the_place_of_what_the_log_shows() -> None:
    shown = WeakTurn(defect=0.25, intent="dim", domain="home", slots=(), trust=0.5, goal_start=0.75)
    said = {"correct": False, "intent": "play", "slots": (AnnotatedSlot(name="genre", value="jazz"),)}
    told, both, silent = _targets([said, said, {}], [shown] * 3)
    assert told.values == {"defect": (1.0,)}
    assert both.values == {"defect": (1.0,), "goal_start": (0.75,)}
    assert silent.values == {"defect": (0.25,), "goal_start": (0.75,)}
    assert told.classes == both.classes == {"intent": 0}
    assert silent.classes == {"intent": 1}  # the log does not teach domains here
    assert told.slots == (GENRE,)
    assert silent.slots == ()
    assert not told.weights
    assert silent.weights["intent"] == silent.weights["slots"] == 0.5
    assert told.said == {"defect", "intent", "slots"}
    assert silent.said == frozenset()
    assert told.shown == silent.shown == 0.25


def test_what_nothing_says_is_not_learned() -> None:
    (target,) = _targets([{}])
    assert (target.values, target.classes, target.slots, target.shown) == ({}, {}, None, None)
    assert not any(target.tells(task) for task in SPACE.tasks)
    (target,) = _targets([{"correct": True}], space=LabelSpace(tasks=("intent",)))
    assert not target.values


def test_a_name_that_is_not_learned_is_unknown() -> None:
    (target,) = _targets([{"intent": "once", "domain": "sound"}])
    assert target.classes == {"intent": UNKNOWN, "domain": 1}
    assert not target.tells("intent")
    assert target.tells("domain")
    assert target.tells("slots")  # who looked at the meaning saw none


def test_a_goal_starts_where_its_id_changes_and_never_with_a_dialogue() -> None:
    said = [{"goal_id": "a"}, {"goal_id": "a"}, {"goal_id": "b"}, {}, {"goal_id": "b"}]
    targets = _targets(said)
    assert [target.values.get("goal_start") for target in targets] == [None, (0.0,), (1.0,), None, None]
    targets = _targets(said, [WeakTurn(goal_start=0.5)] * 5)
    assert [target.values.get("goal_start") for target in targets] == [None, (0.0,), (1.0,), (0.5,), (0.5,)]


def _success(said: Sequence[dict[str, Any]]) -> list[float | None]:
    return [
        target.values["goal_success"][0] if "goal_success" in target.values else None
        for target in _targets(said)
    ]


def test_success_is_that_of_the_next_turn_of_the_goal_that_says_it() -> None:
    said = [
        {"goal_id": "a"},
        {"goal_id": "b"},
        {"goal_id": "a", "goal_success": False},
        {"goal_id": "a", "goal_success": True},
        {"goal_id": "b"},
        {"goal_success": True},
    ]
    assert _success(said) == [0.0, None, 0.0, 1.0, None, 1.0]


def test_success_that_was_said_before_holds_for_the_rest_of_the_goal() -> None:
    said = [{"goal_id": "a", "goal_success": True}, {"goal_id": "a"}, {"goal_id": "b"}, {"goal_id": "a"}]
    assert _success(said) == [1.0, 1.0, None, 1.0]


def test_ratings_are_the_shares_of_the_raters() -> None:
    first, last = _targets([{"satisfaction": (1, 1, 5, 2)}, {"dialogue_satisfaction": (3,)}])
    assert first.values == {"satisfaction": (0.5, 0.25, 0.0, 0.0, 0.25)}
    assert last.values == {"dialogue_satisfaction": (0.0, 0.0, 1.0, 0.0, 0.0)}


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("play some jazz", "jazz", [(10, 14)]),
        ("Play Jazz now", "jAZZ", [(5, 9)]),
        ("play jazzy jazz", "jazz", [(11, 15)]),
        ("acidjazz and jazz", "jazz", [(13, 17)]),
        ("play (jazz)!", "jazz", [(6, 10)]),
        ("at 7:30, 17:30", "7:30", [(3, 7)]),
        ("17:30 or 7:30", "7:30", [(9, 13)]),
        ("play jazz", " jazz ", [(5, 9)]),
        ("play the new york sound", "new york", [(9, 17)]),
        ("play blues", "jazz", []),
        ("play jazz", "", []),
        ("play jazz", None, []),
        ("", "jazz", []),
        ("rock 'n' roll", "rock 'n' roll", [(0, 13)]),
        ("c++ and c", "c++", [(0, 3)]),
        ("播放爵士乐吧", "爵士乐", [(2, 5)]),
        ("재즈를 틀어줘", "재즈", [(0, 2)]),
        ("播放jazz吧", "jazz", [(2, 6)]),
        ("шумный шум", "шум", [(7, 10)]),
    ],
)
def test_a_value_is_found_as_whole_words(
    text: str, value: str | None, expected: list[tuple[int, int]]
) -> None:
    found = found_slots(text, [AnnotatedSlot(name="x", value=value)])
    assert [(slot.start, slot.end) for slot in found] == expected
    assert all(slot.value == text[slot.start : slot.end] for slot in found)


def test_a_text_whose_small_letters_are_more_has_its_right_characters_or_none() -> None:
    text = "play \u0130stanbul jazz"
    for slot in found_slots(text, [AnnotatedSlot(name="x", value="jazz")]):
        assert slot.value == "jazz"
    (slot,) = found_slots(text, [AnnotatedSlot(name="x", start=5, end=13)])
    assert slot.value == "\u0130stanbul"


def test_values_do_not_overlap_and_one_that_is_there_twice_is_found_twice() -> None:
    twice = [AnnotatedSlot(name="from", value="York"), AnnotatedSlot(name="to", value="york")]
    assert [(slot.name, slot.start) for slot in found_slots("york to york", twice)] == [
        ("from", 0),
        ("to", 8),
    ]
    nested = [AnnotatedSlot(name="city", value="new york"), AnnotatedSlot(name="old", value="york")]
    assert [slot.name for slot in found_slots("fly to new york", nested)] == ["city"]
    assert [slot.name for slot in found_slots("york, new york", nested)] == ["old", "city"]


def test_given_characters_are_taken_as_they_are() -> None:
    given_places = [
        AnnotatedSlot(name="b", start=5, end=99),
        AnnotatedSlot(name="a", value="not looked at", start=0, end=4),
        AnnotatedSlot(name="over", start=3, end=6),
        AnnotatedSlot(name="empty", start=4, end=4),
        AnnotatedSlot(name="beyond", start=50, end=60),
    ]
    assert [(slot.name, slot.value) for slot in found_slots("play jazz", given_places)] == [
        ("a", "play"),
        ("b", "jazz"),
    ]


NAMES = ("genre", "room")
WORDS = [(0, 4), (5, 9), (10, 12), (13, 16), (17, 24)]
TEXT = "play jazz in the kitchen"


def test_tags_tell_first_tokens_from_others() -> None:
    slots = [
        SlotLabel(name="genre", value="jazz", start=5, end=9),
        SlotLabel(name="room", value="the kitchen", start=13, end=24),
    ]
    assert slot_tags(WORDS, slots, NAMES).tolist() == [0, 1, 0, 3, 4]
    assert slot_tags(WORDS, slots, ("room",)).tolist() == [0, 0, 0, 1, 2]
    assert slot_tags(WORDS[:2], slots, NAMES).tolist() == [0, 1]
    assert slot_tags([], slots, NAMES).tolist() == []
    assert slot_tags([(5, 7), (7, 9)], slots, NAMES).tolist() == [1, 2]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([0, 1, 0, 3, 4], [("genre", "jazz"), ("room", "the kitchen")]),
        ([0, 1, 1, 0, 0], [("genre", "jazz"), ("genre", "in")]),
        ([0, 2, 2, 0, 0], [("genre", "jazz in")]),
        ([0, 1, 4, 4, 0], [("genre", "jazz"), ("room", "in the")]),
        ([1, 2, 2, 2, 2], [("genre", TEXT)]),
        ([0, 0, 0, 0, 0], []),
    ],
)
def test_any_tags_are_some_slots(tags: list[int], expected: list[tuple[str, str]]) -> None:
    found = tagged_slots(TEXT, WORDS, tags, NAMES)
    assert [(slot.name, slot.value) for slot, _ in found] == expected
    assert all(TEXT[slot.start : slot.end] == slot.value for slot, _ in found)
    assert [place for _, tokens in found for place in tokens] == [i for i, tag in enumerate(tags) if tag]


def test_white_space_is_in_no_slot() -> None:
    (slot, tokens), = tagged_slots("a  b", [(0, 1), (1, 4)], [0, 1], NAMES)  # fmt: skip
    assert (slot.value, slot.start, slot.end, tokens) == ("b", 3, 4, range(1, 2))
    assert tagged_slots("a  ", [(0, 1), (1, 3), (3, 3)], [0, 1, 3], NAMES) == []


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 2)), max_size=12), st.data())
def test_slots_of_whole_tokens_come_back_from_their_tags(
    words: list[tuple[int, int]], data: st.DataObject
) -> None:
    offsets, text = [], ""
    for length, spaces in words:
        text += " " * spaces
        offsets.append((len(text), len(text) + length))
        text += "w" * length
    slots, first = [], 0
    while first < len(offsets):
        last = data.draw(st.integers(first, len(offsets) - 1))
        name = data.draw(st.sampled_from([*NAMES, "none"]))
        start, end = offsets[first][0], offsets[last][1]
        if name != "none":
            slots.append(SlotLabel(name=name, value=text[start:end], start=start, end=end))
        first = last + 1
    tags = slot_tags(offsets, slots, NAMES)
    assert [slot for slot, _ in tagged_slots(text, offsets, tags.tolist(), NAMES)] == slots


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(1, 3), st.integers(0, 4)), max_size=10
    )
)
def test_slots_never_overlap_also_where_one_character_has_several_tokens(
    tokens: list[tuple[int, int, int, int]],
) -> None:
    offsets, tags, text = [], [], ""
    for spaces, length, times, tag in tokens:
        text += " " * spaces
        for _ in range(times):  # as the bytes of one character
            offsets.append((len(text), len(text) + length))
            tags.append((tag + len(tags)) % 5)
        text += "w" * length
    end = 0
    for slot, _ in tagged_slots(text, offsets, tags, NAMES):
        assert end <= slot.start < slot.end
        assert text[slot.start : slot.end] == slot.value
        end = slot.end


def test_a_success_counts_for_less_where_it_is_not_said() -> None:
    said = {2: {"goal_id": "g", "goal_success": False}}
    annotations = _annotated(4, lambda number: said.get(number, {"goal_id": "g"}))
    space = LabelSpace(tasks=("goal_success",))
    targets = dialogue_targets(_dialogue(4), space, annotations, None)
    assert [target.values["goal_success"] for target in targets] == [(0.0,)] * 4
    assert [target.weights.get("goal_success", 1.0) for target in targets] == [0.2, 0.2, 1.0, 0.2]
