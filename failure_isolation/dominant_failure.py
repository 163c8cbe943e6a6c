"""The dominant failure: at which point most of the requests with the same words fail, where they fail."""

from collections.abc import Collection, Iterable
from typing import Final

from msgspec import Struct
from sqlalchemy import Connection

from failure_isolation.rule import STAGES
from failure_isolation.store import FailureTally, failure_tallies
from labeling.annotations.annotation import FailurePoint
from labeling.text.question import NO_QUESTION, Question
from streams.turn import AssistantId, UserId

LEAST_TURNS: Final = 3
"""Turns that must have failed, at whatever point. Of two, one that is judged wrongly is half; raised, fewer
rewrites say what they mend."""

LEAST_USERS: Final = 2
"""Users whom they must be of, where it is said of all users: what one of them alone has met is private."""


class Source(Struct, frozen=True):
    """Requests that are the same."""

    text: str  # normalised, as it was run
    question: Question = NO_QUESTION  # only those that came after it; none: all
    user_id: UserId | None = None  # only theirs; None: those of all users


def dominant_failures(
    connection: Connection, assistant_id: AssistantId, sources: Collection[Source]
) -> dict[Source, FailurePoint]:
    """At which point most of the failed turns of each source failed; without sources of which too few did.

    Of points with equally many the earliest stage is it. Turns that are correct do not count, nor do those
    of which the model abstains.

    Args:
        connection: to read on.
        assistant_id: of the turns.
        sources: at most once each.
    """
    shared = [source for source in sources if source.user_id is None]
    personal = [source for source in sources if source.user_id is not None]
    tallies: list[FailureTally] = []
    if shared:
        tallies += failure_tallies(connection, assistant_id, {source.text for source in shared})
    if personal:
        users = {source.user_id for source in personal if source.user_id is not None}
        texts = {source.text for source in personal}
        tallies += failure_tallies(connection, assistant_id, texts, users)
    found: dict[Source, list[FailureTally]] = {}
    for tally in tallies:
        for question in {tally.question, NO_QUESTION}:
            found.setdefault(Source(tally.source_text, question, tally.user_id), []).append(tally)
    points = {source: _dominant(source, found.get(source, ())) for source in sources}
    return {source: point for source, point in points.items() if point is not None}


def _dominant(source: Source, tallies: Iterable[FailureTally]) -> FailurePoint | None:
    turns: dict[FailurePoint, int] = {}
    user_keys: set[int] = set()
    for tally in tallies:
        turns[tally.failure_point] = turns.get(tally.failure_point, 0) + tally.turns
        user_keys |= {tally.first_user_key, tally.last_user_key}
    if sum(turns.values()) < LEAST_TURNS:
        return None
    if source.user_id is None and len(user_keys) < LEAST_USERS:
        return None
    return max((stage for stage in STAGES if stage in turns), key=lambda stage: turns[stage])
