import pytest

from rewriting.encoders import hard_negatives
from rewriting.encoders.example import EncoderExample
from rewriting.encoders.hard_negatives import HardNegatives, meanings_of_queries

KNOWN = {
    "call stephen": "phone|call|who=stephen",
    "ring up stephen": "phone|call|who=stephen",
    "call steffi": "phone|call|who=steffi",
    "call robert": "phone|call|who=robert",
    "cold seven": "weather|temperature|n=seven",
    "play jazz": "play|music|genre=jazz",
}
EXAMPLE = EncoderExample(
    query="cull steven",
    positive="call stephen",
    query_interpretation=None,
    positive_interpretation="phone|call|who=stephen",
)


def test_the_nearest_by_sound_means_something_else() -> None:
    assert HardNegatives(KNOWN).find([EXAMPLE], by_sound=1, by_slots=0) == [("call steffi",)]


def test_wrong_slots_have_the_same_intent() -> None:
    [found] = HardNegatives(KNOWN).find([EXAMPLE], by_sound=0, by_slots=9)
    assert found == ("call steffi", "call robert")


def test_both_kinds_are_distinct() -> None:
    [found] = HardNegatives(KNOWN).find([EXAMPLE], by_sound=1, by_slots=1)
    assert found == ("call steffi", "call robert")


def test_neither_query_nor_positive_nor_what_means_the_same_is_a_negative() -> None:
    [found] = HardNegatives(KNOWN).find([EXAMPLE], by_sound=99, by_slots=99)
    assert set(found) == {"call steffi", "call robert", "cold seven", "play jazz"}


def test_what_the_query_meant_where_it_succeeded_is_no_negative() -> None:
    known = KNOWN | {"cull steven": "farm|cull|who=steven", "slaughter steven": "farm|cull|who=steven"}
    [found] = HardNegatives(known).find([EXAMPLE], by_sound=99, by_slots=99)
    assert "slaughter steven" not in found
    assert "cull steven" not in found


def test_another_positive_of_the_same_query_is_no_negative() -> None:
    other = EncoderExample(
        query="cull steven", positive="call steffi", positive_interpretation="phone|call|who=steffi"
    )
    for found in HardNegatives(KNOWN).find([EXAMPLE, other], by_sound=99, by_slots=99):
        assert not {"call stephen", "call steffi", "ring up stephen"} & set(found)


def test_a_positive_without_interpretation_has_negatives_by_sound_alone() -> None:
    example = EncoderExample(query="cull steven", positive="unheard of")
    [found] = HardNegatives(KNOWN).find([example], by_sound=0, by_slots=9)
    assert found == ()
    assert len(HardNegatives(KNOWN).find([example], by_sound=2, by_slots=0)[0]) == 2


def test_nothing_known_has_no_negatives() -> None:
    assert HardNegatives({}).find([EXAMPLE], by_sound=2, by_slots=2) == [()]
    assert HardNegatives(KNOWN).find([], by_sound=2, by_slots=2) == []


def test_the_order_of_the_log_does_not_matter() -> None:
    backwards = dict(reversed(KNOWN.items()))
    for counts in ({"by_sound": 3, "by_slots": 0}, {"by_sound": 0, "by_slots": 3}):
        assert HardNegatives(KNOWN).find([EXAMPLE], **counts) == HardNegatives(backwards).find(
            [EXAMPLE], **counts
        )


def test_of_a_large_log_a_fixed_part_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hard_negatives, "MOST_CANDIDATES", 3)
    [found] = HardNegatives(KNOWN).find([EXAMPLE], by_sound=99, by_slots=99)
    assert 1 <= len(found) <= 3
    assert HardNegatives(dict(reversed(KNOWN.items()))).find([EXAMPLE], by_sound=99, by_slots=99) == [found]


def test_meanings_are_those_of_all_positives_and_of_the_query_itself() -> None:
    examples = [
        EncoderExample(query="q", positive="p", positive_interpretation="a"),
        EncoderExample(query="q", positive="play jazz"),
        EncoderExample(query="call robert", positive="p"),
    ]
    assert meanings_of_queries(examples, KNOWN) == {
        "q": {"a", "play|music|genre=jazz"},
        "call robert": {"phone|call|who=robert"},
    }
