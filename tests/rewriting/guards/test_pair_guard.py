from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labeling.text.comparison import sounds_alike
from labeling.text.normalisation import normalise
from rewriting.errors import GuardSettingsError, RewritingError
from rewriting.guards.pair_guard import PairEvidence, PairGuard, PairUser
from rewriting.guards.reason import REFUSAL_REASONS, RefusalReason
from rewriting.guards.settings import GuardSettings, SensitiveSettings

SETTINGS = GuardSettings(
    min_likeness=0.45,
    min_whole_likeness=0.45,
    min_users=3,
    min_visible_share=0.25,
    min_trust=20,
    min_share=0.15,
    min_most_share=0.5,
    min_added_share=0.6,
    min_named_share=0.2,
    min_named_odds=0.5,
    private_trust=5,
)
"""The defaults may be tuned; what the tests count with stays."""

GUARD = PairGuard(SETTINGS)


def people(
    number: int, *, trust: float = 0, visible: bool = True, answered: bool = False, echoed: bool = False
) -> list[PairUser]:
    return [PairUser(trust, visible, answered, echoed) for _ in range(number)]


def pair(source: str, target: str, users: Sequence[PairUser], **fields: Any) -> PairEvidence:
    """Everybody who said the source went on to the target, unless told otherwise."""
    known = {"said": len(users), "content": 0, "went_on": len(users)} | fields
    return PairEvidence(source=normalise(source), target=normalise(target), users=users, **known)


def refusals(source: str, target: str, users: Sequence[PairUser], **fields: Any) -> tuple[RefusalReason, ...]:
    return GUARD.refusals(pair(source, target, users, **fields))


MISHEARD = ("play jess", "play jazz")
OTHER_NAME = ("play bbc radio", "play kqed radio")


def test_three_new_users_suffice_for_what_was_misheard() -> None:
    assert refusals(*MISHEARD, people(3)) == ()
    assert refusals(*MISHEARD, people(2)) == ("few_people",)


def test_two_who_are_known_for_long_count_for_three() -> None:
    assert refusals(*MISHEARD, people(2, trust=4)) == ()
    assert refusals(*MISHEARD, people(2, trust=3.9)) == ("few_people",)
    assert refusals(*MISHEARD, people(1, trust=1000)) == ("few_people",)


def test_some_of_the_failures_are_seen() -> None:
    assert refusals(*MISHEARD, [*people(1), *people(3, visible=False)]) == ()
    assert refusals(*MISHEARD, [*people(1), *people(4, visible=False)]) == ("few_people",)
    assert refusals(*MISHEARD, people(50, visible=False)) == ("few_people",)


def test_another_name_needs_many_users_who_are_known_for_long() -> None:
    assert refusals(*OTHER_NAME, people(500)) == ("other_name", "new_accounts")
    assert refusals(*OTHER_NAME, people(19, trust=1)) == ("other_name", "new_accounts")
    assert refusals(*OTHER_NAME, people(20, trust=1)) == ()
    assert refusals(*OTHER_NAME, people(20, trust=1), content=40) == ()
    assert refusals(*OTHER_NAME, people(20, trust=1), content=41) == ("other_name",)
    assert refusals(*OTHER_NAME, people(20, trust=1), said=100) == ()
    assert refusals(*OTHER_NAME, people(20, trust=1), said=101) == ("other_name",)


def test_what_names_the_same_in_other_words_is_plausible_where_nobody_was_content_with_the_source() -> None:
    asked = ("begin morning mist", "play the song morning mist")
    named = {"target_interpretation": "music|play|song=morning mist"}
    assert refusals(*asked, people(3), **named) == ()
    not_plausible = ("other_name", "few_people", "new_accounts")
    assert set(refusals(*asked, people(3))) >= {"other_name", "new_accounts"}
    for others in (
        {"content": 1},  # somebody got what they wanted
        {"target_interpretation": "music|play|song=evening mist"},  # the source does not say it
        {"target_interpretation": "music|play|"},  # nothing is named
    ):
        assert set(refusals(*asked, people(3), **(named | others))) & set(not_plausible)
    assert set(refusals(*asked, [*people(2), *people(1, visible=False)], **named)) & set(not_plausible)


def test_few_of_all_who_said_it_make_no_row() -> None:
    assert refusals(*MISHEARD, people(3), said=20) == ()
    assert refusals(*MISHEARD, people(3), said=21) == ("small_share",)


def test_most_who_went_on_must_mean_it_unless_it_sounds_much_alike() -> None:
    longer = ("play jazz", "play jazz hits")
    assert refusals(*longer, people(6), went_on=11) == ()
    assert refusals(*longer, people(6), went_on=12) == ("small_share",)
    assert refusals("turn of the lite", "turn off the light", people(6), went_on=40, said=40) == ()


