#!/usr/bin/env bash
# msgspec 0.22.0, pydantic 2.14.3, polars 2.1.0, pyarrow 26.0.1: one timestamp, two days and an error.
#
# Packages: msgspec 0.22.0, pydantic 2.14.3, pydantic_core 2.50.4, polars 2.1.0, polars-runtime-32 2.1.0,
#   pyarrow 26.0.1, tzdata 2026.6.
# Expected: more than six digits of a second do not fit into Python's datetime. All readers of one log should drop
#   them in the same way, and the rest of the timestamp should stay as written.
# Happens: msgspec rounds half up, so 23:59:59.9999999 becomes midnight of the next day. Python 3.11's own
#   `fromisoformat`, Pydantic and Polars cut the digits off. pyarrow refuses the text for microseconds (it takes
#   the same text for nanoseconds).
# Why it matters: .NET writes seven digits, Go and OpenTelemetry nine. A turn that msgspec reads lies a microsecond, or a
#   day, apart from the same turn read elsewhere in the pipeline: joins on the time miss, deduplication keeps
#   both, and a turn moves to the next day's partition. Read the time in one place and hand it on as an integer.
#
# Output seen:
#   2026-11-30T10:00:00.123456Z
#     fromisoformat: 2026-11-30T10:00:00.123456+00:00
#     msgspec: 2026-11-30T10:00:00.123456+00:00
#     pydantic: 2026-11-30T10:00:00.123456+00:00
#     polars: 2026-11-30T10:00:00.123456+00:00
#     pyarrow: 2026-11-30T10:00:00.123456+00:00
#   2026-11-30T10:00:00.1234565Z
#     fromisoformat: 2026-11-30T10:00:00.123456+00:00
#     msgspec: 2026-11-30T10:00:00.123457+00:00
#     pydantic: 2026-11-30T10:00:00.123456+00:00
#     polars: 2026-11-30T10:00:00.123456+00:00
#     pyarrow: ArrowInvalid
#   2026-12-31T23:59:59.999999900Z
#     fromisoformat: 2026-12-31T23:59:59.999999+00:00
#     msgspec: 2027-01-01T00:00:00+00:00
#     pydantic: 2026-12-31T23:59:59.999999+00:00
#     polars: 2026-12-31T23:59:59.999999+00:00
#     pyarrow: ArrowInvalid
set -euo pipefail
unset PYTHONPATH PYTHONHOME
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check \
  msgspec==0.22.0 pydantic==2.14.3 pydantic_core==2.50.4 \
  polars==2.1.0 polars-runtime-32==2.1.0 pyarrow==26.0.1 tzdata==2026.6
cd "$work"

cat >see.py <<'PY'
from datetime import datetime

import msgspec
import polars as pl
import pyarrow as pa
from pydantic import TypeAdapter

READERS = {
    "fromisoformat": datetime.fromisoformat,
    "msgspec": lambda text: msgspec.json.decode(f'"{text}"'.encode(), type=datetime),
    "pydantic": TypeAdapter(datetime).validate_python,
    "polars": lambda text: pl.Series([text]).str.to_datetime(time_unit="us", time_zone="UTC")[0],
    "pyarrow": lambda text: pa.array([text]).cast(pa.timestamp("us", "UTC"))[0].as_py(),
}


def read(reader, text):
    try:
        return reader(text).isoformat()
    except pa.ArrowInvalid as error:
        return type(error).__name__


for text in ("2026-11-30T10:00:00.123456Z", "2026-11-30T10:00:00.1234565Z", "2026-12-31T23:59:59.999999900Z"):
    print(text)
    for name, reader in READERS.items():
        print(f"  {name}: {read(reader, text)}")
PY

cat >expected <<'TXT'
2026-11-30T10:00:00.123456Z
  fromisoformat: 2026-11-30T10:00:00.123456+00:00
  msgspec: 2026-11-30T10:00:00.123456+00:00
  pydantic: 2026-11-30T10:00:00.123456+00:00
  polars: 2026-11-30T10:00:00.123456+00:00
  pyarrow: 2026-11-30T10:00:00.123456+00:00
2026-11-30T10:00:00.1234565Z
  fromisoformat: 2026-11-30T10:00:00.123456+00:00
  msgspec: 2026-11-30T10:00:00.123457+00:00
  pydantic: 2026-11-30T10:00:00.123456+00:00
  polars: 2026-11-30T10:00:00.123456+00:00
  pyarrow: ArrowInvalid
2026-12-31T23:59:59.999999900Z
  fromisoformat: 2026-12-31T23:59:59.999999+00:00
  msgspec: 2027-01-01T00:00:00+00:00
  pydantic: 2026-12-31T23:59:59.999999+00:00
  polars: 2026-12-31T23:59:59.999999+00:00
  pyarrow: ArrowInvalid
TXT
HOME="$work" "$work/venv/bin/python" see.py | tee seen
diff -u expected seen || { echo "no longer as described"; exit 1; }
echo "as described"
