"""Absorbing Markov chains: from a start, which transient state most likely precedes success.

States are transient (0..n-1) or absorbing (success, failure). With Q: (n, n) the probabilities between
transient states, r: (n,) the probability of success from each, and N = (I - Q)^-1 the fundamental matrix,

    P(absorbed in success, with j as the last transient state | start i) = N_ij r_j,

and the sum over j is B_i, the probability of success from i. Kemeny & Snell, Finite Markov Chains, ch. 3;
its use for rewrites: https://arxiv.org/abs/1911.02557, section 3.
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import scipy.sparse as sparse
from msgspec import Struct
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

from rewriting.chains.union_find import UnionFind
from rewriting.errors import ChainError

Floats = NDArray[np.float64]

EXACT_STATES = 4_000
"""Components up to this size are factorised, larger ones iterated. Raised, the fill-in of the factors costs
minutes and gigabytes; lowered, more components carry an error, however small."""

TOLERANCE = 1e-6
"""Probability that may be left undecided where the solution is iterated: far below any threshold."""

STARTS_PER_BLOCK = 64
"""Starts solved together: (64, n) numbers of 8 bytes, 2 MB at 4,000 states. Raised, the blocks leave the
cache, and BLAS spreads work over threads that cost more than they do; lowered, more calls."""


class AbsorbingChain(Struct, frozen=True):
    """Probabilities of one chain; the rest of each row to 1 is failure."""

    transient: sparse.csr_array  # Q: (n, n), entries >= 0, row sums < 1
    success: Floats  # r: (n,), >= 0; row sum of Q plus r is at most 1

    @property
    def n_states(self) -> int:
        """Number of transient states."""
        return int(self.success.shape[0])


class LastStates(Struct, frozen=True):
    """Where the success of each start comes from."""

    scores: Floats  # (m, n): probability of success with this state as the last transient one
    error: Floats  # (m,): no score of the start, nor their sum, is farther from the truth; 0 where exact


def absorbing_chain(
    transitions: sparse.csr_array, successes: Floats, failures: Floats, smoothing: float
) -> AbsorbingChain:
    """A chain from counts.

    Args:
        transitions: (n, n), counts between transient states, >= 0.
        successes: (n,), counts into success, >= 0.
        failures: (n,), counts into failure, >= 0.
        smoothing: added to both absorbing counts of each state, > 0. It keeps the chain absorbing, and a
            state seen once from being certain.

    Raises:
        ChainError: a count is negative or not finite, shapes differ, or smoothing is not positive.
    """
    n = successes.shape[0]
    if transitions.shape != (n, n) or failures.shape != (n,):
        raise ChainError(f"shapes differ: {transitions.shape}, {successes.shape}, {failures.shape}")
    for name, counts in (
        ("transitions", transitions.data),
        ("successes", successes),
        ("failures", failures),
    ):
        if counts.size and not (np.isfinite(counts).all() and counts.min() >= 0):
            raise ChainError(f"{name} hold a count that is negative or not finite")
    if not smoothing > 0:
        raise ChainError(f"smoothing is {smoothing}; it must be above 0")
    total = np.asarray(transitions.sum(axis=1)).ravel() + successes + failures + 2 * smoothing
    return AbsorbingChain(
        sparse.csr_array(sparse.diags_array(1 / total) @ transitions), (successes + smoothing) / total
    )


def components(n_states: int, links: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The states of each connected component, ascending: chains that can be solved apart.

    Args:
        n_states: the states are 0..n_states - 1.
        links: pairs of states that belong together, in any direction.
    """
    connected = UnionFind(n_states)
    for one, other in links:
        connected.join(one, other)
    found: dict[int, list[int]] = {}
    for state in range(n_states):
        found.setdefault(connected.root(state), []).append(state)
    return list(found.values())


def last_states(
    chain: AbsorbingChain,
    starts: sparse.csr_array,
    exact_states: int = EXACT_STATES,
    block_size: int = STARTS_PER_BLOCK,
) -> Iterator[tuple[slice, LastStates]]:
    """Solves for many starts, in blocks.

    Args:
        chain: of n states.
        starts: (m, n): each row the weights of the first state, >= 0; scores are in the same unit.
        exact_states: chains of more states are iterated, with an error of about `TOLERANCE` at most.
        block_size: starts solved together.

    Yields:
        Which starts, and their solution.
    """
    solve = _exact_solver(chain) if chain.n_states <= exact_states else _iterated_solver(chain)
    for first in range(0, starts.shape[0], block_size):
        block = slice(first, min(first + block_size, starts.shape[0]))
        yield block, solve(sparse.csr_array(starts[block]))


def _exact_solver(chain: AbsorbingChain) -> Callable[[sparse.csr_array], LastStates]:
    """Sparse LU of (I - Q)^T, factorised once.

    Its columns are strictly diagonally dominant, as no state is sure to go on: the diagonal is a safe pivot,
    so that the order of elimination can be chosen for sparse factors alone.
    """
    identity = sparse.eye_array(chain.n_states, format="csc")
    factors = splu(
        sparse.csc_array((identity - chain.transient).T),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )

    def solve(starts: sparse.csr_array) -> LastStates:
        visits = factors.solve(starts.toarray().T).T  # (m, n): starts @ N
        return LastStates(visits * chain.success, np.zeros(starts.shape[0]))

    return solve


def _iterated_solver(chain: AbsorbingChain) -> Callable[[sparse.csr_array], LastStates]:
    """Sums starts @ (I + Q + Q^2 + ...), until what is left could change no score by more than the tolerance.

    After K steps the mass that is still in transient states, plus what was dropped as too small to follow,
    has not been absorbed; it can add at most itself to the sum of the scores, which bounds the error.
    """
    smallest = TOLERANCE / (100 * chain.n_states)

    def solve(starts: sparse.csr_array) -> LastStates:
        m = starts.shape[0]
        mass = sparse.csr_array(starts, dtype=np.float64, copy=True)
        visits = np.zeros(starts.shape)
        dropped = np.zeros(m)
        while True:
            visits += mass.toarray()
            mass = sparse.csr_array(mass @ chain.transient)
            small = mass.data < smallest
            rows = np.repeat(np.arange(m), np.diff(mass.indptr))
            dropped += np.bincount(rows[small], weights=mass.data[small], minlength=m)
            mass.data[small] = 0
            mass.eliminate_zeros()
            left = np.asarray(mass.sum(axis=1)).ravel() + dropped
            if mass.nnz == 0 or left.max(initial=0) <= TOLERANCE:
                return LastStates(visits * chain.success, left)

    return solve
