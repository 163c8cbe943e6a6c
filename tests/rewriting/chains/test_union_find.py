import networkx as nx
import pytest

from rewriting.chains.union_find import UnionFind


@pytest.mark.parametrize("seed", range(20))
def test_what_is_joined_has_the_least_of_all_its_numbers_as_root(seed: int) -> None:
    graph = nx.gnp_random_graph(40, 0.03, seed=seed)
    joined = UnionFind(10)
    for _ in range(30):
        joined.add()
    assert len(joined) == 40
    for one, other in graph.edges:
        joined.join(other, one)
    for component in nx.connected_components(graph):
        assert {joined.root(number) for number in component} == {min(component)}
