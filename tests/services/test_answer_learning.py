"""Rewrites after a question, from the log to the answers, beside those of the chain."""

from pathlib import Path

import pytest
from calls import ASSISTANT, Calls, two_misheard_words
from databases import new_database
from sqlalchemy import Engine
from streaming import (
    drain,
    everything,
    learn_log,
    learned_from_file,
    rewrites,
    rewrites_in,
    send_turns,
    stream_settings,
)

from rewriting.answers.settings import AnswerSettings
from rewriting.table.lookup import LookupTable
from rewriting.table.rewrite_table import RewriteTable
from services.explaining.explanation import draw_rewrite, explanation
from services.jobs.rewrite_replay import replay_turns
from services.jobs.served_layers import ServedLayers
from services.learners.chains import ChainLearner
from services.platform.clock import now_ms
from services.privacy.forgetting import forget_user
from services.settings import Settings
from services.simulator import PlantedPair, planted_log
from streams.kafka_settings import KafkaSettings
from streams.stores.database_schema import reading
from streams.topics import ensure_topics
from streams.turn import AssistantId, TurnEvent, UserId

AREA, FOOD = "what area do you want", "what kind of food"
OF_ANSWERS = {("sauce", AREA, "the south"), ("sauce", FOOD, "thai")}
OF_THE_CHAIN = {("play sonk", "", "play song")}


def second_tries() -> list[TurnEvent]:
    """A log of the same assistant that warrants one rewrite by the chain."""
    pair = PlantedPair(source="play sonk", target="play song", users=4)
    return planted_log([pair], assistant_id=ASSISTANT)


def learned(engine: Engine) -> set[tuple[str, str, str]]:
    return {(row.source_text, row.question, row.target_text) for row in rewrites_in(engine)}


@pytest.mark.parametrize("answers_first", [False, True])
def test_rows_of_either_kind_leave_those_of_the_other(
    engine: Engine, tmp_path: Path, answers_first: bool
) -> None:
    logs = [(second_tries(), OF_THE_CHAIN), (two_misheard_words(), OF_ANSWERS)]
    if answers_first:
        logs.reverse()
    learn_log(engine, tmp_path, logs[0][0])
    assert learned(engine) == logs[0][1]
    learn_log(engine, tmp_path, logs[1][0])
    assert learned(engine) == OF_THE_CHAIN | OF_ANSWERS


def test_new_settings_withdraw_only_what_they_are_for(engine: Engine, tmp_path: Path) -> None:
    both = [*second_tries(), *two_misheard_words()]
    learn_log(engine, tmp_path, both)
    learn_log(engine, tmp_path, both, Settings(answers=AnswerSettings(min_users=4)))
    assert learned(engine) == OF_THE_CHAIN
    learn_log(engine, tmp_path, both)
    assert learned(engine) == OF_THE_CHAIN | OF_ANSWERS
    learn_log(engine, tmp_path, both)
    assert RewriteTable(engine, now_ms).version(AssistantId(ASSISTANT)) == 3  # nothing new: no new version


def test_what_is_confirmed_no_more_is_withdrawn_as_the_log_grows(engine: Engine, tmp_path: Path) -> None:
    learn_log(engine, tmp_path, two_misheard_words())
    calls = Calls()
    calls.turns = two_misheard_words()
    calls.misheard("What kind of food?", "sauce", "Pardon.", confirmed=0, silent=20)
    learn_log(engine, tmp_path, calls.turns)
    assert learned(engine) == {("sauce", AREA, "the south")}


def test_kafka_and_files_teach_the_same(kafka_settings: KafkaSettings, tmp_path: Path) -> None:
    log = [*second_tries(), *two_misheard_words()]
    expected = learned_from_file(log, tmp_path)
    assert {(row.source_text, row.question, row.target_text) for row in expected} == OF_THE_CHAIN | OF_ANSWERS
    ensure_topics(kafka_settings, partitions=2)
    settings = stream_settings(new_database(tmp_path / "kafka.db"), kafka_settings)
    send_turns(kafka_settings, [*reversed(log), *log[::3]])
    drain(settings)
    assert rewrites(settings.database_location) == expected


def test_a_replay_answers_by_the_question(engine: Engine, tmp_path: Path) -> None:
    learn_log(engine, tmp_path, two_misheard_words())
    snapshot = RewriteTable(engine, now_ms).read(AssistantId(ASSISTANT))
    table = LookupTable.of(snapshot.assistant_id, snapshot.version, snapshot.rewrites)
    layers = ServedLayers({snapshot.assistant_id: table}, {})
    calls = Calls()
    for asked in ("Hello. What area do you want?", "What kind of food?", "Hello.", "What else?"):
        calls.answer(asked, "Sauce!", "Pardon.", user="somebody else")
    with reading(engine) as connection:
        replayed = [turn.rewrite for turn in replay_turns(calls.turns, layers, connection)]
    assert replayed == ["the south", "thai", None, None]


def test_a_forgotten_user_takes_away_what_rests_on_them(engine: Engine, tmp_path: Path) -> None:
    calls = Calls()
    calls.understood()
    calls.misheard("What area do you want?", "sauce", "Found one in the south.", confirmed=3)
    learn_log(engine, tmp_path, calls.turns)
    assert "found one south" in everything(engine)
    assert learned(engine) == {("sauce", AREA, "the south")}
    assistant = AssistantId(ASSISTANT)
    assert forget_user(engine, now_ms, assistant, UserId("m1")) == 1
    with engine.begin() as connection:
        ChainLearner(RewriteTable(engine, now_ms), Settings(), now_ms).refresh(connection)
    assert learned(engine) == set()
    for user in ("m0", "m2"):
        forget_user(engine, now_ms, assistant, UserId(user))
    assert "found one south" not in everything(engine)


def test_an_explanation_shows_what_was_asked_and_confirmed(engine: Engine, tmp_path: Path) -> None:
    learn_log(engine, tmp_path, two_misheard_words())
    row = next(row for row in rewrites_in(engine) if row.question == AREA)
    lines = list(explanation(engine, row, max_sessions=2))
    told = "'Curry Garden is in the south of town.'"
    assert lines[1::2] == [f"    {AREA}? 'sauce': accepted; response: {told}"] * 2
    draw_rewrite(engine, row, tmp_path / "answer.svg")
    picture = (tmp_path / "answer.svg").read_text()
    assert "sauce" in picture
