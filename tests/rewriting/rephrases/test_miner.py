import random
from typing import Any

import msgspec
import pytest
from rewrites import rewrite_row
from rewritten_turns import meant, said, session_of
from turns import turn_event

from rewriting.evidence.interpretation import Interpretation
from rewriting.evidence.rephrase_link import RephraseLink
from rewriting.rephrases.miner import mine_candidate
from rewriting.rephrases.pair import RephrasePair, pairs_of
from rewriting.rephrases.settings import RephraseSettings
from rewriting.table.lookup import LookupTable
from rewriting.table.rewrite import GLOBAL, TableVersion, rewrite_id
from streams.session import Session, SessionId, sessionize
from streams.turn import AssistantId, Response, TurnEvent, UserId

HOME = AssistantId("home")
SETTINGS = RephraseSettings()


def pair(user: str, target: str = "Quiet, please", **changes: Any) -> RephrasePair:
    """A user says "hush", and then the target, with success."""
    made = RephrasePair(
        SessionId(f"session-of-{user}"),
        0,
        1,
        UserId(user),
        "hush",
        Interpretation("tv|stop|"),
        target,
        Interpretation(f"volume|set|level={target.lower()}"),
        0.75,
        1.0,
    )
    return msgspec.structs.replace(made, **changes)


def test_what_several_users_said_instead_is_a_candidate() -> None:
    pairs = [pair("ann"), pair("bob", score=0.5), pair("bob", session_id=SessionId("another"))]
    found = mine_candidate(HOME, pairs, SETTINGS)
    assert found is not None
    assert (found.source_text, found.target_text) == ("hush", "Quiet, please")
    assert (found.method, found.status, found.scope) == ("rephrase", "candidate", GLOBAL)
    assert found.score == pytest.approx(2 / 3, abs=1e-6)
    assert (found.sessions, found.users) == (3, 2)
    assert found.evidence == ("another", "session-of-ann", "session-of-bob")
    assert (found.source_success_rate, found.source_count) == (0, 3)
    assert (found.target_success_rate, found.target_count) == (1, 3)
    assert (found.source_interpretation, found.target_interpretation) == (
        "tv|stop|",
        "volume|set|level=quiet, please",
    )


def test_the_order_of_the_pairs_does_not_matter() -> None:
    pairs = [pair(f"u{i}", score=0.5 + i / 30, target_success=i % 8 / 8) for i in range(12)]
    expected = mine_candidate(HOME, pairs, SETTINGS)
    random.Random(1).shuffle(pairs)
    assert mine_candidate(HOME, pairs, SETTINGS) == expected


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [pair("ann"), pair("ann", session_id=SessionId("another"))],  # one user
        [pair("ann"), pair("bob", "quieter")],  # each says something else
        [pair("ann", "Hush!"), pair("bob", "hush")],  # the same words
        [pair(user, target_interpretation=Interpretation("tv|stop|")) for user in ("ann", "bob")],
        [pair(user, target_success=0.0) for user in ("ann", "bob")],  # nobody was content with it
    ],
)
def test_too_little_or_nothing_new_is_none(pairs: list[RephrasePair]) -> None:
    assert mine_candidate(HOME, pairs, SETTINGS) is None


def test_the_number_of_users_is_a_setting() -> None:
    pairs = [pair("ann"), pair("bob"), pair("cid")]
    assert mine_candidate(HOME, pairs, RephraseSettings(min_users=4)) is None
    assert mine_candidate(HOME, pairs, RephraseSettings(min_users=3)) is not None


def test_of_several_targets_the_one_with_most_success_is_taken() -> None:
    pairs = [pair("ann", "shut up", target_success=0.25), pair("bob", "shut up", target_success=0.25)]
    pairs += [pair("cid", "shut up", target_success=0.0), pair("dan"), pair("eve")]
    found = mine_candidate(HOME, pairs, SETTINGS)
    assert found is not None
    assert found.target_text == "Quiet, please"


