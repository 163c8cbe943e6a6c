"""The assistant's language understanding: templates, and a fallback for what fits none of them."""

import re
from collections.abc import Callable
from functools import lru_cache

from services.simulator.world.catalogue import Catalogue
from services.simulator.world.frame import Frame, frame

FALLBACK = frame("unknown", "fallback")
"""The frame of a text that the assistant does not understand."""

REMEMBERED_TEXTS = 50_000
"""Answers kept, so that memory stays flat over long logs; about 300 bytes each."""

_POLITE = re.compile(r"^(?:please |hey |can you )*(.*?)(?: please)?$")
_PATTERNS = (
    (r"play (?:music|something|songs) by (.+)", lambda m: frame("music", "play_artist", artist=m[1])),
    (r"wake me in (.+)", lambda m: frame("alarm", "set", time=m[1])),
    (r"(?:set a |start a )?timer for (.+)", lambda m: frame("timer", "set", duration=m[1])),
    (r"(?:set an )?alarm (?:in|for) (.+)", lambda m: frame("alarm", "set", time=m[1])),
    (r"start (.+)", lambda m: frame("home", "turn_on", device=m[1])),
    (
        r"(?:what is the |how is the )?weather (?:forecast )?(?:in|for) (.+?)( tomorrow)?",
        lambda m: (
            frame("weather", "query", city=m[1], day="tomorrow")
            if m[2]
            else frame("weather", "query", city=m[1])
        ),
    ),
    (r"(?:call|phone|ring) (.+)", lambda m: frame("phone", "call", contact=m[1])),
    (r"give (.+) a call", lambda m: frame("phone", "call", contact=m[1])),
    (r"order (?:a )?(.+)", lambda m: frame("food", "order", item=m[1])),
    (r"book a taxi to (.+)", lambda m: frame("travel", "book_taxi", city=m[1])),
    (r"(?:text|message) (.+)", lambda m: frame("phone", "message", contact=m[1])),
    (r"send (.+) a message", lambda m: frame("phone", "message", contact=m[1])),
    (r"(?:what is the |give me the )?news from (.+)", lambda m: frame("news", "query", city=m[1])),
    (r"stop|cancel|never mind", lambda m: frame("device", "stop")),
    (r"read my horoscope", lambda m: frame("fun", "horoscope")),
)
_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Frame]], ...] = tuple(
    (re.compile(pattern), build) for pattern, build in _PATTERNS
)
_SWITCH = re.compile(r"(?:turn|switch) (?:(on|off) (?:the )?(.+)|(?:the )?(.+) (on|off))")
_TITLE = re.compile(r"(?:play|put on|i want to hear)(?: the song)? (.+)")


class LanguageUnderstanding:
    """Understands a text, always the same text the same way."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._artists = frozenset(catalogue.names["artist"])
        self._rooms = frozenset(catalogue.names["room"])
        self._remembered = lru_cache(maxsize=REMEMBERED_TEXTS)(self._understand)

    def understand(self, text: str) -> Frame:
        """The frame of a text, or `FALLBACK`."""
        return self._remembered(text)

    def _understand(self, text: str) -> Frame:
        polite = _POLITE.match(text)
        bare = polite[1] if polite else text
        for pattern, build in _RULES:
            if match := pattern.fullmatch(bare):
                return build(match)
        if match := _SWITCH.fullmatch(bare):
            return self._switch(match[1] or match[4], match[2] or match[3])
        if match := _TITLE.fullmatch(bare):
            title = match[1]
            if title in self._artists:
                return frame("music", "play_artist", artist=title)
            return frame("music", "play_song", song=title)
        return FALLBACK

    def _switch(self, way: str, what: str) -> Frame:
        device, _, room = what.partition(" in the ")
        words = device.split()
        if not room and len(words) > 1 and words[0] in self._rooms:
            room, device = words[0], " ".join(words[1:])
        if room:
            return frame("home", f"turn_{way}", device=device, room=room)
        return frame("home", f"turn_{way}", device=device)
