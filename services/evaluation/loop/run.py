"""Running a closed loop: users live day by day with what was learned the night before."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.progress import Progress

from services.evaluation.loop.history import LivedTurn, LoopHistory, live_rows, lived
from services.evaluation.loop.learner import LEARNERS, LearnerTask, LoopLearner, ServedTable
from services.evaluation.loop.other_checkout import OtherCheckout
from services.evaluation.loop.score import LoopScores, LoopSettings, score_loop
from services.settings import Settings
from services.simulator.loop.life import Lives
from services.simulator.loop.planting import PlantedRewrite, Planters, choose_planted
from services.simulator.loop.turn import Arm, LoopTurn, Serve, Served
from services.simulator.loop.world import LoopWorld
from services.simulator.world.chance import stream
from streams.turn import TurnEvent

AGAINST = "against"
"""What the other checkout is called."""

Keep = Callable[[str, Sequence[TurnEvent]], None]
"""Called each day with the name of a learner and the turns of its users, in time order."""


def run_loop(
    settings: LoopSettings,
    system: Settings,
    progress: Progress | None = None,
    *,
    against: Path | None = None,
    folder: Path | None = None,
    keep: Keep | None = None,
) -> LoopScores:
    """Runs a closed loop for each learner, one after the other, and scores what happened.

    The learners do not know of each other: each has users of its own, who want and say the same.

    Args:
        settings: of the loop; its learners are those of `LEARNERS`, and `AGAINST` for another checkout.
        system: settings of what this build learns.
        progress: shows how far it is.
        against: the other checkout.
        folder: where learners keep what they learn; by default one that is deleted afterwards.
        keep: is given the turns.

    Raises:
        OtherCheckoutError: the other checkout cannot be driven.
    """
    world = LoopWorld(settings.seed, settings.users, settings.world)
    planted = choose_planted(world)
    histories = []
    for name in settings.learners:
        with tempfile.TemporaryDirectory(prefix="rehear-loop-", dir=folder) as kept:
            task = LearnerTask(
                assistant_id=world.assistant_id,
                start_ms=world.start_ms,
                folder=Path(kept),
                settings=system,
                guards=settings.guards,
            )
            if name == AGAINST and against is not None:
                learner: LoopLearner = OtherCheckout(AGAINST, against, world.assistant_id, Path(kept))
            else:
                learner = LEARNERS[name](task)
            try:
                histories.append(live_with(learner, settings, world, planted, progress, keep))
            finally:
                learner.close()
    return score_loop(settings, histories, world, planted)


def live_with(
    learner: LoopLearner,
    settings: LoopSettings,
    world: LoopWorld,
    planted: Sequence[PlantedRewrite],
    progress: Progress | None = None,
    keep: Keep | None = None,
) -> LoopHistory:
    """All days of a world with one learner."""
    lives, planters = Lives(world), Planters(world, planted)
    tables, turns = [], list[LivedTurn]()
    bar = progress.add_task(learner.name, total=settings.days) if progress else None
    arm_of = arms(settings.seed, settings.share)
    for day in range(settings.days):
        table = learner.table()
        tables.append(live_rows(table))
        serve = serving(table, arm_of)
        lived_today = [turn for number in range(settings.users) for turn in lives.day(number, day, serve)]
        lived_today += planters.day(day, serve)
        lived_today.sort(key=lambda turn: (turn.event.ts_ms, turn.event.event_id))
        turns += [_counted(turn, arm_of) for turn in lived_today]
        if keep is not None:
            keep(learner.name, [turn.event for turn in lived_today])
        if day + 1 < settings.days:
            learner.learn(day, [turn.event for turn in lived_today])
        if progress and bar is not None:
            progress.advance(bar)
    return LoopHistory(learner=learner.name, tables=tuple(tables), turns=tuple(turns))


def arms(seed: int, share: float) -> Callable[[str], Arm]:
    """In which arm each user is: `share` of them are treated, always the same."""
    known: dict[str, Arm] = {}

    def arm_of(user_id: str) -> Arm:
        if user_id not in known:
            chance = stream(seed, "loop", "arm", user_id).random()
            known[user_id] = "treatment" if chance < share else "control"
        return known[user_id]

    return arm_of


def serving(table: ServedTable, arm_of: Callable[[str], Arm]) -> Serve:
    """What is served on a day: of the control arm it is noted what was kept from it."""

    def serve(turn: TurnEvent, previous: TurnEvent | None) -> Served:
        arm = arm_of(turn.user_id)
        answer = table.answer(turn, previous)
        rewrite = answer.rewrite
        if rewrite is None:
            return Served(arm=arm, table_version=answer.table_version)
        if arm == "control":
            return Served(arm=arm, withheld_rewrite_id=rewrite.rewrite_id, table_version=answer.table_version)
        return Served(
            arm=arm, text=rewrite.text, rewrite_id=rewrite.rewrite_id, table_version=answer.table_version
        )

    return serve


def _counted(turn: LoopTurn, arm_of: Callable[[str], Arm]) -> LivedTurn:
    return lived(turn, arm_of(turn.event.user_id))
