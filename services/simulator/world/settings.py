"""What a simulation is asked for."""

from msgspec import Struct

from services.errors import SimulationError
from streams.turn_time import EARLIEST_MS

DAY_MS = 86_400_000


class SimulationSettings(Struct, frozen=True, kw_only=True):
    """Size and seed of a simulation; the same settings give the same events.

    Raises:
        SimulationError: a value is out of range.
    """

    seed: int = 7
    users: int = 300
    days: int = 14  # to learn from; may be 0
    test_days: int = 3  # that follow them, to score on; may be 0
    requests_per_user_day: float = 5.0  # things a user wants on a day, second tries not counted; 0..200
    start_ms: int = (
        1_736_121_600_000  # midnight UTC of the first day, milliseconds since 1970; 6 January 2025
    )
    assistant_id: str = "demo-assistant"
    stage_faults: bool = False  # each stage can fail by itself, false wakes and traces included
    held_out: bool = False  # names and users that no world has that is not held out; needs `stage_faults`
    annotated_share: float = 0.2  # of the turns to learn from, with `stage_faults`; 0..1

    def __post_init__(self) -> None:
        checks = {
            "users": (self.users, 1, 10_000_000),
            "days": (self.days, 0, 3_650),
            "test_days": (self.test_days, 0, 3_650),
            "requests_per_user_day": (self.requests_per_user_day, 0, 200),
            "annotated_share": (self.annotated_share, 0, 1),
            "start_ms": (self.start_ms, EARLIEST_MS, 200_000_000_000_000),
        }
        for name, (value, least, most) in checks.items():
            if not least <= value <= most:
                raise SimulationError(
                    f"{name} of a simulation is {value}: give a number from {least} to {most}"
                )
        if not self.assistant_id.strip():
            raise SimulationError("assistant_id of a simulation is empty: give the assistant a name")

        if self.held_out and not self.stage_faults:
            raise SimulationError(
                "held_out of a simulation is set without stage_faults: set both, or neither"
            )

    @property
    def test_start_ms(self) -> int:
        """Midnight before the first test day, milliseconds since 1970."""
        return self.start_ms + self.days * DAY_MS