def test_a_target_that_says_much_more_needs_more_than_half_of_all() -> None:
    longer = ("play jazz", "play jazz radio all night long")
    assert refusals(*longer, people(6), said=10) == ()
    assert refusals(*longer, people(6), said=11) == ("small_share",)


@pytest.mark.parametrize(
    ("locale", "source", "target", "reason"),
    [
        ("en", "lock the patio door", "unlock the patio door", "opposite"),
        ("de", "spiele Musik", "spiele keine Musik", "opposite"),
        ("en", "set the freezer to -18", "set the freezer to 18", "number"),
        ("fr", "réveille moi à six heures", "réveille moi à sept heures", "number"),
        ("en", "remind me on monday", "remind me on tuesday", "other_name"),
        ("en", "lock the patio door", "never mind", "giving_up"),
        ("de", "schließ die Terrasse ab", "vergiss es", "giving_up"),
        ("en", "cancel", "play jazz", "giving_up"),
        ("en", "light in the kitchen on", "no i meant the bath", "fragment"),
        ("en", "turn off the light and play some jazz", "turn off the light", "fragment"),
    ],
)
def test_what_a_text_says_is_refused_however_many_say_it(
    locale: str, source: str, target: str, reason: RefusalReason
) -> None:
    assert reason in refusals(source, target, people(10_000, trust=12), locale=locale)
    assert reason in GUARD.refusals_of_text(normalise(source), normalise(target), locale)
    assert not GUARD.is_plausible(normalise(source), normalise(target), locale) or reason == "fragment"


def test_a_part_is_a_fragment_where_the_rest_is_a_request_of_its_own() -> None:
    assert refusals("play jazz louder", "play jazz", people(5)) == ()
    assert refusals("play jazz louder", "play jazz", people(5), rest_is_request=True) == ("fragment",)


def test_what_was_misheard_for_giving_up_is_none() -> None:
    assert refusals("cancel tat", "cancel that", people(5)) == ()


def test_answers_and_echoes_are_nobodys_second_try() -> None:
    added = ("play jazz", "play jazz radio")
    assert "answer_to_question" in refusals(*added, people(9, answered=True))
    assert "echo" in refusals(*added, people(9, echoed=True))
    assert "few_people" in refusals(*added, people(9, echoed=True))
    own = [*people(9, answered=True), *people(5)]
    assert refusals(*added, own, said=8, went_on=5) == ()
    assert refusals(*MISHEARD, people(3, answered=True)) == ()  # it repeats the request


def test_what_users_were_content_with_is_another_thing_than_another_value_of_its_slot() -> None:
    meant = {
        "source_interpretation": "media|play|station=bbc",
        "target_interpretation": "media|play|station=kqed",
    }
    alike = ("play the station b", "play the station p")
    assert refusals(*alike, people(9), **meant) == ()
    assert "new_accounts" in refusals(*alike, people(9), content=1, **meant)


def test_a_sensitive_target_needs_twenty_trusted_users_who_saw_it_fail() -> None:
    locking = ("open the frond door lock please", "unlock the front door please")
    trusted = people(20, trust=1)
    assert "sensitive" in refusals(*locking, people(500))
    assert "sensitive" in refusals(*locking, people(19, trust=12))
    assert "sensitive" in refusals(*locking, people(20, trust=1, visible=False))
    assert "sensitive" not in refusals(*locking, trusted)
    assert "sensitive" not in refusals(*locking, trusted, said=100)
    assert "sensitive" in refusals(*locking, trusted, said=101)


def test_a_sensitive_request_that_was_misheard_stays_what_it_was() -> None:
    assert refusals("unlock the frond door", "unlock the front door", people(3)) == ()
    assert "sensitive" in refusals("open it", "open it", people(3), target_interpretation="bank|pay|")
    assert "sensitive" not in refusals(
        "open it",
        "open it",
        people(3),
        source_interpretation="bank|pay|",
        target_interpretation="bank|pay|",
    )


def test_sensitive_targets_can_be_forbidden() -> None:
    guard = PairGuard(SETTINGS, SensitiveSettings(forbidden=True))
    locking = pair("open the frond door lock please", "unlock the front door please", people(500, trust=12))
    assert "sensitive" in guard.refusals(locking)
    assert "sensitive" not in GUARD.refusals(locking)
    assert guard.refusals(pair(*MISHEARD, people(3))) == ()


