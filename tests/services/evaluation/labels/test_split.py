"""What is learned from and what is scored: nothing is in both."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from request_world import annotation_of, request_log, write_annotations, write_intents, write_log
from turns import turn_event

from labeling.errors import AnnotationFileError
from services.evaluation.common.log_split import Fold, LogSplit, by_assistant, read_split, stable_number
from services.evaluation.errors import EvaluationFileError, MismatchError
from services.evaluation.labels.gold import LABEL_GOLD, GoldLabel
from streams.session import DEFAULT_GAP_MS, Session, sessionize

LOG = request_log(range(40))


@pytest.fixture
def turns(tmp_path: Path) -> Path:
    return write_log(tmp_path / "turns.jsonl", LOG)


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    return write_annotations(tmp_path / "annotations.jsonl", LOG)


def events(sessions: Sequence[Session]) -> set[str]:
    return {turn.event_id for session in sessions for turn in session.turns}


def read(*turns: Path, **more: Any) -> LogSplit[GoldLabel]:
    return read_split(LABEL_GOLD, turns=turns, gap_ms=DEFAULT_GAP_MS, **more)


def test_the_folds_are_all_dialogues_each_once(turns: Path, annotations: Path) -> None:
    splits = [read(turns, annotations=[annotations], fold=Fold(number, 4)) for number in range(4)]
    tested = [events(split.test) for split in splits]
    assert sum(map(len, tested)) == len(set().union(*tested)) == len(LOG)
    for split, scored in zip(splits, tested, strict=True):
        assert events(split.train) == {turn.event_id for turn in LOG} - scored
        assert split.annotations.keys() == events(split.train)
        assert {line.event_id for line in split.gold} == scored
        assert GoldLabel.of(annotation_of(split.test_turns[0])) in split.gold
        assert [line.event_id for line in split.train_gold] == [one.event_id for one in split.train_turns]
        assert split.strangers == 0


def test_a_fold_is_told_by_assistant_and_dialogue_alone(turns: Path, annotations: Path) -> None:
    split = read(turns, annotations=[annotations], fold=Fold(0, 3))
    for session in [*split.train, *split.test]:
        name = hashlib.sha256(f"a\0{session.dialogue_id}".encode()).hexdigest()
        assert (int(name, 16) % 3 == 0) == (session in split.test)


def test_no_group_of_turns_is_on_both_sides(turns: Path, annotations: Path) -> None:
    dialogues = [turn.dialogue_id for turn in LOG]
    room_of = {turn.event_id: str(dialogues.index(turn.dialogue_id) % 7) for turn in LOG}
    split = read(turns, annotations=[annotations], fold=Fold(0, 2), groups=room_of)
    learned, scored = ({room_of[event] for event in events(part)} for part in (split.train, split.test))
    assert learned
    assert scored
    assert not learned & scored


def test_sessions_without_a_dialogue_id_are_told_by_their_first_event() -> None:
    def session(*numbers: int) -> Session:
        (made,) = sessionize([turn_event(event_id=f"e{number}", ts_ms=number) for number in numbers])
        return made

    assert stable_number(session(1, 2)) == stable_number(session(1)) != stable_number(session(2))
    assert stable_number(session(1)) != stable_number(session(1), "salt")


def test_gold_of_all_turns_is_cut_to_the_fold(turns: Path, annotations: Path) -> None:
    split = read(turns, annotations=[annotations], gold=annotations, fold=Fold())
    assert {line.event_id for line in split.gold} == events(split.test)


def test_a_test_log_is_scored_by_its_annotations_which_are_not_learned(tmp_path: Path, turns: Path) -> None:
    unseen = request_log(range(100, 103), "b")
    test = write_log(tmp_path / "test.jsonl", unseen)
    said = write_annotations(tmp_path / "said.jsonl", [*LOG[:6], *unseen, turn_event(event_id="other")])
    split = read(turns, annotations=[said], test_turns=test)
    assert split.annotations.keys() == {turn.event_id for turn in LOG[:6]}
    assert {line.event_id for line in split.gold} == {turn.event_id for turn in unseen}
    assert split.strangers == 1
    assert list(by_assistant([*split.test, *split.train])) == ["a", "b"]


def test_files_of_texts_bring_their_own_annotations(tmp_path: Path) -> None:
    lines = [(f"play song {number}", "play") for number in range(20)]
    train = write_intents(tmp_path / "train.jsonl", *lines)
    test = write_intents(tmp_path / "test.jsonl", ("stop", "stop"))
    split = read(train, test_turns=test)
    assert len(split.annotations) == len(split.train) == 20
    assert [line.intent for line in split.gold] == ["stop"]
    fold = read(train)
    assert len(fold.annotations) + len(fold.gold) == 20


def test_what_cannot_be_parted_is_refused(tmp_path: Path, turns: Path, annotations: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    same = tmp_path / "other"
    same.mkdir()
    intents = write_intents(tmp_path / "x.jsonl", ("stop", "stop"))
    with pytest.raises(MismatchError, match=r"80 turns are to be learned from and to be scored on"):
        read(turns, annotations=[annotations], test_turns=turns)
    with pytest.raises(MismatchError, match="no dialogue to be scored on: give another log"):
        read(turns, annotations=[annotations], test_turns=tmp_path / "empty")
    with pytest.raises(MismatchError, match="no dialogue to learn from: give a larger log"):
        read(tmp_path / "empty")
    with pytest.raises(MismatchError, match="the annotations speak of none of the turns"):
        read(turns)
    with pytest.raises(MismatchError, match="speaks of none of the turns to be scored on"):
        read(turns, gold=write_annotations(tmp_path / "g.jsonl", request_log([1], "z")))
    with pytest.raises(EvaluationFileError, match="have the same name"):
        read(intents, write_intents(same / "x.jsonl", ("go", "go")))
    with pytest.raises(AnnotationFileError, match=r"turns\.jsonl, line 1"):
        read(turns, annotations=[turns])
