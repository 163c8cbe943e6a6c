"""What can be asked of two checkouts, and the answer."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from benchmarks.against.side import Side
from benchmarks.report import Cell


class Figure(Struct, frozen=True, kw_only=True):
    """A figure that a question measures; less is better."""

    what: str
    unit: str


class Question(Protocol):
    """A question that two checkouts answer by their commands, Kafka and HTTP alone."""

    @property
    def name(self) -> str:
        """As on the command line."""
        ...

    @property
    def question(self) -> str:
        """In words."""
        ...

    @property
    def figures(self) -> Sequence[Figure]:
        """What each run measures; the first is the answer, the others go with it."""
        ...

    @property
    def sizes(self) -> dict[str, Cell]:
        """How much is asked, as far as known; complete after `prepare`."""
        ...

    def prepare(self, sides: Sequence[Side]) -> None:
        """Makes what all runs share. It is not measured."""
        ...

    def measure(self, sides: Sequence[Side]) -> Sequence[Sequence[float]]:
        """One run of each side, in this order: for each, a value for each of the figures."""
        ...
