"""The picture of the chain around a rewrite: why a request is taken for another.

Requests flow from left to right: the source, what users said next, the target, and the two ends of a session.
Distances are in inches, on a plane with y upwards; the same chain gives the same bytes.
"""

import textwrap
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
import networkx as nx
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Patch

KINDS = ("source", "transient", "target", "success", "failure")

FILL = {
    "source": "#fbe3c4",
    "transient": "#eef1f4",
    "target": "#d3e8f3",
    "success": "#d6efdc",
    "failure": "#f8d9dc",
}
EDGE = {
    "source": "#b5762a",
    "transient": "#8a949e",
    "target": "#2a7f9e",
    "success": "#3c8d5a",
    "failure": "#d1495b",
}
LEGEND = {
    "source": "the request",
    "transient": "said in between",
    "target": "its rewrite",
    "success": "session ends well",
    "failure": "session ends badly",
}

STYLE: Any = {"svg.hashsalt": "rehear"}  # ids in the SVG would be random otherwise

BOX_WIDTH, LINE_HEIGHT, PADDING = 1.75, 0.165, 0.1
COLUMN_GAP, ROW_GAP, MARGIN = 1.55, 0.42, 0.35
LABEL_WIDTH, LABEL_HEIGHT = 0.42, 0.17
TITLE_HEIGHT, LEGEND_HEIGHT = 0.3, 0.25

LETTERS_PER_LINE, LINES = 24, 4
"""What fits into a box at 8.5 points; longer names end in an ellipsis."""

COLUMN_LENGTH = 7
"""Boxes in a column at most: a longer column continues in one beside it, so that 30 boxes fit a screen."""

LABEL_PLACES = (0.4, 0.3, 0.5, 0.22, 0.6, 0.7, 0.15, 0.8)
"""Where along an edge its probability may stand, best first: near its start, it has not met others yet."""

Point = tuple[float, float]


class ChainPictureError(Exception):
    """A chain that cannot be drawn; the message says what is wrong with which node, edge or file name."""

    retriable = False


class _Box(NamedTuple):
    x: float  # of the centre
    y: float
    height: float
    text: str

    def holds(self, x: float, y: float) -> bool:
        return (
            abs(x - self.x) < (BOX_WIDTH + LABEL_WIDTH) / 2
            and abs(y - self.y) < (self.height + LABEL_HEIGHT) / 2
        )


def draw_chain(chain: nx.DiGraph, path: str | Path, title: str = "") -> None:
    """Draws a chain of 1 to about 30 nodes to an SVG or PNG file.

    Args:
        chain: nodes are interpretations or texts with the attributes `kind` (one of `KINDS`) and `visits`;
            edges have `probability` (0..1) and `count`.
        path: ends in `.svg` or `.png`.
        title: stands above.

    Raises:
        ChainPictureError: no nodes, an unknown kind, a missing attribute, or another kind of file.
    """
    path = Path(path)
    kinds = _kinds(chain)
    if path.suffix not in (".svg", ".png"):
        raise ChainPictureError(f"cannot draw to {path}: the file name must end in .svg or .png")
    with matplotlib.rc_context(STYLE):
        figure = _draw(chain, kinds, title)
        metadata = {"Date": None, "Creator": None} if path.suffix == ".svg" else {"Software": None}
        figure.savefig(path, dpi=150, metadata=metadata)


def _kinds(chain: nx.DiGraph) -> dict[str, str]:
    if not len(chain):
        raise ChainPictureError("the chain has no nodes: there is nothing to draw")
    kinds: dict[str, str] = {}
    for node, attributes in chain.nodes(data=True):
        kind = attributes.get("kind")
        if kind not in KINDS:
            raise ChainPictureError(f"node {node!r} has kind {kind!r}; it must be one of {', '.join(KINDS)}")
        if "visits" not in attributes:
            raise ChainPictureError(f"node {node!r} has no visits")
        kinds[node] = kind
    for start, end, attributes in chain.edges(data=True):
        if not 0 <= attributes.get("probability", -1) <= 1:
            raise ChainPictureError(f"the edge from {start!r} to {end!r} has no probability from 0 to 1")
    return kinds


