"""What the assistant does with what it understood."""

from msgspec import Struct

from services.simulator.world.catalogue import Catalogue
from services.simulator.world.chance import pick, stream
from services.simulator.world.frame import Frame
from services.simulator.world.language_understanding import FALLBACK
from streams.turn import Entity, Response, Status

GUESS_SHARE = 0.55
"""Share of the names it does not know for which it offers something else, and reports success: a log's
status does not tell a wrong answer from a right one."""

UNSUPPORTED_DOMAINS = frozenset({"food", "travel", "fun"})
_REPLIES = {
    "music.play_song": "Playing {song}.",
    "music.play_artist": "Playing songs by {artist}.",
    "weather.query": "It is mild in {city}.",
    "home.turn_on": "The {device} is on.",
    "home.turn_off": "The {device} is off.",
    "timer.set": "Timer set for {duration}.",
    "alarm.set": "Alarm set for {time}.",
    "phone.call": "Calling {contact}.",
}


class Answer(Struct, frozen=True):
    """A response, and the catalogue entries behind it."""

    response: Response
    entities: tuple[Entity, ...]


class Assistant:
    """Carries out frames; the same frame always ends the same way."""

    def __init__(self, seed: int, catalogue: Catalogue) -> None:
        self._seed = seed
        self._names = catalogue.names
        self._known = {kind: frozenset(names) for kind, names in catalogue.names.items()}

    def answer(self, request: Frame, text: str) -> Answer:
        """Carries out a request that was heard as `text`."""
        if request == FALLBACK:
            status: Status = "error" if stream(self._seed, "fallback", text).random() < 0.7 else "no_result"
            return Answer(Response(text="Sorry, I did not get that.", action=None, status=status), ())
        if request.domain in UNSUPPORTED_DOMAINS:
            reply = "Sorry, I cannot do that."
            return Answer(Response(text=reply, action=request.action, status="unsupported"), ())
        entities = []
        for slot in request.slots:
            known = self._known.get(slot.name)
            if known is None or slot.value is None:
                continue
            rng = stream(self._seed, "resolve", slot.name, slot.value)
            if slot.value in known:
                entity = Entity(mention=slot.value, type=slot.name, resolved=slot.value, confidence=0.95)
            elif rng.random() < GUESS_SHARE:
                guess = pick(rng, self._names[slot.name])
                confidence = round(0.4 + 0.3 * rng.random(), 3)
                entity = Entity(mention=slot.value, type=slot.name, resolved=guess, confidence=confidence)
            else:
                reply = f"Sorry, I found no {slot.name} called {slot.value}."
                entities.append(Entity(mention=slot.value, type=slot.name))
                return Answer(
                    Response(text=reply, action=request.action, status="no_result"), tuple(entities)
                )
            entities.append(entity)
        said = {slot.name: slot.value for slot in request.slots}
        said |= {entity.type: entity.resolved for entity in entities if entity.type}
        reply = _REPLIES[request.action].format(**said)
        return Answer(Response(text=reply, action=request.action, status="ok"), tuple(entities))
