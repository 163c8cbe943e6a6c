"""Rephrase mining: from pairs of what was said and what was said instead, to what the rewrite table may try.

A pair is weaker evidence than a chain: it shows what users said next, not what of all that follows a request
most likely succeeds. So it makes a candidate, which is listed and explained, and never served.
"""

import math
from collections import Counter
from collections.abc import Iterable

from rewriting.evidence.wordings import written_by_most
from rewriting.rephrases.pair import RephrasePair
from rewriting.rephrases.settings import RephraseSettings
from rewriting.table.rewrite import GLOBAL, Rewrite, rewrite_id
from streams.turn import AssistantId, UserId


def mine_candidate(
    assistant_id: AssistantId, pairs: Iterable[RephrasePair], settings: RephraseSettings
) -> Rewrite | None:
    """The candidate that the pairs of one source text warrant; None where they warrant none.

    Of the targets that enough distinct users came to, the one with most success; of equals the one of most
    users, then of most pairs. One that nobody succeeded with is none. Its rates are those of the pairs alone:
    the source was not met in any, since it was tried again.

    What fewer than `settings.min_users` have said is in no part of it: not in the texts, nor in the
    interpretations, nor in the writing.

    Args:
        assistant_id: of the pairs.
        pairs: of one source text, in any order.
        settings: how many users, and how much evidence is named.
    """
    groups: dict[tuple[str, str], list[RephrasePair]] = {}
    for pair in pairs:
        text = pair.target_text
        if text != pair.source_text and pair.target_interpretation != pair.source_interpretation:
            groups.setdefault((text, pair.target_interpretation), []).append(pair)
    shared = {
        key: group
        for key, group in groups.items()
        if len(_users(group)) >= settings.min_users and any(pair.target_success for pair in group)
    }
    if not shared:
        return None
    (text, interpretation), group = min(shared.items(), key=lambda item: _worth(*item))
    sessions = {pair.session_id for pair in group}
    source_text = group[0].source_text
    return Rewrite(
        rewrite_id=rewrite_id(assistant_id, GLOBAL, source_text, method="rephrase"),
        assistant_id=assistant_id,
        scope=GLOBAL,
        source_text=source_text,
        source_interpretation=_said_by_most(
            ((pair.source_interpretation, pair.user_id) for pair in group), settings.min_users
        ),
        target_text=_said_by_most(((pair.target_surface, pair.user_id) for pair in group), settings.min_users)
        or text,
        target_interpretation=interpretation,
        method="rephrase",
        score=round(math.fsum(pair.score for pair in group) / len(group), 6),
        sessions=len(sessions),
        users=len(_users(group)),
        source_success_rate=0.0,
        source_count=len(group),
        target_success_rate=round(sum(pair.target_success for pair in group) / len(group), 6),
        target_count=len(group),
        failure_point=None,
        evidence=tuple(sorted(sessions)[: settings.evidence]),
        status="candidate",
    )


def _users(pairs: Iterable[RephrasePair]) -> set[UserId]:
    return {pair.user_id for pair in pairs}


def _worth(key: tuple[str, str], pairs: list[RephrasePair]) -> tuple[float, int, int, tuple[str, str]]:
    """Orders targets, the best first."""
    return -sum(pair.target_success for pair in pairs), -len(_users(pairs)), -len(pairs), key


def _said_by_most(said: Iterable[tuple[str, UserId]], min_users: int) -> str | None:
    """What most users said, of that most often; None where they are too few."""
    times: dict[str, Counter[UserId]] = {}
    for text, user_id in said:
        times.setdefault(text, Counter())[user_id] += 1
    best = written_by_most(times)
    return best if len(times[best]) >= min_users else None
