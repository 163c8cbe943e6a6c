"""What a request may be taken for: other intents with the same words, other slots with the same intent."""

from services.simulator.world.frame import Frame, frame
from services.simulator.world.language_understanding import FALLBACK

_OTHER_INTENTS = {
    "music.play_song": (("music", "play_artist", "artist"), ("phone", "call", "contact")),
    "music.play_artist": (("music", "play_song", "song"), ("phone", "message", "contact")),
    "weather.query": (("news", "query", "city"), ("music", "play_song", "song")),
    "news.query": (("weather", "query", "city"), ("music", "play_song", "song")),
    "timer.set": (("alarm", "set", "time"), ("music", "play_song", "song")),
    "alarm.set": (("timer", "set", "duration"), ("phone", "call", "contact")),
    "phone.call": (("phone", "message", "contact"), ("music", "play_artist", "artist")),
    "phone.message": (("phone", "call", "contact"), ("music", "play_song", "song")),
    "food.order": (("music", "play_song", "song"), ("phone", "call", "contact")),
    "travel.book_taxi": (("weather", "query", "city"), ("phone", "call", "contact")),
}
"""Action -> domain, intent, and the slot that takes the value; the likelier first."""

_SPURIOUS = {"music": "song", "weather": "by", "phone": "up", "news": "the"}
"""Word of a request that is at times taken for part of the name in it."""


def taken_for(meant: Frame) -> tuple[Frame, ...]:
    """Frames that a request with this frame may be taken for, none of them the frame itself."""
    values = [slot.value or "" for slot in meant.slots]
    found: list[Frame] = []
    if meant.domain == "home":
        way = "off" if meant.intent == "turn_on" else "on"
        slots = {slot.name: slot.value or "" for slot in meant.slots}
        found.append(frame("home", f"turn_{way}", **slots))
        if len(slots) > 1:
            found.append(frame("home", meant.intent, device=slots["device"]))
        found.append(frame("music", "play_song", song=slots["device"]))
    elif meant == FALLBACK:
        found.append(frame("device", "stop"))
    elif meant.action == "device.stop":
        found.append(frame("music", "play_song", song="it"))
    for domain, intent, slot in _OTHER_INTENTS.get(meant.action, ()):
        found.append(frame(domain, intent, **{slot: values[0]}))
    found.extend(_other_slots(meant))
    if meant != FALLBACK:
        found.append(FALLBACK)
    return tuple(other for other in dict.fromkeys(found) if other != meant)


def _other_slots(meant: Frame) -> list[Frame]:
    """The same intent with less, more or something else in its slots."""
    slots = {slot.name: slot.value or "" for slot in meant.slots}
    if meant.domain not in _SPURIOUS or not slots:
        return []
    if "day" in slots:
        city = slots["city"]
        return [
            frame(meant.domain, meant.intent, city=city),
            frame(meant.domain, meant.intent, city=f"{city} {slots['day']}"),
        ]
    (name, value), *_ = slots.items()
    words = value.split()
    found = [frame(meant.domain, meant.intent, **{name: f"{_SPURIOUS[meant.domain]} {value}"})]
    if len(words) > 1:
        found.append(frame(meant.domain, meant.intent, **{name: words[-1]}))
    return found
