"""What failure models learn from, and what they are scored on."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from labeling.annotations.annotation_file import read_annotations
from services.evaluation.common.log_split import Fold, LogSplit, events_of, split_logs
from services.evaluation.errors import MismatchError
from services.evaluation.failures.gold import GoldFailure, read_gold_failures
from services.platform.clock import now_ms
from streams.turn_file import read_turns


class FailureSplit(LogSplit, frozen=True, kw_only=True):
    """Sessions to learn from and sessions to be scored on."""

    gold: Sequence[GoldFailure]  # of test turns alone

    @property
    def train_gold(self) -> list[GoldFailure]:
        """What is annotated of training turns, as gold."""
        return [
            GoldFailure(event_id=event, failure_point=one.failure_point)
            for event, one in self.annotations.items()
            if one.failure_point is not None
        ]


def read_failure_split(
    *,
    turns: Sequence[Path],
    annotations: Sequence[Path],
    test_turns: Path | None = None,
    gold: Path | None = None,
    fold: Fold | None = None,
    groups: Mapping[str, str] | None = None,
    gap_ms: int,
) -> FailureSplit:
    """Reads logs, and what is said of them.

    Args:
        turns: to learn from; without a test log, those to be scored on too.
        annotations: of turns of either; those of turns that are scored are never learned from.
        test_turns: to be scored on; None: a fold of the dialogues, or of the groups.
        gold: of the turns to be scored on; None: their annotations.
        fold: which one, where there is no test log; the first of five where None.
        groups: of turns by their event; no group is on both sides.
        gap_ms: as for `sessionize`.

    Raises:
        AnnotationFileError: a file of annotations cannot be used.
        EvaluationError: another file cannot, the logs have turns or groups in common, one of them is empty,
            or no gold is about the turns to be scored on.
        TurnFileError: a log cannot be read.
    """
    said = read_annotations(*annotations)
    split = split_logs(
        turns=turns,
        test_turns=test_turns,
        read_log=lambda path: list(read_turns(path, now_ms)),
        said=said,
        fold=fold or Fold(),
        gap_ms=gap_ms,
        groups=groups,
    )
    scored = events_of(split.test)
    if gold is None:
        lines = [
            GoldFailure(event_id=event, failure_point=one.failure_point)
            for event, one in said.items()
            if event in scored
        ]
    else:
        lines = read_gold_failures(gold)
        if test_turns is None:  # it may be that of all turns
            lines = [line for line in lines if line.event_id in scored]
    if all(line.failure_point is None for line in lines):
        raise MismatchError(
            f"{gold or 'the annotations'}: no failure point of any turn to be scored on is known: annotate "
            "some, or give their gold with --gold"
        )
    return FailureSplit(
        train=split.train,
        test=split.test,
        annotations=split.annotations,
        strangers=split.strangers,
        gold=lines,
    )
