"""The ranker on a world whose right rewrites are known: see `habits_and_mishearings`."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from request_sessions import MINUTE_MS, meaning, repaired, session, step

from labeling.errors import ArtifactError
from labeling.models.artifact import write_artifact
from rewriting.ranking.candidates import CandidateSettings
from rewriting.ranking.examples import RankExample, rank_examples
from rewriting.ranking.features import Group
from rewriting.ranking.online_rewriter import OnlineAnswer, OnlineRewriter
from rewriting.ranking.online_settings import OnlineSettings
from rewriting.ranking.ranker import KIND, Ranker
from rewriting.ranking.settings import RankerSettings
from rewriting.ranking.training import TrainedRanker, train_ranker
from rewriting.requests.asked_request import AskedRequest
from rewriting.requests.counts import RequestCounts
from rewriting.requests.history import RequestHistory
from rewriting.requests.silent_failures import NONE_SILENT
from rewriting.requests.step import RequestText, SessionRequests
from rewriting.table.abstain_reason import AbstainReason

SONGS = ("jazz", "blues", "rock", "folk", "soul", "disco", "polka", "salsa", "tango", "waltz")
USERS = 12
DAYS = 20
SETTINGS = RankerSettings(trees=80, min_leaf=10, threads=1, min_examples=100, win_loss=5.0)


def habits_and_mishearings() -> list[SessionRequests]:
    """Everybody's "play sonk x" is a misheard "play song x" when heard badly, and right when heard well.

    Each user also calls a friend of their own, and is misheard in the name each second time.
    """
    made: list[SessionRequests] = []
    for day in range(DAYS):
        for user in range(USERS):
            ts_ms = (day * USERS + user) * 20 * MINUTE_MS
            song = SONGS[(day + user) % len(SONGS)]
            who = f"user-{user}"
            number = 10 * day
            wrong, right = f"play sonk {song}", f"play song {song}"
            made.append(repaired(who, wrong, right, number=number, ts_ms=ts_ms, confidence=0.3))
            well_heard = step(wrong, ts_ms=ts_ms + 5 * MINUTE_MS, confidence=0.9)
            made.append(session(who, well_heard, number=number + 1))
            for minute in (6, 7, 8):
                other = step(f"play song {SONGS[(day + user + minute) % len(SONGS)]}", confidence=0.9)
                at_ms = ts_ms + minute * MINUTE_MS
                made.append(session(who, msgspec.structs.replace(other, ts_ms=at_ms), number=number + minute))
            friend = f"call friend {chr(97 + user) * 3}"
            heard = f"call trend {chr(97 + user) * 3}"
            made.append(
                repaired(who, heard, friend, number=number + 2, ts_ms=ts_ms + 10 * MINUTE_MS, confidence=0.4)
            )
    return made


@pytest.fixture(scope="module")
def examples() -> list[RankExample]:
    return list(rank_examples(habits_and_mishearings(), 0, CandidateSettings()))


@pytest.fixture(scope="module")
def trained(examples: list[RankExample]) -> TrainedRanker:
    found = train_ranker(examples, NONE_SILENT, SETTINGS)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def counts() -> RequestCounts:
    made = RequestCounts(3)
    for one in habits_and_mishearings():
        made.add(one)
    return made


def history(user: int) -> RequestHistory:
    return RequestHistory(one for one in habits_and_mishearings() if one.user_id == f"user-{user}")


def ask(
    rewriter: OnlineRewriter,
    counts: RequestCounts,
    text: str,
    confidence: float,
    past: RequestHistory | None = None,
) -> OnlineAnswer:
    request = AskedRequest(
        text=RequestText(text),
        ts_ms=DAYS * USERS * 20 * MINUTE_MS,
        interpretation=meaning(text),
        confidence=confidence,
        asr_confidence=confidence,
    )
    return rewriter.answer(request, counts, past or RequestHistory(), None)


@pytest.fixture
def rewriter(trained: TrainedRanker) -> OnlineRewriter:
    return OnlineRewriter(trained.ranker, None, None, OnlineSettings(budget_ms=1e6))


def test_a_request_is_mended_when_heard_badly_and_left_alone_when_heard_well(
    rewriter: OnlineRewriter, counts: RequestCounts
) -> None:
    badly = ask(rewriter, counts, "play sonk jazz", 0.3, history(0))
    assert badly.rewrite is not None
    assert badly.rewrite.text == "play song jazz"
    assert not badly.rewrite.personal
    well = ask(rewriter, counts, "play sonk jazz", 0.9, history(0))
    assert well.rewrite is None
    assert well.reason in (AbstainReason.SEEMS_RIGHT, AbstainReason.NOT_SURE)


def test_only_their_own_history_tells_whom_a_user_calls(
    rewriter: OnlineRewriter, counts: RequestCounts
) -> None:
    own = ask(rewriter, counts, "call trend bbb", 0.4, history(1))
    assert own.rewrite is not None
    assert own.rewrite.text == "call friend bbb"
    assert own.rewrite.personal
    for past in (None, history(2)):  # nobody, and somebody with another friend
        answer = ask(rewriter, counts, "call trend bbb", 0.4, past)
        assert answer.rewrite is None or answer.rewrite.text != "call friend bbb"


def test_nothing_known_is_a_reason(rewriter: OnlineRewriter, counts: RequestCounts) -> None:
    assert ask(rewriter, counts, "何も知らない", 0.2).reason is AbstainReason.NO_CANDIDATE


def test_a_spent_budget_is_a_reason(trained: TrainedRanker, counts: RequestCounts) -> None:
    seconds = iter(range(100))
    slow = OnlineRewriter(trained.ranker, None, None, OnlineSettings(), clock_s=lambda: float(next(seconds)))
    assert ask(slow, counts, "play sonk jazz", 0.3).reason is AbstainReason.OUT_OF_TIME


def test_a_request_is_judged_the_same_alone_and_among_others(
    trained: TrainedRanker, examples: list[RankExample]
) -> None:
    some = examples[::40]
    together = trained.ranker.judge_all([e.request for e in some], [e.features for e in some])
    assert together == [trained.ranker.judge(e.request, e.features) for e in some]


def test_the_same_log_trains_the_same_ranker(
    trained: TrainedRanker, examples: list[RankExample], tmp_path: Path
) -> None:
    again = train_ranker(examples, NONE_SILENT, SETTINGS)
    assert again is not None
    for name, one in (("a", trained), ("b", again)):
        (tmp_path / name).mkdir()
        one.ranker.write(tmp_path / name)
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)


def test_a_stored_ranker_judges_as_before(
    trained: TrainedRanker, examples: list[RankExample], tmp_path: Path
) -> None:
    write_artifact(tmp_path / "ranker", KIND, trained.ranker.write, facts={})
    loaded = Ranker.load(tmp_path / "ranker")
    some = examples[::40]
    assert loaded.facts == trained.ranker.facts
    assert [loaded.judge(e.request, e.features) for e in some] == [
        trained.ranker.judge(e.request, e.features) for e in some
    ]


def test_a_damaged_ranker_is_refused(trained: TrainedRanker, tmp_path: Path) -> None:
    write_artifact(tmp_path / "ranker", KIND, trained.ranker.write, facts={})
    with (tmp_path / "ranker" / "rank.txt").open("a") as file:
        file.write("x")
    with pytest.raises(ArtifactError, match=r"rank\.txt"):
        Ranker.load(tmp_path / "ranker")


def test_groups_of_features_can_be_left_out(examples: list[RankExample]) -> None:
    settings = RankerSettings(
        trees=20, min_leaf=10, threads=1, min_examples=100, left_out=(Group.PERSONAL, Group.PHONETICS)
    )
    found = train_ranker(examples, NONE_SILENT, settings)
    assert found is not None
    assert not [name for name in found.ranker.facts.features if "habit" in name or "phonetic" in name]
    blind = [np.array(e.features) for e in examples[:5]]
    assert found.ranker.judge_all([e.request for e in examples[:5]], blind)


def test_too_few_examples_train_nothing(examples: list[RankExample]) -> None:
    assert train_ranker(examples[:50], NONE_SILENT, SETTINGS) is None


def test_examples_see_only_what_came_before(examples: list[RankExample]) -> None:
    cut = habits_and_mishearings()[: 6 * USERS]

    def shown(some: Iterator[RankExample]) -> list[tuple[int, list[str], bytes]]:
        return [(e.ts_ms, [c.text for c in e.candidates], e.features.tobytes()) for e in some]

    early = shown(rank_examples(cut, 0, CandidateSettings()))
    assert early == shown(iter(examples))[: len(early)]
