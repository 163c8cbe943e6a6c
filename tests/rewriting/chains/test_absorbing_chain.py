from collections.abc import Sequence

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from rewriting.chains.absorbing_chain import (
    TOLERANCE,
    AbsorbingChain,
    Floats,
    LastStates,
    absorbing_chain,
    components,
    last_states,
)
from rewriting.errors import ChainError

ITERATED = 0  # chains of more states than this are iterated


def chain_of(
    transitions: Sequence[Sequence[float]],
    successes: Sequence[float],
    failures: Sequence[float],
    smoothing: float = 0.5,
) -> AbsorbingChain:
    counts = sparse.csr_array(np.array(transitions, float))
    return absorbing_chain(counts, np.array(successes, float), np.array(failures, float), smoothing)


def solve(
    chain: AbsorbingChain, starts: Floats | None = None, exact_states: int = 4_000, block_size: int = 256
) -> LastStates:
    """All starts in one; from each state once where none are given."""
    wanted = sparse.csr_array(np.eye(chain.n_states) if starts is None else starts)
    scores, errors = np.full(wanted.shape, np.nan), np.full(wanted.shape[0], np.nan)
    for block, solution in last_states(chain, wanted, exact_states, block_size):
        scores[block], errors[block] = solution.scores, solution.error
    return LastStates(scores, errors)


def dense_solution(chain: AbsorbingChain) -> Floats:
    """N_ij r_j by a dense inverse."""
    fundamental = np.linalg.inv(np.eye(chain.n_states) - chain.transient.toarray())
    return np.asarray(fundamental * chain.success)


def random_chain(seed: int, n: int, out: int = 3, absorbed: int = 4) -> AbsorbingChain:
    """n states with about `out` ways out, counts 1 to 9, and up to `absorbed` absorptions of each kind."""
    random = np.random.default_rng(seed)
    transitions = sparse.random_array(
        (n, n), density=min(1, out / n), rng=random, data_sampler=lambda size: random.integers(1, 10, size)
    )
    successes, failures = random.integers(0, absorbed + 1, (2, n))
    return absorbing_chain(
        sparse.csr_array(transitions, dtype=float), successes.astype(float), failures.astype(float), 0.5
    )


def test_a_chain_solved_by_hand() -> None:
    # With smoothing 1/2 on both ends, of 4 visits to 0: 2 go on to 1, 1/2 succeed, 3/2 fail.
    # Of 4 visits to 1: 1 goes back to 0, 5/2 succeed, 1/2 fail.
    chain = chain_of([[0, 2], [1, 0]], successes=[0, 2], failures=[1, 0])
    np.testing.assert_allclose(chain.transient.toarray(), [[0, 1 / 2], [1 / 4, 0]])
    np.testing.assert_allclose(chain.success, [1 / 8, 5 / 8])
    # N = [[1, 1/2], [1/4, 1]] / (1 - 1/8)
    np.testing.assert_allclose(
        solve(chain).scores, [[8 / 7 * 1 / 8, 4 / 7 * 5 / 8], [2 / 7 * 1 / 8, 8 / 7 * 5 / 8]]
    )


def test_three_states_in_a_row_solved_by_hand() -> None:
    # 0 -> 1 -> 2, with a loop at 1; ends by smoothing alone, but for 2, which succeeds once.
    chain = chain_of([[0, 3, 0], [0, 1, 2], [0, 0, 0]], successes=[0, 0, 1], failures=[0, 0, 0])
    np.testing.assert_allclose(chain.success, [1 / 8, 1 / 8, 3 / 4])
    # From 0: 1 visit to 0; 3/4 * 1/(1 - 1/4) = 1 to 1; 1 * 2/4 to 2.
    np.testing.assert_allclose(solve(chain).scores[0], [1 / 8, 1 / 8, 3 / 8])


