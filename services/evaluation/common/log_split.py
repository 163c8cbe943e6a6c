"""What models learn from, and what they are scored on: logs, or parts of one, without a turn in common."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import networkx as nx
from msgspec import Struct

from labeling.annotations.annotation import Annotation
from services.evaluation.errors import MismatchError
from streams.session import Session, sessionize
from streams.turn import AssistantId, EventId, TurnEvent


class Fold(Struct, frozen=True):
    """Which part of the dialogues is scored."""

    number: int = 0  # 0..folds-1
    folds: int = 5

    def holds(self, session: Session) -> bool:
        """Whether a session is in it."""
        return stable_number(session) % self.folds == self.number

    def holds_group(self, name: str) -> bool:
        """Whether the sessions of a group are in it."""
        return _number(["group", name]) % self.folds == self.number


class LogSplit(Struct, frozen=True, kw_only=True):
    """Sessions to learn from and sessions to be scored on; they have no turn in common."""

    train: Sequence[Session]
    test: Sequence[Session]
    annotations: Mapping[EventId, Annotation]  # of training turns alone
    strangers: int  # annotations of turns that no log has

    @property
    def train_turns(self) -> list[TurnEvent]:
        """The turns that are learned from."""
        return [turn for session in self.train for turn in session.turns]

    @property
    def test_turns(self) -> list[TurnEvent]:
        """The turns that are scored."""
        return [turn for session in self.test for turn in session.turns]


def split_logs(
    *,
    turns: Sequence[Path],
    test_turns: Path | None,
    read_log: Callable[[Path], list[TurnEvent]],
    said: Mapping[EventId, Annotation],
    fold: Fold,
    gap_ms: int,
    groups: Mapping[str, str] | None = None,
) -> LogSplit:
    """Reads logs, and parts them where they are one.

    Args:
        turns: to learn from; without a test log, those to be scored on too.
        test_turns: to be scored on; None: a fold of the dialogues.
        read_log: reads one.
        said: annotations of turns of either; it is looked at when all logs are read.
        fold: which one, where there is no test log.
        gap_ms: as for `sessionize`.
        groups: of turns by their event; no group is on both sides.

    Raises:
        EvaluationError: a file cannot be used, the logs have turns in common, or a group, or one is empty.
        TurnFileError: a log cannot be read.
    """
    train = sessionize([turn for path in turns for turn in read_log(path)], gap_ms)
    test: list[Session] = []
    if test_turns is not None:
        test = sessionize(read_log(test_turns), gap_ms)
    elif groups is None:
        test = [session for session in train if fold.holds(session)]
        train = [session for session in train if not fold.holds(session)]
    else:
        named = list(zip(train, joined_groups(train, groups), strict=True))
        test = [session for session, name in named if _is_in(fold, session, name)]
        train = [session for session, name in named if not _is_in(fold, session, name)]
    learned, scored = events_of(train), events_of(test)
    if both := sorted(learned & scored):
        raise MismatchError(
            f"{len(both)} turns are to be learned from and to be scored on ({both[0]}, ...): give logs that "
            "have no turn in common"
        )
    of_both = [{(groups or {}).get(event) for event in events} - {None} for events in (learned, scored)]
    if shared := sorted(str(name) for name in of_both[0] & of_both[1]):
        raise MismatchError(
            f"{len(shared)} groups are to be learned from and to be scored on ({shared[0]}, ...): give logs "
            "that have none in common, or one log, which is parted between groups"
        )
    for part, kind in ((train, "learn from"), (test, "be scored on")):
        if not part:
            remedy = "give a larger log, or another fold" if test_turns is None else "give another log"
            raise MismatchError(f"there is no dialogue to {kind}: {remedy}")
    return LogSplit(
        train=train,
        test=test,
        annotations={event: one for event, one in said.items() if event in learned},
        strangers=len(said.keys() - learned - scored),
    )


def stable_number(session: Session, salt: str = "") -> int:
    """A number that depends on a dialogue alone: on its assistant, and its id or else its first event.

    Args:
        session: the dialogue.
        salt: another one, other numbers.
    """
    name = session.dialogue_id or session.turns[0].event_id
    return _number([salt, session.assistant_id, name] if salt else [session.assistant_id, name])


def by_assistant(sessions: Iterable[Session]) -> dict[AssistantId, list[Session]]:
    """Sessions of each assistant, the assistants in the order of their names."""
    found: dict[AssistantId, list[Session]] = {}
    for session in sessions:
        found.setdefault(session.assistant_id, []).append(session)
    return dict(sorted(found.items()))


def events_of(sessions: Iterable[Session]) -> set[EventId]:
    """The events of the turns of sessions."""
    return {EventId(turn.event_id) for session in sessions for turn in session.turns}


def joined_groups(sessions: Sequence[Session], groups: Mapping[str, str]) -> list[str | None]:
    """The group of each session; groups that have a session in common are one. None: it is in no group."""
    of_session = [
        [name for turn in session.turns if (name := groups.get(turn.event_id)) is not None]
        for session in sessions
    ]
    together: nx.Graph[str] = nx.Graph()
    for names in of_session:
        nx.add_path(together, names)
    joined = {name: min(some) for some in nx.connected_components(together) for name in some}
    return [joined[names[0]] if names else None for names in of_session]


def group_names(sessions: Sequence[Session], groups: Mapping[str, str]) -> list[str]:
    """The group of each session; one that is in none is a group of its own."""
    joined = joined_groups(sessions, groups)
    # A space keeps sessions apart from groups of the same name.
    return [f" {number}" if name is None else name for number, name in enumerate(joined)]


def _is_in(fold: Fold, session: Session, group: str | None) -> bool:
    return fold.holds(session) if group is None else fold.holds_group(group)


def _number(names: Sequence[str]) -> int:
    return int.from_bytes(hashlib.sha256("\x00".join(names).encode()).digest(), "big")
