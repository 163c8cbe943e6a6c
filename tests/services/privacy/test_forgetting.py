from pathlib import Path

import msgspec
import pytest
from rewrites import rewrite_row
from sqlalchemy import Engine
from streaming import everything, learn_log, requests_in, rewrites_in
from structlog.testing import capture_logs

from rewriting.feedback.store import DatabaseFeedbackStore, FeedbackEntry
from rewriting.table.rewrite import GLOBAL, user_scope
from rewriting.table.rewrite_table import RewriteTable
from services.learners.chains import ChainLearner
from services.learners.requests import RequestLearner
from services.platform.clock import now_ms
from services.privacy.forgetting import forget_user
from services.settings import Settings
from services.simulator import PlantedPair, planted_log
from streams.turn import AssistantId, TurnEvent, UserId

ASSISTANT = AssistantId("planted-assistant")
FORGOTTEN, OTHER = UserId("u00001"), UserId("u00002")
WORDS_OF_ONE = "my pin is four seven one one"
PERSON = "person-behind-u00001"


@pytest.fixture
def log() -> list[TurnEvent]:
    """A pair of three users, which does without none of them; one of six; and what one alone has said."""
    turns = planted_log(
        [
            PlantedPair(source="play sonk", target="play song", users=3),
            PlantedPair(source="call mop", target="call mom", users=6),
        ]
    )
    last = max(turns, key=lambda turn: turn.ts_ms)
    said = msgspec.structs.replace(last.request, text=WORDS_OF_ONE, asr=())
    own = msgspec.structs.replace(
        last, event_id="own", user_id=FORGOTTEN, request=said, nlu=(), ts_ms=last.ts_ms + 10**6
    )
    return [
        msgspec.structs.replace(turn, person_id=PERSON) if turn.user_id == FORGOTTEN else turn
        for turn in [*turns, own]
    ]


def look(engine: Engine) -> None:
    """What the chain and index workers do when they next look."""
    learner = ChainLearner(RewriteTable(engine, now_ms), Settings(), now_ms)
    with engine.begin() as connection:
        learner.refresh(connection)
        RequestLearner().refresh(connection)


def sources(engine: Engine) -> set[str]:
    return {row.source_text for row in rewrites_in(engine) if row.scope == GLOBAL}


def add_what_is_personal(engine: Engine, user_id: UserId) -> None:
    text = f"secret of {user_id}"
    row = rewrite_row(
        text,
        f"{text} in full",
        assistant_id=ASSISTANT,
        scope=user_scope(user_id),
        method="taught",
        sessions=1,
        users=1,
        evidence=(),
    )
    with engine.begin() as connection:
        RewriteTable(engine, now_ms).put(connection, ASSISTANT, [row], [], "taught", now_ms())
    DatabaseFeedbackStore(engine).save(
        FeedbackEntry(
            assistant_id=ASSISTANT,
            user_id=user_id,
            event_id="e",
            rewrite_id=None,
            feedback="negative",
            comment=f"says {user_id}",
            received_ms=1,
        )
    )


def test_a_forgotten_user_is_in_no_table_and_nobody_else_is_touched(
    engine: Engine, log: list[TurnEvent], tmp_path: Path
) -> None:
    learn_log(engine, tmp_path, log)
    for user in (FORGOTTEN, OTHER):
        add_what_is_personal(engine, user)
    assert sources(engine) == {"play sonk", "call mop"}
    before = everything(engine)
    assert FORGOTTEN in before
    assert WORDS_OF_ONE in before
    assert PERSON in before  # as part of the turns

    assert forget_user(engine, now_ms, ASSISTANT, FORGOTTEN) == 3
    look(engine)

    after = everything(engine)
    assert FORGOTTEN not in after
    assert WORDS_OF_ONE not in after
    assert PERSON not in after
    assert f"secret of {OTHER}" in after
    assert f"says {OTHER}" in after
    assert sources(engine) == {"call mop"}  # three users said the other, who are now too few
    known = requests_in(engine)
    assert [row[2] for row in known["index"]] == ["call mom"]
    assert len(known["statistics"]) == 4  # of two texts, two interpretations


def test_no_line_of_the_log_output_names_a_person(
    engine: Engine, log: list[TurnEvent], tmp_path: Path
) -> None:
    with capture_logs() as said:
        learn_log(engine, tmp_path, log)
        look(engine)
        forget_user(engine, now_ms, ASSISTANT, FORGOTTEN)
        look(engine)
    assert said
    assert PERSON not in str(said)


def test_a_rollback_does_not_hold_what_rests_on_a_forgotten_user(
    engine: Engine, log: list[TurnEvent], tmp_path: Path
) -> None:
    learn_log(engine, tmp_path, log)
    table = RewriteTable(engine, now_ms)
    assert sources(engine) == {"play sonk", "call mop"}
    table.rollback(ASSISTANT, table.version(ASSISTANT), "to be safe", "operator")
    assert table.held_ids(ASSISTANT)
    forget_user(engine, now_ms, ASSISTANT, FORGOTTEN)
    look(engine)
    assert sources(engine) == {"call mop"}


def test_a_replay_does_not_bring_a_forgotten_user_back(
    engine: Engine, log: list[TurnEvent], tmp_path: Path
) -> None:
    learn_log(engine, tmp_path, log)
    forget_user(engine, now_ms, ASSISTANT, FORGOTTEN)
    assert learn_log(engine, tmp_path, log).new_turns == 0
    look(engine)
    assert FORGOTTEN not in everything(engine)
    assert sources(engine) == {"call mop"}


def test_a_user_who_comes_again_is_new(engine: Engine, log: list[TurnEvent], tmp_path: Path) -> None:
    learn_log(engine, tmp_path, log)
    forget_user(engine, now_ms, ASSISTANT, FORGOTTEN)
    again = [
        msgspec.structs.replace(turn, event_id=f"again-{turn.event_id}", ts_ms=turn.ts_ms + 10**9)
        for turn in log
        if turn.user_id == FORGOTTEN
    ]
    assert learn_log(engine, tmp_path, again).new_turns == len(again)
    assert sources(engine) == {"play sonk", "call mop"}


def test_forgetting_whom_nobody_knows_changes_nothing(
    engine: Engine, log: list[TurnEvent], tmp_path: Path
) -> None:
    learn_log(engine, tmp_path, log)
    assert forget_user(engine, now_ms, ASSISTANT, UserId("nobody")) == 0
    assert forget_user(engine, now_ms, AssistantId("another"), FORGOTTEN) == 0
    look(engine)
    assert sources(engine) == {"play sonk", "call mop"}
    assert FORGOTTEN in everything(engine)
