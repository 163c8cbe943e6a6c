"""The chain around a rewrite, as a graph: what was said between a request and its rewrite, and how it ended.

It tells what happened in the log; the chain that is solved counts every request of the assistant.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import networkx as nx

from labeling.text.normalisation import normalise
from rewriting.chains.step import ChainStep, SessionSteps
from rewriting.table.rewrite import Rewrite

SUCCESS, FAILURE = "success", "failure"
"""The two ends. No other node is named so: texts stand in quotes, interpretations have a bar or a colon."""

MIN_USERS = 3
"""Distinct users who came to a state in between: what fewer have said is private, and explains little."""


def chain_graph(sessions: Iterable[SessionSteps], rewrite: Rewrite, max_states: int = 12) -> nx.DiGraph:
    """The neighbourhood of a rewrite.

    From each time that the source was said, a session is followed until it is judged; whatever else was said
    does not count, so sessions that have nothing to do with the rewrite do no harm.

    Args:
        sessions: of the rewrite's assistant, at least those in which its source was said.
        rewrite: of a text; where it holds after one question, only what was said to that counts.
        max_states: nodes at most, at least 4: the source, the target, the two ends, and the states most
            visited in between. What went to others has no edge, and stays in the shares.

    Returns:
        Nodes are the source's text, in quotes, and interpretations, with the attributes `kind` (source,
        target, transient, success, failure) and `visits`; edges have `count`, the weight that went that way,
        and `probability`, its share of what left the node, 0..1. Source, target and ends are always there.
    """
    source = f'"{rewrite.source_text}"'
    target = rewrite.target_interpretation or f"text:{normalise(rewrite.target_text)}"
    visits: Counter[str] = Counter()
    users: defaultdict[str, set[str]] = defaultdict(set)
    weights: defaultdict[tuple[str, str], float] = defaultdict(float)
    for session in sessions:
        for path in _paths(session, rewrite):
            names = [source, *(_name(step, rewrite, target) for step in path[1:])]
            visits.update(names)
            for name in names:
                users[name].add(session.person)
            for i, step in enumerate(path):
                weights[names[i], SUCCESS] += step.success
                weights[names[i], FAILURE] += step.failure
                if i + 1 < len(path):
                    weights[names[i], names[i + 1]] += step.goes_on
    visits[SUCCESS], visits[FAILURE] = (
        round(sum(weight for (_, end), weight in weights.items() if end == name))
        for name in (SUCCESS, FAILURE)
    )
    kinds = {source: "source", target: "target", SUCCESS: "success", FAILURE: "failure"}
    between = [name for name in visits if name not in kinds and len(users[name]) >= MIN_USERS]
    between.sort(key=lambda name: (-visits[name], name))
    kinds |= dict.fromkeys(between[: max(max_states - len(kinds), 0)], "transient")
    return _graph(visits, weights, kinds)


def _name(step: ChainStep, rewrite: Rewrite, target: str) -> str:
    """The state of a step; that of the target's text is the target, though a row may tell less of it."""
    return target if step.text == normalise(rewrite.target_text) else step.interpretation


def _paths(session: SessionSteps, rewrite: Rewrite) -> Iterable[Sequence[ChainStep]]:
    """The steps from each first saying of the source to where the session was judged without remainder."""
    i = 0
    while i < len(session.steps):
        step = session.steps[i]
        if step.text != rewrite.source_text or (rewrite.question and step.question != rewrite.question):
            i += 1
            continue
        end = i
        while session.steps[end].goes_on:
            end += 1
        yield session.steps[i : end + 1]
        i = end + 1


def _graph(
    visits: Mapping[str, int], weights: Mapping[tuple[str, str], float], kinds: Mapping[str, str]
) -> nx.DiGraph:
    left: defaultdict[str, float] = defaultdict(float)
    for (start, _), weight in weights.items():
        left[start] += weight
    graph = nx.DiGraph()
    for name, kind in kinds.items():
        graph.add_node(name, kind=kind, visits=visits[name])
    for (start, end), weight in sorted(weights.items()):
        if weight and start in kinds and end in kinds:
            graph.add_edge(start, end, count=weight, probability=weight / left[start])
    return graph
