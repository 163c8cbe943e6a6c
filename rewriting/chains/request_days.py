"""Request days: on which days each user said one text, and whether they were met, in few bytes.

Most texts are said once, and all of them are in memory.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from struct import Struct as Layout
from typing import Final

from streams.turn import UserId

_REQUEST: Final = Layout("<I")


class RequestDays:
    """The requests of one text, by user."""

    __slots__ = ("_by_user",)

    def __init__(self) -> None:
        self._by_user: dict[UserId, bytes] = {}

    def __len__(self) -> int:
        """Users who made one."""
        return len(self._by_user)

    def note(self, user_id: UserId, day: int, is_met: bool, sign: int) -> None:
        """Adds (sign 1) or takes away (sign -1) one request; the day since 1970."""
        known, request = self._by_user.get(user_id, b""), _REQUEST.pack(2 * day + is_met)
        if sign > 0:
            self._by_user[user_id] = known + request
            return
        kept = [one for (one,) in _REQUEST.iter_unpack(known)]
        kept.remove(2 * day + is_met)
        if kept:
            self._by_user[user_id] = b"".join(map(_REQUEST.pack, kept))
        else:
            del self._by_user[user_id]

    @property
    def requests(self) -> int:
        """How many there are."""
        return sum(map(len, self._by_user.values())) // _REQUEST.size

    def times(self) -> dict[UserId, int]:
        """How often each user said it."""
        return {user: len(requests) // _REQUEST.size for user, requests in self._by_user.items()}

    @property
    def users(self) -> set[UserId]:
        """Who made one."""
        return set(self._by_user)

    def has_any_of(self, users: AbstractSet[UserId]) -> bool:
        """Whether one of these users made one."""
        return not self._by_user.keys().isdisjoint(users)

    def of(self, user_id: UserId) -> Iterator[tuple[int, bool]]:
        """The requests of one user, in no order: the day, and whether it was met."""
        for (request,) in _REQUEST.iter_unpack(self._by_user.get(user_id, b"")):
            yield request >> 1, bool(request & 1)
