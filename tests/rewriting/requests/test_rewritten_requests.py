"""What was run by a rewrite is booked for nobody as said: in statistics, histories and contexts."""

from collections.abc import Iterable

import msgspec
import numpy as np
import pytest
from request_sessions import meaning, step
from request_sessions import session as session_of_steps
from rewritten_turns import meant, said, session_of, sessions_of

from labeling.text.question import NO_QUESTION
from rewriting.guards.reason import RefusalReason
from rewriting.ranking.candidate_guard import CandidateGuard
from rewriting.ranking.candidates import (
    Candidate,
    CandidateSettings,
    Source,
    is_personal,
    rewrite_candidates,
)
from rewriting.ranking.examples import asked_step, rank_examples
from rewriting.ranking.features import CANDIDATE_FEATURES, candidate_features, request_features
from rewriting.requests.asked_request import AskedRequest, asked_request
from rewriting.requests.counts import RequestCounts, SharedStatistics
from rewriting.requests.history import RequestHistory
from rewriting.requests.statistics import TextStatistics
from rewriting.requests.step import RequestText, SessionRequests, session_requests
from streams.session import Session
from streams.turn import TurnEvent

SONK, SONG = RequestText("play sonk"), RequestText("play song")
MET_BY_REWRITE = said("play sonk", run="Play song!")
PROTEST = (said("play sonk", run="play song", met=False), said("play blues"))
PEOPLE = [f"p{number}" for number in range(25)]


def requests(*turns: TurnEvent, user: str = "u", day: int = 0) -> SessionRequests:
    return session_requests(session_of(user, *turns, day=day))


def counted(sessions: Iterable[Session], min_users: int = 3) -> RequestCounts:
    counts = RequestCounts(min_users)
    for session in sessions:
        counts.add(session_requests(session))
    return counts


def of_text(counts: RequestCounts, text: RequestText) -> TextStatistics:
    known = counts.text(text, NO_QUESTION)
    assert known is not None
    return known


def asked(text: str, **changes: object) -> AskedRequest:
    request = AskedRequest(text=RequestText(text), ts_ms=10**12, interpretation=meant(text))
    return msgspec.structs.replace(request, **changes)


def test_a_step_is_what_was_said_with_what_was_run_beside_it() -> None:
    session = requests(MET_BY_REWRITE, said("what time is it"))
    rewritten, as_said = session.steps
    assert (rewritten.text, rewritten.surface, rewritten.run) == (SONK, "play sonk", SONG)
    assert (rewritten.executed, rewritten.interpretation) == (SONG, meant("play song"))
    assert (as_said.run, as_said.executed) == ("", as_said.text)
    assert [session.meant(i) for i in range(2)] == session.each_meant() == [None, 1]


def test_words_that_differ_in_case_alone_are_no_rewrite() -> None:
    with_text, without = requests(said("Play song", run="play song!")), requests(said("Play song"))
    assert with_text == without


@pytest.mark.parametrize(("text", "run"), [("...", "play song"), ("play song", "...")])
def test_a_turn_in_which_nothing_was_said_or_run_is_left_out(text: str, run: str) -> None:
    assert requests(said(text, run=run)).steps == ()


def test_what_was_run_is_nobodys_request() -> None:
    counts = counted(sessions_of(PEOPLE, MET_BY_REWRITE))
    assert set(counts.texts) == {(SONK, NO_QUESTION)}
    assert not list(counts.interpretations)
    sonk = of_text(counts, SONK)
    assert (sonk.users, sonk.outcomes.count, sonk.repair_count) == (25, 0, 0)


def test_the_system_cannot_make_up_the_people_who_said_a_thing() -> None:
    """Two people have said the target; that it was run for others makes them no more."""
    raw = sessions_of(["a", "b"], said("play song"))
    rewritten = sessions_of(["c", "d", "e"], MET_BY_REWRITE)
    told = SharedStatistics(counted([*raw, *rewritten]))
    assert told.text(SONG, NO_QUESTION) is None
    assert told.interpretation(meant("play song")) is None
    known = counted([*raw, *rewritten]).interpretation(meant("play song"))
    assert known is not None
    assert (known.met_users, known.text) == (2, None)
    three = SharedStatistics(counted([*raw, *sessions_of(["c"], said("play song"))]))
    assert three.interpretation(meant("play song")) is not None


def test_a_target_does_not_become_a_source_by_the_protests_against_its_rewrite() -> None:
    before = sessions_of(PEOPLE[:20], said("play sonk", met=False), said("play song"))
    counts = counted([*before, *sessions_of(PEOPLE, *PROTEST, day=1)])
    song = of_text(counts, SONG)
    assert not song.repairs
    assert (song.outcomes.count, song.outcomes.success_weight) == (20, 20)
    by_meaning = counts.interpretation(meant("play song"))
    assert by_meaning is not None
    assert not by_meaning.repairs
    sonk = of_text(counts, SONK)
    assert {key: repair.users for key, repair in sonk.repairs.items()} == {
        meant("play song"): 20,
        meant("play blues"): 25,
    }
    assert sonk.outcomes.count == 20  # how it does as it is, these alone tell


def test_that_a_rewrite_fails_says_nothing_of_its_target_as_others_say_it() -> None:
    raw = sessions_of(PEOPLE[:5], said("play song"))
    failed = sessions_of(PEOPLE, said("play sonk", run="play song", met=False), day=1)
    assert of_text(counted([*raw, *failed]), SONG) == of_text(counted(raw), SONG)
    assert counted([*raw, *failed]).interpretation(meant("play song")) == counted(raw).interpretation(
        meant("play song")
    )


