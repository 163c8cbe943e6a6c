"""The lives of the users: day by day, with whatever is served to them."""

from itertools import count
from random import Random

import msgspec
from msgspec import Struct

from labeling.text.normalisation import normalise
from services.simulator.loop.turn import LoopTurn, Serve
from services.simulator.loop.world import LoopWorld
from services.simulator.world.catalogue import Goal
from services.simulator.world.chance import pick, stream
from services.simulator.world.frame import Frame
from services.simulator.world.recogniser import Heard
from services.simulator.world.request_event import (
    heard_from,
    heard_request,
    hypothesis,
    understanding_noise,
)
from services.simulator.world.settings import DAY_MS
from services.simulator.world.signals import signals
from services.simulator.world.user import User
from services.simulator.world.visits import LATEST_VISIT_MS, MORE_WISHES_RATE, visits
from streams.turn import Device, EventId, Signals, TurnEvent

LEAVES_AFTER = 2
"""Wrong answers in a row after which some users end their visit."""


class Asked(Struct, frozen=True):
    """A request that was run: the event still without the user's reaction, and what is true of it."""

    event: TurnEvent
    meant: Frame
    right_as_said: bool
    right: bool
    called: bool
    meant_call: bool

    def turn(self, reaction: Signals, day: int, wish: str, before: str, *, honest: bool = True) -> LoopTurn:
        """The whole turn."""
        return LoopTurn(
            event=msgspec.structs.replace(self.event, signals=reaction),
            day=day,
            honest=honest,
            meant=self.meant,
            wish=wish,
            said=normalise(self.event.request.text),
            before=before,
            right_as_said=self.right_as_said,
            right=self.right,
            called=self.called,
            meant_call=self.meant_call,
        )


def ask(
    world: LoopWorld,
    *,
    event_id: str,
    user_id: str,
    device: Device,
    ts_ms: int,
    day: int,
    heard: Heard,
    goal: Goal,
    previous: TurnEvent | None,
    serve: Serve,
    rng: Random,
) -> Asked:
    """Makes a request: it is looked up as serving does it, and what comes of that is run."""
    request = heard_request(heard, rng)
    noise = understanding_noise(rng)  # the same, whatever is run
    understood = world.understanding.understand(heard.text)
    asked = TurnEvent(
        schema_version=1,
        event_id=EventId(event_id),
        assistant_id=world.assistant_id,
        user_id=user_id,
        ts_ms=ts_ms,
        locale="en",
        device=device,
        request=request,
        nlu=(hypothesis(understood, world.answer(heard.text, day), heard.confidence, noise),),
    )
    served = serve(asked, previous)
    run = heard.text if served.text is None else served.text
    answer = world.answer(run, day)
    frame = world.understanding.understand(run)
    event = msgspec.structs.replace(
        asked,
        executed_text=served.text,
        rewrite_id=served.rewrite_id,
        nlu=(hypothesis(frame, answer, heard.confidence, noise),),
        entities=answer.entities,
        response=answer.response,
        table_version=served.table_version,
        arm=served.arm,
        withheld_rewrite_id=served.withheld_rewrite_id,
    )
    called = world.calls(run, day)
    return Asked(
        event,
        goal.frame,
        right_as_said=world.is_right(heard.text, goal, day),
        right=world.is_right(run, goal, day),
        called=called,
        meant_call=called and frame == goal.frame,
    )


