"""Log folders: where the demo finds a log to learn from, one to be scored on, and the gold for it."""

from pathlib import Path

from msgspec import Struct

from services.errors import StateError


class LogFolder(Struct, frozen=True):
    """The files of one log."""

    train: tuple[Path, ...]
    test: Path | None  # None: nothing to score on
    gold: Path | None
    understanding: Path | None  # what the assistant makes of a text

    @property
    def can_be_scored(self) -> bool:
        """Whether everything that a score needs is there."""
        return None not in (self.test, self.gold, self.understanding)


def find_logs(folder: Path) -> LogFolder:
    """Finds the files of a folder by their names.

    `turns.test.jsonl.gz` is to be scored on, with `gold.test.jsonl.gz` and either `nlu.jsonl.gz` or a
    `*_nlu.py`; every other `turns*.jsonl.gz` is to learn from.

    Raises:
        StateError: there is nothing to learn from.
    """
    test = folder / "turns.test.jsonl.gz"
    train = tuple(path for path in sorted(folder.glob("turns*.jsonl.gz")) if path != test)
    if not train:
        raise StateError(f"{folder} holds no log to learn from: it should have a turns.train.jsonl.gz")
    gold = folder / "gold.test.jsonl.gz"
    understanding = [folder / "nlu.jsonl.gz", *sorted(folder.glob("*_nlu.py"))]
    return LogFolder(
        train=train,
        test=test if test.exists() else None,
        gold=gold if gold.exists() else None,
        understanding=next((path for path in understanding if path.exists()), None),
    )
