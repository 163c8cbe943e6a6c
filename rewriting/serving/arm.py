"""The arm of a user, and the requests that are left as they are, by hash: the same in every process."""

import hashlib
from collections.abc import Sequence
from itertools import accumulate
from typing import Final, NewType

from labeling.text.normalisation import normalise
from rewriting.serving.settings import CONTROL, TREATMENT, ServingSettings
from streams.turn import AssistantId, UserId

Arm = NewType("Arm", str)

CONTROL_ARM: Final = Arm(CONTROL)
TREATMENT_ARM: Final = Arm(TREATMENT)

_OF_USERS: Final = b"rehear arm"
_OF_REQUESTS: Final = b"rehear explore"
_UNUSED_BITS: Final = 11  # of 64: the other 53 are what a float can hold, so that no chance rounds up to 1
_CHANCES: Final = 2.0**53


class Arms:
    """Draws the arm of each user, and the requests that are left as they are to learn from them.

    `control` has the lowest chances, whatever other arms there are, so its users stay as they are when arms
    come and go; arms follow by name, and `treatment` has the rest.
    """

    def __init__(self, settings: ServingSettings) -> None:
        salt = settings.salt.encode()
        self._users = hashlib.blake2b(digest_size=8, key=salt, person=_OF_USERS)
        self._requests = hashlib.blake2b(digest_size=8, key=salt, person=_OF_REQUESTS)
        self._exploration = settings.exploration
        names = sorted(settings.arms)
        ends = accumulate((settings.arms[name].share for name in names), initial=settings.control)
        self._ends = [*zip(map(Arm, (CONTROL, *names)), ends, strict=True)]

    @property
    def shares(self) -> dict[Arm, float]:
        """The share of the users in each arm, 0..1, in the order of their chances."""
        ends = [0.0, *(end for _, end in self._ends)]
        shares = {arm: end - before for (arm, end), before in zip(self._ends, ends, strict=False)}
        return shares | {TREATMENT_ARM: max(1 - ends[-1], 0.0)}

    def of(self, assistant_id: AssistantId, user_id: UserId) -> Arm:
        """The arm of a user of an assistant."""
        chance = _chance(self._users, (assistant_id, user_id))
        for arm, end in self._ends:
            if chance < end:
                return arm
        return TREATMENT_ARM

    def is_explored(self, assistant_id: AssistantId, user_id: UserId, text: str, ts_ms: int) -> bool:
        """Whether a request is left as it is though its user's arm is served.

        It is drawn from the assistant, the user, the normalised text and the time of the request. A request
        that is asked again with the same time gets the same answer, and whoever has the turn of the log can
        say which it was, provided that the lookup was given the time of the turn. A user who says the same
        again later is drawn again.

        Args:
            assistant_id: whose user.
            user_id: who said it.
            text: as the user said it.
            ts_ms: when, milliseconds since 1970.
        """
        if not self._exploration:
            return False
        said = (assistant_id, user_id, normalise(text), str(ts_ms))
        return _chance(self._requests, said) < self._exploration


def _chance(drawing: "hashlib.blake2b", parts: Sequence[str]) -> float:
    """Evenly from 0 to below 1; parts are told apart by their lengths, whatever characters they have."""
    drawn = drawing.copy()  # with the key in it, in less time than a new one
    drawn.update("".join([f"{len(part)}:{part}" for part in parts]).encode())
    return (int.from_bytes(drawn.digest(), "big") >> _UNUSED_BITS) / _CHANCES
