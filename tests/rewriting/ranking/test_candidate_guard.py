"""What the ranker must not put in the place of a request, however sure it is."""

import pytest

from rewriting.evidence.interpretation import Interpretation
from rewriting.guards.pair_guard import PairGuard
from rewriting.guards.settings import GuardSettings, SensitiveSettings
from rewriting.ranking.candidate_guard import CandidateGuard
from rewriting.ranking.candidates import Candidate, Source

EVERYBODYS = [Source.TEXT_REPAIR, Source.MEANING_REPAIR, Source.QUESTION, Source.SIMILAR]
MANY = 100


def refusals(
    text: str,
    target: str,
    source: Source = Source.SIMILAR,
    *,
    users: int = MANY,
    meaning: str = "d|i|",
    locale: str = "en-us",
    understood: str = "d|i|",
    guard: CandidateGuard | None = None,
) -> tuple[str, ...]:
    candidate = Candidate(Interpretation(meaning), target, source)
    return (guard or CandidateGuard()).refusals(text, Interpretation(understood), locale, candidate, users)


@pytest.mark.parametrize("source", [*EVERYBODYS, Source.HABIT, Source.OWN_REPAIR])
def test_what_sounds_alike_and_asks_for_nothing_else_is_served_wherever_it_comes_from(source: Source) -> None:
    assert refusals("pley the mourning song", "play the morning song", source) == ()


@pytest.mark.parametrize(
    ("text", "target", "locale", "reason"),
    [
        ("lock the car", "unlock the car", "en-us", "opposite"),
        ("turn the light on", "turn the light off", "en-us", "opposite"),
        ("mach das licht an", "mach das licht aus", "de-de", "opposite"),
        ("wake me at six", "wake me at seven", "en-us", "number"),
        ("wake me at six", "never mind", "en-us", "giving_up"),
    ],
)
@pytest.mark.parametrize("source", [Source.SIMILAR, Source.HABIT, Source.OWN_REPAIR])
def test_what_asks_for_something_else_is_refused_even_of_the_users_own(
    text: str, target: str, locale: str, reason: str, source: Source
) -> None:
    assert reason in refusals(text, target, source, locale=locale)


@pytest.mark.parametrize("source", EVERYBODYS)
def test_what_names_another_thing_is_left_to_rows_of_the_table(source: Source) -> None:
    assert refusals("play the bbc", "play the weather channel", source) == ("other_name",)


@pytest.mark.parametrize("own", [Source.HABIT, Source.OWN_REPAIR])
def test_what_names_another_thing_is_served_where_it_is_the_users_own(own: Source) -> None:
    assert refusals("play the bbc", "play the weather channel", own | Source.SIMILAR) == ()


def test_what_names_the_same_in_other_words_is_served() -> None:
    text, target, meaning = "begin morning mist", "play the song morning mist", "music|play|song=morning mist"
    assert refusals(text, target, meaning=meaning, understood="other|fallback|") == ()
    assert refusals(text, target, meaning=meaning, understood="music|play|artist=morning") == ()
    # Something else was understood in it, or the request does not say what would be run.
    assert refusals(text, target, meaning=meaning, understood="tv|start|film=morning mist") == ("other_name",)
    assert refusals(text, target, meaning="music|play|song=evening mist") == ("other_name",)
    assert refusals(text, target, meaning="music|play|") == ("other_name",)
    assert "opposite" in refusals("turn on the lamp", "turn off the lamp", meaning="home|off|device=lamp")


def test_what_is_sensitive_takes_the_users_own_history() -> None:
    text, target = "all the bakers", "call the bakers"
    for source in EVERYBODYS:
        assert refusals(text, target, source) == ("sensitive",)
    assert refusals(text, target, Source.HABIT) == ()


def test_another_sensitive_thing_takes_the_users_own_second_try() -> None:
    text, target = "call the dentist", "call uncle bob"
    assert refusals(text, target, Source.HABIT) == ("sensitive",)
    assert refusals(text, target, Source.OWN_REPAIR) == ()


def test_what_an_operator_forbids_nobody_gets() -> None:
    forbidding = CandidateGuard(PairGuard(sensitive=SensitiveSettings(forbidden=True)))
    for source in (Source.SIMILAR, Source.HABIT, Source.OWN_REPAIR):
        assert refusals("all the bakers", "call the bakers", source, guard=forbidding) == ("sensitive",)


def test_what_looks_private_takes_more_users_unless_it_is_the_users_own() -> None:
    guard = CandidateGuard(PairGuard(GuardSettings(private_trust=5)))
    text, target = "rite to anna", "write to hanna"
    meaning = "mail|write|person=hanna"
    assert refusals(text, target, users=4, meaning=meaning, guard=guard) == ("private",)
    assert refusals(text, target, users=5, meaning=meaning, guard=guard) == ()
    assert refusals(text, target, Source.HABIT, users=0, meaning=meaning, guard=guard) == ()
