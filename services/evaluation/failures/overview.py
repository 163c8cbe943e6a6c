"""Where an assistant fails: failure points by domain, intent, device, locale and day, and by request.

A turn counts for the failure point that it is given, also where the model abstains; how many these are is
told. The expected share of a class, the mean of its probabilities, is the better figure for a rare one.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np
from msgspec import Struct

from failure_isolation.rule import FAILURE_POINTS
from failure_isolation.turn_failure import TurnFailure
from labeling.annotations.annotation import FailurePoint
from labeling.text.normalisation import normalise
from labeling.turns.features import interpretation
from services.evaluation.common.arrays import Floats, Ints
from services.evaluation.common.confidence_interval import DEFAULT_RESAMPLES, Cluster, Estimate, estimate
from services.evaluation.common.dialogue_example import ExampleLine, lines_around, shortened
from services.evaluation.common.resamples import ClusterResamples, numbered, share
from streams.turn import TurnEvent
from streams.verdict import JudgedTurn

NOT_TOLD: Final = "not told"
OTHERS: Final = "others"

MOST_GROUPS: Final = 25
"""Of a kind: those with the most failing turns; the other ones are one group. More is no table to read."""

MOST_REQUESTS: Final = 8  # of each class: a screenful
_CORRECT: Final = FAILURE_POINTS.index("correct")


class PointShare(Struct, frozen=True, kw_only=True):
    """How often one class occurs."""

    failure_point: FailurePoint
    turns: int
    share: Estimate  # of all turns, 0..1
    expected: float  # by the probabilities, 0..1


class GroupShares(Struct, frozen=True, kw_only=True):
    """Turns that have something in common."""

    group: str
    turns: int
    failing: Estimate  # share of them that is not correct, 0..1
    points: tuple[PointShare, ...]  # in the order of the stages


class Grouping(Struct, frozen=True, kw_only=True):
    """All turns, by what they have in common."""

    by: str
    groups: tuple[GroupShares, ...]  # days in order; of others, the one with the most failing turns first


class FailingRequest(Struct, frozen=True, kw_only=True):
    """A request that fails often at one stage."""

    failure_point: FailurePoint
    text: str
    turns: int
    users: int
    said_in_all: int  # turns with the same words, failing or not
    confidence: float  # of the example
    lines: tuple[ExampleLine, ...]  # where the model is surest


class FailureOverview(Struct, frozen=True, kw_only=True):
    """Where an assistant fails."""

    turns: int
    users: int
    cluster: Cluster  # what is resampled
    failing_turns: int
    abstained: int  # turns for which the model is not sure enough
    points: tuple[PointShare, ...]
    groupings: tuple[Grouping, ...]
    requests: tuple[FailingRequest, ...]
    resamples: int
    seed: int


def day_of(turn: TurnEvent) -> str:
    """The day of a turn in UTC, `YYYY-MM-DD`; not told where a log has no times."""
    if turn.ts_ms <= 0:
        return NOT_TOLD
    return datetime.fromtimestamp(turn.ts_ms / 1000, UTC).date().isoformat()


def _intent_of(turn: TurnEvent) -> str | None:
    meaning = interpretation(turn)
    if meaning is None:
        return None
    return f"{meaning.domain}.{meaning.intent}" if meaning.domain else meaning.intent


_GROUPINGS: Final[Mapping[str, Callable[[TurnEvent], str | None]]] = {
    "domain": lambda turn: meaning.domain if (meaning := interpretation(turn)) else None,
    "intent": _intent_of,
    "device": lambda turn: turn.device.type if turn.device else None,
    "locale": lambda turn: turn.locale,
    "day": day_of,
    "assistant": lambda turn: turn.assistant_id,
}


def failure_overview(
    isolated: Sequence[JudgedTurn[TurnFailure]], *, resamples: int = DEFAULT_RESAMPLES, seed: int = 0
) -> FailureOverview:
    """Counts and shares with 95 % intervals over users, and the requests that fail most.

    Args:
        isolated: turns with their failure points; those of a session follow each other, in their order.
        resamples: of the users, or of the sessions of one user.
        seed: of the resampling.
    """
    turns = [one.turn for one in isolated]
    users = sorted({turn.key for turn in turns})
    owners = [turn.key for turn in turns] if len(users) > 1 else [one.session_id for one in isolated]
    numbers = {name: number for number, name in enumerate(sorted(set(owners)))}
    cluster = np.array([numbers[name] for name in owners], dtype=np.int64)
    point = np.array([FAILURE_POINTS.index(one.verdict.failure_point) for one in isolated], dtype=np.int64)
    probabilities = np.array(
        [[one.verdict.probabilities.get(name, 0.0) for name in FAILURE_POINTS] for one in isolated],
        dtype=np.float64,
    ).reshape(-1, len(FAILURE_POINTS))
    drawn = ClusterResamples(len(numbers), resamples, seed)

    def shares_of(names: Sequence[str]) -> list[GroupShares]:
        """In the order in which the names come."""
        group, _ = numbered(names)
        return _shares(list(dict.fromkeys(names)), group, point, cluster, probabilities, drawn)

    groupings = []
    for by, name_of in _GROUPINGS.items():
        named = [name_of(turn) or NOT_TOLD for turn in turns]
        if len(set(named)) > 1 or (named and by == "domain"):
            groupings.append(Grouping(by=by, groups=_ordered(by, shares_of(_frequent(by, named, point)))))
    everything = shares_of(["all"] * len(turns))
    return FailureOverview(
        turns=len(turns),
        users=len(users),
        cluster="users" if len(users) > 1 else "dialogues",
        failing_turns=int((point != _CORRECT).sum()),
        abstained=sum(one.verdict.abstains for one in isolated),
        points=everything[0].points if everything else (),
        groupings=tuple(groupings),
        requests=tuple(_failing_requests(isolated)),
        resamples=resamples,
        seed=seed,
    )


def _shares(
    groups: Sequence[str],
    group: Ints,
    point: Ints,
    cluster: Ints,
    probabilities: Floats,
    drawn: ClusterResamples,
) -> list[GroupShares]:
    classes = len(FAILURE_POINTS)
    counts = drawn.counts(cluster, group * classes + point, len(groups) * classes)
    counts = counts.reshape(drawn.draws, len(groups), classes)
    whole = counts.sum(axis=2)
    found = []
    for number, name in enumerate(groups):
        mine = group == number
        failing = whole[:, number] - counts[:, number, _CORRECT]
        found.append(
            GroupShares(
                group=name,
                turns=int(mine.sum()),
                failing=_estimate(share(failing, whole[:, number])),
                points=tuple(
                    PointShare(
                        failure_point=FAILURE_POINTS[k],
                        turns=int((point[mine] == k).sum()),
                        share=_estimate(share(counts[:, number, k], whole[:, number])),
                        expected=math.fsum(probabilities[mine, k]) / int(mine.sum()),
                    )
                    for k in range(classes)
                ),
            )
        )
    return found


def _estimate(draws: Floats) -> Estimate:
    return estimate(float(draws[0]), draws[1:])


def _frequent(by: str, named: Sequence[str], point: Ints) -> list[str]:
    """The names, the rarer ones called others; days all stay."""
    if by == "day":
        return list(named)
    failing = Counter(name for name, one in zip(named, point.tolist(), strict=True) if one != _CORRECT)
    said = Counter(named)
    kept = sorted(said, key=lambda name: (-failing[name], -said[name], name))[:MOST_GROUPS]
    return [name if name in set(kept) else OTHERS for name in named] if len(said) > len(kept) else list(named)


def _ordered(by: str, groups: Sequence[GroupShares]) -> tuple[GroupShares, ...]:
    if by == "day":
        return tuple(sorted(groups, key=lambda one: (one.group == NOT_TOLD, one.group)))

    def failing(one: GroupShares) -> int:
        return one.turns - one.points[_CORRECT].turns

    return tuple(sorted(groups, key=lambda one: (one.group == OTHERS, -failing(one), -one.turns, one.group)))


def _failing_requests(isolated: Sequence[JudgedTurn[TurnFailure]]) -> list[FailingRequest]:
    """The requests of each class that fail for the most users, each with the turns around the surest one."""
    texts = [normalise(one.turn.request.text) for one in isolated]
    said = Counter(texts)
    failing: dict[tuple[FailurePoint, str], list[int]] = {}
    for number, (one, text) in enumerate(zip(isolated, texts, strict=True)):
        if one.verdict.failure_point != "correct":
            failing.setdefault((one.verdict.failure_point, text), []).append(number)
    turns = [one.turn for one in isolated]
    session = [one.session_id for one in isolated]
    points = {number: one.verdict.failure_point for number, one in enumerate(isolated)}
    found = []
    for point in FAILURE_POINTS:
        of_point = [
            (len({turns[number].key for number in numbers}), numbers, text)
            for (its_point, text), numbers in failing.items()
            if its_point == point
        ]
        of_point.sort(key=lambda one: (-one[0], -len(one[1]), one[2]))
        for users, numbers, text in of_point[:MOST_REQUESTS]:
            surest = max(numbers, key=lambda number: (isolated[number].verdict.confidence, -number))
            found.append(
                FailingRequest(
                    failure_point=point,
                    text=shortened(turns[surest].request.text),
                    turns=len(numbers),
                    users=users,
                    said_in_all=said[text],
                    confidence=isolated[surest].verdict.confidence,
                    lines=tuple(lines_around(turns, surest, session, points)),
                )
            )
    return found
