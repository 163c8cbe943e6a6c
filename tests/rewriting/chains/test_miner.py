import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from labeling.text.normalisation import normalise
from rewriting.chains.miner import ChainMiner
from rewriting.chains.settings import ChainSettings
from rewriting.chains.step import CONFIDENCE_BANDS, session_steps
from rewriting.errors import ChainSettingsError, RewritingError
from rewriting.guards.settings import GuardSettings
from rewriting.table.rewrite import Rewrite
from services.simulator.planted_log import PlantedPair, plant_hypothesis, planted_log
from streams.session import Session, sessionize
from streams.turn import (
    AssistantId,
    NluHypothesis,
    Recognition,
    Request,
    Response,
    Signals,
    Slot,
    Status,
    TurnEvent,
)

ASSISTANT = AssistantId("planted-assistant")


def mine(turns: Iterable[TurnEvent], **settings: Any) -> dict[str, Rewrite]:
    """The rewrites of a log by their source texts."""
    miner = ChainMiner(ASSISTANT, ChainSettings(**settings))
    for session in sessionize(turns):
        miner.touch(miner.counts.add(session_steps(session)))
    miner.solve()
    return {row.source_text: row for row in miner.rewrites}


def pairs_of(rows: dict[str, Rewrite]) -> dict[str, str]:
    return {source: row.target_text for source, row in rows.items()}


def pair(source: str, target: str, users: int = 5, **fields: Any) -> PlantedPair:
    return PlantedPair(source=source, target=target, users=users, **fields)


class Log:
    """Sessions of one's own making, each of a user and ten minutes apart."""

    def __init__(self) -> None:
        self.turns: list[TurnEvent] = []
        self._sessions = 0

    def say(
        self,
        user: int,
        *texts: tuple[str, Status],
        confidence: float = 0.9,
        meaning: str | None = None,
        signals: Signals | None = None,
    ) -> None:
        """A session; the first text is understood as `meaning`, the others as what they say."""
        self._sessions += 1
        for i, (text, status) in enumerate(texts):
            means = meaning if meaning is not None and i == 0 else text
            self.turns.append(
                TurnEvent(
                    schema_version=1,
                    event_id=f"{self._sessions}-{i}",
                    assistant_id=ASSISTANT,
                    user_id=f"u{user}",
                    ts_ms=self._sessions * 600_000 + i * 5_000,
                    request=Request(text=text, asr=(Recognition(text=text, confidence=confidence),)),
                    nlu=(
                        NluHypothesis(
                            domain="d",
                            intent="i",
                            confidence=1,
                            slots=(Slot(name="what", value=means),),
                        ),
                    ),
                    response=Response(status=status),
                    signals=signals or Signals(),
                )
            )


PLANTED = [
    pair("play maj and dragons", "play imagine dragons"),
    pair("turn of the lite", "turn off the light", users=8),
    pair("wether tomorrow", "weather tomorrow", users=4, barge_in=True, source_status="ok"),
]


def test_the_planted_pairs_come_out_and_no_others() -> None:
    log = planted_log(PLANTED, successes={"play jazz": 9, "stop": 3}, failures={"mumble": 6})
    rows = mine(log)
    assert pairs_of(rows) == {planted.source: planted.target for planted in PLANTED}
    row = rows["turn of the lite"]
    assert (row.users, row.sessions, row.source_count, row.target_count) == (8, 8, 8, 8)
    assert (row.source_success_rate, row.target_success_rate) == (0, 1)
    assert row.source_interpretation == "planted|say|text=turn lite"
    assert row.target_interpretation == "planted|say|text=turn off light"
    assert row.method == "chain"
    assert 0.5 < row.score <= 1


def test_an_empty_log_has_no_rewrites() -> None:
    assert mine([]) == {}


