"""What label models learn from, and what they are scored on: files read, and parted where they are one log.

Nothing that is said of a turn that is scored is ever learned from.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from labeling.annotations.annotation import Annotation
from labeling.annotations.annotation_file import read_annotations
from services.evaluation.common.intent_file import is_intent_file, read_intent_file
from services.evaluation.common.log_split import Fold, LogSplit, events_of, split_logs
from services.evaluation.errors import EvaluationFileError, MismatchError
from services.evaluation.labels.gold import GoldLabel, read_gold_labels
from services.platform.clock import now_ms
from streams.turn import EventId, TurnEvent
from streams.turn_file import read_turns


class LabelSplit(LogSplit, frozen=True, kw_only=True):
    """Sessions to learn from and sessions to be scored on."""

    gold: Sequence[GoldLabel]  # of test turns alone

    @property
    def train_gold(self) -> list[GoldLabel]:
        """The annotations of the training turns, as gold, in the order of these turns."""
        said = (self.annotations.get(EventId(turn.event_id)) for turn in self.train_turns)
        return [GoldLabel.of(annotation) for annotation in said if annotation is not None]


def read_split(
    *,
    turns: Sequence[Path],
    annotations: Sequence[Path] = (),
    test_turns: Path | None = None,
    gold: Path | None = None,
    fold: Fold | None = None,
    groups: Mapping[str, str] | None = None,
    gap_ms: int,
) -> LabelSplit:
    """Reads logs, turn events or texts with intents, and what is said of them.

    Args:
        turns: to learn from; without a test log, those to be scored on too.
        annotations: of turns of either.
        test_turns: to be scored on; None: a fold of the dialogues.
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
    said = dict(read_annotations(*annotations))
    _require_other_names([*turns, *([] if test_turns is None else [test_turns])])
    split = split_logs(
        turns=turns,
        test_turns=test_turns,
        read_log=lambda path: _read_log(path, said),
        said=said,
        fold=fold or Fold(),
        gap_ms=gap_ms,
        groups=groups,
    )
    return LabelSplit(
        train=split.train,
        test=split.test,
        annotations=split.annotations,
        strangers=split.strangers,
        gold=_gold(gold, said, events_of(split.test), is_part=test_turns is None),
    )


def _gold(
    path: Path | None, said: Mapping[EventId, Annotation], scored: set[EventId], *, is_part: bool
) -> list[GoldLabel]:
    if path is None:
        gold = [GoldLabel.of(one) for event, one in said.items() if event in scored]
        where = "the annotations speak of none of the turns to be scored on: annotate some, or give --gold"
    else:
        gold = read_gold_labels(path)
        if is_part:  # it may be that of all turns
            gold = [line for line in gold if line.event_id in scored]
        where = f"{path} speaks of none of the turns to be scored on: give the gold of these"
    if not any(line.says_anything for line in gold):
        raise MismatchError(where)
    return gold


def _read_log(path: Path, said: dict[EventId, Annotation]) -> list[TurnEvent]:
    """The turns of a log; what a file of texts says of their intents is added to what is `said`."""
    if not is_intent_file(path):
        return list(read_turns(path, now_ms))
    requests = read_intent_file(path)
    for annotation in requests.annotations:
        said[EventId(annotation.event_id)] = annotation
    return requests.turns


def _require_other_names(paths: Sequence[Path]) -> None:
    """Requests in files of texts are called by the file's name."""
    names: dict[str, Path] = {}
    for path in paths:
        if str(path) == "-" or not is_intent_file(path):
            continue
        if path.name in names:
            raise EvaluationFileError(
                f"{names[path.name]} and {path} have the same name, by which their requests are called: "
                "rename one"
            )
        names[path.name] = path
