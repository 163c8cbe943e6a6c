"""Parts of what is scored."""

from typing import Generic, TypeVar

from msgspec import Struct

Score = TypeVar("Score")


class Breakdown(Struct, Generic[Score], frozen=True, kw_only=True):
    """The score of one group."""

    by: str  # what groups differ in
    group: str
    score: Score