def test_who_insists_on_the_same_words_has_not_said_that_they_mean_something_else() -> None:
    insists = (said("play sonk", run="play song", met=False), said("play sonk"))
    session = requests(*insists)
    assert session.each_second_try() == [None, None]
    sonk = of_text(counted(sessions_of(PEOPLE, *insists)), SONK)
    assert (sonk.outcomes.count, sonk.outcomes.success_weight, sonk.repair_count) == (25, 25, 0)
    assert not RequestHistory([session]).repairs


def test_a_second_try_that_was_rewritten_shows_nobody_what_was_meant() -> None:
    tried = (said("play sunk", met=False), MET_BY_REWRITE)
    assert requests(*tried).each_meant() == [None, None]
    assert not of_text(counted(sessions_of(PEOPLE, *tried)), RequestText("play sunk")).repairs


def test_a_question_is_not_answered_by_what_was_run() -> None:
    answer = step("the sauce", question="what area")
    rewritten = msgspec.structs.replace(answer, run="the south", interpretation=meaning("the south"))
    counts = RequestCounts(1)
    counts.add(session_of_steps("a", rewritten))
    assert not list(counts.questions)


def test_what_was_run_is_no_habit_and_says_what_the_user_means() -> None:
    history = RequestHistory([requests(MET_BY_REWRITE, day=day) for day in range(3)])
    assert (history.habits, history.said, history.repairs, history.weight) == ({}, {}, {}, 0)
    assert history.content_with(SONK) == {meant("play song"): 3}
    assert history.content_with(SONG) == {}


def test_two_protests_outweigh_that_the_user_was_content_twice() -> None:
    content = [requests(MET_BY_REWRITE, day=day) for day in range(2)]
    protests = [requests(*PROTEST, day=day) for day in range(2, 4)]
    assert RequestHistory([*content, protests[0]]).content_with(SONK) == {meant("play song"): 1}
    history = RequestHistory([*content, *protests])
    assert history.content_with(SONK) == {}
    assert history.repairs == {SONK: {meant("play blues"): 2}}


def test_what_may_have_been_given_up_counts_for_neither() -> None:
    moved_on = requests(MET_BY_REWRITE, said("what time is it"))
    assert moved_on.steps[0].success == 0.5
    assert RequestHistory([moved_on]).content_with(SONK) == {}


def test_content_makes_a_personal_candidate_only_in_words_that_enough_people_have_said() -> None:
    history = RequestHistory([requests(MET_BY_REWRITE, day=day) for day in range(2)])

    def found(counts: RequestCounts, history: RequestHistory) -> list[Candidate]:
        return rewrite_candidates(asked(SONK), SharedStatistics(counts), history, (), CandidateSettings())

    known = counted(sessions_of(PEOPLE, said("play song")))
    (candidate,) = found(known, history)
    assert candidate.text == "play song"
    assert candidate.source == Source.OWN_RUN
    assert is_personal(candidate)
    assert found(known, RequestHistory()) == []
    assert found(counted(sessions_of(["a", "b"], said("play song"))), history) == []
    values = candidate_features(asked(SONK), [candidate], known, history)[0]
    named = dict(zip((name for name, _ in CANDIDATE_FEATURES), map(float, values), strict=True))
    assert (named["own_repairs"], named["own_repairs_to"], named["habit_weight"]) == (2, 2, 0)


def test_content_vouches_for_nothing_that_the_guard_asks_of_the_user() -> None:
    def refusals(text: str, target: str, source: Source) -> tuple[RefusalReason, ...]:
        candidate = Candidate(meant(target), target, source)
        return CandidateGuard().refusals(text, meant(text), "en", candidate, 100)

    assert refusals("play the bbc", "play the weather channel", Source.HABIT) == ()
    for source in (Source.OWN_RUN, Source.OWN_RUN | Source.SIMILAR):
        assert refusals("play the bbc", "play the weather channel", source) == ("other_name",)


def test_the_context_of_a_request_is_what_was_run() -> None:
    """What has been tried is what ran; what the assistant makes of a rewritten request, nobody knows."""
    session = session_of("u", said("play sonk", run="play song", met=False), said("play blues"))
    of_log = asked_request(session.turns[1], session.turns[:1])
    of_steps = asked_step(session_requests(session), 1)
    for request in (of_log, of_steps):
        assert request.interpretation == meant("play blues")
        (before,) = request.earlier
        assert (before.text, before.interpretation, before.failed) == (SONG, meant("play song"), True)
    for request in (asked_request(session.turns[0], ()), asked_step(session_requests(session), 0)):
        assert (request.text, request.interpretation) == (SONK, None)


def test_a_text_that_only_ever_was_rewritten_has_features() -> None:
    known = counted(sessions_of(PEOPLE, MET_BY_REWRITE))
    values = request_features(asked(SONK), known, RequestHistory())
    assert np.isfinite(values).any()


def test_the_ranker_does_not_learn_from_requests_that_were_rewritten() -> None:
    tried = [
        requests(said("play sunk", met=False), MET_BY_REWRITE, user=user, day=day)
        for day, user in enumerate(PEOPLE[:5])
    ]
    examples = list(rank_examples(tried, 0, CandidateSettings()))
    assert [(example.text, example.meant) for example in examples] == [("play sunk", None)] * 5
