"""Entity resolution: mentions of names, and the catalogue entries that they may be."""

from difflib import SequenceMatcher
from functools import lru_cache
from random import Random

from msgspec import Struct

from services.simulator.stages.traces import clipped
from services.simulator.stages.truth import UNKNOWN
from services.simulator.world.catalogue import DURATIONS, Catalogue
from services.simulator.world.chance import bell, pick_by, stream
from services.simulator.world.frame import Frame
from streams.turn import Entity, Slot

VERSIONS = {"song": "live", "artist": "band", "city": "north", "contact": "work"}
"""Slot -> what tells a second entry of the same name from the first."""

KINDS = frozenset((*VERSIONS, "duration", "time"))
"""Slots whose values are resolved as they are; a device is together with its room."""

OWN_VERSION_SHARE = 0.03
"""Share of (user, name) for which the user means the second entry, and the assistant knows that."""

LEAST_LIKENESS = 0.7
"""From here on a name that is not in the catalogue is taken for the entry that it is most like."""

CANDIDATES = 4
"""Entries that are weighed for a mention."""

RIGHT_LISTED = 0.88
"""Share of mentions resolved to the wrong entry whose right entry is among the other candidates."""

REMEMBERED_MENTIONS = 20_000
"""Mentions whose candidates are kept, so that memory stays flat; about 500 bytes each."""


class Linked(Struct, frozen=True):
    """A frame with catalogue entries in the place of the mentions found, and how that came about."""

    resolved: Frame
    entities: tuple[Entity, ...]  # by mention, the best first
    surest: float  # confidence of the least sure mention, 0..1; 1 where there is none


class EntityLinker:
    """Links mentions to catalogue entries, those of a user at times to an entry of the user's own."""

    def __init__(self, seed: int, catalogue: Catalogue) -> None:
        self._seed = seed
        names = catalogue.names
        entries: dict[str, tuple[str, ...]] = {
            kind: (*names[kind], *(f"{name} {version}" for name in names[kind]))
            for kind, version in VERSIONS.items()
        }
        entries["duration"] = entries["time"] = DURATIONS
        entries["device"] = tuple(f"{room} {device}" for room in names["room"] for device in names["device"])
        self._entries = entries
        self._known = {kind: frozenset(found) for kind, found in entries.items()}
        self._nearest = lru_cache(maxsize=REMEMBERED_MENTIONS)(self._find_nearest)

    def intended(self, user_id: str, meant: Frame) -> Frame:
        """What `meant` resolves to when nothing goes wrong."""
        mentions = _mentions(meant)
        return _replaced(meant, mentions, {kind: self._own(user_id, kind, text) for kind, text in mentions})

    def link(self, user_id: str, understood: Frame, *, fault: bool, rng: Random) -> Linked:
        """Resolves the mentions of a frame; with a fault, those that are known resolve to another entry."""
        found: dict[str, str | None] = {}
        entities: list[Entity] = []
        surest = 1.0
        mentions = _mentions(understood)
        for kind, mention in mentions:
            own = self._own(user_id, kind, mention)
            nearest = self._nearest(kind, mention)
            ranked = [own] if own else []
            ranked += [entry for entry, _ in nearest if entry != own]
            likeness = dict(nearest)
            best = 0.84
            if own is None:
                likeliest = nearest[0][1]
                best = 0.2 + 0.5 * likeliest
                if likeliest < LEAST_LIKENESS:
                    best, found[kind] = 0.5 * likeliest, None
                else:
                    found[kind] = self._own(user_id, kind, ranked[0]) or ranked[0]
                    ranked = [found[kind] or "", *(entry for entry in ranked if entry != found[kind])]
            elif fault:
                wrong = pick_by(rng, ranked[1:], _WRONG_ODDS[: len(ranked) - 1])
                right_listed = [own] if rng.random() < RIGHT_LISTED else []
                ranked = [wrong, *right_listed, *(entry for entry in ranked if entry not in (wrong, own))]
                best, found[kind] = 0.66, wrong
            else:
                found[kind] = own
            confidence = clipped(bell(rng, best, 0.26))
            surest = min(surest, confidence)
            resolved = found[kind]
            if resolved is None:
                entities.append(Entity(mention=mention, type=kind, confidence=confidence))
                ranked = ranked[: 2 if rng.random() < 0.5 else 1]
            else:
                entities.append(Entity(mention=mention, type=kind, resolved=resolved, confidence=confidence))
                ranked = ranked[1:CANDIDATES]
            for place, entry in enumerate(ranked):
                near = 0.95 if fault and place == 0 else 0.35 + 0.5 * likeness.get(entry, 0.6)
                confidence = clipped(confidence * min(bell(rng, near, 0.35), 1.0))
                entities.append(Entity(mention=mention, type=kind, resolved=entry, confidence=confidence))
        return Linked(_replaced(understood, mentions, found), tuple(entities), surest)

    def others(self, kind: str, entry: str) -> tuple[str, ...]:
        """Other entries of a kind, the likest first; at least one."""
        return tuple(other for other, _ in self._nearest(kind, entry) if other != entry)

    def _own(self, user_id: str, kind: str, mention: str) -> str | None:
        """The entry that a user means by a mention; None where the catalogue has none."""
        if mention not in self._known[kind]:
            return None
        version = f"{mention} {VERSIONS.get(kind)}"
        if version not in self._known[kind]:
            return mention
        chance = stream(self._seed, "version", user_id, kind, mention).random()
        return version if chance < OWN_VERSION_SHARE else mention

    def _find_nearest(self, kind: str, mention: str) -> tuple[tuple[str, float], ...]:
        matcher = SequenceMatcher(b=mention, autojunk=False)
        scored = []
        for entry in self._entries[kind]:
            matcher.set_seq1(entry)
            scored.append((-matcher.ratio(), entry))
        return tuple((entry, -likeness) for likeness, entry in sorted(scored)[: CANDIDATES + 1])


_WRONG_ODDS = (3.0, 5.0, 6.0, 7.0)
"""Running sums: which of the wrong candidates wins, the likest first."""


def _mentions(request: Frame) -> list[tuple[str, str]]:
    """The mentions of catalogue entries in a frame, and their kinds; a room is part of its device's name."""
    slots = {slot.name: slot.value or "" for slot in request.slots}
    if "device" in slots:
        return [("device", f"{slots.get('room', '')} {slots['device']}".strip())]
    return [(name, value) for name, value in slots.items() if name in KINDS]


def _replaced(request: Frame, mentions: list[tuple[str, str]], found: dict[str, str | None]) -> Frame:
    slots = [slot for slot in request.slots if slot.name not in found and slot.name != "room"]
    for kind, mention in mentions:
        entry = found[kind]
        slots.append(
            Slot(name=UNKNOWN + kind, value=mention) if entry is None else Slot(name=kind, value=entry)
        )
    return Frame(
        domain=request.domain,
        intent=request.intent,
        slots=tuple(sorted(slots, key=lambda slot: slot.name)),
    )