@given(st.integers(0, 10**9), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_exact_scores_are_those_of_the_dense_fundamental_matrix(seed: int, n: int) -> None:
    chain = random_chain(seed, n)
    solution = solve(chain)
    np.testing.assert_allclose(solution.scores, dense_solution(chain), rtol=1e-9, atol=1e-12)
    assert not solution.error.any()


@given(st.integers(0, 10**9), st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_the_scores_of_a_start_sum_to_its_probability_of_success(seed: int, n: int) -> None:
    chain = random_chain(seed, n)
    absorbed = np.linalg.solve(np.eye(n) - chain.transient.toarray(), chain.success)  # B = Q B + r
    np.testing.assert_allclose(solve(chain).scores.sum(axis=1), absorbed, rtol=1e-9)


def test_simulated_walks_end_as_the_scores_say() -> None:
    chain = random_chain(seed=5, n=4, out=2)
    random = np.random.default_rng(1)
    ways = np.column_stack([chain.transient.toarray(), chain.success])  # what is left is failure
    walks, ends = 20_000, np.zeros(4)
    for _ in range(walks):
        state = 0
        while True:
            way = int(np.searchsorted(np.cumsum(ways[state]), random.random()))
            if way >= 4:
                ends[state] += way == 4
                break
            state = way
    expected = solve(chain).scores[0]
    deviation = np.sqrt(expected * (1 - expected) / walks)
    assert (np.abs(ends / walks - expected) < 5 * deviation + 1e-9).all()


@given(st.integers(0, 10**9), st.integers(1, 60), st.sampled_from([0, 1, 4]))
@settings(max_examples=40, deadline=None)
def test_the_error_of_an_iterated_solution_is_within_its_bound(seed: int, n: int, absorbed: int) -> None:
    chain = random_chain(seed, n, absorbed=absorbed)
    truth, solution = dense_solution(chain), solve(chain, exact_states=ITERATED)
    rounding = 1e-12
    assert (np.abs(solution.scores - truth).max(axis=1) <= solution.error + rounding).all()
    assert (np.abs((truth - solution.scores).sum(axis=1)) <= solution.error + rounding).all()
    assert (solution.scores <= truth + rounding).all()
    assert solution.error.max() <= TOLERANCE


def test_a_chain_that_is_absorbed_slowly_keeps_its_bound() -> None:
    n = 30
    ring = np.roll(np.eye(n), 1, axis=1) * 2_000  # one visit in 2,001 ends
    chain = chain_of(ring, successes=[0] * n, failures=[0] * n)
    truth, solution = dense_solution(chain), solve(chain, exact_states=ITERATED)
    assert truth.sum(axis=1) == pytest.approx(0.5)
    difference = np.abs((truth - solution.scores).sum(axis=1))
    assert (difference <= solution.error + 1e-9).all()
    assert solution.error.max() <= 2 * TOLERANCE


@given(st.integers(0, 10**9), st.integers(1, 9), st.booleans())
@settings(max_examples=20, deadline=None)
def test_the_size_of_blocks_does_not_matter(seed: int, block_size: int, exact: bool) -> None:
    chain = random_chain(seed, 12)
    exact_states = 4_000 if exact else ITERATED
    one_block = solve(chain, exact_states=exact_states)
    blocks = solve(chain, exact_states=exact_states, block_size=block_size)
    np.testing.assert_allclose(blocks.scores, one_block.scores, rtol=0, atol=2 * TOLERANCE)


def test_starts_may_be_weights() -> None:
    chain = random_chain(3, 6)
    starts = np.array([[0, 7.5, 0, 0, 2, 0], [0, 0, 0, 0, 0, 0]])
    for exact_states in (4_000, ITERATED):
        scores = solve(chain, starts, exact_states).scores
        np.testing.assert_allclose(scores, starts @ dense_solution(chain), atol=2 * TOLERANCE)


def test_no_starts_and_no_states() -> None:
    assert list(last_states(random_chain(1, 3), sparse.csr_array((0, 3)))) == []
    assert components(0, []) == []


@given(st.integers(0, 10**9), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_components_are_the_weakly_connected_ones(seed: int, n: int) -> None:
    graph = nx.from_scipy_sparse_array(random_chain(seed, n, out=1).transient, create_using=nx.DiGraph)
    expected = {frozenset(found) for found in nx.weakly_connected_components(graph)}
    found = components(n, graph.edges)
    assert set(map(frozenset, found)) == expected
    assert sum(len(states) for states in found) == n
    assert all(states == sorted(states) for states in found)


@pytest.mark.parametrize(
    ("transitions", "successes", "failures", "smoothing", "what"),
    [
        ([[0, -1], [0, 0]], [0, 0], [0, 0], 0.5, "transitions"),
        ([[0, float("nan")], [0, 0]], [0, 0], [0, 0], 0.5, "transitions"),
        ([[0, 1], [0, 0]], [-1, 0], [0, 0], 0.5, "successes"),
        ([[0, 1], [0, 0]], [0, 0], [0, float("inf")], 0.5, "failures"),
        ([[0, 1], [0, 0]], [0], [0, 0], 0.5, "shapes differ"),
        ([[0, 1], [0, 0]], [0, 0], [0], 0.5, "shapes differ"),
        ([[0, 1], [0, 0]], [0, 0], [0, 0], 0, "smoothing"),
        ([[0, 1], [0, 0]], [0, 0], [0, 0], float("nan"), "smoothing"),
    ],
)
def test_refuses_bad_counts(
    transitions: list[list[float]],
    successes: list[float],
    failures: list[float],
    smoothing: float,
    what: str,
) -> None:
    with pytest.raises(ChainError, match=what):
        chain_of(transitions, successes, failures, smoothing)
