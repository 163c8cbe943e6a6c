"""Annotated rephrases: links as annotations tell them, in place of the weak ones.

What annotations say of the candidates of a request, its source:

1. A source that was right has no next try, and a false wake neither has one nor is one: nobody asked.
2. Of a source with a goal, no candidate with another goal is the next try, and of those with the same goal
   only the first can be.
3. If the source was wrong, it was tried again: that first one is its next try, for sure where all candidates
   before it have a goal. Of those that have none, the weak links tell, and it gets what they leave.
4. If nothing says whether the source was right, the weak link to that first one stays.
5. Of everything else the weak links tell.

A source is right or wrong by `correct`; only where that is not annotated, a failure point shows that it was
wrong. That it is `correct` shows nothing: what the assistant does not support fails at no stage.
"""

from collections.abc import Sequence

from msgspec import Struct

from labeling.annotations.annotation import Annotation, Annotations
from rewriting.errors import RephraseTrainingError
from rewriting.evidence.rephrase_link import RephraseLink
from rewriting.rephrases.settings import RephraseSettings
from rewriting.rephrases.turn_pair import candidates_by_source
from streams.turn import EventId, TurnEvent

MIN_SETTLED = 200
"""Requests from which a detector is learned where nothing but annotations teaches it: of fewer, it would take
the place of a better one, or of none."""

MIN_OF_EACH = 20
"""Of these, requests that were tried again, and that were not: of fewer, it learns to say always the same."""


class _Told(Struct, frozen=True):
    """What annotations say of the candidates of a source; of those not named here, that they are no try."""

    open: tuple[int, ...]  # candidates of which they say nothing
    tried_again: int | None  # the next try, unless an open one before it is


def annotated_links(
    turns: Sequence[TurnEvent],
    annotations: Annotations,
    weak: Sequence[RephraseLink],
    settings: RephraseSettings,
) -> list[RephraseLink]:
    """The links of a session by the rules above, sorted by source and target.

    Scores of a source sum to 1 at most if the weak ones do.

    Args:
        turns: of the session, in order.
        annotations: by event; of other sessions too.
        weak: links without annotation; none where nothing is known of them.
        settings: which requests are candidates.
    """
    weak_scores = {(link.source, link.target): link.score for link in weak}
    scores = dict(weak_scores)
    for source, targets in candidates_by_source(turns, settings.window_turns, settings.window_s).items():
        told = _told(turns, source, targets, annotations)
        scores |= {(source, target): 0.0 for target in targets if target not in told.open}
        if told.tried_again is not None:
            others = sum(weak_scores.get((source, target), 0.0) for target in told.open)
            scores[source, told.tried_again] = max(0.0, 1 - others)
    return [
        RephraseLink(source, target, score) for (source, target), score in sorted(scores.items()) if score
    ]


def told_sources(
    turns: Sequence[TurnEvent], annotations: Annotations, settings: RephraseSettings
) -> frozenset[int]:
    """Sources of which annotations say something, be it of one candidate only."""
    return frozenset(
        source
        for source, targets in candidates_by_source(turns, settings.window_turns, settings.window_s).items()
        if len(_told(turns, source, targets, annotations).open) < len(targets)
    )


def settled_labels(
    sessions: Sequence[Sequence[TurnEvent]], annotations: Annotations, settings: RephraseSettings, why: str
) -> tuple[list[list[RephraseLink]], list[frozenset[int]]]:
    """What annotations alone teach, where there are no weak links.

    Args:
        sessions: turns of each, in order.
        annotations: by event.
        settings: which requests are candidates.
        why: there are no weak links; begins the message of the error.

    Returns:
        Of each session the links, and the sources that are settled: annotations say all of them.

    Raises:
        RephraseTrainingError: too few are.
    """
    links = [annotated_links(turns, annotations, (), settings) for turns in sessions]
    settled = [
        frozenset(
            source
            for source, targets in candidates_by_source(
                turns, settings.window_turns, settings.window_s
            ).items()
            if not _told(turns, source, targets, annotations).open
        )
        for turns in sessions
    ]
    n_settled = sum(map(len, settled))
    n_tried_again = sum(
        link.source in sources for linked, sources in zip(links, settled, strict=True) for link in linked
    )
    if n_settled < MIN_SETTLED or not MIN_OF_EACH <= n_tried_again <= n_settled - MIN_OF_EACH:
        raise RephraseTrainingError(
            f"{why}; and annotations settle {n_settled} requests, of which {n_tried_again} were tried again. "
            f"To learn from them alone takes {MIN_SETTLED}, of which {MIN_OF_EACH} were tried again, and "
            f"{MIN_OF_EACH} were not: annotate whole sessions, with goal_id and correct for each turn"
        )
    return links, settled


def _told(turns: Sequence[TurnEvent], source: int, targets: Sequence[int], annotations: Annotations) -> _Told:
    by_position = {
        position: annotations.get(EventId(turns[position].event_id)) for position in (source, *targets)
    }
    of_source = by_position[source]
    if _was_right(of_source) or _is_false_wake(of_source):
        return _Told((), None)
    goal = of_source.goal_id if of_source else None
    unsaid = []
    for target in targets:
        of_target = by_position[target]
        if _is_false_wake(of_target):
            continue
        its_goal = of_target.goal_id if of_target else None
        if goal is None or its_goal is None:
            unsaid.append(target)
        elif its_goal == goal and _was_right(of_source) is False:
            return _Told(tuple(unsaid), target)
        elif its_goal == goal:
            return _Told((*unsaid, target), None)
    return _Told(tuple(unsaid), None)


def _was_right(annotation: Annotation | None) -> bool | None:
    """Whether the assistant did what was asked for; None where nothing says so."""
    if annotation is None:
        return None
    if annotation.correct is not None:
        return annotation.correct
    return None if annotation.failure_point in (None, "correct") else False


def _is_false_wake(annotation: Annotation | None) -> bool:
    return annotation is not None and annotation.failure_point == "false_wake"
