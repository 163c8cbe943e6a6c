"""The world in which each stage of the assistant can fail by itself, and the log shows how each decided."""

from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Literal

import msgspec
from msgspec import Struct

from services.simulator.stages.catalogue import STOP, THEMES, make_stage_catalogue
from services.simulator.stages.entity_linking import EntityLinker
from services.simulator.stages.faults import (
    ABSORBED,
    ASR_RATE,
    DEVICES,
    FALSE_WAKE_WHILE_USED,
    FALSE_WAKES_PER_DAY,
    LOCALES,
    NLU_OVERRIDDEN,
    NO_FAULTS,
    OUTAGE_EVERY_DAYS,
    OUTAGE_FIRST_DAY,
    Faults,
    draw_faults,
)
from services.simulator.stages.misunderstanding import taken_for
from services.simulator.stages.overheard import request_to_others, talk
from services.simulator.stages.replies import Replier
from services.simulator.stages.simulated_turn import SimulatedTurn
from services.simulator.stages.traces import clipped, hypotheses, recognitions
from services.simulator.stages.truth import NOTHING_ASKED, Passage, StageTruth, stage_truth
from services.simulator.world.catalogue import Goal
from services.simulator.world.chance import bell, cumulative, pick, pick_by, stream
from services.simulator.world.frame import Frame
from services.simulator.world.gold import GoldTurn
from services.simulator.world.language_understanding import FALLBACK, LanguageUnderstanding
from services.simulator.world.reaction import Reaction, next_words, reaction
from services.simulator.world.recogniser import CLEARER, Recogniser
from services.simulator.world.settings import DAY_MS, SimulationSettings
from services.simulator.world.user import Population, User
from services.simulator.world.visits import LATEST_VISIT_MS, MORE_WISHES_RATE, visits
from streams.turn import Device, EventId, NluHypothesis, Request, TurnEvent

LIKE_REQUESTS = 0.4
"""Share of false wakes whose words look like a request, with names that the assistant knows."""

SAME_KIND = 0.25
"""Chance that one more wish in a visit is of the kind of the last: no second try, but like one."""

MOST_TRIES = 4
"""Tries after which everybody gives up."""

NO_WAKE_WORD = 0.4
"""Share of requests to a phone that come by a button: no wake confidence."""

_CONFUSED_ODDS = (6.0, 9.0, 11.0, 12.5, 13.5, 14.0)
"""Running sums: what a request is taken for, the likelier first."""


class Person(Struct, frozen=True):
    """A user, and how well the assistant hears them."""

    user: User
    locale: str
    device: Device
    asr_factor: float  # on the error rates of the recogniser
    false_wakes: float  # a day


class Heard(Struct, frozen=True, kw_only=True):
    """What the device took in: said to it, or overheard."""

    said: str
    text: str
    usual: Frame  # how the assistant understands it when it does not fail
    goal: Goal | None  # None: overheard
    likely: Frame | None = None  # what the words are near to, where they fit no template


class Turn(Struct, frozen=True, kw_only=True):
    """Where a turn stands in the log."""

    event_id: EventId
    ts_ms: int
    day: int
    goal_id: str
    attempt: int = 0
    rephrase_of: EventId | None = None


