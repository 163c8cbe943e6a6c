"""The simulation: users ask, the recogniser mishears, the assistant answers, users try again."""

from collections.abc import Iterator
from itertools import count
from random import Random

import msgspec

from labeling.annotations.annotation import FailurePoint
from services.simulator.stages.simulated_turn import SimulatedTurn
from services.simulator.stages.world import StageWorld
from services.simulator.world.assistant import Assistant
from services.simulator.world.catalogue import Goal, make_catalogue
from services.simulator.world.chance import stream
from services.simulator.world.frame import Frame
from services.simulator.world.gold import GoldTurn
from services.simulator.world.language_understanding import LanguageUnderstanding
from services.simulator.world.recogniser import Heard, Recogniser
from services.simulator.world.request_event import (
    heard_from,
    heard_request,
    hypothesis,
    understanding_noise,
)
from services.simulator.world.settings import DAY_MS, SimulationSettings
from services.simulator.world.signals import signals
from services.simulator.world.user import Population, User
from services.simulator.world.visits import LATEST_VISIT_MS, MORE_WISHES_RATE, visits
from streams.turn import EventId, Signals, TurnEvent

MOST_TRIES = 4
"""Tries after which everybody gives up."""


class World:
    """The assistant and all that surrounds it."""

    def __init__(self, settings: SimulationSettings) -> None:
        self._settings = settings
        catalogue = make_catalogue(settings.seed)
        self.catalogue = catalogue
        self.understanding = LanguageUnderstanding(catalogue)
        self._recogniser = Recogniser(settings.seed, catalogue)
        self._assistant = Assistant(settings.seed, catalogue)
        self._population = Population(settings.seed, catalogue)
        self._frames = frozenset(goal.frame for goal in catalogue.all_goals if goal.supported)

    def day_of(self, number: int, day: int) -> Iterator[SimulatedTurn]:
        """Yields the turns of user `number` on a day, in time order."""
        rng = stream(self._settings.seed, "day", number, day)
        user = self._population.user(number)
        midnight_ms = self._settings.start_ms + day * DAY_MS
        numbers = count()
        free_ms = 0
        for visit_ms in visits(user, self._settings.requests_per_user_day, rng):
            now_ms = max(visit_ms, free_ms)
            more = True
            while more and now_ms <= LATEST_VISIT_MS:
                goal = self._population.wish(user, rng)
                for turn in self._pursue(user, goal, midnight_ms + now_ms, day, numbers, rng):
                    yield turn
                    now_ms = turn.event.ts_ms - midnight_ms
                now_ms += 12_000 + int(80_000 * rng.random())
                more = rng.random() < MORE_WISHES_RATE
            free_ms = now_ms + 120_000

    def _pursue(
        self, user: User, goal: Goal, ts_ms: int, day: int, numbers: Iterator[int], rng: Random
    ) -> Iterator[SimulatedTurn]:
        """Yields the tries at one wish, numbered by `numbers`."""
        spoken = self._population.first_wording(user, goal, rng)
        failed: list[str] = []
        goal_id, last = "", None
        while True:
            event_id = EventId(f"{user.user_id}-{day:03d}-{next(numbers):03d}")
            goal_id = goal_id or f"goal-{event_id}"
            heard = heard_from(user, self._recogniser, spoken, len(failed), rng)
            understood = self.understanding.understand(heard.text)
            correct = understood == goal.frame
            if correct:
                # Some do not take no for an answer.
                again = not goal.supported and not failed and rng.random() < 0.1
            else:
                again = len(failed) + 1 < MOST_TRIES and rng.random() < user.patience
            leaves = not correct and not again
            gold = GoldTurn(
                event_id=event_id,
                goal_id=goal_id,
                reference_text=spoken,
                reference_nlu=goal.frame,
                correct=correct,
                attempt=len(failed),
                rephrase_of=last,
                failure_point=_failure_point(spoken, heard.text, understood, goal.frame),
                recording_heard_before=None,
                confused=not correct and understood in self._frames,
                day=day,
            )
            yield SimulatedTurn(
                self._event(event_id, user, ts_ms, heard, understood, signals(correct, leaves, rng), rng),
                gold,
            )
            if not again:
                return
            failed.append(spoken)
            last = event_id
            spoken = self._population.next_wording(goal, failed, rng)
            ts_ms += 4_000 + int(20_000 * rng.random())

    def _event(
        self,
        event_id: EventId,
        user: User,
        ts_ms: int,
        heard: Heard,
        understood: Frame,
        signals: Signals,
        rng: Random,
    ) -> TurnEvent:
        answer = self._assistant.answer(understood, heard.text)
        request = heard_request(heard, rng)
        return TurnEvent(
            schema_version=1,
            event_id=event_id,
            assistant_id=self._settings.assistant_id,
            user_id=user.user_id,
            ts_ms=ts_ms,
            locale="en",
            device=user.device,
            request=request,
            nlu=(hypothesis(understood, answer, heard.confidence, understanding_noise(rng)),),
            entities=answer.entities,
            response=answer.response,
            signals=signals,
        )


def _failure_point(spoken: str, heard: str, understood: Frame, meant: Frame) -> FailurePoint:
    """The earliest stage that failed; a recognition error that changed nothing is none."""
    if understood == meant:
        return "correct"
    if heard != spoken:
        return "asr"
    return "entity_resolution" if understood.action == meant.action else "nlu"


def simulate(settings: SimulationSettings) -> Iterator[SimulatedTurn]:
    """Yields the turns of all users in time order (then by event id), one day after the other.

    The same settings give the same turns, on every platform. Memory holds the turns of one day and, for
    `recording_heard_before`, the distinct ways in which phrases were heard.
    """
    world = world_of(settings)
    heard_before: set[tuple[str, str]] = set()
    for day in range(settings.days + settings.test_days):
        turns = [turn for number in range(settings.users) for turn in world.day_of(number, day)]
        turns.sort(key=lambda turn: (turn.event.ts_ms, turn.event.event_id))
        for turn in turns:
            recording = (turn.gold.reference_text, turn.event.request.text)
            if day < settings.days:
                heard_before.add(recording)
                yield turn
            else:
                gold = msgspec.structs.replace(turn.gold, recording_heard_before=recording in heard_before)
                yield msgspec.structs.replace(turn, gold=gold)


def world_of(settings: SimulationSettings) -> World | StageWorld:
    """The world that a simulation takes place in."""
    return StageWorld(settings) if settings.stage_faults else World(settings)
