"""What a request means to the assistant."""

from msgspec import Struct

from streams.turn import Slot


class Frame(Struct, frozen=True, kw_only=True):
    """Domain, intent and slots, the slots sorted by name."""

    domain: str
    intent: str
    slots: tuple[Slot, ...] = ()

    @property
    def action(self) -> str:
        """What the assistant is to do, e.g. `music.play_song`."""
        return f"{self.domain}.{self.intent}"


def frame(domain: str, intent: str, **slots: str) -> Frame:
    """A frame with these slots."""
    return Frame(
        domain=domain,
        intent=intent,
        slots=tuple(Slot(name=name, value=value) for name, value in sorted(slots.items())),
    )
