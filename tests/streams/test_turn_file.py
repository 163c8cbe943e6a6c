import gzip
import io
from pathlib import Path

import pytest
from turns import turn_event

from streams.errors import TurnFileError
from streams.turn import TurnEvent, encode_turn
from streams.turn_file import read_turns


def turns(count: int) -> list[TurnEvent]:
    return [
        turn_event("spiel Jazz für mich \u2028 bitte", event_id=f"e{number}", ts_ms=number)
        for number in range(count)
    ]


def lines(count: int) -> bytes:
    return b"".join(encode_turn(turn) + b"\n" for turn in turns(count))


@pytest.mark.parametrize(
    "content",
    [
        lines(3),
        lines(3).rstrip(b"\n"),
        lines(3).replace(b"\n", b"\r\n"),
        b"\n  \n" + lines(3).replace(b"\n", b"\n\n"),
        gzip.compress(lines(3)),
        gzip.compress(lines(2)) + gzip.compress(lines(3).split(b"\n")[2]),
    ],
    ids=["plain", "no last end", "CR LF", "blank lines", "gzip", "two gzip members"],
)
def test_turns_are_read_however_they_are_written(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "turns"  # what it is called does not matter
    file.write_bytes(content)
    assert list(read_turns(file)) == turns(3)
    assert list(read_turns(str(file))) == turns(3)


def test_an_empty_file_has_no_turns(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert list(read_turns(tmp_path / "empty")) == []


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines(3))))
    assert list(read_turns("-")) == turns(3)


def test_turns_before_a_bad_line_come_and_the_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "turns.jsonl"
    file.write_bytes(lines(2) + b"\n{bad\n" + lines(1))
    reader = read_turns(file)
    assert [next(reader), next(reader)] == turns(2)
    with pytest.raises(TurnFileError, match=r"turns\.jsonl, line 4: not JSON"):
        next(reader)


def test_a_gzip_file_that_ends_too_early_is_no_end_of_file(tmp_path: Path) -> None:
    file = tmp_path / "turns.jsonl.gz"
    file.write_bytes(gzip.compress(lines(2_000))[:-20])
    with pytest.raises(TurnFileError, match=r"turns\.jsonl\.gz"):
        list(read_turns(file))


def test_a_damaged_gzip_file_is_named(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(lines(2_000)))
    content[len(content) // 2] ^= 0xFF
    file = tmp_path / "turns.jsonl.gz"
    file.write_bytes(bytes(content))
    with pytest.raises(TurnFileError, match=r"turns\.jsonl\.gz"):
        list(read_turns(file))


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_a_file_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(TurnFileError, match="cannot read"):
        list(read_turns(tmp_path / name))
