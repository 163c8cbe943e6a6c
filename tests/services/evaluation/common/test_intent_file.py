"""Files of texts with their intents."""

import gzip
from pathlib import Path

import pytest
from request_world import request_log, write_intents, write_log

from services.evaluation.common.intent_file import ASSISTANT, is_intent_file, read_intent_file
from services.evaluation.errors import EvaluationFileError
from streams.errors import TurnFileError
from streams.session import sessionize


def test_each_request_is_a_dialogue_with_an_annotation(tmp_path: Path) -> None:
    file = write_intents(tmp_path / "x.jsonl", ("play jazz", "play"), ("", "nothing"), ("play jazz", "play"))
    read = read_intent_file(file)
    assert [turn.request.text for turn in read.turns] == ["play jazz", "", "play jazz"]
    assert [one.intent for one in read.annotations] == ["play", "nothing", "play"]
    assert [one.event_id for one in read.annotations] == [turn.event_id for turn in read.turns]
    assert [turn.event_id for turn in read.turns] == ["x.jsonl:1", "x.jsonl:2", "x.jsonl:3"]
    assert {turn.assistant_id for turn in read.turns} == {ASSISTANT}
    assert len({turn.user_id for turn in read.turns}) == len(sessionize(read.turns)) == 3


def test_the_first_line_tells_what_a_file_is(tmp_path: Path) -> None:
    intents = write_intents(tmp_path / "intents.jsonl", ("play jazz", "play"))
    packed = tmp_path / "intents.jsonl.gz"
    packed.write_bytes(gzip.compress(b"\n" + intents.read_bytes()))
    log = write_log(tmp_path / "turns.jsonl", request_log([1]))
    for name, content in (("empty", b""), ("noise", b"\xff\n"), ("more", b'{"text":"","intent":"","id":1}')):
        (tmp_path / name).write_bytes(content)
        assert not is_intent_file(tmp_path / name)
    assert is_intent_file(intents)
    assert is_intent_file(packed)
    assert not is_intent_file(log)
    assert not is_intent_file("-")
    with pytest.raises(TurnFileError, match="cannot read"):
        is_intent_file(tmp_path / "missing")


def test_a_later_line_of_another_kind_is_named(tmp_path: Path) -> None:
    file = write_intents(tmp_path / "x.jsonl", ("play jazz", "play"))
    with file.open("a") as stream:
        stream.write('{"text": "stop"}\n')
    with pytest.raises(EvaluationFileError, match=r"x\.jsonl, line 2: not a text with its intent.*`intent`"):
        read_intent_file(file)
