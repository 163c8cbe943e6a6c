from msgspec import structs
from request_sessions import meaning, repaired, session, step

from labeling.text.question import Question
from rewriting.evidence.interpretation import Interpretation
from rewriting.ranking.candidates import CandidateSettings, NearRequest, Source, rewrite_candidates
from rewriting.requests.asked_request import AskedRequest
from rewriting.requests.counts import RequestCounts
from rewriting.requests.history import RequestHistory
from rewriting.requests.step import RequestText, SessionRequests

SETTINGS = CandidateSettings()


def counted(*sessions: SessionRequests) -> RequestCounts:
    counts = RequestCounts(SETTINGS.min_users)
    for one in sessions:
        counts.add(one)
    return counts


def asked(text: str, question: str = "") -> AskedRequest:
    return AskedRequest(
        text=RequestText(text), ts_ms=0, interpretation=meaning(text), question=Question(question)
    )


def found(
    request: AskedRequest,
    counts: RequestCounts,
    history: RequestHistory | None = None,
    near: tuple[NearRequest, ...] = (),
    settings: CandidateSettings = SETTINGS,
) -> dict[str, Source]:
    candidates = rewrite_candidates(request, counts, history or RequestHistory(), near, settings)
    return {candidate.text: candidate.source for candidate in candidates}


def met_by(text: str, *users: str) -> list[SessionRequests]:
    return [session(user, step(text), number=9) for user in users]


def test_second_tries_of_two_users_make_a_candidate_if_three_succeed_with_it() -> None:
    tries = [repaired(user, "play jess", "play jazz") for user in ("a", "b")]
    assert found(asked("play jess"), counted(*tries)) == {}
    enough = counted(*tries, *met_by("play jazz", "c"))
    repair = Source.TEXT_REPAIR | Source.MEANING_REPAIR
    assert found(asked("play jess"), enough) == {"play jazz": repair}


def test_one_users_second_tries_are_no_global_candidate() -> None:
    tries = [repaired("a", "play jess", "play jazz", number=i) for i in range(5)]
    assert found(asked("play jess"), counted(*tries, *met_by("play jazz", "b", "c", "d"))) == {}


def test_a_private_text_is_a_candidate_for_its_user_alone() -> None:
    own = [session("a", step("call aunt zelda"))]
    assert found(asked("call and zelda"), counted(*own), RequestHistory(own)) == {
        "call aunt zelda": Source.HABIT
    }
    assert found(asked("call and zelda"), counted(*own)) == {}


def test_a_private_spelling_gives_way_to_the_common_one() -> None:
    own = [session("a", step("pls play jazz", interpretation=meaning("jazz")))]
    common = [session(u, step("play jazz", interpretation=meaning("jazz"))) for u in ("b", "c", "d")]
    assert found(asked("play jess"), counted(*own, *common), RequestHistory(own)) == {
        "play jazz": Source.HABIT
    }


def test_what_the_index_finds_is_a_candidate_if_it_may_be_told() -> None:
    near = (NearRequest(meaning("play jazz"), 0.9), NearRequest(Interpretation("gone"), 0.8))
    counts = counted(*met_by("play jazz", "a", "b", "c"))
    assert found(asked("play jess"), counts, near=near) == {"play jazz": Source.SIMILAR}


def test_answers_to_the_question_are_candidates_after_it_alone() -> None:
    counts = counted(*[session(user, step("south", question="what area")) for user in ("a", "b", "c")])
    assert found(asked("mouth", "what area"), counts) == {"south": Source.QUESTION}
    assert found(asked("mouth", "what food"), counts) == {}


def test_a_request_is_no_candidate_of_its_own() -> None:
    counts = counted(*met_by("play jazz", "a", "b", "c"))
    near = (NearRequest(meaning("play jazz"), 1.0),)
    assert found(asked("play jazz"), counts, RequestHistory(met_by("play jazz", "a")), near) == {}


def test_what_a_request_is_understood_as_is_no_candidate_in_other_words() -> None:
    counts = counted(*met_by("play jazz", "a", "b", "c"))
    near = (NearRequest(meaning("play jazz"), 1.0),)
    understood = structs.replace(asked("play jess"), interpretation=meaning("play jazz"))
    assert found(asked("play jess"), counts, near=near) == {"play jazz": Source.SIMILAR}
    assert found(understood, counts, RequestHistory(met_by("play jazz", "a")), near) == {}


def test_an_answer_that_few_gave_to_a_question_is_no_candidate_though_many_say_it() -> None:
    say = met_by("south", "c", "d", "e", "f")
    answer = [session(user, step("south", question="what area")) for user in ("a", "b", "c")]
    assert found(asked("mouth", "what area"), counted(*say, *answer)) == {"south": Source.QUESTION}
    assert found(asked("mouth", "what area"), counted(*say, *answer[:2])) == {}


def test_layers_can_be_left_out() -> None:
    tries = [repaired(user, "play jess", "play jazz") for user in ("a", "b", "c")]
    history = RequestHistory([session("u", step("play yes"))])
    counts = counted(*tries)
    assert found(
        asked("play jess"), counts, history, settings=CandidateSettings(uses_history=False)
    ).keys() == {"play jazz"}
    only_own = CandidateSettings(uses_global=False, uses_index=False)
    assert found(asked("play jess"), counts, history, settings=only_own).keys() == {"play yes"}


def test_only_the_likest_habits_are_looked_at() -> None:
    own = [session("u", step(f"play song number {i}"), number=i) for i in range(100)]
    settings = CandidateSettings(habits=3)
    kept = found(asked("play song number 77"), counted(), RequestHistory(own), settings=settings)
    assert len(kept) <= 3
    assert "play song number 7" in kept
