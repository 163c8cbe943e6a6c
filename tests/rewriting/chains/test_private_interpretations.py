"""Rows do not tell what the assistant has put into the slots of one user, or of a household."""

from pathlib import Path

from rewriting.chains.graph import chain_graph
from rewriting.chains.miner import ChainMiner
from rewriting.chains.settings import ChainSettings
from rewriting.chains.step import SessionSteps, session_steps
from rewriting.table.rewrite import Rewrite
from services.explaining.chain_picture import draw_chain
from streams.session import sessionize
from streams.turn import AssistantId, NluHypothesis, Request, Response, Slot, Status, TurnEvent

ASSISTANT = AssistantId("a")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
Slots = dict[str, str]


class Log:
    """Sessions of one or two requests, an hour apart."""

    def __init__(self) -> None:
        self.turns: list[TurnEvent] = []
        self._sessions = 0

    def say(self, user: str, *said: tuple[str, Slots, Status], day: int = 0) -> None:
        self._sessions += 1
        for i, (text, slots, status) in enumerate(said):
            self.turns.append(
                TurnEvent(
                    schema_version=1,
                    event_id=f"{self._sessions}-{i}",
                    assistant_id=ASSISTANT,
                    user_id=user,
                    ts_ms=day * DAY_MS + self._sessions * HOUR_MS + i * 5_000,
                    request=Request(text=text),
                    nlu=(
                        NluHypothesis(
                            domain="music",
                            intent="play",
                            slots=tuple(Slot(name=name, value=value) for name, value in slots.items()),
                        ),
                    ),
                    response=Response(status=status),
                )
            )

    def steps(self) -> list[SessionSteps]:
        return [session_steps(session) for session in sessionize(self.turns)]

    def row(self, **settings: int) -> Rewrite:
        miner = ChainMiner(ASSISTANT, ChainSettings(**settings))
        for steps in self.steps():
            miner.touch(miner.counts.add(steps))
        miner.solve()
        (row,) = miner.rewrites
        return row


HEARD, MEANT = {"list": "favorits"}, {"list": "favourites"}


def test_a_slot_of_the_user_who_says_it_most_often_is_not_told() -> None:
    log = Log()
    own = HEARD | {"device": "annas bedroom"}
    for _ in range(9):
        log.say("ann", ("play favorits", own, "error"))
    for user in range(6):
        log.say(f"u{user}", ("play favorits", HEARD, "error"), ("play favourites", MEANT, "ok"))
    row = log.row()
    assert row.target_text == "play favourites"
    assert row.source_interpretation == "music|play|list=favorits"
    assert row.target_interpretation == "music|play|list=favourites"
    assert "bedroom" not in str(row)


def test_a_slot_that_too_few_went_on_to_is_not_told_though_the_text_is_said_by_many(tmp_path: Path) -> None:
    log = Log()
    theirs = MEANT | {"device": "the smiths kitchen"}
    for user in ("john smith", "mary smith"):
        for day in range(30):
            log.say(user, ("stop the music", {}, "ok"), day=day)
        log.say(user, ("play favorits", HEARD, "error"), ("play favourites", theirs, "ok"), day=30)
    for user in range(5):
        log.say(f"u{user}", ("play favourites", MEANT, "ok"))
        log.say(f"u{user}", ("play favorits", HEARD, "error"))
    row = log.row()
    assert row.users == 2
    assert row.target_interpretation == "music|play|list=favourites"
    assert "smith" not in str(row)
    graph = chain_graph(log.steps(), row)
    draw_chain(graph, tmp_path / "chain.svg", "favourites")
    assert "smith" not in str(graph.nodes) + (tmp_path / "chain.svg").read_text()
    assert graph.nodes["music|play|list=favourites"]["visits"] == 2


def test_a_slot_that_enough_users_had_is_told() -> None:
    log = Log()
    where = MEANT | {"device": "kitchen"}
    for user in range(5):
        log.say(f"u{user}", ("play favorits", HEARD, "error"), ("play favourites", where, "ok"))
    assert log.row().target_interpretation == "music|play|device=kitchen;list=favourites"
    assert log.row(min_text_users=5).target_interpretation == "music|play|device=kitchen;list=favourites"
