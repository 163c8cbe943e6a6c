import gzip
from pathlib import Path

import pytest

from services.evaluation.errors import EvaluationFileError
from services.evaluation.rephrases.gold import GoldRephrase, read_rephrase_gold

ANNOTATED = b'{"event_id":"b","rephrase_of":"a","day":3}\n{"event_id":"a","rephrase_of":null}\n'
DERIVED = b'{"event_id":"b","derived":{"rephrase_of":"a","failure_point":null}}\n'


@pytest.mark.parametrize("compressed", [False, True])
def test_reads_what_was_annotated(tmp_path: Path, compressed: bool) -> None:
    file = tmp_path / "gold"
    file.write_bytes(gzip.compress(ANNOTATED) if compressed else ANNOTATED)
    assert list(read_rephrase_gold(file)) == [
        GoldRephrase(event_id="b", rephrase_of="a"),
        GoldRephrase(event_id="a", rephrase_of=None),
    ]


def test_what_a_rule_made_is_marked(tmp_path: Path) -> None:
    file = tmp_path / "gold"
    file.write_bytes(DERIVED)
    assert list(read_rephrase_gold(file)) == [GoldRephrase(event_id="b", rephrase_of="a", derived=True)]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"event_id":"b","correct":true}', "'b' has neither rephrase_of nor"),
        ('{"event_id":"b","derived":{"failure_point":null}}', "'b' has neither rephrase_of nor"),
        ('{"event_id":"b","derived":null}', "'b' has neither rephrase_of nor"),
        ('{"rephrase_of":"a"}', "not gold of a turn"),
        ('{"event_id":"b","rephrase_of":7}', "not gold of a turn"),
        ("{", "not gold of a turn"),
    ],
)
def test_a_line_that_is_no_gold_is_named(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "gold.jsonl"
    file.write_bytes(ANNOTATED + line.encode() + b"\n")
    with pytest.raises(EvaluationFileError, match=f"gold.jsonl, line 3: .*{said}"):
        list(read_rephrase_gold(file))