class StageWorld:
    """The assistant and all that surrounds it."""

    def __init__(self, settings: SimulationSettings) -> None:
        self._settings = settings
        self.catalogue = make_stage_catalogue(settings.seed, held_out=settings.held_out)
        self.understanding = LanguageUnderstanding(self.catalogue)
        self._recogniser = Recogniser(settings.seed, self.catalogue)
        self._linker = EntityLinker(settings.seed, self.catalogue)
        self._replier = Replier(self._linker)
        self._population = Population(settings.seed, self.catalogue, THEMES)
        goals = [goal for goal in self.catalogue.all_goals if goal.supported]
        self._frames = frozenset(goal.frame for goal in goals)
        self._by_action: dict[str, list[Goal]] = {}
        for goal in goals:
            self._by_action.setdefault(goal.frame.action, []).append(goal)
        self._domains = sorted({goal.frame.domain for goal in goals})

    def person(self, number: int) -> Person:
        """User number `number`, from 0; of other worlds no user has the same id."""
        seed, held_out = self._settings.seed, self._settings.held_out
        rng = stream(seed, "person", number)
        kind = pick_by(rng, tuple(DEVICES), cumulative([share for _, share, _, _ in DEVICES.values()]))
        locale = pick_by(rng, tuple(LOCALES), cumulative([share for share, _ in LOCALES.values()]))
        has_screen, _, hearing, waking = DEVICES[kind]
        user = msgspec.structs.replace(
            self._population.user(number), user_id=f"{'h' if held_out else 'w'}{seed}-u{number:05d}"
        )
        return Person(
            user=user,
            locale=locale,
            device=Device(type=kind, has_screen=has_screen),
            asr_factor=ASR_RATE * hearing * LOCALES[locale][1],
            false_wakes=FALSE_WAKES_PER_DAY * waking,
        )

    def outage(self, day: int) -> str | None:
        """The domain that has an outage on a day."""
        if day % OUTAGE_EVERY_DAYS != OUTAGE_FIRST_DAY:
            return None
        return pick(stream(self._settings.seed, "outage", day), self._domains)

    def day_of(self, number: int, day: int) -> Iterator[SimulatedTurn]:
        """Yields the turns of user `number` on a day, in time order."""
        rng = stream(self._settings.seed, "stage day", number, day)
        person = self.person(number)
        midnight_ms = self._settings.start_ms + day * DAY_MS
        numbers = count()
        free_ms = 0
        for start_ms, kind in self._occasions(person, rng):
            now_ms = max(start_ms, free_ms)
            last: Goal | None = None
            more = now_ms <= LATEST_VISIT_MS
            while more:
                if kind == "overheard":
                    turns = self._overheard(person, midnight_ms + now_ms, day, numbers, rng)
                else:
                    last = self._wish(person.user, last, rng)
                    turns = self._pursue(person, last, midnight_ms + now_ms, day, numbers, rng)
                for turn in turns:
                    yield turn
                    now_ms = turn.event.ts_ms - midnight_ms
                now_ms += 12_000 + int(80_000 * rng.random())
                kind = "overheard" if rng.random() < FALSE_WAKE_WHILE_USED else "visit"
                more = rng.random() < MORE_WISHES_RATE and last is not None and now_ms <= LATEST_VISIT_MS
            free_ms = now_ms + 120_000

    def _occasions(self, person: Person, rng: Random) -> list[tuple[int, Literal["visit", "overheard"]]]:
        """Starts of visits and of what is overheard between them, milliseconds after midnight."""
        per_day = person.false_wakes
        wakes = int(per_day) + (rng.random() < per_day % 1)
        occasions: list[tuple[int, Literal["visit", "overheard"]]] = [
            (int(bell(rng, 18.0, 5.0) * 3_600_000), "overheard") for _ in range(wakes)
        ]
        times = visits(person.user, self._settings.requests_per_user_day, rng)
        return sorted([*occasions, *((time, "visit") for time in times)])

    def _wish(self, user: User, last: Goal | None, rng: Random) -> Goal:
        if last is not None and rng.random() < SAME_KIND:
            alike = [goal for goal in self._by_action.get(last.frame.action, ()) if goal != last]
            if alike:
                return pick(rng, alike)
        return self._population.wish(user, rng)

    def _pursue(
        self, person: Person, goal: Goal, ts_ms: int, day: int, numbers: Iterator[int], rng: Random
    ) -> Iterator[SimulatedTurn]:
        """Yields the tries at one wish, and what is said to stop what was not wished."""
        spoken = self._population.first_wording(person.user, goal, rng)
        faults = NO_FAULTS
        outage = goal.frame.domain == self.outage(day)
        last: Turn | None = None
        while True:
            event_id = _event_id(person, day, numbers)
            turn = Turn(
                event_id=event_id,
                ts_ms=ts_ms,
                day=day,
                goal_id=last.goal_id if last else f"goal-{event_id}",
                attempt=last.attempt + 1 if last else 0,
                rephrase_of=last.event_id if last else None,
            )
            faults = draw_faults(rng, repeated=faults, outage=outage)
            heard = self._hear(person, goal, spoken, turn.attempt, rng)
            simulated, taken = self._turn(person, heard, turn, faults, rng)
            yield simulated
            if taken.stops:
                yield self._stop(person, ts_ms + 2_000 + int(4_000 * rng.random()), day, numbers, rng)
            if taken.next == "leaves":
                return
            words = next_words(goal, spoken, taken.next, rng)
            if words != spoken:
                faults = NO_FAULTS
            spoken, last = words, turn
            ts_ms += 7_000 + int(20_000 * rng.random())

    def _stop(
        self, person: Person, ts_ms: int, day: int, numbers: Iterator[int], rng: Random
    ) -> SimulatedTurn:
        event_id = _event_id(person, day, numbers)
        turn = Turn(event_id=event_id, ts_ms=ts_ms, day=day, goal_id=f"goal-{event_id}")
        heard = self._hear(person, STOP, pick(rng, STOP.phrasings), 0, rng)
        return self._turn(person, heard, turn, NO_FAULTS, rng, may_react=False)[0]

    def _overheard(
        self, person: Person, ts_ms: int, day: int, numbers: Iterator[int], rng: Random
    ) -> Iterator[SimulatedTurn]:
        """Yields a false wake, and the "stop" that may follow."""
        event_id = _event_id(person, day, numbers)
        turn = Turn(event_id=event_id, ts_ms=ts_ms, day=day, goal_id=f"goal-{event_id}")
        if rng.random() < LIKE_REQUESTS:
            request = pick(rng, self._population.wish(person.user, rng).phrasings)
            said = request_to_others(request, rng)
        else:
            said = request = talk(rng)
        text = said
        if rng.random() < 0.3:
            text = self._recogniser.misheard(said, rng)
        usual = self.understanding.understand(text)
        if usual == FALLBACK and request in text and rng.random() < 0.6:
            usual = self.understanding.understand(request)
        heard = Heard(said=said, text=text, usual=usual, goal=None)
        simulated, taken = self._turn(person, heard, turn, NO_FAULTS, rng)
        yield simulated
        if taken.stops:
            yield self._stop(person, ts_ms + 2_000 + int(4_000 * rng.random()), day, numbers, rng)

    def _hear(self, person: Person, goal: Goal, spoken: str, attempt: int, rng: Random) -> Heard:
        hearing = self._recogniser.hearing(spoken)
        clearer = CLEARER[min(attempt, len(CLEARER) - 1)]
        text = spoken
        if rng.random() < hearing.error_rate * clearer * person.asr_factor:
            text = self._recogniser.misheard(spoken, rng)
        usual = self.understanding.understand(text)
        likely = None
        if usual == FALLBACK and all((slot.value or "") in text for slot in goal.frame.slots):
            likely = goal.frame
            if self.understanding.understand(spoken) == goal.frame and rng.random() < ABSORBED:
                usual = goal.frame
        return Heard(said=spoken, text=text, usual=usual, goal=goal, likely=likely)

    def _turn(
        self,
        person: Person,
        heard: Heard,
        turn: Turn,
        faults: Faults,
        rng: Random,
        *,
        may_react: bool = True,
    ) -> tuple[SimulatedTurn, Reaction]:
        """One turn through all stages, the truth about it, and how the user takes it."""
        user_id = person.user.user_id
        understood = executed = heard.usual
        others = taken_for(heard.usual)
        if heard.usual == FALLBACK and heard.likely is not None:
            others = (heard.likely, *others)
        if "nlu" in faults.stages and others and heard.usual != FALLBACK:
            # A text is misunderstood the same way by everybody: understanding knows the text alone.
            way = stream(self._settings.seed, "taken for", heard.text)
            understood = pick_by(way, others, _CONFUSED_ODDS[: len(others)])
            executed = heard.usual if rng.random() < NLU_OVERRIDDEN else understood
        linked = self._linker.link(user_id, executed, fault="entity_resolution" in faults.stages, rng=rng)
        done, response = self._replier.carry_out(linked.resolved, fault="result" in faults.stages, rng=rng)
        actual = Passage(
            awake=True, heard=heard.text, understood=understood, resolved=linked.resolved, done=done
        )
        truth = self._truth(user_id, heard, actual)
        taken = reaction(
            truth.failure_point,
            response,
            reached=truth.reached,
            patience=person.user.patience,
            may_retry=may_react and heard.goal is not None and turn.attempt < MOST_TRIES - 1,
            rng=rng,
        )
        asr_right = heard.goal is not None and heard.text == heard.said
        hearing = self._recogniser.hearing(heard.said)
        asr = recognitions(
            heard.text,
            heard.said,
            hearing.errors,
            surest=0.8 - 0.1 * hearing.error_rate if asr_right else 0.62,
            rng=rng,
        )
        asr_confidence = asr[0].confidence or 0.0
        nlu = self._hypotheses(heard, understood, others, asr_confidence, linked.surest, rng)
        event = TurnEvent(
            schema_version=1,
            event_id=turn.event_id,
            assistant_id=self._settings.assistant_id,
            user_id=user_id,
            ts_ms=turn.ts_ms,
            locale=person.locale,
            device=person.device,
            request=Request(
                text=heard.text, asr=asr, wake_confidence=_wake_confidence(person, heard.goal is None, rng)
            ),
            nlu=nlu,
            entities=linked.entities,
            response=response,
            signals=taken.signals,
        )
        gold = GoldTurn(
            event_id=turn.event_id,
            goal_id=turn.goal_id,
            reference_text=heard.said,
            reference_nlu=heard.goal.frame if heard.goal else FALLBACK,
            correct=truth.failure_point == "correct",
            attempt=turn.attempt,
            rephrase_of=turn.rephrase_of,
            failure_point=truth.failure_point,
            recording_heard_before=None,
            confused=truth.failure_point != "correct"
            and heard.goal is not None
            and understood in self._frames,
            day=turn.day,
        )
        return SimulatedTurn(event, gold, truth), taken

    def _truth(self, user_id: str, heard: Heard, actual: Passage) -> StageTruth:
        goal = heard.goal
        if goal is None:
            return stage_truth(NOTHING_ASKED, actual, supported=True)
        resolved = self._linker.intended(user_id, goal.frame)
        intended = Passage(
            awake=True,
            heard=heard.said,
            understood=goal.frame,
            resolved=resolved,
            done=self._replier.intended(resolved),
        )
        return stage_truth(intended, actual, supported=goal.supported)

    def _hypotheses(
        self,
        heard: Heard,
        understood: Frame,
        others: tuple[Frame, ...],
        asr_confidence: float,
        linked: float,
        rng: Random,
    ) -> tuple[NluHypothesis, ...]:
        """The list of interpretations; surer of clear speech, and of names that are in the catalogue."""
        surest = 0.44 if understood == FALLBACK else 0.76 if understood == heard.usual else 0.64
        surest += 0.12 * (asr_confidence - 0.7) + 0.12 * (linked - 0.8) - 0.08 * (heard.goal is None)
        return hypotheses(understood, heard.usual, others, surest=surest, rng=rng)


def _event_id(person: Person, day: int, numbers: Iterator[int]) -> EventId:
    return EventId(f"{person.user.user_id}-{day:03d}-{next(numbers):03d}")


def _wake_confidence(person: Person, overheard: bool, rng: Random) -> float | None:
    if overheard:
        return clipped(bell(rng, 0.68, 0.3))
    if person.device.type == "phone" and rng.random() < NO_WAKE_WORD:
        return None
    return clipped(bell(rng, 0.85, 0.16))
