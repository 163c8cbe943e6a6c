"""The scores of a closed loop: each learner by day and arm, and over all days."""

from collections.abc import Iterable, Sequence
from statistics import median

from msgspec import Struct

from services.evaluation.loop.changes import TableChanges, table_changes
from services.evaluation.loop.history import LivedTurn, LoopHistory, Pair
from services.evaluation.loop.sources import EventTargets, SourceStory, followed_share, source_stories
from services.simulator.loop.planting import PlantedRewrite
from services.simulator.loop.settings import LoopWorldSettings
from services.simulator.loop.turn import Arm
from services.simulator.loop.world import LoopWorld

LAST_DAYS = 5

ARMS: tuple[Arm, ...] = ("control", "treatment")


class LoopSettings(Struct, frozen=True, kw_only=True):
    """What a closed loop is asked for."""

    seed: int
    days: int
    users: int
    share: float  # of users whose requests are looked up, 0..1
    guards: bool  # whether pairs are judged by what they mean and who made them
    learners: tuple[str, ...]
    world: LoopWorldSettings


class DayScore(Struct, frozen=True, kw_only=True):
    """One day of one arm under one learner; honest users alone."""

    learner: str
    day: int
    arm: Arm
    turns: int
    defects: int  # turns that were wrong as they were run
    defects_as_said: int  # the same turns, had nothing been rewritten
    wins: int
    losses: int
    live: int  # rows that the arm was served
    appeared: int  # of them, since the day before
    vanished: int
    retargeted: int


class LoopSummary(Struct, frozen=True, kw_only=True):
    """All days under one learner; honest users alone."""

    turns: int
    defects_removed_last_5_days: float  # (wins - losses) / defects of the same turns as said, of treatment
    wins: int
    losses: int
    wins_per_loss: float | None  # None: nothing was lost
    planted_losses: int  # of the losses, those by planted rows
    flips_per_pair: float
    pairs: int  # that were ever live
    rows_lost_with_their_target: int
    planted_harmed: int
    planted_nights_live: int  # nights after which a planted row was served
    planted_row_nights: int  # the same, counted for each row
    withdrawn_requests_until_demoted: float | None  # median over rows; None: no row led to what was withdrawn
    withdrawn_rows: int
    withdrawn_rows_never_demoted: int
    switched_followed_after_7_days: float | None  # None: no source led to what was switched
    switched_sources: int
    renamed_names: int
    renamed_followed: int  # of these, that came to lead to the new name
    renamed_days: float | None  # median of the days until they did, of those that ever did
    calls_by_rewrite: int
    sensitive_to_somebody_else: float  # of these calls, the share; 0 where there were none


class LoopScores(Struct, frozen=True, kw_only=True):
    """All that a closed loop showed; `loop.json`."""

    settings: LoopSettings
    days: tuple[DayScore, ...]
    sources: tuple[SourceStory, ...]
    summary: dict[str, LoopSummary]


def score_loop(
    settings: LoopSettings,
    histories: Sequence[LoopHistory],
    world: LoopWorld,
    planted: Sequence[PlantedRewrite],
) -> LoopScores:
    """Scores what happened under each learner."""
    days: list[DayScore] = []
    sources: list[SourceStory] = []
    summary = {}
    targets = EventTargets(world, planted)
    for history in histories:
        changes = table_changes(history.tables, targets.asked_for)
        stories = source_stories(history, world, planted)
        days += day_scores(history, changes)
        sources += stories
        summary[history.learner] = summarised(history, changes, stories, world)
    return LoopScores(settings=settings, days=tuple(days), sources=tuple(sources), summary=summary)


def day_scores(history: LoopHistory, changes: TableChanges) -> list[DayScore]:
    """Each day of each arm."""
    turns: dict[tuple[int, Arm], list[LivedTurn]] = {}
    for turn in history.turns:
        if turn.honest:
            turns.setdefault((turn.day, turn.arm), []).append(turn)
    scores = []
    for day, change in enumerate(changes.days):
        for arm in ARMS:
            lived = turns.get((day, arm), [])
            served = arm == "treatment"
            scores.append(
                DayScore(
                    learner=history.learner,
                    day=day,
                    arm=arm,
                    turns=len(lived),
                    defects=sum(not turn.right for turn in lived),
                    defects_as_said=sum(not turn.right_as_said for turn in lived),
                    wins=sum(turn.won for turn in lived),
                    losses=sum(turn.lost for turn in lived),
                    live=len(history.tables[day]) if served else 0,
                    appeared=change.appeared if served else 0,
                    vanished=change.vanished if served else 0,
                    retargeted=change.retargeted if served else 0,
                )
            )
    return scores


def summarised(
    history: LoopHistory, changes: TableChanges, stories: Sequence[SourceStory], world: LoopWorld
) -> LoopSummary:
    """All days."""
    honest = [turn for turn in history.turns if turn.honest]
    treated = [turn for turn in honest if turn.arm == "treatment"]
    wins, losses = sum(turn.won for turn in treated), sum(turn.lost for turn in treated)
    planted = [story for story in stories if story.kind == "planted"]
    withdrawn = [story for story in stories if story.kind == "withdrawn"]
    renamed = [story for story in stories if story.kind == "renamed"]
    waited = [story.day_live - world.settings.renamed.day for story in renamed if story.day_live is not None]
    last = [story.requests_until_gone for story in withdrawn if _tells(story)]
    calls = [turn for turn in treated if turn.run is not None and turn.called]
    return LoopSummary(
        turns=len(honest),
        defects_removed_last_5_days=removed_share(
            turn for turn in treated if turn.day >= history.days - LAST_DAYS
        ),
        wins=wins,
        losses=losses,
        wins_per_loss=wins / losses if losses else None,
        planted_losses=sum(story.harmed for story in planted),
        flips_per_pair=changes.flips_per_pair,
        pairs=changes.pairs,
        rows_lost_with_their_target=changes.lost_with_target,
        planted_harmed=sum(story.harmed for story in planted),
        planted_nights_live=len({day for story in planted for day in _days(history, story)}),
        planted_row_nights=sum(story.days_live for story in planted),
        withdrawn_requests_until_demoted=median(count or 0 for count in last) if last else None,
        withdrawn_rows=len(withdrawn),
        withdrawn_rows_never_demoted=sum(story.day_gone is None for story in withdrawn),
        switched_followed_after_7_days=followed_share(stories, history, world),
        switched_sources=sum(story.kind == "switched" for story in stories),
        renamed_names=len(renamed),
        renamed_followed=len(waited),
        renamed_days=median(waited) if waited else None,
        calls_by_rewrite=len(calls),
        sensitive_to_somebody_else=sum(not turn.meant_call for turn in calls) / len(calls) if calls else 0.0,
    )


def removed_share(turns: Iterable[LivedTurn]) -> float:
    """The share of the defects of some turns that rewrites removed, less those that they made; at most 1."""
    lived = list(turns)
    defects = sum(not turn.right_as_said for turn in lived)
    removed = sum(turn.won for turn in lived) - sum(turn.lost for turn in lived)
    return removed / defects if defects else 0.0


def _days(history: LoopHistory, story: SourceStory) -> list[int]:
    return history.days_live(Pair(story.text, story.target))


def _tells(story: SourceStory) -> bool:
    """Whether a row to what was withdrawn tells how long such rows stay: it went, or was run in vain."""
    return story.day_gone is not None or bool(story.requests_until_gone)
