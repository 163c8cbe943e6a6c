from pathlib import Path
from xml.etree import ElementTree

import networkx as nx
import pytest
from PIL import Image

from services.explaining.chain_picture import ChainPictureError, draw_chain


def chain_of(transients: int) -> nx.DiGraph:
    """A source, some other requests, a target and the two ends: `transients` + 4 nodes, all connected."""
    chain = nx.DiGraph()
    chain.add_node("play imagine", kind="source", visits=40)
    chain.add_node("play imagine dragons", kind="target", visits=900)
    chain.add_node("success", kind="success", visits=850)
    chain.add_node("failure", kind="failure", visits=60)
    chain.add_edge("play imagine", "play imagine dragons", probability=0.61, count=24)
    chain.add_edge("play imagine", "play imagine", probability=0.004, count=1)
    chain.add_edge("play imagine dragons", "success", probability=0.93, count=840)
    chain.add_edge("play imagine dragons", "play imagine", probability=0.07, count=60)
    for number in range(transients):
        name = f"music|play|song:a song with a name that does not end in one line, number {number}"
        chain.add_node(name, kind="transient", visits=number)
        chain.add_edge("play imagine", name, probability=0.386 / transients, count=2)
        chain.add_edge(name, "play imagine dragons", probability=0.5, count=1)
        chain.add_edge(name, "failure", probability=0.5, count=1)
    return chain


@pytest.mark.parametrize("transients", [0, 1, 26])
def test_draws_chains_of_any_usual_size(tmp_path: Path, transients: int) -> None:
    draw_chain(chain_of(transients), tmp_path / "chain.png", "a title")
    with Image.open(tmp_path / "chain.png") as picture:
        picture.verify()
        width, height = picture.size
    assert 600 < width < 5000
    assert 200 < height < 3000
    draw_chain(chain_of(transients), tmp_path / "chain.svg")
    assert ElementTree.parse(tmp_path / "chain.svg").getroot().tag.endswith("svg")  # noqa: S314 (our own file)


def test_writes_names_visits_and_probabilities(tmp_path: Path) -> None:
    draw_chain(chain_of(0), tmp_path / "chain.svg", "why it is rewritten")
    # Each piece of text stands in the file as a comment beside the shapes of its letters.
    text = (tmp_path / "chain.svg").read_text()
    for written in ("play imagine dragons", "61 %", "93 %", "&lt;1 %", "900 visits", "why it is rewritten"):
        assert f"<!-- {written} -->" in text
    assert "<!-- its rewrite -->" in text
    assert "<!-- said in between -->" not in text


def test_a_picture_does_not_depend_on_the_order_of_the_chain(tmp_path: Path) -> None:
    chain = chain_of(9)
    turned = nx.DiGraph()
    turned.add_nodes_from(reversed(list(chain.nodes(data=True))))
    turned.add_edges_from(reversed(list(chain.edges(data=True))))
    draw_chain(chain, tmp_path / "one.svg")
    draw_chain(turned, tmp_path / "other.svg")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "other.svg").read_bytes()


def test_names_are_text_and_nothing_else(tmp_path: Path) -> None:
    chain = nx.DiGraph()
    chain.add_node("<script>$\\frac{1}$ & -->", kind="source", visits=1)
    chain.add_node("", kind="target", visits=1)
    draw_chain(chain, tmp_path / "chain.svg")
    root = ElementTree.parse(tmp_path / "chain.svg").getroot()  # noqa: S314 (our own file)
    assert not [element for element in root.iter() if str(element.tag).endswith("script")]


@pytest.mark.parametrize(
    ("node", "edge", "name", "message"),
    [
        ({"kind": "source", "visits": 1}, {"probability": 0.5}, "chain.gif", "must end in .svg or .png"),
        ({"kind": "end", "visits": 1}, {"probability": 0.5}, "chain.svg", "node 'a' has kind 'end'"),
        ({"kind": "source"}, {"probability": 0.5}, "chain.svg", "node 'a' has no visits"),
        ({"kind": "source", "visits": 1}, {}, "chain.svg", "edge from 'a' to 'a' has no probability"),
        ({"kind": "source", "visits": 1}, {"probability": 1.5}, "chain.svg", "no probability from 0 to 1"),
    ],
)
def test_says_what_cannot_be_drawn(
    tmp_path: Path, node: dict[str, object], edge: dict[str, object], name: str, message: str
) -> None:
    chain = nx.DiGraph()
    chain.add_node("a", **node)
    chain.add_edge("a", "a", **edge)
    with pytest.raises(ChainPictureError, match=message):
        draw_chain(chain, tmp_path / name)


def test_an_empty_chain_is_not_drawn(tmp_path: Path) -> None:
    with pytest.raises(ChainPictureError, match="no nodes"):
        draw_chain(nx.DiGraph(), tmp_path / "chain.svg")