def _columns(chain: nx.DiGraph, kinds: Mapping[str, str]) -> list[list[str]]:
    """Nodes by column: source, what was said in between by its distance from it, target, ends."""
    sources = [node for node in chain if kinds[node] == "source"]
    distance: dict[str, int] = {}
    for source in sorted(sources):
        for node, steps in nx.single_source_shortest_path_length(chain, source).items():
            distance[node] = min(steps, distance.get(node, steps))
    layers: dict[tuple[int, int], list[str]] = defaultdict(list)
    place = {"source": 0, "transient": 1, "target": 2, "success": 3, "failure": 3}
    for node in sorted(chain, key=lambda node: (-chain.nodes[node]["visits"], node)):
        steps = min(distance.get(node, 1), 2) if kinds[node] == "transient" else 0
        layers[place[kinds[node]], steps].append(node)
    columns: list[list[str]] = []
    for _, layer in sorted(layers.items()):
        parts = -(-len(layer) // COLUMN_LENGTH)
        columns.extend(layer[part::parts] for part in range(parts))
    return _untangled(chain, columns, kinds)


def _untangled(chain: nx.DiGraph, columns: list[list[str]], kinds: Mapping[str, str]) -> list[list[str]]:
    """Puts each node at about the height of its neighbours, with a few sweeps of the barycentre method."""
    height: dict[str, float] = {}

    def settle(column: Sequence[str]) -> None:
        for row, node in enumerate(column):
            height[node] = (len(column) - 1) / 2 - row

    def wanted(node: str) -> float:
        near = [
            (chain.edges[edge]["probability"], height[other])
            for edge, other in (
                *(((node, other), other) for other in chain.successors(node)),
                *(((other, node), other) for other in chain.predecessors(node)),
            )
            if other != node
        ]
        weight = sum(probability for probability, _ in near)
        return sum(probability * at for probability, at in near) / weight if weight else 0.0

    for column in columns:
        settle(column)
    for _ in range(4):
        for column in columns:
            # A session that ends well stands above one that ends badly, in every picture.
            column.sort(key=lambda node: (kinds[node] == "failure", -round(wanted(node), 6), node))
            settle(column)
    return columns


def _boxes(chain: nx.DiGraph, columns: Sequence[Sequence[str]]) -> dict[str, _Box]:
    boxes: dict[str, _Box] = {}
    for number, column in enumerate(columns):
        texts = [_label(node, chain.nodes[node]["visits"]) for node in column]
        heights = [LINE_HEIGHT * (text.count("\n") + 1) + 2 * PADDING for text in texts]
        y = (sum(heights) + ROW_GAP * (len(heights) - 1)) / 2
        for node, text, height in zip(column, texts, heights, strict=True):
            boxes[node] = _Box(number * (BOX_WIDTH + COLUMN_GAP), y - height / 2, height, text)
            y -= height + ROW_GAP
    return boxes


def _label(node: str, visits: int) -> str:
    lines = textwrap.wrap(node.replace("|", " | "), LETTERS_PER_LINE) or ["(nothing)"]
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], lines[LINES - 1][: LETTERS_PER_LINE - 1] + "…"]
    return "\n".join([*lines, f"{visits:,} visits"])


def _draw(chain: nx.DiGraph, kinds: Mapping[str, str], title: str) -> Figure:
    columns = _columns(chain, kinds)
    boxes = _boxes(chain, columns)
    left = -BOX_WIDTH / 2 - MARGIN
    width = max(box.x for box in boxes.values()) + BOX_WIDTH / 2 + MARGIN - left
    routes = {(start, end): _route(boxes[start], boxes[end]) for start, end in chain.edges}
    heights = [
        *(box.y + side * box.height / 2 for box in boxes.values() for side in (-1, 1)),
        *(_on_curve(route, step / 10)[1] for route in routes.values() for step in range(11)),
    ]
    bottom, top = min(heights) - MARGIN - LEGEND_HEIGHT, max(heights) + MARGIN + bool(title) * TITLE_HEIGHT
    figure = Figure(figsize=(max(width, 6.0), top - bottom))
    axes = figure.add_axes((0, 0, 1, 1))
    spare = max(0.0, 6.0 - width) / 2
    axes.set_xlim(left - spare, left + width + spare)
    axes.set_ylim(bottom, top)
    axes.set_axis_off()
    taken: list[Point] = []
    for start, end in sorted(chain.edges, key=lambda edge: (-chain.edges[edge]["probability"], edge)):
        probability = chain.edges[start, end]["probability"]
        _draw_edge(axes, routes[start, end], probability, kinds[end], boxes.values(), taken)
    for node, box in boxes.items():
        _draw_box(axes, box, kinds[node])
    axes.set_title(title, y=1, pad=-22, fontsize=11, fontweight="bold", color="#1f2933")
    present = [kind for kind in KINDS if kind in kinds.values()]
    axes.legend(
        handles=[Patch(facecolor=FILL[kind], edgecolor=EDGE[kind], label=LEGEND[kind]) for kind in present],
        loc="lower center",
        ncols=len(present),
        frameon=False,
        fontsize=8.5,
        handlelength=1.2,
        columnspacing=1.2,
    )
    return figure


