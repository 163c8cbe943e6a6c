"""When a ranker begins to learn from a log; in a module of its own, which loads no model library."""

from collections.abc import Sequence

from rewriting.ranking.settings import RankerSettings
from rewriting.requests.step import SessionRequests


def warm_up_ends_ms(sessions: Sequence[SessionRequests], settings: RankerSettings) -> int:
    """When the ranker begins to learn, milliseconds since 1970.

    The share is of the sessions, not of the time: a log may begin with a trickle, or stand still for months.

    Args:
        sessions: of one assistant, sorted by their start, at least one, none of them empty.
        settings: of the ranker.
    """
    return sessions[min(int(len(sessions) * settings.warm_up_share), len(sessions) - 1)].steps[0].ts_ms