class Lives:
    """The users of a world under one learner: what they remember of what happened to them.

    What they want, say and are heard as is the same under every learner, try for try.
    """

    def __init__(self, world: LoopWorld) -> None:
        self._world = world
        self._knows_new_name: set[tuple[int, Frame]] = set()

    def day(self, number: int, day: int, serve: Serve) -> list[LoopTurn]:
        """The turns of user `number` on a day, in time order."""
        world, chosen = self._world, self._world.settings.users
        user = world.users[number]
        numbers = count()
        turns: list[LoopTurn] = []
        free_ms = 0
        starts = visits(user, chosen.requests_per_day, stream(world.seed, "loop", "day", number, day))
        for visit, visit_ms in enumerate(starts):
            rng = stream(world.seed, "loop", "visit", number, day, visit)
            now_ms = max(visit_ms, free_ms)
            for wish in count():
                if now_ms > LATEST_VISIT_MS:
                    break
                goal = self._wish(user, number, day, rng)
                pace, more = rng.random(), rng.random() < MORE_WISHES_RATE
                name = f"{number}-{day}-{visit}-{wish}"
                tries, leaves = self._pursue(user, number, goal, now_ms, day, name, numbers, serve, turns)
                now_ms = tries[-1].event.ts_ms - self._midnight_ms(day) + 12_000 + int(80_000 * pace)
                turns += tries
                if leaves or not more:
                    break
            free_ms = now_ms + 120_000
        return turns

    def _midnight_ms(self, day: int) -> int:
        return self._world.start_ms + day * DAY_MS

    def _wish(self, user: User, number: int, day: int, rng: Random) -> Goal:
        wish = self._world.population.wish(user, rng)
        chance = rng.random()
        if self._world.adopts_release(number, day) and chance < self._world.settings.released.wishes:
            return self._world.events.released
        return self._world.wanted(wish, number, day)

    def _pursue(
        self,
        user: User,
        number: int,
        goal: Goal,
        now_ms: int,
        day: int,
        wish: str,
        numbers: "count[int]",
        serve: Serve,
        turns: list[LoopTurn],
    ) -> tuple[list[LoopTurn], bool]:
        """The tries at one wish, and whether the user leaves after them."""
        world, chosen = self._world, self._world.settings
        tries: list[LoopTurn] = []
        failed: list[str] = []
        ts_ms = self._midnight_ms(day) + now_ms
        while True:
            rng = stream(world.seed, "loop", "try", wish, len(failed))
            if failed:
                rewritten = tries[-1].event.executed_text is not None
                spoken = self._next_wording(number, goal, failed, rng, rewritten=rewritten)
            else:
                spoken = self._first_wording(user, number, goal, rng)
            before = tries[-1] if tries else turns[-1] if turns else None
            asked = ask(
                world,
                event_id=f"{user.user_id}-{day:03d}-{next(numbers):03d}",
                user_id=user.user_id,
                device=user.device,
                ts_ms=ts_ms,
                day=day,
                heard=heard_from(user, world.recogniser, spoken, len(failed), rng),
                goal=goal,
                previous=None if before is None else before.event,
                serve=serve,
                rng=rng,
            )
            insists, leaves_now, pause = rng.random(), rng.random(), rng.random()
            leaves = False
            if asked.right:
                again = not goal.supported and not failed and insists < 0.1
            else:
                leaves = len(failed) + 1 >= LEAVES_AFTER and leaves_now < chosen.users.leaves
                patience = user.patience * chosen.users.second_tries
                again = not leaves and len(failed) + 1 < chosen.users.most_tries and insists < patience
            reaction = signals(asked.right, not asked.right and not again, rng, chosen.signals)
            if not chosen.signals.barge_in:
                reaction = Signals(terminated=reaction.terminated, feedback=reaction.feedback)
            tries.append(asked.turn(reaction, day, wish, tries[-1].said if tries else ""))
            if not again:
                return tries, leaves
            failed.append(spoken)
            ts_ms += 4_000 + int(20_000 * pause)

    def _first_wording(self, user: User, number: int, goal: Goal, rng: Random) -> str:
        old = self._world.old_name(goal)
        chance = rng.random()
        if old is not None:
            knows = (number, goal.frame) in self._knows_new_name
            if not knows or chance < self._world.settings.renamed.old_name:
                goal = old
        return self._world.population.first_wording(user, goal, rng)

    def _next_wording(
        self, number: int, goal: Goal, failed: list[str], rng: Random, *, rewritten: bool
    ) -> str:
        changes = rng.random() < self._world.settings.users.protests and rewritten
        old = self._world.old_name(goal)
        chance = rng.random()
        if old is not None and failed[-1] not in goal.phrasings:
            if chance >= self._world.settings.renamed.looks_up:
                return self._other_wording(old, failed, rng, changes=changes)
            self._knows_new_name.add((number, goal.frame))
            if failed[-1] in old.phrasings:
                return goal.phrasings[old.phrasings.index(failed[-1])]
            return pick(rng, goal.phrasings)
        return self._other_wording(goal, failed, rng, changes=changes)

    def _other_wording(self, goal: Goal, failed: list[str], rng: Random, *, changes: bool) -> str:
        """The next wording; `changes`: none that has just failed, if there is another."""
        others = [text for text in goal.phrasings if text != failed[-1]]
        if changes and others:
            return pick(rng, others)
        return self._world.population.next_wording(goal, failed, rng)
