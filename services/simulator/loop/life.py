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
from services.simulator.world.visits import LATEST_VISIT_MS, MORE_WISHES_RATE, visits
from streams.turn import Device, EventId, Signals, TurnEvent

AGAIN_AFTER_REFUSAL = 0.1
"""Chance that somebody does not take no for an answer."""

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

    What they want, say and are heard as is the same under every learner, try for try, until what was run
    differs.
    """

    def __init__(self, world: LoopWorld) -> None:
        self._world = world
        self._know_new_name: set[tuple[int, Frame]] = set()
        self._forgot: set[tuple[int, Frame]] = set()

    def day(self, number: int, day: int, serve: Serve) -> list[LoopTurn]:
        """The turns of user `number` on a day, in time order."""
        return _UserDay(self._world, number, day, serve, self._know_new_name, self._forgot).turns()


class _UserDay:
    """One day of one user."""

    def __init__(
        self,
        world: LoopWorld,
        number: int,
        day: int,
        serve: Serve,
        know_new_name: set[tuple[int, Frame]],
        forgot: set[tuple[int, Frame]],
    ) -> None:
        """Makes it.

        Args:
            world: all there is.
            number: of the user.
            day: from 0.
            serve: asked before a request is run.
            know_new_name: who knows the new name of what; it grows.
            forgot: who wants no more what was withdrawn; it grows.
        """
        self._world = world
        self._settings = world.settings
        self._user = world.users[number]
        self._number = number
        self._day = day
        self._serve = serve
        self._know_new_name = know_new_name
        self._forgot = forgot
        self._midnight_ms = world.start_ms + day * DAY_MS
        self._numbers = count()

    def turns(self) -> list[LoopTurn]:
        """All turns, in time order."""
        chance = stream(self._world.seed, "loop", "day", self._number, self._day)
        turns: list[LoopTurn] = []
        free_ms = 0
        starts = visits(self._user, self._settings.users.requests_per_day, chance)
        for visit, visit_ms in enumerate(starts):
            turns_of_visit, free_ms = self._visit(visit, max(visit_ms, free_ms))
            turns += turns_of_visit
        return turns

    def _visit(self, visit: int, now_ms: int) -> tuple[list[LoopTurn], int]:
        """The turns of a visit that starts now, milliseconds after midnight, and when another may start."""
        rng = stream(self._world.seed, "loop", "visit", self._number, self._day, visit)
        turns: list[LoopTurn] = []
        for wish in count():
            if now_ms > LATEST_VISIT_MS:
                break
            goal = self._wish(rng)
            pace, more, forgets = rng.random(), rng.random() < MORE_WISHES_RATE, rng.random()
            name = f"{self._number}-{self._day}-{visit}-{wish}"
            leaves = self._pursue(goal, self._midnight_ms + now_ms, name, turns)
            if self._world.is_gone(goal.frame, self._day) and forgets < self._settings.withdrawn.forgets:
                self._forgot.add((self._number, goal.frame))
            now_ms = turns[-1].event.ts_ms - self._midnight_ms + 12_000 + int(80_000 * pace)
            if leaves or not more:
                break
        return turns, now_ms + 120_000

    def _wish(self, rng: Random) -> Goal:
        wish = self._world.population.wish(self._user, rng)
        adopts, instead = rng.random() < self._settings.released.wishes, rng.random()
        while (self._number, wish.frame) in self._forgot:
            other = stream(self._world.seed, "loop", "instead", self._number, self._day, instead)
            wish, instead = self._world.population.wish(self._user, other), other.random()
        if adopts and self._world.adopts_release(self._number, self._day):
            return self._world.events.released
        return self._world.wanted(wish, self._number, self._day)

    def _pursue(self, goal: Goal, ts_ms: int, wish: str, turns: list[LoopTurn]) -> bool:
        """Adds the tries at one wish to those of the visit; whether the user leaves after them."""
        chosen = self._settings.users
        failed: list[str] = []
        while True:
            rng = stream(self._world.seed, "loop", "try", wish, len(failed))
            last = turns[-1] if failed else None
            spoken = self._next_wording(goal, failed, last, rng) if last else self._first_wording(goal, rng)
            asked = ask(
                self._world,
                event_id=f"{self._user.user_id}-{self._day:03d}-{next(self._numbers):03d}",
                user_id=self._user.user_id,
                device=self._user.device,
                ts_ms=ts_ms,
                day=self._day,
                heard=heard_from(self._user, self._world.recogniser, spoken, len(failed), rng),
                goal=goal,
                previous=turns[-1].event if turns else None,
                serve=self._serve,
                rng=rng,
            )
            insists, leaving, pause = rng.random(), rng.random(), rng.random()
            leaves = False
            if asked.right:
                again = not goal.supported and not failed and insists < AGAIN_AFTER_REFUSAL
            else:
                leaves = len(failed) + 1 >= LEAVES_AFTER and leaving < chosen.leaves
                patience = self._user.patience * chosen.second_tries
                again = not leaves and len(failed) + 1 < chosen.most_tries and insists < patience
            reaction = self._reaction(asked.right, not asked.right and not again, rng)
            turns.append(asked.turn(reaction, self._day, wish, last.said if last else ""))
            if not again:
                return leaves
            failed.append(spoken)
            ts_ms += 4_000 + int(20_000 * pause)

    def _reaction(self, right: bool, gives_up: bool, rng: Random) -> Signals:
        reaction = signals(right, gives_up, rng, self._settings.signals)
        if self._settings.signals.barge_in:
            return reaction
        return Signals(terminated=reaction.terminated, feedback=reaction.feedback)

    def _first_wording(self, goal: Goal, rng: Random) -> str:
        old = self._world.old_name(goal)
        chance = rng.random()
        if old is not None:
            knows = (self._number, goal.frame) in self._know_new_name
            if not knows or chance < self._settings.renamed.old_name:
                goal = old
        return self._world.population.first_wording(self._user, goal, rng)

    def _next_wording(self, goal: Goal, failed: list[str], last: LoopTurn, rng: Random) -> str:
        changes = rng.random() < self._settings.users.protests and last.event.executed_text is not None
        old = self._world.old_name(goal)
        chance = rng.random()
        if old is not None and failed[-1] not in goal.phrasings:
            if chance >= self._settings.renamed.looks_up:
                return self._other_wording(old, failed, rng, changes=changes)
            self._know_new_name.add((self._number, goal.frame))
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
