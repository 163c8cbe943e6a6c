from collections.abc import Sequence

import msgspec
import pytest
from annotated_world import f1_of
from rephrase_world import rephrase_sessions
from turns import turn_event

from rewriting.errors import RephraseTrainingError
from rewriting.evidence.rephrase_link import RephraseLink
from rewriting.rephrases.settings import RephraseSettings
from rewriting.rephrases.weak_rephrases import WeakRephrases
from streams.turn import TurnEvent

SETTINGS = RephraseSettings()


def _words_alone(turns: Sequence[TurnEvent]) -> list[RephraseLink]:
    return [
        RephraseLink(i, i + 1, 1.0)
        for i in range(len(turns) - 1)
        if set(turns[i].request.text.split()) & set(turns[i + 1].request.text.split())
    ]


def test_views_that_agree_teach_each_other_without_any_label() -> None:
    world = rephrase_sessions(600)
    weak = WeakRephrases.fit([session.turns for session in world], SETTINGS)
    unseen = rephrase_sessions(300, seed=2)
    found = weak.detect([session.turns for session in unseen])
    assert f1_of(unseen, found) > 0.95
    assert f1_of(unseen, [_words_alone(session.turns) for session in unseen]) < 0.9


def test_the_same_sessions_give_the_same_estimates() -> None:
    turns = [session.turns for session in rephrase_sessions(200)]
    assert WeakRephrases.fit(turns, SETTINGS).estimates == WeakRephrases.fit(turns, SETTINGS).estimates


def test_a_request_has_one_next_try_at_most_and_is_the_next_try_of_one() -> None:
    turns = [session.turns for session in rephrase_sessions(300)]
    for links in WeakRephrases.fit(turns, SETTINGS).detect(turns):
        for side in ("source", "target"):
            totals: dict[int, float] = {}
            for link in links:
                totals[getattr(link, side)] = totals.get(getattr(link, side), 0.0) + link.score
            assert all(total <= 1 + 1e-9 for total in totals.values())


def test_what_is_found_in_a_session_does_not_depend_on_the_others() -> None:
    turns = [session.turns for session in rephrase_sessions(300)]
    weak = WeakRephrases.fit(turns, SETTINGS)
    together = weak.detect(turns)
    assert [weak.detect([one])[0] for one in turns[:20]] == together[:20]


def test_a_try_after_a_detour_is_found_where_users_come_back() -> None:
    world = []
    for session in rephrase_sessions(600):
        turns = list(session.turns)
        if session.tries_again[1] == 0 and len(turns) == 2:  # something else was asked in between
            between = turns[0].ts_ms + 1000
            detour = turn_event("what is that noise", event_id=f"d{turns[0].event_id}", ts_ms=between)
            turns.insert(1, msgspec.structs.replace(detour, user_id=turns[0].user_id))
        world.append(turns)
    weak = WeakRephrases.fit(world, SETTINGS)
    detours = [turns for turns in world if any(turn.event_id.startswith("d") for turn in turns)]
    found = [
        {(link.source, link.target) for link in links if link.score >= 0.5} for links in weak.detect(detours)
    ]
    assert sum((0, 2) in links for links in found) > 0.7 * len(detours)


def test_too_few_requests_are_refused_with_their_number() -> None:
    with pytest.raises(RephraseTrainingError, match="200 are needed"):
        WeakRephrases.fit([session.turns for session in rephrase_sessions(10)], SETTINGS)


def test_a_log_in_which_nobody_says_anything_twice_is_refused() -> None:
    session = [turn_event(text, ts_ms=1000 * i) for i, text in enumerate(("stop", "more", "quiet") * 100)]
    with pytest.raises(RephraseTrainingError, match="no second tries"):
        WeakRephrases.fit([session], RephraseSettings(window_turns=1))