def test_nothing_of_a_single_user_shows() -> None:
    pairs = [
        pair("ann", "QUIET... please", source_interpretation=Interpretation("call|mom|number=1")),
        pair("bob", "quiet please!!", source_interpretation=Interpretation("call|mom|number=2")),
    ]
    pairs = [
        msgspec.structs.replace(one, target_interpretation=Interpretation("volume|set|")) for one in pairs
    ]
    found = mine_candidate(HOME, pairs, SETTINGS)
    assert found is not None
    assert found.target_text == "quiet please"  # in the writing of neither
    assert found.source_interpretation is None


def session(*texts: str, dialogue_id: str | None = None) -> Session:
    (made,) = sessionize(
        turn_event(
            text, event_id=f"e{i}", ts_ms=i * 1_000, dialogue_id=dialogue_id, response=Response(status="ok")
        )
        for i, text in enumerate(texts)
    )
    return made


def test_pairs_are_made_of_likely_links_between_requests_with_words() -> None:
    said = session("hush", "", "Quiet,  please", "louder", "lights off")
    links = [
        RephraseLink(0, 1, 0.99),
        RephraseLink(0, 2, 0.75),
        RephraseLink(1, 2, 0.5),
        RephraseLink(2, 3, 0.5),
        RephraseLink(3, 4, 0.49),
    ]
    assert pairs_of(said, links[:1], SETTINGS) == []
    first, second = pairs_of(said, links[1:], SETTINGS)
    assert (first.source, first.target, first.score) == (0, 2, 0.75)
    assert (first.source_text, first.target_surface, first.target_text) == (
        "hush",
        "Quiet, please",
        "quiet please",
    )
    assert first.target_success == 0  # it was tried again itself
    assert (second.source_text, second.target_text, second.target_success) == ("quiet please", "louder", 0.25)


def test_of_a_declared_dialogue_only_the_opening_request_is_a_source() -> None:
    links = [RephraseLink(0, 1, 0.9), RephraseLink(1, 2, 0.9)]
    texts = "cheap food", "any", "I do not mind"
    assert [one.source for one in pairs_of(session(*texts), links, SETTINGS)] == [0, 1]
    assert [one.source for one in pairs_of(session(*texts, dialogue_id="d"), links, SETTINGS)] == [0]


def test_a_candidate_stands_beside_the_row_of_the_chain_and_is_never_served() -> None:
    chain = rewrite_row("hush", "be quiet")
    candidate = mine_candidate(HOME, [pair("ann"), pair("bob")], SETTINGS)
    assert candidate is not None
    assert candidate.rewrite_id != chain.rewrite_id == rewrite_id(HOME, GLOBAL, "hush")
    assert LookupTable.of(HOME, TableVersion(1), [candidate]).look_up("hush").rewrite is None
    for status in ("candidate", "blocked", "retired"):
        row = msgspec.structs.replace(candidate, status=status)
        for rows in ([chain, row], [row, chain]):
            table = LookupTable.empty(HOME)
            for number, one in enumerate(rows, 1):
                table = table.with_changes(TableVersion(number), [one])
            served = table.look_up("hush").rewrite
            assert served is not None
            assert (served.rewrite_id, served.text) == (chain.rewrite_id, "be quiet")
            assert table.is_blocked("hush", GLOBAL) == (status == "blocked")


def rewritten_pair(*turns: TurnEvent) -> RephrasePair:
    (found,) = pairs_of(session_of("ann", *turns), [RephraseLink(0, 1, 0.9)], SETTINGS)
    return found


def test_a_pair_leads_from_what_was_said_not_from_what_was_run() -> None:
    found = rewritten_pair(said("Play sonk", run="play song", met=False), said("Play blues"))
    assert (found.source_text, found.source_interpretation) == ("play sonk", "text:play sonk")
    assert (found.target_surface, found.target_interpretation) == ("Play blues", meant("play blues"))
    assert found.target_success == 1


def test_a_pair_leads_to_what_was_said_and_takes_no_success_from_what_was_run() -> None:
    found = rewritten_pair(said("play sunk", met=False), said("Play sonk", run="play song"))
    assert (found.source_text, found.source_interpretation) == ("play sunk", meant("play sunk"))
    assert (found.target_surface, found.target_interpretation) == ("Play sonk", "text:play sonk")
    assert found.target_success == 0
    assert (
        mine_candidate(HOME, [found, msgspec.structs.replace(found, user_id=UserId("bob"))], SETTINGS) is None
    )
