"""What a training log had heard, for breakdowns into what was seen in training and what was not."""

from collections.abc import Callable, Iterable

from msgspec import Struct

from labeling.text.normalisation import normalise
from streams.turn import TurnEvent

GroupOf = Callable[[TurnEvent], str | None]
"""The group of a turn, in a breakdown; None: it is in none."""

USER_SEEN = "user seen in training"
TEXT_SEEN = "text said in training"


class TrainingLog(Struct, frozen=True):
    """Users and texts of a training log, by assistant."""

    users: frozenset[tuple[str, str]]  # (assistant, user)
    texts: frozenset[tuple[str, str]]  # (assistant, normalised text)

    @classmethod
    def of(cls, turns: Iterable[TurnEvent]) -> "TrainingLog":
        """Of its turns: a text counts as it was said, and as it was run."""
        users, texts = set(), set()
        for turn in turns:
            users.add((turn.assistant_id, turn.user_id))
            texts.add((turn.assistant_id, normalise(turn.request.text)))
            texts.add((turn.assistant_id, normalise(turn.executed)))
        return cls(frozenset(users), frozenset(texts))

    @property
    def groups(self) -> dict[str, GroupOf]:
        """The breakdowns, by their names."""
        return {
            USER_SEEN: lambda turn: yes_no((turn.assistant_id, turn.user_id) in self.users),
            TEXT_SEEN: lambda turn: yes_no((turn.assistant_id, normalise(turn.request.text)) in self.texts),
        }


def yes_no(flag: bool | None) -> str | None:
    """The group of a turn by a flag; None: it is in none."""
    return None if flag is None else ("yes" if flag else "no")
