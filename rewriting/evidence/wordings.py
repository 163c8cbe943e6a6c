"""Wordings: how a normalised text was written, and by whom."""

from collections.abc import Mapping

from rewriting.evidence.exact_count import add_count, add_nested_count
from streams.turn import UserId


class Wordings:
    """The users of one text: the base of what is counted of texts."""

    __slots__ = ("met_users", "said")

    def __init__(self) -> None:
        self.said: dict[str, dict[UserId, int]] = {}  # how it was written -> who said it so -> times
        self.met_users: dict[UserId, int] = {}  # who succeeded with it -> times

    @property
    def users(self) -> set[UserId]:
        """Who said it."""
        return set().union(*self.said.values())

    def times_said(self, user_id: UserId) -> int:
        """How often one user said it."""
        return sum(by.get(user_id, 0) for by in self.said.values())

    @property
    def surface(self) -> str:
        """How most users write it."""
        return written_by_most(self.said)

    def note(self, surface: str, user_id: UserId, is_met: bool, sign: int) -> None:
        """Adds (sign 1) or takes away (sign -1) one request."""
        add_nested_count(self.said, surface, user_id, sign)
        if is_met:
            add_count(self.met_users, user_id, sign)


def written_by_most(said: Mapping[str, Mapping[UserId, int]]) -> str:
    """What most users say; of several, what is said most often, then the first of the alphabet.

    Args:
        said: what is said -> by whom -> times; not empty.
    """
    return min(said, key=lambda text: (-len(said[text]), -sum(said[text].values()), text))
