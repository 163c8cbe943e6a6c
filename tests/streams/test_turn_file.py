import codecs
import gzip
import io
import zipfile
from pathlib import Path

import pytest
from turns import START_MS, turn_event

from streams.errors import TurnFileError
from streams.turn import TurnEvent, encode_turn
from streams.turn_file import read_turns
from streams.turn_time import AHEAD_MS


def clock_ms() -> int:
    return START_MS + 1_000_000


def turns(count: int) -> list[TurnEvent]:
    return [
        turn_event("spiel Jazz für mich \u2028 bitte", event_id=f"e{number}", ts_ms=START_MS + number)
        for number in range(count)
    ]


def lines(count: int) -> bytes:
    return b"".join(encode_turn(turn) + b"\n" for turn in turns(count))


LAST = lines(3).split(b"\n")[2]
WRITTEN = {
    "plain": lines(3),
    "no last end": lines(3).rstrip(b"\n"),
    "CR LF": lines(3).replace(b"\n", b"\r\n"),
    "blank lines": b"\n  \n" + lines(3).replace(b"\n", b"\n\n"),
    "gzip": gzip.compress(lines(3)),
    "two gzip members": gzip.compress(lines(2)) + gzip.compress(LAST),
    "byte order mark": codecs.BOM_UTF8 + lines(3),
    "byte order mark in gzip": gzip.compress(codecs.BOM_UTF8 + lines(3)),
    "files with byte order marks joined": codecs.BOM_UTF8 + b"\r\n" + lines(2) + codecs.BOM_UTF8 + LAST,
}


@pytest.mark.parametrize("content", WRITTEN.values(), ids=WRITTEN)
def test_turns_are_read_however_they_are_written(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "turns"  # what it is called does not matter
    file.write_bytes(content)
    assert list(read_turns(file, clock_ms)) == turns(3)
    assert list(read_turns(str(file), clock_ms)) == turns(3)


def test_an_empty_file_has_no_turns(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert list(read_turns(tmp_path / "empty", clock_ms)) == []


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines(3))))
    assert list(read_turns("-", clock_ms)) == turns(3)


def test_turns_before_a_bad_line_come_and_the_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "turns.jsonl"
    file.write_bytes(lines(2) + b"\n{bad\n" + lines(1))
    reader = read_turns(file, clock_ms)
    assert [next(reader), next(reader)] == turns(2)
    with pytest.raises(TurnFileError, match=r"turns\.jsonl, line 4: not JSON"):
        next(reader)


def test_a_gzip_file_that_ends_too_early_is_no_end_of_file(tmp_path: Path) -> None:
    file = tmp_path / "turns.jsonl.gz"
    file.write_bytes(gzip.compress(lines(2_000))[:-20])
    with pytest.raises(TurnFileError, match=r"turns\.jsonl\.gz after line 1\d\d\d: .* it is cut off"):
        list(read_turns(file, clock_ms))


def test_a_damaged_gzip_file_is_named(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(lines(2_000)))
    content[len(content) // 2] ^= 0xFF
    file = tmp_path / "turns.jsonl.gz"
    file.write_bytes(bytes(content))
    with pytest.raises(TurnFileError, match=r"turns\.jsonl\.gz"):
        list(read_turns(file, clock_ms))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.jsonl", r"missing\.jsonl: No such file or directory$"),
        (".", "it is a folder: name the files in it$"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(TurnFileError, match=f"^cannot read .*{message}"):
        list(read_turns(tmp_path / name, clock_ms))


def refusal(file: Path, content: bytes) -> str:
    """What is said of a file with this content."""
    file.write_bytes(content)
    with pytest.raises(TurnFileError) as refused:
        list(read_turns(file, clock_ms))
    message = str(refused.value)
    assert str(file) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_another_encoding_is_named_by_its_byte_order_mark(encoding: str, tmp_path: Path) -> None:
    text = lines(3).decode() if encoding in ("utf-16", "utf-32") else "\ufeff" + lines(3).decode()
    name = encoding[:6].upper()
    message = refusal(tmp_path / "turns.jsonl", text.encode(encoding))
    assert f"it is {name}, by its byte order mark" in message
    assert f"`iconv -f {name} -t UTF-8`" in message


def test_what_is_no_json_lines_file_is_told_what_to_do(tmp_path: Path) -> None:
    one = encode_turn(turns(1)[0])
    csv = refusal(tmp_path / "turns.csv", b"event_id,user_id,text\ne1,u,play jazz\n")
    assert "line 1: not JSON" in csv
    assert "each line is one turn event, a JSON object: `rehear schema` describes it" in csv
    assert "no JSON array: `jq -c '.[]'`" in refusal(tmp_path / "array.json", b"[" + one + b"]")
    assert "no JSON array: `jq -c '.[]'`" in refusal(tmp_path / "array.json", b"[\n" + one + b"\n]")
    pretty = refusal(tmp_path / "pretty.json", one.replace(b"{", b"{\n"))
    assert "line 1: not JSON" in pretty
    assert "a turn is one whole line: `jq -c .`" in pretty
    assert "line 3: not JSON" in (cut := refusal(tmp_path / "cut.jsonl", lines(3)[:-30]))
    assert "cut off here" in cut
    latin = refusal(tmp_path / "latin-1.jsonl", lines(2) + one.replace("ü".encode(), b"\xfc") + b"\n")
    assert "line 3: not JSON: it is not UTF-8 (byte" in latin
    assert "is FC): write it as UTF-8" in latin


def test_other_archives_are_named(tmp_path: Path) -> None:
    assert "compressed (gzip)" in refusal(tmp_path / "twice.gz", gzip.compress(gzip.compress(lines(3))))
    with zipfile.ZipFile(tmp_path / "turns.zip", "w") as archive:
        archive.writestr("turns.jsonl", lines(3))
    assert "compressed (zip): unpack it" in refusal(
        tmp_path / "copy.jsonl", (tmp_path / "turns.zip").read_bytes()
    )


def test_a_time_in_another_unit_is_named_with_its_line(tmp_path: Path) -> None:
    in_seconds = turn_event(ts_ms=START_MS // 1_000)
    message = refusal(tmp_path / "turns.jsonl", lines(2) + encode_turn(in_seconds))
    assert message.endswith(
        "turns.jsonl, line 3: ts_ms 1736121600 is before the year 2000: times are milliseconds since "
        "1970-01-01 UTC, and this looks like seconds; multiply it by 1,000"
    )
    text = encode_turn(turn_event()).replace(b"1736121600000", b"1736121600.5")
    assert "times are milliseconds since 1970-01-01 UTC, as a whole number" in refusal(
        tmp_path / "turns.jsonl", text
    )


def test_turns_of_up_to_a_day_ahead_are_read_and_later_ones_refused(tmp_path: Path) -> None:
    last = turn_event(ts_ms=clock_ms() + AHEAD_MS)
    file = tmp_path / "turns.jsonl"
    file.write_bytes(encode_turn(last))
    assert list(read_turns(file, clock_ms)) == [last]
    late = turn_event(ts_ms=clock_ms() + AHEAD_MS + 1)
    assert "line 2: ts_ms 1736209000001 is more than a day ahead of the clock here" in refusal(
        file, encode_turn(last) + b"\n" + encode_turn(late)
    )
