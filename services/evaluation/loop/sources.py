"""What became of the texts that the events of the world are about."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from labeling.text.normalisation import normalise
from services.evaluation.loop.history import LivedTurn, LoopHistory, Pair
from services.simulator.loop.planting import PlantedRewrite
from services.simulator.loop.world import LoopWorld
from services.simulator.world.catalogue import Goal
from services.simulator.world.frame import Frame

EventKind = Literal["planted", "switched", "renamed", "withdrawn"]

FOLLOWED_AFTER_DAYS = 7

FEWEST_SAID = 3
"""Times that an old name was said after the change, to be looked at: no row rests on less."""


class SourceStory(Struct, frozen=True, kw_only=True):
    """What became of one text under one learner."""

    learner: str
    kind: EventKind
    text: str  # normalised
    target: str  # planted, withdrawn: the text it must not lead to; switched, renamed: what is meant now
    detail: str = ""  # planted: the kind of source
    day_live: int | None = None
    """First day on which its row was served: to `target`, after the event where this is what is meant now."""
    day_gone: int | None = None
    """First day after on which the bad row was served no more: to `target` if planted or withdrawn, else to
    what was meant before. Planted: after which it never was again. None: it never went, or never was."""
    days_live: int = 0  # on which the row was served that `day_live` is the first of
    requests: int = 0
    """Honest requests from the event on: planted, withdrawn: that the row ran; switched, renamed: with this
    text, that meant what is meant now."""
    harmed: int = 0  # honest requests that the rows of the text made wrong, from the event on
    requests_until_gone: int | None = None  # withdrawn: that failed, of users who did not make the row


class EventTargets:
    """Which pairs an event of a world asks to be no more, and from which day on."""

    def __init__(self, world: LoopWorld, planted: Sequence[PlantedRewrite]) -> None:
        events, settings = world.events, world.settings
        self._world = world
        self._planted = {Pair(one.source, normalise(one.target_text)) for one in planted}
        self._until = {
            **{change.old.frame: settings.switched.day for change in events.switched},
            **{change.old.frame: settings.renamed.day for change in events.renamed},
            **{goal.frame: settings.withdrawn.day for goal in events.withdrawn},
        }

    def asked_for(self, pair: Pair, day: int) -> bool:
        """Whether an event asks, by a day, that a pair is no more."""
        if pair in self._planted:
            return True
        until = self._until.get(self._world.understanding.understand(pair.target))
        return until is not None and day > until


def source_stories(
    history: LoopHistory, world: LoopWorld, planted: Sequence[PlantedRewrite]
) -> list[SourceStory]:
    """What became of all texts that events are about."""
    teller = _Teller(history, world)
    return [
        *(teller.planted(one) for one in planted),
        *teller.switched(),
        *teller.renamed(),
        *teller.withdrawn(),
    ]


class _Teller:
    """Tells what became of texts under one learner."""

    def __init__(self, history: LoopHistory, world: LoopWorld) -> None:
        self._history = history
        self._world = world

    def planted(self, planted: PlantedRewrite) -> SourceStory:
        """Of a planted pair."""
        pair = Pair(planted.source, normalise(planted.target_text))
        live = self._history.days_live(pair)
        ran = [turn for turn in self._history.turns if turn.honest and turn.pair == pair]
        return SourceStory(
            learner=self._history.learner,
            kind="planted",
            text=pair.source,
            target=pair.target,
            detail=planted.kind,
            day_live=live[0] if live else None,
            day_gone=live[-1] + 1 if live and live[-1] + 1 < self._history.days else None,
            days_live=len(live),
            requests=len(ran),
            harmed=sum(turn.lost for turn in ran),
        )

    def switched(self) -> list[SourceStory]:
        """Of each source that led to a song on the day on which another came to be meant by it."""
        day = self._world.settings.switched.day
        if day >= self._history.days:
            return []
        return [
            self._followed("switched", source, change.old, change.new, day)
            for change in self._world.events.switched
            for source in self._sources_of(change.old, day)
        ]

    def renamed(self) -> list[SourceStory]:
        """Of each old name that was said often enough after the change."""
        day = self._world.settings.renamed.day
        said = self._said_since(day)
        return [
            self._followed("renamed", normalise(phrase), change.old, change.new, day)
            for change in self._world.events.renamed
            for phrase in change.old.phrasings
            if said[normalise(phrase)] >= FEWEST_SAID
        ]

    def withdrawn(self) -> list[SourceStory]:
        """Of each row that led to a song after it was withdrawn."""
        day = self._world.settings.withdrawn.day
        gone = {goal.frame for goal in self._world.events.withdrawn}
        pairs = {
            pair
            for rows in self._history.tables[day:]
            for pair in rows.values()
            if self._frame(pair.target) in gone
        }
        return [self._withdrawn(pair, day) for pair in sorted(pairs)]

    def _withdrawn(self, pair: Pair, event_day: int) -> SourceStory:
        live = self._history.days_live(pair)
        since = next(day for day in live if day >= event_day)
        gone = next((day for day in range(since, self._history.days) if day not in live), None)
        makers = {
            turn.user_id
            for turn in self._history.turns
            if turn.day < since and (turn.before, turn.said) == (pair.source, pair.target)
        }
        ran = [
            turn
            for turn in self._history.turns
            if turn.honest and turn.day >= since and turn.pair == pair and not turn.right
        ]
        return SourceStory(
            learner=self._history.learner,
            kind="withdrawn",
            text=pair.source,
            target=pair.target,
            day_live=live[0],
            day_gone=gone,
            days_live=len(live),
            requests=len(ran),
            harmed=sum(turn.lost for turn in ran),
            requests_until_gone=sum(
                turn.user_id not in makers and (gone is None or turn.day < gone) for turn in ran
            ),
        )

    def _followed(self, kind: EventKind, source: str, old: Goal, new: Goal, event_day: int) -> SourceStory:
        to_new = self._days_to(source, new, event_day)
        to_old = self._days_to(source, old, event_day)
        turns = [turn for turn in self._since(event_day) if turn.honest and turn.said == source]
        meant = sum(turn.meant == new.frame for turn in turns)
        gone = next((day for day in range(event_day, self._history.days) if day not in to_old), None)
        return SourceStory(
            learner=self._history.learner,
            kind=kind,
            text=source,
            target=normalise(new.phrasings[0]),
            day_live=to_new[0] if to_new else None,
            day_gone=gone if to_old else None,
            days_live=len(to_new),
            requests=meant,
            harmed=sum(turn.lost for turn in turns),
        )

    def _sources_of(self, goal: Goal, day: int) -> list[str]:
        rows = self._history.tables[day].values()
        return sorted({pair.source for pair in rows if self._frame(pair.target) == goal.frame})

    def _days_to(self, source: str, goal: Goal, since: int) -> list[int]:
        """The days from `since` on which a text led to what gets a goal."""
        return [
            day
            for day in range(since, self._history.days)
            if any(
                pair.source == source and self._frame(pair.target) == goal.frame
                for pair in self._history.tables[day].values()
            )
        ]

    def _said_since(self, day: int) -> Counter[str]:
        return Counter(turn.said for turn in self._since(day) if turn.honest)

    def _since(self, day: int) -> list[LivedTurn]:
        return [turn for turn in self._history.turns if turn.day >= day]

    def _frame(self, text: str) -> Frame:
        return self._world.understanding.understand(text)


def followed_share(stories: Sequence[SourceStory], history: LoopHistory, world: LoopWorld) -> float | None:
    """The share of switched sources that led to what is meant now a week after, by how often that was meant.

    None: nobody meant it by a source that had led to a song that was switched, or the week was not over.
    """
    day = world.settings.switched.day + FOLLOWED_AFTER_DAYS
    if day >= history.days:
        return None
    new = {normalise(change.new.phrasings[0]): change.new.frame for change in world.events.switched}
    sources = {
        (pair.source, world.understanding.understand(pair.target)) for pair in history.tables[day].values()
    }
    switched = [story for story in stories if story.kind == "switched"]
    meant = sum(story.requests for story in switched)
    followed = sum(story.requests for story in switched if (story.text, new[story.target]) in sources)
    return followed / meant if meant else None
