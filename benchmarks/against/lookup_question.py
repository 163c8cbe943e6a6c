"""How much CPU does a lookup cost the server, answered from the rewrite table?"""

import random
from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks.against.asked_lookups import FIGURES, ask_in_turn
from benchmarks.against.errors import QuestionError
from benchmarks.against.log_file import learn_table, write_log
from benchmarks.against.request_body import request_body
from benchmarks.against.serving import serving
from benchmarks.against.side import Side
from benchmarks.report import Cell
from services.simulator import GeneratedLogSettings, generate_turns
from streams.turn import TurnEvent

TURNS = 60_000
"""Of the log that the table is learned from: some thousands of rewrites."""

COUNT = 12_000
"""Lookups of a run: one to two seconds of the server."""

QUICK_TURNS = 3_000
QUICK_COUNT = 400
ASKED = 2_000  # different requests; after that they come again
MISS_SHARE = 5  # one in so many requests has no rewrite


class LookupQuestion:
    """`POST /v1/rewrite` to `rehear serve`, with a table that each side has learned from the same log.

    Asked are texts of the log: mostly those that both sides rewrite, and some that neither does.

    Args:
        turns: of the log.
        count: of lookups in a run.
    """

    name = "lookup"
    question = "how much CPU does a lookup cost the server, answered from the rewrite table?"
    figures = FIGURES

    def __init__(self, turns: int = TURNS, count: int = COUNT) -> None:
        self._turns = turns
        self._count = count
        self._bodies: list[bytes] = []
        self._sizes: dict[str, Cell] = {"turns": turns, "lookups per run": count}

    @property
    def sizes(self) -> dict[str, Cell]:
        """How much is learned, and asked."""
        return self._sizes

    def prepare(self, sides: Sequence[Side]) -> None:
        """Learns the log on each side, and finds out which of its texts both rewrite."""
        settings = GeneratedLogSettings()
        turns = list(generate_turns(self._turns, settings))
        failed = [turn for turn in turns if turn.response is not None and turn.response.status != "ok"]
        others = [turn for turn in turns if turn.response is not None and turn.response.status == "ok"]
        asked = _of_each_text(failed) + _of_each_text(others)[:ASKED]
        bodies = [request_body(turn) for turn in asked]
        rewritten: list[list[bool]] = []
        for side in sides:
            log = side.folder / "turns.jsonl"
            write_log(turns, log)
            learn_table(side, log, side.folder / "state")
            log.unlink()
            with serving(side, side.folder / "state") as server:
                rewritten.append(server.rewrites(bodies))
        by_both = [body for body, *did in zip(bodies, *rewritten, strict=True) if all(did)]
        by_none = [body for body, *did in zip(bodies, *rewritten, strict=True) if not any(did)]
        if not by_both or not by_none:
            raise QuestionError(
                f"of {len(bodies)} texts, both sides rewrite {len(by_both)} and neither {len(by_none)}: "
                "there is nothing to compare"
            )
        hits = min(len(by_both), ASKED)
        chance = random.Random(1)
        self._bodies = chance.sample(by_both, hits) + chance.choices(by_none, k=hits // (MISS_SHARE - 1) or 1)
        chance.shuffle(self._bodies)
        self._sizes |= {
            "texts both rewrite": len(by_both),
            "texts only one rewrites": len(bodies) - len(by_both) - len(by_none),
            "different requests": len(self._bodies),
        }

    def measure(self, sides: Sequence[Side]) -> Sequence[Sequence[float]]:
        """Starts servers afresh, and asks them in turn."""
        with ExitStack() as stack:
            servers = [stack.enter_context(serving(side, side.folder / "state")) for side in sides]
            return ask_in_turn(servers, self._bodies, self._count)


def _of_each_text(turns: Sequence[TurnEvent]) -> list[TurnEvent]:
    """The first turn of each text."""
    found: dict[str, TurnEvent] = {}
    for turn in turns:
        found.setdefault(turn.request.text, turn)
    return list(found.values())
