"""What an assistant says and reports when it carries out, refuses or fails.

The same words and the same status come from failures at several stages, and from success: neither tells the
stage by itself.
"""

from random import Random
from typing import Literal

from msgspec import Struct

from services.simulator.stages.entity_linking import EntityLinker
from services.simulator.stages.truth import FAILED, UNKNOWN, refusal
from services.simulator.world.chance import cumulative, pick, pick_by
from services.simulator.world.frame import Frame
from services.simulator.world.language_understanding import FALLBACK
from streams.turn import Response, Slot, Status

UNSUPPORTED_DOMAINS = frozenset({"food", "travel", "fun"})

ResultFault = Literal["error", "no_result", "empty", "other", "nothing"]
RESULT_FAULTS: dict[ResultFault, int] = {
    "error": 38,
    "no_result": 13,
    "empty": 12,
    "other": 27,
    "nothing": 10,
}
"""Percent: an error is reported, nothing is found, nothing is said, something else is done, or nothing is
done although the reply says so."""

UNSAID = 0.02
"""Share of replies whose text was not logged; as many have no status."""

CANCELLED = 0.01
"""Share of replies that end as cancelled, whatever they were: somebody pressed a button."""

_REPLIES: dict[str, tuple[str, ...]] = {
    "music.play_song": ("Playing {song}.", "Here is {song}.", "{song}, coming up."),
    "music.play_artist": ("Playing songs by {artist}.", "Here is {artist}.", "Shuffling {artist}."),
    "weather.query": ("It is mild in {city}.", "Expect rain in {city}.", "{city} has twelve degrees."),
    "news.query": ("Here is the news from {city}.", "The latest from {city}."),
    "home.turn_on": ("The {device} is on.", "Okay, {device} on.", "Okay."),
    "home.turn_off": ("The {device} is off.", "Okay, {device} off.", "Okay."),
    "timer.set": ("Timer set for {duration}.", "{duration}, starting now."),
    "alarm.set": ("Alarm set for {time}.", "I will wake you in {time}."),
    "phone.call": ("Calling {contact}.", "Okay, calling {contact}."),
    "phone.message": ("What shall I write to {contact}?", "Your message to {contact}?"),
    "device.stop": ("Okay.", ""),
}
_TROUBLE = (
    "Sorry, something went wrong.",
    "I am having trouble with that right now.",
    "Please try again later.",
)
_NOT_FOUND = ("Sorry, I could not find that.", "I found nothing for that.")
_UNABLE = ("Sorry, I cannot do that.", "That is not something I can do yet.", "I do not know about that.")
_NOT_UNDERSTOOD = ("Sorry, I did not get that.", "I am not sure what you mean.", *_UNABLE, *_TROUBLE, "")
_NOT_UNDERSTOOD_AS: dict[Status, int] = {"error": 44, "no_result": 22, "unsupported": 24, "cancelled": 10}


class Replier(Struct, frozen=True):
    """Carries out frames whose names are resolved."""

    linker: EntityLinker

    def intended(self, resolved: Frame) -> Frame:
        """What is done about a frame when nothing goes wrong."""
        unable = resolved == FALLBACK or resolved.domain in UNSUPPORTED_DOMAINS
        return refusal(resolved) if unable or _missing(resolved) else resolved

    def carry_out(self, resolved: Frame, *, fault: bool, rng: Random) -> tuple[Frame, Response]:
        """What is done and said; a fault strikes only where something would be done."""
        done = self.intended(resolved)
        if done != resolved:
            return done, self._logged(self._refusal(resolved, rng), rng)
        response = Response(text=_said(resolved, rng), action=resolved.action, status="ok")
        if fault:
            kind = pick_by(rng, tuple(RESULT_FAULTS), cumulative(tuple(RESULT_FAULTS.values())))
            done, response = self._failure(kind, resolved, response, rng)
        return done, self._logged(response, rng)

    def _failure(
        self, kind: ResultFault, resolved: Frame, response: Response, rng: Random
    ) -> tuple[Frame, Response]:
        if kind == "error":
            status: Status = "error" if rng.random() < 0.75 else "cancelled"
            return FAILED, Response(text=pick(rng, _TROUBLE), action=resolved.action, status=status)
        if kind == "no_result":
            text = pick(rng, _NOT_FOUND)
            return FAILED, Response(text=text, action=resolved.action, status="no_result")
        if kind == "empty":
            status = "ok" if rng.random() < 0.6 else "error"
            return FAILED, Response(text="", action=resolved.action, status=status)
        other = self._other(resolved, rng) if kind == "other" else None
        if other is None:
            return FAILED, response
        return other, Response(text=_said(other, rng), action=other.action, status="ok")

    def _other(self, resolved: Frame, rng: Random) -> Frame | None:
        """The same done to something else; None where there is nothing else."""
        for place, slot in enumerate(resolved.slots):
            if slot.name == "day" or slot.value is None:  # nothing else that it could be
                continue
            slots = list(resolved.slots)
            slots[place] = Slot(name=slot.name, value=pick(rng, self.linker.others(slot.name, slot.value)))
            return Frame(domain=resolved.domain, intent=resolved.intent, slots=tuple(slots))
        return None

    def _refusal(self, resolved: Frame, rng: Random) -> Response:
        chance = rng.random()
        if resolved == FALLBACK:
            status = pick_by(rng, tuple(_NOT_UNDERSTOOD_AS), cumulative(tuple(_NOT_UNDERSTOOD_AS.values())))
            return Response(text=pick(rng, _NOT_UNDERSTOOD), action=None, status=status)
        if _missing(resolved):
            text = pick(rng, (*_NOT_FOUND, "I know no such name.", *_TROUBLE))
            status = "no_result" if chance < 0.85 else "error"
            return Response(text=text, action=resolved.action, status=status)
        status = "unsupported" if chance < 0.8 else "error"
        return Response(
            text=pick(rng, (*_UNABLE, pick(rng, _TROUBLE))), action=resolved.action, status=status
        )

    def _logged(self, response: Response, rng: Random) -> Response:
        """A reply as it gets into the log: now and then without its text or its status."""
        text = None if rng.random() < UNSAID else response.text
        chance = rng.random()
        status = None if chance < UNSAID else "cancelled" if chance < UNSAID + CANCELLED else response.status
        return Response(text=text, action=response.action, status=status)


def _missing(resolved: Frame) -> bool:
    return any(slot.name.startswith(UNKNOWN) for slot in resolved.slots)


def _said(done: Frame, rng: Random) -> str:
    values = {slot.name: slot.value for slot in done.slots}
    return pick(rng, _REPLIES[done.action]).format(**values)
