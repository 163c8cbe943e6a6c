"""Who is behind the user ids of a log: ids that share a person id are one person's, who is one user."""

from collections.abc import Iterable

from rewriting.chains.union_find import UnionFind
from services.evaluation.common.arrays import Ints
from services.evaluation.common.resamples import numbered
from streams.turn import TurnEvent


def people(turns: Iterable[TurnEvent]) -> tuple[Ints, int]:
    """A number for the person of each turn, (turns,), and how many people there are.

    A user id that some turns tell the person of, and others do not, is that person's on all of them.
    """
    numbers: dict[tuple[str, str], int] = {}
    joined = UnionFind()
    names = []
    for turn in turns:
        ids = [("user", turn.user_id)]
        if turn.person_id is not None:
            ids.append(("person", turn.person_id))
        for one in ids:
            if one not in numbers:
                numbers[one] = len(joined)
                joined.add()
        joined.join(numbers[ids[0]], numbers[ids[-1]])
        names.append(numbers[ids[0]])
    return numbered(joined.root(name) for name in names)