def _draw_box(axes: Axes, box: _Box, kind: str) -> None:
    corner = (box.x - BOX_WIDTH / 2, box.y - box.height / 2)
    axes.add_patch(
        FancyBboxPatch(
            corner,
            BOX_WIDTH,
            box.height,
            boxstyle="round,pad=0,rounding_size=0.08",
            facecolor=FILL[kind],
            edgecolor=EDGE[kind],
            linewidth=1.8 if kind in ("source", "target") else 1.1,
            zorder=3,
        )
    )
    name, _, visits = box.text.rpartition("\n")
    axes.text(
        box.x,
        box.y + LINE_HEIGHT / 2,
        name,
        ha="center",
        va="center",
        fontsize=8.5,
        color="#1f2933",
        zorder=4,
        linespacing=1.15,
        parse_math=False,
    )
    low = box.y - box.height / 2 + PADDING * 0.8
    axes.text(box.x, low, visits, ha="center", va="bottom", fontsize=7, color="#616e7c", zorder=4)


def _draw_edge(
    axes: Axes,
    points: Sequence[Point],
    probability: float,
    kind: str,
    boxes: Collection[_Box],
    taken: list[Point],
) -> None:
    """An arrow as wide as the edge is likely; `taken` are the places of labels, and gains one."""
    colour = EDGE[kind] if kind in ("success", "failure", "target") else EDGE["transient"]
    curve = matplotlib.path.Path(points, [1, 4, 4, 4])  # move, then a cubic Bezier curve
    axes.add_patch(
        FancyArrowPatch(
            path=curve,
            arrowstyle="-|>",
            mutation_scale=9,
            linewidth=0.7 + 3.2 * probability,
            color=colour,
            alpha=0.4 + 0.5 * probability,
            zorder=1,
            joinstyle="miter",
            shrinkA=0,
            shrinkB=0,
        )
    )
    x, y = _label_place(points, boxes, taken)
    taken.append((x, y))
    axes.text(
        x,
        y,
        _share(probability),
        ha="center",
        va="center",
        fontsize=7.5,
        color=colour if colour != EDGE["transient"] else "#4b5763",
        zorder=2.5,
        bbox={"boxstyle": "round,pad=0.12", "facecolor": "white", "edgecolor": "none", "alpha": 0.9},
    )


def _route(start: _Box, end: _Box) -> list[Point]:
    """Four points of a cubic Bezier curve between the sides of two boxes."""
    half = BOX_WIDTH / 2
    if start == end:  # a loop above the right corner
        x, y = start.x + half, start.y + start.height / 2
        return [(x - 0.5, y), (x - 0.5, y + 0.5), (x + 0.35, y + 0.3), (x, y - 0.12)]
    if end.x > start.x:
        a, b = (start.x + half, start.y), (end.x - half, end.y)
        reach = COLUMN_GAP / 2
        span = (end.x - start.x) / (BOX_WIDTH + COLUMN_GAP)
        # Over columns in between, the curve leaves its line and passes beside their boxes.
        lift = 0.0 if span < 1.5 else 0.55 * (1 if start.y + end.y >= 0 else -1) * span
        return [a, (a[0] + reach, a[1] + lift), (b[0] - reach, b[1] + lift), b]
    if end.x < start.x:
        a, b = (start.x - half, start.y - 0.1), (end.x + half, end.y - 0.1)
        reach = COLUMN_GAP / 2
        return [a, (a[0] - reach, a[1] - 0.35), (b[0] + reach, b[1] - 0.35), b]
    side = half if end.y < start.y else -half  # down on the right, up on the left: the two do not meet
    bend = 0.75 if side > 0 else -0.75
    return [
        (start.x + side, start.y),
        (start.x + side + bend, start.y),
        (end.x + side + bend, end.y),
        (end.x + side, end.y),
    ]


def _label_place(points: Sequence[Point], boxes: Collection[_Box], taken: Sequence[Point]) -> Point:
    """The first place on the curve that is clear of boxes and of other labels; else the clearest."""

    def crowding(place: Point) -> int:
        x, y = place
        labels = sum(abs(x - u) < LABEL_WIDTH and abs(y - v) < LABEL_HEIGHT for u, v in taken)
        return labels + 2 * sum(box.holds(x, y) for box in boxes)

    return min((_on_curve(points, t) for t in LABEL_PLACES), key=crowding)


def _on_curve(points: Sequence[Point], t: float) -> Point:
    weights = np.array([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3])
    x, y = weights @ np.array(points)
    return float(x), float(y)


def _share(probability: float) -> str:
    if 0 < probability < 0.01:
        return "<1 %"
    return f"{100 * probability:.0f} %"