def test_what_looks_private_needs_five_trusted_users_unless_the_source_says_it() -> None:
    dialled = ("ring nana", "ring nana 5550199")
    assert "private" in refusals(*dialled, people(50))
    assert "private" in refusals(*dialled, people(4, trust=12))
    assert "private" not in refusals(*dialled, people(5, trust=1))
    assert refusals("fined 5550199", "find 5550199", people(3)) == ()
    named = {"target_interpretation": "contacts|show|contact=hannah"}
    assert "private" in refusals("show hanna", "show hannah", people(3), **named)


def test_who_made_a_pair_is_not_asked_where_it_has_proved_itself_but_for_what_is_sensitive_or_private() -> (
    None
):
    def reasons(source: str, target: str, **fields: Any) -> tuple[RefusalReason, ...]:
        return GUARD.refusals_of_proven(pair(source, target, people(1), said=500, content=400, **fields))

    assert reasons(*MISHEARD) == ()
    assert reasons(*OTHER_NAME) == ()
    assert reasons("good night", "unlock the front door") == ("sensitive",)
    assert reasons("show hanna", "show hannah", target_interpretation="contacts|show|contact=hannah") == (
        "private",
    )
    assert "opposite" in reasons("lock the car", "unlock the car")  # by its text


def test_another_name_for_what_is_met_no_more_needs_a_smaller_share_of_those_who_say_it() -> None:
    assert refusals(*OTHER_NAME, people(20, trust=1), has_ceased=True) == ()
    assert refusals(*OTHER_NAME, people(19, trust=1), has_ceased=True) == ("other_name", "new_accounts")
    assert refusals(*OTHER_NAME, people(20, trust=1), said=130) == ("other_name",)
    assert refusals(*OTHER_NAME, people(20, trust=1), said=130, has_ceased=True) == ()
    assert refusals(*OTHER_NAME, people(20, trust=1), said=140, has_ceased=True) == (
        "other_name",
        "small_share",
    )


def test_whom_the_rewrite_has_met_speaks_for_it_though_it_makes_nobody_trusted() -> None:
    assert refusals(*MISHEARD, people(3), said=30) == ("small_share",)
    assert refusals(*MISHEARD, people(3), said=30, met_by_run=2) == ()
    assert refusals(*OTHER_NAME, people(20, trust=1), content=60, met_by_run=9) == ("other_name",)
    assert refusals(*OTHER_NAME, people(20, trust=1), content=60, met_by_run=10) == ()
    assert "new_accounts" in refusals(*OTHER_NAME, people(3), met_by_run=500)
    assert "few_people" in refusals(*MISHEARD, people(2), met_by_run=500)


def test_reasons_come_in_their_order_and_once() -> None:
    found = refusals("lock the car", "unlock the car", people(1))
    assert list(found) == sorted(set(found), key=REFUSAL_REASONS.index)
    assert len(found) >= 3


texts = st.one_of(
    st.lists(st.sampled_from(["play", "jazz", "unlock", "not", "18", "-", "never mind"]), max_size=5).map(
        " ".join
    ),
    st.text(max_size=20),
).map(normalise)
users = st.lists(
    st.builds(PairUser, st.floats(0, 12), st.booleans(), st.booleans(), st.booleans()),
    max_size=6,
)


@given(texts, texts, users, st.integers(0, 9), st.integers(0, 9))
@settings(max_examples=200, deadline=None)
def test_any_pair_can_be_judged_and_nothing_said_of_texts_is_taken_back(
    source: str, target: str, users: list[PairUser], said: int, content: int
) -> None:
    evidence = pair(source, target, users, said=said + len(users), content=content)
    found = GUARD.refusals(evidence)
    assert set(GUARD.refusals_of_text(source, target)) <= set(found)
    assert found or sum(user.visible for user in users) > 0


@pytest.mark.parametrize(
    "values",
    [{"min_likeness": 1.1}, {"min_share": -0.1}, {"min_users": -1}, {"min_named_odds": float("nan")}],
)
def test_refuses_settings_out_of_range(values: dict[str, Any]) -> None:
    (name,) = values
    with pytest.raises(GuardSettingsError, match=name) as caught:
        GuardSettings(**values)
    assert isinstance(caught.value, RewritingError)
    with pytest.raises(msgspec.ValidationError, match=name):  # as the settings file is read
        msgspec.convert(values, GuardSettings)


@pytest.mark.parametrize(
    ("source", "target"),
    [("play jess", "play jazz"), ("wether tomorrow", "weather tomorrow"), ("call anna", "call hannah")],
)
def test_the_guard_goes_by_how_likely_two_texts_sound_alike(source: str, target: str) -> None:
    likely = sounds_alike(source, target)
    for least, is_so in ((likely, True), (likely + 1e-6, False)):
        guard = PairGuard(GuardSettings(min_likeness=least, min_whole_likeness=least))
        assert guard.is_plausible(source, target) is is_so
