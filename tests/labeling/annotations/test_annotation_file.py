import codecs
import gzip
import io
from pathlib import Path

import pytest

from labeling.annotations.annotation import Annotation
from labeling.annotations.annotation_file import read_annotation_lines, read_annotations, require_known_events
from labeling.errors import AnnotationFileError

LINES = b'{"event_id": "a", "correct": true}\n\n{"event_id": "b"}\n'
READ = {"a": Annotation(event_id="a", correct=True), "b": Annotation(event_id="b")}


@pytest.mark.parametrize(
    "content",
    [LINES, gzip.compress(LINES), codecs.BOM_UTF8 + LINES],
    ids=["plain", "gzip", "byte order mark"],
)
def test_annotations_are_read_by_event(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "annotations"
    file.write_bytes(content)
    assert read_annotations(file) == READ


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(LINES)))
    assert read_annotations("-") == READ


def test_no_file_has_no_annotations() -> None:
    assert read_annotations() == {}


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "people.jsonl"
    file.write_bytes(LINES + b'{"event_id": "c", "correct": "yes"}\n')
    with pytest.raises(AnnotationFileError, match=r"people\.jsonl, line 4: not an annotation: .*correct"):
        read_annotations(file)


def test_another_encoding_is_named(tmp_path: Path) -> None:
    file = tmp_path / "people.jsonl"
    file.write_bytes(LINES.decode().encode("utf-16"))
    with pytest.raises(AnnotationFileError, match=r"people\.jsonl: it is UTF-16, by its byte order mark"):
        read_annotations(file)


def test_an_event_is_annotated_once(tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    first.write_bytes(LINES)
    second.write_bytes(b'{"event_id": "c"}\n{"event_id": "b", "correct": true}\n')
    with pytest.raises(
        AnnotationFileError,
        match=r"second\.jsonl, line 2: event 'b' is annotated .* in .*first\.jsonl, line 3",
    ):
        read_annotations(first, second)


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_a_file_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(AnnotationFileError, match="cannot read"):
        read_annotations(tmp_path / name)


def test_a_wrong_failure_point_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    file = tmp_path / "people.jsonl"
    file.write_bytes(LINES + b'{"event_id": "c", "failure_point": "tts"}\n')
    with pytest.raises(
        AnnotationFileError, match=r"people\.jsonl, line 4: .*'tts'.* one of false_wake, asr, nlu, entity_res"
    ):
        read_annotations(file)


def test_two_failure_points_of_one_event_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "people.jsonl"
    file.write_bytes(
        b'{"event_id": "a", "failure_point": "asr"}\n{"event_id": "a", "failure_point": "nlu"}\n'
    )
    with pytest.raises(AnnotationFileError, match=r"people\.jsonl, line 2: event 'a' is annotated .*line 1"):
        read_annotations(file)


def test_unknown_events_are_named_with_their_line(tmp_path: Path) -> None:
    file = tmp_path / "people.jsonl"
    file.write_bytes(LINES + b'{"event_id": "c"}\n{"event_id": "d"}\n')
    lines = read_annotation_lines(file).values()
    require_known_events(lines, {"a", "b", "c", "d"}, "the log")
    with pytest.raises(
        AnnotationFileError, match=r"people\.jsonl, line 4: event 'c' is not in the log, and 1 more"
    ):
        require_known_events(lines, {"a", "b"}, "the log")
