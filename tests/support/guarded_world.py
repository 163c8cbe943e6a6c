"""A small world of which it is known what guards make of it: a row that proves itself, and a refused pair."""

from collections.abc import Sequence
from pathlib import Path

from rewritten_turns import said, session_of, sessions_of
from sqlalchemy import Engine

from rewriting.table.rewrite import GLOBAL, rewrite_id
from services.jobs.turn_logs import learn_from_files
from services.settings import Settings
from streams.session import Session
from streams.turn import AssistantId, encode_turn

ASSISTANT = AssistantId("a")  # that of `turns.turn_event`
SOURCE, TARGET = "play sonk", "play song"
REFUSED, ITS_TARGET = "play jazz at nine", "play jazz at five"
ROW_ID = rewrite_id(ASSISTANT, GLOBAL, SOURCE)
REFUSED_ID = rewrite_id(ASSISTANT, GLOBAL, REFUSED)

MAKERS = [f"maker-{i}" for i in range(5)]
JUDGES = [f"judge-{i}" for i in range(9)]
OTHERS = [f"other-{i}" for i in range(6)]
EVERYBODY = [*MAKERS, *JUDGES, *OTHERS]


def made() -> list[Session]:
    """Days 0 to 6: the makers come from the source to the target, and others leave it at the source.

    It makes one row, which nobody has been served, and one pair that the guards of meaning refuse.
    """
    ordinary = [session_of(user, said("play polka"), day=day) for day in range(4) for user in EVERYBODY]
    return [
        *ordinary,
        *sessions_of(EVERYBODY, said(TARGET), day=4),
        *sessions_of(MAKERS, said(SOURCE, met=False), said(TARGET), day=5),
        *sessions_of(MAKERS, said(REFUSED, met=False), said(ITS_TARGET), day=6),
        *sessions_of(OTHERS, said(SOURCE, met=False), day=5),
    ]


def served(day: int, *, met: bool = True, users: Sequence[str] = JUDGES) -> list[Session]:
    """A day on which users who did not make the row are served it."""
    return sessions_of(users, said(SOURCE, run=TARGET, met=met), day=day)


def target_gone(days: range) -> list[Session]:
    """Days on which the target fails whoever says it."""
    return [session for day in days for session in sessions_of(EVERYBODY, said(TARGET, met=False), day=day)]


def learn(engine: Engine, folder: Path, sessions: Sequence[Session], now_ms: int) -> None:
    """Learns from sessions as from a file of their turns, at a moment."""
    file = folder / f"log-{now_ms}.jsonl"
    file.write_bytes(b"".join(encode_turn(turn) + b"\n" for session in sessions for turn in session.turns))
    learn_from_files(engine, Settings(), [file], lambda: now_ms)
