"""The ranker: which candidate a request meant, and whether to put it in the request's place.

Two models of boosted trees judge a request (docs/online.md): one how likely each candidate is what was meant,
one how likely the request is right as it is. Both were learned from what users did after such requests.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from labeling.errors import ArtifactError
from labeling.models.artifact import verify_artifact
from rewriting.ranking.boosted_trees import BoostedTrees, Trees
from rewriting.ranking.features import (
    CANDIDATE_FEATURES,
    GATE_SUMMARIES,
    REQUEST_FEATURES,
    Features,
    Group,
    gate_summaries,
)
from rewriting.ranking.gates import RewriteGates
from rewriting.requests.silent_failures import SilentFailures

KIND = "ranker"
RANK_FILE = "rank.txt"
DEFECT_FILE = "defect.txt"
FACTS_FILE = "ranker.json"

Floats = NDArray[np.float64]

NEVER_SURE = 0.02
"""Added to the sides of a win: with it, a rewrite of which little is known either way is not called a win."""


class RankerFacts(Struct, frozen=True, kw_only=True):
    """What belongs to the two models."""

    features: tuple[str, ...]  # of the rank model, in their order
    defect_features: tuple[str, ...]
    left_out: tuple[Group, ...]  # groups of features that the models do not see
    gates: RewriteGates
    silent: SilentFailures


class Judgement(Struct, frozen=True):
    """What the ranker makes of one request."""

    defect: float  # probability that the request fails as it is, 0..1
    best: int | None  # index of the candidate most likely meant; None: no candidates
    meant: float  # probability that it is what was meant, 0..1
    win: float  # probability that it wins, of all that it would change, 0..1


class Judge(Protocol):
    """What says which candidate a request meant."""

    @property
    def gates(self) -> RewriteGates:
        """What its judgements must pass."""
        ...

    def judge(self, request: Features, candidates: Features) -> Judgement:
        """Judges one request.

        Args:
            request: (len(REQUEST_FEATURES),), from `request_features`.
            candidates: (n, len(CANDIDATE_FEATURES)), from `candidate_features`.
        """
        ...


class Ranker:
    """Two models and their gates; never changes."""

    def __init__(self, rank: Trees, defect: Trees, facts: RankerFacts) -> None:
        self.facts = facts
        self._rank = rank
        self._defect = defect
        self._rank_columns = columns(rank_names(), facts.features)
        self._defect_columns = columns(defect_names(), facts.defect_features)

    @classmethod
    def load(cls, folder: Path) -> "Ranker":
        """Reads an artifact of kind `KIND`.

        Raises:
            ArtifactError: it is missing, damaged, or of another version of Rehear.
        """
        verify_artifact(folder, KIND)
        try:
            facts = msgspec.json.decode((folder / FACTS_FILE).read_bytes(), type=RankerFacts)
            rank = BoostedTrees.load(folder / RANK_FILE)
            defect = BoostedTrees.load(folder / DEFECT_FILE)
            return cls(rank, defect, facts)
        except (msgspec.MsgspecError, KeyError) as error:
            raise ArtifactError(f"the ranker in {folder} cannot be read ({error}): train it again") from error

    def write(self, folder: Path) -> None:
        """Writes the files of the artifact into a folder that exists."""
        self._rank.save_model(str(folder / RANK_FILE))
        self._defect.save_model(str(folder / DEFECT_FILE))
        (folder / FACTS_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(self.facts)))

    @property
    def gates(self) -> RewriteGates:
        """What its judgements must pass."""
        return self.facts.gates

    def with_gates(self, gates: RewriteGates) -> "Ranker":
        """The same models with other gates."""
        return Ranker(self._rank, self._defect, msgspec.structs.replace(self.facts, gates=gates))

    def judge(self, request: Features, candidates: Features) -> Judgement:
        """Judges one request; arguments as for `Judge.judge`."""
        return self.judge_all([request], [candidates])[0]

    def judge_all(self, requests: Sequence[Features], candidates: Sequence[Features]) -> list[Judgement]:
        """Judges many requests; each as if it were alone."""
        if not requests:
            return []
        silent = self.facts.silent.silent_share
        defect_table = np.stack(
            [defect_row(request, table) for request, table in zip(requests, candidates, strict=True)]
        )
        shown = _predict(self._defect, defect_table[:, self._defect_columns])
        right = np.clip((shown - silent) / (1 - silent), 0.0, 1.0)
        sizes = [len(table) for table in candidates]
        meant = np.zeros(0)
        if sum(sizes):
            rows = np.concatenate(
                [
                    rank_rows(request, table)
                    for request, table in zip(requests, candidates, strict=True)
                    if len(table)
                ]
            )
            meant = np.clip(_predict(self._rank, rows[:, self._rank_columns]) / (1 - silent), 0.0, 1.0)
        judged = []
        start = 0
        for i, size in enumerate(sizes):
            own = float(right[i])
            if not size:
                judged.append(Judgement(1 - own, None, 0.0, 0.0))
                continue
            chances = meant[start : start + size]
            start += size
            best = int(chances.argmax())
            chance = float(chances[best])
            judged.append(Judgement(1 - own, best, chance, chance / (chance + own + NEVER_SURE)))
        return judged


def rank_names() -> tuple[str, ...]:
    """Names of the columns of `rank_rows`."""
    return tuple(f"candidate.{name}" for name, _ in CANDIDATE_FEATURES) + tuple(
        f"request.{name}" for name, _ in REQUEST_FEATURES
    )


def defect_names() -> tuple[str, ...]:
    """Names of the columns of `defect_row`."""
    return tuple(f"request.{name}" for name, _ in REQUEST_FEATURES) + tuple(
        f"best.{name}" for name, _ in GATE_SUMMARIES
    )


def groups_of(names: Sequence[str]) -> Mapping[str, Group]:
    """The group of each of these columns."""
    known = {f"candidate.{name}": group for name, group in CANDIDATE_FEATURES}
    known |= {f"request.{name}": group for name, group in REQUEST_FEATURES}
    known |= {f"best.{name}": group for name, group in GATE_SUMMARIES}
    return {name: known[name] for name in names}


def rank_rows(request: Features, candidates: Features) -> Features:
    """(n, len(rank_names())): the rows that the rank model sees."""
    return np.concatenate([candidates, np.broadcast_to(request, (len(candidates), len(request)))], axis=1)


def defect_row(request: Features, candidates: Features) -> Features:
    """(len(defect_names()),): the row that the defect model sees."""
    return np.concatenate([request, gate_summaries(candidates)])


def columns(names: Sequence[str], wanted: Sequence[str]) -> NDArray[np.intp]:
    """Where the wanted names are among all."""
    place = {name: i for i, name in enumerate(names)}
    return np.array([place[name] for name in wanted], dtype=np.intp)


def _predict(model: Trees, rows: Features) -> Floats:
    return np.asarray(model.predict(rows, num_threads=1), dtype=np.float64)