@pytest.mark.parametrize("users", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("min_users", [2, 3, 5])
def test_no_rewrite_rests_on_fewer_users_than_set(users: int, min_users: int) -> None:
    log = planted_log(
        [pair("play jess", "play jazz", users, sessions_per_user=6)],
        successes={"play jazz": 9, "other": 2},
        failures={"play jess": 9},
    )
    rows = mine(log, min_users=min_users)
    assert set(rows) == ({"play jess"} if users >= max(min_users, GuardSettings().min_users) else set())
    assert all(row.users == users for row in rows.values())


@pytest.mark.parametrize("users", [2, 3, 4, 5])
@pytest.mark.parametrize("min_text_users", [3, 5])
def test_what_few_users_say_is_neither_source_nor_target(users: int, min_text_users: int) -> None:
    few, many = users, 9
    log = planted_log(
        [
            pair("play jess", "play jazz", few, sessions_per_user=4),  # few say it
            pair("turn of the lite", "turn off the light", few),  # few succeed
        ],
        successes={"play jazz": many},
        failures={"turn of the lite": many},
    )
    rows = mine(log, min_text_users=min_text_users)
    assert set(rows) == ({"play jess", "turn of the lite"} if users >= min_text_users else set())


@pytest.mark.parametrize("met", [2, 3])
def test_a_target_has_been_met_for_enough_users_and_not_only_said_by_them(met: int) -> None:
    log = Log()
    for user in range(1, 6):
        log.say(user, ("play jess", "error"), ("play jazz", "ok" if user <= met else "error"), confidence=0.3)
    for user in (1, 2):
        for _ in range(9):
            log.say(user, ("play jazz", "ok"))
    rows = mine(log.turns, min_users=3, min_text_users=3)
    assert pairs_of(rows) == ({} if met < 3 else {"play jess": "play jazz"})


def test_a_private_text_appears_nowhere() -> None:
    private = "call my doctor at five five five"
    log = planted_log(
        [pair(private, "call doctor", 1, sessions_per_user=20), pair("call the dog tor", "call doctor", 9)],
        successes={private: 1},
    )
    rows = mine(log, min_users=1)
    assert set(rows) == {"call the dog tor"}
    assert private not in str(list(rows.values()))


def test_a_request_that_is_mostly_met_stays() -> None:
    mishearing = pair("play jess", "play jazz", 20)
    assert mine(planted_log([mishearing], successes={"play jess": 60})) == {}
    assert set(mine(planted_log([mishearing], successes={"play jess": 6}))) == {"play jess"}


def test_abstains_where_the_request_itself_works_best_on_a_second_try() -> None:
    # The same words again, with success: there is nothing to rewrite them to.
    assert mine(planted_log([pair("play jazz", "Play jazz!", 9)])) == {}


def test_abstains_where_the_target_is_understood_as_the_source_was() -> None:
    def understand(text: str) -> NluHypothesis:
        return plant_hypothesis("the same")

    mishearing = pair("play jess", "play jazz", 9)
    assert mine(planted_log([mishearing], understand=understand)) == {}
    assert set(mine(planted_log([mishearing]))) == {"play jess"}


def test_abstains_where_the_second_try_fails_too() -> None:
    mishearing = pair("play jess", "play jazz", 9, target_status="error")
    assert mine(planted_log([mishearing], successes={"other": 9})) == {}


def test_one_rewrite_does_not_lead_to_another() -> None:
    log = planted_log(
        [pair("play jess", "play jas", 5), pair("play jas", "play jazz", 9)],
        successes={"play jas": 3, "play jazz": 3},
    )
    rows = pairs_of(mine(log))
    assert rows["play jas"] == "play jazz"
    assert set(rows.values()).isdisjoint(rows)


def test_two_texts_are_not_rewritten_to_each_other() -> None:
    log = planted_log([pair("play jess", "play jazz", 9), pair("play jazz", "play jess", 9)])
    assert len(mine(log)) <= 1


def test_random_worlds_have_no_chains_or_cycles() -> None:
    texts = [f"play {word}" for word in ("jazz", "jess", "jas", "chess", "jacks", "jets", "just", "jest")]
    found = 0
    for seed in range(20):
        chance = random.Random(seed)
        log = planted_log(
            [pair(*chance.sample(texts, 2), users=chance.randint(2, 6)) for _ in range(15)],
            successes={text: chance.randint(1, 9) for text in texts},
        )
        rows = mine(log)
        found += len(rows)
        assert {normalise(row.target_text) for row in rows.values()}.isdisjoint(rows)
    assert found >= 20


def test_several_hops_lead_to_what_worked() -> None:
    log = Log()
    for user in range(6):
        log.say(user, ("play jess", "error"), ("play jacks", "error"), ("play jazz", "ok"))
    rows = pairs_of(mine(log.turns))
    assert rows["play jess"] == "play jazz"
    assert rows["play jacks"] == "play jazz"


def test_what_is_said_next_after_a_success_is_no_rewrite() -> None:
    # Nine of ten users go on from one to the other, as in a dialogue that takes its course.
    log = Log()
    for user in range(9):
        log.say(user, ("what is the address", "ok"), ("thank you goodbye", "ok"))
    assert mine(log.turns) == {}


def test_the_guard_lies_between_the_confidences_that_fail_and_succeed() -> None:
    log = Log()
    for user in range(12):
        log.say(user, ("play jess", "error"), ("play jazz", "ok"), confidence=0.3)
        for _ in range(3):
            log.say(user, ("play jess", "ok"), confidence=0.8)
    (row,) = mine(log.turns).values()
    assert row.target_text == "play jazz"
    assert row.max_confidence is not None
    assert 0.3 < row.max_confidence <= 0.8
    assert row.max_confidence in CONFIDENCE_BANDS


def test_above_a_band_in_which_the_request_is_met_nothing_is_rewritten_again() -> None:
    log = Log()
    for user in range(9):
        log.say(user, ("play jess", "error"), ("play jazz", "ok"), confidence=0.3)
        for _ in range(4):
            log.say(user, ("play jess", "ok"), confidence=0.5)
            log.say(user, ("play jess", "error"), ("play jazz", "ok"), confidence=0.9)
    assert mine(log.turns)["play jess"].max_confidence == 0.35


@pytest.mark.parametrize("said", [None, "play jas"])
def test_what_is_said_at_one_time_is_held_back_for_having_no_order(said: str | None) -> None:
    log = Log()
    for user in range(5):
        log.say(user, ("play jess", "error"), ("play jazz", "ok"))
        log.say(user, ("play jess", "ok"))
        log.say(user, ("play jazz", "ok"))
    turns = [msgspec.structs.replace(turn, ts_ms=turn.ts_ms // 600_000 * 600_000) for turn in log.turns]
    if said is not None:  # what a rewrite has run was not said
        turns = [
            msgspec.structs.replace(turn, request=Request(text=said), executed_text=turn.request.text)
            if turn.event_id.endswith("-1")
            else turn
            for turn in turns
        ]
    miner = ChainMiner(ASSISTANT, ChainSettings())
    sessions = [session_steps(session) for session in sessionize(turns)]
    for session in sessions:
        miner.touch(miner.counts.add(session))
    miner.solve()
    held_back = {(pair.source, pair.target): pair.reasons for pair in miner.refused}
    both = {("play jess", "play jazz"): ("no_order",), ("play jazz", "play jess"): ("no_order",)}
    assert miner.rewrites == []
    assert held_back == ({} if said else both)
    for session in sessions:
        miner.touch(miner.counts.remove(session))
    miner.solve()
    assert miner.refused == []


def test_without_confidences_there_is_no_guard() -> None:
    log = Log()
    for user in range(12):
        log.say(user, ("play jess", "error"), ("play jazz", "ok"))
    without = [
        msgspec.structs.replace(
            turn,
            request=Request(text=turn.request.text),
            nlu=tuple(msgspec.structs.replace(hypothesis, confidence=None) for hypothesis in turn.nlu),
        )
        for turn in log.turns
    ]
    (row,) = mine(without).values()
    assert row.max_confidence is None


def test_an_interpretation_pools_what_many_texts_tell() -> None:
    """Few users said each text, and few of them found the way; many did from texts understood the same."""
    log = Log()
    heard = "play jess"
    words = ("jess", "jas", "jass", "jaz", "jasz", "jaze", "jazs", "jazze", "jaas", "jaaz")
    for number, word in enumerate(words):
        for user in range(3):
            log.say(10 * number + user, (f"play {word}", "error"), ("play jazz", "ok"), meaning=heard)
    odd = "play jaws"
    for user in range(200, 203):  # of these seven, three went on to it in one step, the others are lost
        log.say(user, (odd, "error"), ("play jazz", "ok"))
    for user in range(203, 207):
        log.say(user, (odd, "error"), (heard, "error"))
    for user in range(207, 213):
        log.say(user, (odd, "ok"))
    lonely = mine([turn for turn in log.turns if turn.user_id in {f"u{user}" for user in range(200, 213)}])
    pooled = mine(log.turns)
    assert pooled[odd].target_text == "play jazz"
    assert odd not in lonely
    assert len(pooled) == 11


def test_a_log_without_understanding() -> None:
    log = planted_log(PLANTED, successes={"stop": 4}, understand=lambda text: None)
    rows = mine(log)
    assert pairs_of(rows) == {planted.source: planted.target for planted in PLANTED}
    assert rows["wether tomorrow"].target_interpretation == "text:weather tomorrow"


def test_the_target_is_written_as_most_users_write_it() -> None:
    log = Log()
    for user in range(4):
        log.say(user, ("play magica", "error"), ("Play Metallica", "ok"))
    for user in range(3):
        log.say(user, ("play metallica!", "ok"))
    for _ in range(50):  # one who says it all day long
        log.say(99, ("PLAY METALLICA", "ok"))
    assert mine(log.turns)["play magica"].target_text == "Play Metallica"


def test_evidence_are_sessions_that_went_from_source_to_target() -> None:
    log = planted_log(PLANTED, successes={"turn off the light": 7}, failures={"turn of the lite": 2})
    sessions: dict[str, Session] = {session.session_id: session for session in sessionize(log)}
    rows = mine(log, evidence=3)
    assert rows
    for row in rows.values():
        assert len(row.evidence) == 3
        assert list(row.evidence) == sorted(set(row.evidence))
        for session_id in row.evidence:
            said = [turn.request.text for turn in sessions[session_id].turns]
            assert said == [row.source_text, row.target_text]


def test_does_not_depend_on_the_order_of_sessions() -> None:
    log = planted_log(PLANTED, successes={"play jazz": 9}, failures={"wether tomorrow": 2})
    sessions = [session_steps(session) for session in sessionize(log)]
    tables = []
    for seed in range(5):
        miner = ChainMiner(ASSISTANT, ChainSettings())
        for session in random.Random(seed).sample(sessions, len(sessions)):
            miner.touch(miner.counts.add(session))
        miner.solve()
        tables.append(miner.rewrites)
    assert len(tables[0]) == 3
    assert all(table == tables[0] for table in tables)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("spiel die arzte", "spiel die Ärzte"),
        ("ジャスをかけて", "ジャズをかけて"),
        ("включи джас", "включи джаз"),
    ],
)
def test_other_scripts(source: str, target: str) -> None:
    assert pairs_of(mine(planted_log([pair(source, target)]))) == {source: target}


def test_another_second_try_of_few_does_not_count_where_a_text_is_said_often() -> None:
    log = Log()
    for user in range(5):
        for _ in range(20):
            log.say(user, ("play jess", "error"), signals=Signals(terminated=True))
    for user in range(3):
        log.say(user, ("play jess", "error"), ("play jazz", "ok"))
    assert mine(log.turns) == {}
    assert set(mine(log.turns, min_repair_share=0.02)) == {"play jess"}


def test_min_gain_keeps_a_request_from_one_that_is_met_no_more_often() -> None:
    log = planted_log([pair("play jess", "play jazz", 6)], failures={"play jazz": 6})
    assert set(mine(log)) == {"play jess"}
    assert mine(log, min_gain=0.6) == {}


BAD: Sequence[tuple[dict[str, Any], str]] = [
    ({"min_users": 0}, "min_users is 0; it must be 1 or more"),
    ({"min_text_users": -1}, "min_text_users"),
    ({"min_requests": 0}, "min_requests"),
    ({"evidence": 0}, "evidence"),
    ({"min_odds": -0.1}, "min_odds"),
    ({"min_share": 1.1}, "min_share"),
    ({"min_repair_share": float("nan")}, "min_repair_share"),
    ({"min_gain": 2}, "min_gain"),
    ({"smoothing": 0}, "smoothing"),
    ({"band_shrinkage": float("inf")}, "band_shrinkage"),
    ({"band_prior": (1.0,)}, "band_prior has 1 values; give 6"),
    ({"band_prior": (0.0, 0.0, 0.0, 0.0, 0.0, -1.0)}, "band_prior"),
]


@pytest.mark.parametrize(("values", "message"), BAD)
def test_refuses_settings_out_of_range(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ChainSettingsError, match=message) as caught:
        ChainSettings(**values)
    assert isinstance(caught.value, RewritingError)
    with pytest.raises(msgspec.ValidationError, match=message):  # as the settings file is read
        msgspec.convert(values, ChainSettings)


def test_the_worked_example_of_the_documentation() -> None:
    log = Log()
    for user in range(6):
        log.say(user, ("play maj and dragons", "error"), ("play imagine dragons", "ok"))
    for user in (6, 7):
        log.say(
            user,
            ("play maj and dragons", "error"),
            ("play magic dragons", "error"),
            ("play imagine dragons", "ok"),
        )
    for user in (8, 9):
        log.say(user, ("play maj and dragons", "error"))
    row = mine(log.turns)["play maj and dragons"]
    assert row.target_text == "play imagine dragons"
    assert row.score == round(187 / 196, 6)
    assert (row.sessions, row.users, row.source_count) == (8, 8, 10)
    assert row.max_confidence is None
    page = (Path(__file__).parents[3] / "docs" / "chains.md").read_text()
    for number in ("17/18", "187/27", "9/27", "187/196 = 0.954"):
        assert number in page
