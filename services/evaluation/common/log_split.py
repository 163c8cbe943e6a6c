"""What models learn from, and what they are scored on: logs, or parts of one, without a turn in common."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import networkx as nx
from msgspec import Struct

from labeling.annotations.annotation import Annotation
from labeling.annotations.annotation_file import read_annotations
from services.evaluation.common.intent_file import LogReader
from services.evaluation.common.json_lines import EventLine
from services.evaluation.errors import MismatchError
from streams.session import Session, sessionize
from streams.turn import AssistantId, EventId, TurnEvent

Gold = TypeVar("Gold", bound=EventLine)


class Fold(Struct, frozen=True):
    """Which part of the dialogues is scored."""

    number: int = 0  # 0..folds-1
    folds: int = 5

    def holds(self, session: Session) -> bool:
        """Whether a session is in it."""
        return stable_number(session) % self.folds == self.number

    def parted(
        self, sessions: Sequence[Session], groups: Mapping[str, str] | None
    ) -> tuple[list[Session], list[Session]]:
        """The sessions that are not in it, and those that are; a group is on one side as a whole."""
        names = [None] * len(sessions) if groups is None else joined_groups(sessions, groups)
        inside = [
            self.holds(session) if name is None else _number(["group", name]) % self.folds == self.number
            for session, name in zip(sessions, names, strict=True)
        ]
        left, held = (
            [session for session, is_in in zip(sessions, inside, strict=True) if is_in == side]
            for side in (False, True)
        )
        return left, held


class LogSplit(Struct, Generic[Gold], frozen=True, kw_only=True):
    """Sessions to learn from and sessions to be scored on; they have no turn in common."""

    train: Sequence[Session]
    test: Sequence[Session]
    annotations: Mapping[EventId, Annotation]  # of training turns alone
    strangers: int  # annotations of turns that no log has
    gold: Sequence[Gold]  # of test turns alone
    train_gold: Sequence[Gold] = ()  # what the annotations say, in the order of the training turns

    @property
    def train_turns(self) -> list[TurnEvent]:
        """The turns that are learned from."""
        return [turn for session in self.train for turn in session.turns]

    @property
    def test_turns(self) -> list[TurnEvent]:
        """The turns that are scored."""
        return [turn for session in self.test for turn in session.turns]

    def annotations_of(self, sessions: Iterable[Session]) -> dict[EventId, Annotation]:
        """The annotations of the turns of some training sessions, in the order of these turns."""
        events = (EventId(turn.event_id) for session in sessions for turn in session.turns)
        return {event: self.annotations[event] for event in events if event in self.annotations}


class GoldKind(Struct, Generic[Gold], frozen=True, kw_only=True):
    """What is known of turns, for one kind of model."""

    read: Callable[[Path], Sequence[Gold]]  # a gold file
    of_annotation: Callable[[Annotation], Gold | None]  # None: it says nothing
    says_anything: Callable[[Gold], bool]  # that can be scored
    nothing_said: Callable[[Path | None], str]  # the error; None: there is no gold file


def read_split(
    kind: GoldKind[Gold],
    *,
    turns: Sequence[Path],
    annotations: Sequence[Path] = (),
    test_turns: Path | None = None,
    gold: Path | None = None,
    fold: Fold | None = None,
    groups: Mapping[str, str] | None = None,
    gap_ms: int,
) -> LogSplit[Gold]:
    """Reads logs, turn events or texts with intents, and what is said of them; one log alone is parted.

    Args:
        kind: of the gold.
        turns: to learn from; without a test log, those to be scored on too.
        annotations: of turns of either; those of turns that are scored are never learned from.
        test_turns: to be scored on; None: a fold of the dialogues, or of the groups.
        gold: of the turns to be scored on; None: their annotations.
        fold: which one, where there is no test log; the first of five where None.
        groups: of turns by their event; no group is on both sides.
        gap_ms: as for `sessionize`.

    Raises:
        AnnotationFileError: a file of annotations cannot be used.
        EvaluationError: another file cannot, the logs have turns in common, or a group, one of them is
            empty, or no gold is about the turns to be scored on.
        TurnFileError: a log cannot be read.
    """
    reader = LogReader(read_annotations(*annotations))
    train = sessionize([turn for path in turns for turn in reader.read(path)], gap_ms)
    if test_turns is None:
        train, test = (fold or Fold()).parted(train, groups)
    else:
        test = sessionize(reader.read(test_turns), gap_ms)
    remedy = "a larger log, or another fold" if test_turns is None else "another log"
    _require_apart(train, test, groups or {}, remedy)
    learned, scored = events_of(train), events_of(test)
    said = reader.annotations
    if gold is None:
        lines = _gold_of(kind, (one for event, one in said.items() if event in scored))
    else:
        lines = list(kind.read(gold))
        if test_turns is None:  # it may be that of all turns
            lines = [line for line in lines if line.event_id in scored]
    if not any(map(kind.says_anything, lines)):
        raise MismatchError(kind.nothing_said(gold))
    in_order = (said.get(EventId(turn.event_id)) for session in train for turn in session.turns)
    return LogSplit(
        train=train,
        test=test,
        annotations={event: one for event, one in said.items() if event in learned},
        strangers=len(said.keys() - learned - scored),
        gold=lines,
        train_gold=_gold_of(kind, (one for one in in_order if one is not None)),
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


def _gold_of(kind: GoldKind[Gold], annotations: Iterable[Annotation]) -> list[Gold]:
    return [gold for one in annotations if (gold := kind.of_annotation(one)) is not None]


def _require_apart(
    train: Sequence[Session], test: Sequence[Session], groups: Mapping[str, str], remedy: str
) -> None:
    """Refuses logs that have turns or groups in common, or of which one is empty."""
    learned, scored = events_of(train), events_of(test)
    if both := sorted(learned & scored):
        raise MismatchError(
            f"{len(both)} turns are to be learned from and to be scored on ({both[0]}, ...): give logs that "
            "have no turn in common"
        )
    of_both = [{groups.get(event) for event in events} - {None} for events in (learned, scored)]
    if shared := sorted(str(name) for name in of_both[0] & of_both[1]):
        raise MismatchError(
            f"{len(shared)} groups are to be learned from and to be scored on ({shared[0]}, ...): give logs "
            "that have none in common, or one log, which is parted between groups"
        )
    for part, use in ((train, "learn from"), (test, "be scored on")):
        if not part:
            raise MismatchError(f"there is no dialogue to {use}: give {remedy}")


def _number(names: Sequence[str]) -> int:
    return int.from_bytes(hashlib.sha256("\x00".join(names).encode()).digest(), "big")
