"""The catalogue of a world whose stages can fail one by one: with more that can be taken for one another."""

from services.simulator.stages.overheard import questions
from services.simulator.world.catalogue import DURATIONS, Catalogue, Goal, goals_of, make_catalogue
from services.simulator.world.frame import frame
from services.simulator.world.language_understanding import FALLBACK, LanguageUnderstanding
from services.simulator.world.lexicon import HELD_OUT, SEEN

ABSENT = 14
"""Songs that users ask for and the catalogue does not have."""

THEMES = {
    "song": 21, "artist": 11, "weather": 12, "home": 19, "timer": 6, "alarm": 5, "call": 10, "message": 5,
    "news": 5, "unsupported": 2, "absent": 2, "chat": 2,
}  # fmt: skip
"""Percent of goals in each theme."""

STOP = Goal(frame=frame("device", "stop"), phrasings=("stop", "cancel", "never mind"))
"""What users say when the assistant does what they did not want."""

ABSENT_SEED = 1_000_003
"""Added to a world's seed for the names that its users know and its catalogue does not."""


def make_stage_catalogue(seed: int, *, held_out: bool) -> Catalogue:
    """The catalogue of a world; no name in it is one of any world with the other `held_out`."""
    lexicon = HELD_OUT if held_out else SEEN
    plain = make_catalogue(seed, lexicon)
    understanding = LanguageUnderstanding(plain)
    goals = {
        theme: tuple(_unambiguous(goal, understanding) for goal in goals)
        for theme, goals in plain.goals.items()
    }
    contacts, cities = plain.names["contact"], plain.names["city"]
    wordings: tuple[str, ...] = ("wake me in {}", "set an alarm for {}", "alarm in {}")
    goals["alarm"] = goals_of("alarm.set", "time", DURATIONS, wordings)
    wordings = ("text {}", "send {} a message", "message {}")
    goals["message"] = goals_of("phone.message", "contact", contacts, wordings)
    wordings = ("news from {}", "what is the news from {}", "give me the news from {}")
    goals["news"] = goals_of("news.query", "city", cities, wordings)
    known = set(plain.names["song"]) | set(plain.names["artist"])
    elsewhere = make_catalogue(seed + ABSENT_SEED, lexicon).names["song"]
    absent = [song for song in elsewhere if song not in known][:ABSENT]
    wordings = ("play {}", "play the song {}", "i want to hear {}", "put on {}")
    goals["absent"] = goals_of("music.play_song", "song", absent, wordings, supported=False)
    goals["chat"] = tuple(
        Goal(frame=FALLBACK, phrasings=(question,), supported=False) for question in questions()
    )
    return Catalogue(names=plain.names, goals=goals, twins=plain.twins, familiar=plain.familiar)


def _unambiguous(goal: Goal, understanding: LanguageUnderstanding) -> Goal:
    # Words that are always taken for another valid request would make what is said false by definition.
    awkward = tuple(text for text in goal.awkward if understanding.understand(text) == FALLBACK)
    return Goal(frame=goal.frame, phrasings=goal.phrasings, awkward=awkward, supported=goal.supported)
