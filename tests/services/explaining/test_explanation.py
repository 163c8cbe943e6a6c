"""What people are told of the sessions behind a rewrite, where some of their requests were rewritten."""

from rewrites import rewrite_row
from rewritten_turns import said, session_of
from sqlalchemy import Engine
from streaming import store_log

from rewriting.evidence.rephrase_link import RephraseLink
from rewriting.rephrases.store import found_links, store_links
from rewriting.table.rewrite import Method
from services.explaining.explanation import explanation
from streams.session import Session
from streams.turn import AssistantId

ASSISTANT = AssistantId("a")


def lines(engine: Engine, *sessions: Session, method: Method = "chain") -> list[str]:
    store_log(engine, [turn for session in sessions for turn in session.turns])
    row = rewrite_row(
        "play sunk",
        "play song",
        assistant_id=ASSISTANT,
        method=method,
        evidence=tuple(session.session_id for session in sessions),
    )
    return [line.strip() for line in explanation(engine, row, 5) if line.startswith("    ")]


def test_both_what_was_said_and_what_was_run_stand_there(engine: Engine) -> None:
    session = session_of(
        "u", said("play sunk", met=False), said("play sonk", run="play song", met=False), said("Play song")
    )
    assert lines(engine, session) == [
        "'play sunk': failed",
        "'play sonk' → run as 'play song': failed",
        "'Play song': accepted",
    ]


def test_the_next_try_of_a_rephrase_shows_both(engine: Engine) -> None:
    session = session_of("u", said("play sunk", met=False), said("play sonk", run="play song"))
    with engine.begin() as connection:
        store_links(connection, [found_links(session, "m", [RephraseLink(0, 1, 0.94)])])
    assert lines(engine, session, method="rephrase") == [
        "'play sunk': tried again as 'play sonk' → run as 'play song', likelihood 0.94",
        "'play sonk' → run as 'play song'",
    ]


def test_sessions_in_which_the_target_was_said_come_before_those_in_which_it_was_run(engine: Engine) -> None:
    ran = session_of("u", said("play sunk", met=False), said("play sonk", run="play song"))
    spoken = session_of("v", said("play sunk", met=False), said("play it"), said("play song"))
    assert lines(engine, ran, spoken)[2] == "'play song': accepted"
