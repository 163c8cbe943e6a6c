"""How much does solving for the sources that matter save over the dense fundamental matrix?"""

import time
from collections.abc import Callable
from functools import partial

import numpy as np
import scipy.sparse as sparse

from benchmarks.log_windows import sessions_of
from benchmarks.machine import this_machine
from benchmarks.report import BenchmarkReport, Cell
from rewriting.chains.absorbing_chain import AbsorbingChain, Floats, absorbing_chain, last_states
from rewriting.chains.counts import ChainCounts
from rewriting.chains.settings import ChainSettings
from rewriting.chains.step import session_steps
from services.simulator import GeneratedLogSettings, generate_turns

QUESTION = "how much does solving for the sources that matter save over the dense fundamental matrix?"
LOG_TURNS = (10_000, 50_000, 150_000, 500_000)
QUICK_LOG_TURNS = (3_000,)
STRUNG = GeneratedLogSettings(large_component_share=1.0)
"""All goals hang together, so that a short log has a large component."""

MOST_STATES_PYDTMC = 1_500
"""PyDTMC needs minutes for more."""

INSTALL_PYDTMC = "PyDTMC is not installed, so it is left out: pip install --no-deps pydtmc"


def run(quick: bool) -> BenchmarkReport:
    """Solves the largest component of logs of growing length in each way."""
    machine = this_machine()
    by_pydtmc = _pydtmc_solver()
    rows: list[dict[str, Cell]] = []
    for n_turns in QUICK_LOG_TURNS if quick else LOG_TURNS:
        chain, sources = _largest_component(n_turns)
        starts = sparse.csr_array(
            (np.ones(len(sources)), (np.arange(len(sources)), sources)), shape=(len(sources), chain.n_states)
        )
        ours, seconds = _timed(partial(_by_sparse_solve, chain, starts))
        dense, dense_seconds = _timed(partial(_by_dense_inverse, chain, sources))
        row: dict[str, Cell] = {
            "log turns": n_turns,
            "states": chain.n_states,
            "transitions": chain.transient.nnz,
            "sources": len(sources),
            "ours ms": seconds * 1e3,
            "numpy inverse ms": dense_seconds * 1e3,
            "numpy / ours": dense_seconds / seconds,
            "difference": float(np.abs(ours - dense).max(initial=0)),
        }
        if by_pydtmc is not None and chain.n_states <= MOST_STATES_PYDTMC:
            other, other_seconds = _timed(partial(by_pydtmc, chain, sources))
            row |= {
                "PyDTMC ms": other_seconds * 1e3,
                "PyDTMC / ours": other_seconds / seconds,
                "PyDTMC difference": float(np.abs(ours - other).max(initial=0)),
            }
        rows.append(row)
    notes = ["Each: success by last state for every source, from the chain's probabilities; best of three."]
    if by_pydtmc is None:
        notes.append(INSTALL_PYDTMC)
    return BenchmarkReport(
        name="fundamental",
        question=QUESTION,
        machine=machine,
        quick=quick,
        sizes={"components": len(rows)},
        figures=tuple(rows),
        notes=tuple(notes),
    )


def _largest_component(n_turns: int) -> tuple[AbsorbingChain, list[int]]:
    """The chain of the largest component of a generated log, and the states that led on to others."""
    counts = ChainCounts()
    for session in sessions_of(generate_turns(n_turns, STRUNG)):
        counts.add(session_steps(session))
    states = max(counts.connected(range(len(counts.interpretations))), key=len)
    position = {number: i for i, number in enumerate(states)}
    outcomes = [counts.outcomes[number] for number in states]
    entries = [
        (i, position[following], weight)
        for i, state in enumerate(outcomes)
        for following, weight in state.following.items()
    ]
    rows, columns, weights = zip(*entries, strict=True)
    chain = absorbing_chain(
        sparse.csr_array((np.array(weights), (rows, columns)), shape=(len(states), len(states))),
        np.array([state.success for state in outcomes]),
        np.array([state.failure for state in outcomes]),
        ChainSettings().smoothing,
    )
    return chain, [i for i, state in enumerate(outcomes) if state.following]


def _by_sparse_solve(chain: AbsorbingChain, starts: sparse.csr_array) -> Floats:
    return np.vstack([solution.scores for _, solution in last_states(chain, starts)])


def _by_dense_inverse(chain: AbsorbingChain, sources: list[int]) -> Floats:
    fundamental = np.linalg.inv(np.eye(chain.n_states) - chain.transient.toarray())
    return np.asarray(fundamental[sources] * chain.success)


def _pydtmc_solver() -> Callable[[AbsorbingChain, list[int]], Floats] | None:
    try:
        from pydtmc import MarkovChain
    except ImportError:
        return None

    def solve(chain: AbsorbingChain, sources: list[int]) -> Floats:
        n = chain.n_states
        matrix = np.zeros((n + 2, n + 2))
        matrix[:n, :n] = chain.transient.toarray()
        matrix[:n, n] = chain.success
        matrix[:n, n + 1] = 1 - matrix[:n].sum(axis=1)
        matrix[n, n] = matrix[n + 1, n + 1] = 1
        markov_chain = MarkovChain(matrix, [str(number) for number in range(n + 2)])
        order = [int(name) for name in markov_chain.transient_states]
        fundamental = np.empty((n, n))
        fundamental[np.ix_(order, order)] = markov_chain.fundamental_matrix
        return np.asarray(fundamental[sources] * chain.success)

    return solve


def _timed(solve: Callable[[], Floats]) -> tuple[Floats, float]:
    """The result, and the least seconds of three times; of one where it takes long."""
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        result = solve()
        best = min(best, time.perf_counter() - started)
        if best > 5:
            break
    return result, best
