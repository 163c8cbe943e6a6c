from pathlib import Path

import pytest

from rewriting.chains.graph import chain_graph
from rewriting.chains.miner import ChainMiner
from rewriting.chains.settings import ChainSettings
from rewriting.chains.step import ChainStep, SessionSteps
from rewriting.evidence.interpretation import Interpretation
from rewriting.table.rewrite import Rewrite
from services.explaining.chain_picture import draw_chain
from streams.session import SessionId
from streams.turn import AssistantId, UserId

ASSISTANT = AssistantId("a")

Said = tuple[str, float, float, float]  # text, success, failure, goes on


def session(number: int, *said: Said) -> SessionSteps:
    """A session of a user of its own."""
    steps = tuple(
        ChainStep(
            text, text, Interpretation(f"d|i|{text}"), 0, success, failure, goes_on, failed=goes_on == 1
        )
        for text, success, failure, goes_on in said
    )
    return SessionSteps(SessionId(f"s{number}"), ASSISTANT, UserId(f"u{number}"), steps)


MET, LOST = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)
ON, HALF = (0.0, 0.0, 1.0), (0.5, 0.0, 0.5)

SESSIONS = [
    *(session(number, ("play jess", *ON), ("play jazz", *MET)) for number in range(4)),
    *(session(10 + number, ("play jess", *ON), ("x", *ON), ("play jazz", *MET)) for number in range(3)),
    *(session(20 + number, ("play jess", *ON), ("y", *LOST)) for number in range(3)),
    *(session(30 + number, ("play jess", *ON), ("private", *ON), ("play jazz", *MET)) for number in range(2)),
    session(40, ("hello", *HALF), ("play jess", *LOST), ("play jazz", *MET), ("bye", *MET)),
    *(session(50 + number, ("something else", *ON), ("w", *MET)) for number in range(9)),
]


@pytest.fixture(scope="module")
def rewrite() -> Rewrite:
    miner = ChainMiner(ASSISTANT, ChainSettings())
    for steps in SESSIONS:
        miner.touch(miner.counts.add(steps))
    miner.solve()
    (found,) = [row for row in miner.rewrites if row.source_text == "play jess"]
    return found


def test_counts_what_happened_after_the_source(rewrite: Rewrite) -> None:
    graph = chain_graph(SESSIONS, rewrite)
    assert dict(graph.nodes(data="kind")) == {
        '"play jess"': "source",
        "d|i|play jazz": "target",
        "d|i|x": "transient",
        "d|i|y": "transient",
        "success": "success",
        "failure": "failure",
    }
    assert dict(graph.nodes(data="visits")) == {
        '"play jess"': 13,
        "d|i|play jazz": 9,
        "d|i|x": 3,
        "d|i|y": 3,
        "success": 9,
        "failure": 4,
    }
    assert {(start, end): count for start, end, count in graph.edges(data="count")} == {
        ('"play jess"', "d|i|play jazz"): 4,
        ('"play jess"', "d|i|x"): 3,
        ('"play jess"', "d|i|y"): 3,
        ('"play jess"', "failure"): 1,
        ("d|i|play jazz", "success"): 9,
        ("d|i|x", "d|i|play jazz"): 3,
        ("d|i|y", "failure"): 3,
    }
    shares = {end: share for _, end, share in graph.out_edges('"play jess"', data="probability")}
    assert shares == {
        "d|i|play jazz": 4 / 13,
        "d|i|x": 3 / 13,
        "d|i|y": 3 / 13,
        "failure": 1 / 13,
    }


def test_what_two_users_alone_said_is_not_shown(rewrite: Rewrite) -> None:
    assert not any("private" in node for node in chain_graph(SESSIONS, rewrite))


def test_keeps_the_states_most_visited(rewrite: Rewrite) -> None:
    more = [session(100 + number, ("play jess", *ON), ("y", *LOST)) for number in range(2)]
    assert set(chain_graph([*SESSIONS, *more], rewrite, max_states=5)) == {
        '"play jess"',
        "d|i|play jazz",
        "d|i|y",
        "success",
        "failure",
    }
    assert len(chain_graph(SESSIONS, rewrite, max_states=1)) == 4


def test_without_sessions_the_source_the_target_and_the_ends_are_left(rewrite: Rewrite) -> None:
    graph = chain_graph([], rewrite)
    assert len(graph) == 4
    assert not graph.edges


def test_can_be_drawn(rewrite: Rewrite, tmp_path: Path) -> None:
    draw_chain(chain_graph(SESSIONS, rewrite), tmp_path / "chain.svg", "play jess")
    assert "<!-- 31 % -->" in (tmp_path / "chain.svg").read_text()
