"""Which labels there are, and what is hidden for which."""

import msgspec

from labeling.annotations.annotation import AnnotatedSlot, Annotation
from labeling.labels.space import LabelSpace, annotates, frequent_names, space_views

SPACE = LabelSpace(
    tasks=("goal_start", "defect", "satisfaction", "domain", "intent", "slots"),
    domains=("home", "sound"),
    intents=("dim", "play", "stop"),
    slots=("genre", "room"),
    from_log=("defect", "intent"),
    hidden={"defect": ("signals", "status"), "intent": ("responses",), "slots": ("status", "signals")},
)


def test_each_label_has_its_logits() -> None:
    assert [SPACE.width(task) for task in SPACE.tasks] == [1, 1, 5, 2, 3, 5]
    assert SPACE.width("dialogue_satisfaction") == 5
    assert SPACE.width("goal_success") == 1


def test_labels_that_share_what_is_hidden_are_read_together() -> None:
    assert SPACE.hidden_for("intent") == {"responses"}
    assert SPACE.hidden_for("goal_start") == frozenset()
    assert space_views(SPACE) == [
        (frozenset(), ("goal_start", "satisfaction", "domain")),
        (frozenset(["responses"]), ("intent",)),
        (frozenset(["signals", "status"]), ("defect", "slots")),
    ]
    assert space_views(LabelSpace(tasks=())) == []


def test_a_space_is_kept_as_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(SPACE), type=LabelSpace) == SPACE


def test_names_come_by_how_often_they_are_said_then_by_the_alphabet() -> None:
    assert frequent_names("ccabbbxca", 2) == ("b", "c", "a")
    assert frequent_names("ccabbbxca", 4) == ()


def test_an_annotation_says_what_it_has() -> None:
    annotation = Annotation(
        event_id="e", correct=False, goal_id="g", slots=(AnnotatedSlot(name="room", value="kitchen"),)
    )
    assert [task for task in SPACE.tasks if annotates(annotation, task)] == ["goal_start", "defect", "slots"]
    assert not any(annotates(Annotation(event_id="e"), task) for task in SPACE.tasks)
    assert annotates(Annotation(event_id="e", goal_success=False), "goal_success")
    assert annotates(Annotation(event_id="e", dialogue_satisfaction=(1,)), "dialogue_satisfaction")
