"""The questions that can be asked of two checkouts, by name."""

from pathlib import Path

from benchmarks.against.errors import QuestionError
from benchmarks.against.ingest_question import QUICK_TURNS as QUICK_INGEST_TURNS
from benchmarks.against.ingest_question import TURNS as INGEST_TURNS
from benchmarks.against.ingest_question import IngestQuestion
from benchmarks.against.lookup_question import COUNT, QUICK_COUNT, QUICK_TURNS, TURNS, LookupQuestion
from benchmarks.against.mining_question import QUICK_TURNS as QUICK_MINING_TURNS
from benchmarks.against.mining_question import TURNS as MINING_TURNS
from benchmarks.against.mining_question import MiningQuestion
from benchmarks.against.online_question import COUNT as ONLINE_COUNT
from benchmarks.against.online_question import QUICK_COUNT as QUICK_ONLINE_COUNT
from benchmarks.against.online_question import OnlineQuestion
from benchmarks.against.question import Question
from benchmarks.against.start_question import StartQuestion

SIDE_BY_SIDE = ("start", "mining", "ingest", "lookup", "online")
"""Their names, the quickest first."""


def question_of(
    name: str,
    quick: bool,
    states: tuple[Path | None, Path | None] = (None, None),
    turns: Path | None = None,
) -> Question:
    """The question of a name.

    Args:
        name: one of `SIDE_BY_SIDE`.
        quick: small sizes.
        states: for `online`: a state with models for this checkout, and one for the other; or none.
        turns: for `online`: the log whose turns are asked.

    Raises:
        QuestionError: it cannot be asked of two checkouts, or what it needs is missing.
    """
    if name == "start":
        return StartQuestion()
    if name == "mining":
        return MiningQuestion(QUICK_MINING_TURNS if quick else MINING_TURNS)
    if name == "ingest":
        return IngestQuestion(QUICK_INGEST_TURNS if quick else INGEST_TURNS)
    if name == "lookup":
        return LookupQuestion(QUICK_TURNS if quick else TURNS, QUICK_COUNT if quick else COUNT)
    if name != "online":
        raise QuestionError(
            f"{name} measures modules of this checkout, which no other one has to have: with --against, give "
            f"{', '.join(SIDE_BY_SIDE)}"
        )
    count = QUICK_ONLINE_COUNT if quick else ONLINE_COUNT
    ours, theirs = states
    if ours is None and theirs is None:
        return OnlineQuestion(None, turns, count)
    if ours is None or theirs is None:
        raise QuestionError("give both --state-ours and --state-theirs, or neither")
    return OnlineQuestion({"ours": ours, "theirs": theirs}, turns, count)
