#!/usr/bin/env bash
# pyarrow 26.0.1 with polars 2.1.0: a table in a whole-hour offset converts, one in India's offset does not.
#
# Packages: pyarrow 26.0.1, polars 2.1.0, polars-runtime-32 2.1.0, tzdata 2026.6.
# Expected: Arrow's format allows a time zone to be a name of the time zone database or an offset of the form +XX:XX
#   or -XX:XX. pyarrow gives a column the offset of the first datetime it is built from. Polars reads Arrow tables
#   without a copy, so one expects every offset to be read, or none.
# Happens: `polars.from_arrow` turns whole hours from -12:00 to +14:00 into zones such as Etc/GMT-2 (whose sign is
#   reversed by convention), and raises ComputeError for all others: +05:30, +05:45, -03:30, +09:30. Polars' own
#   constructor converts the same datetimes to UTC and accepts all of them.
# Why it matters: tests written in Europe pass. The first log whose first turn was recorded in India, Nepal,
#   Newfoundland or central Australia stops the job, although later rows in the same column may have any offset.
#   Cast to UTC before handing the table over: `column.cast(pa.timestamp("us", "UTC"))`.
#
# Output seen:
#   pyarrow tz=UTC -> from_arrow: UTC, after a cast: UTC, pl.DataFrame: UTC
#   pyarrow tz=+02:00 -> from_arrow: Etc/GMT-2, after a cast: UTC, pl.DataFrame: UTC
#   pyarrow tz=-12:00 -> from_arrow: Etc/GMT+12, after a cast: UTC, pl.DataFrame: UTC
#   pyarrow tz=+14:00 -> from_arrow: Etc/GMT-14, after a cast: UTC, pl.DataFrame: UTC
#   pyarrow tz=+05:30 -> from_arrow: ComputeError, after a cast: UTC, pl.DataFrame: UTC
#   pyarrow tz=+05:45 -> from_arrow: ComputeError, after a cast: UTC, pl.DataFrame: UTC
#   pyarrow tz=-03:30 -> from_arrow: ComputeError, after a cast: UTC, pl.DataFrame: UTC
#   pyarrow tz=+09:30 -> from_arrow: ComputeError, after a cast: UTC, pl.DataFrame: UTC
set -euo pipefail
unset PYTHONPATH PYTHONHOME
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check \
  pyarrow==26.0.1 polars==2.1.0 polars-runtime-32==2.1.0 tzdata==2026.6
cd "$work"

cat >see.py <<'PY'
from datetime import datetime

import polars as pl
import pyarrow as pa


def zone(read):
    try:
        return read().schema["at"].time_zone
    except pl.exceptions.ComputeError as error:
        return type(error).__name__


for offset in ("+00:00", "+02:00", "-12:00", "+14:00", "+05:30", "+05:45", "-03:30", "+09:30"):
    at = datetime.fromisoformat(f"2026-07-01T12:00:00{offset}")
    table = pa.table({"at": [at]})
    in_utc = pa.table({"at": table["at"].cast(pa.timestamp("us", "UTC"))})
    print(
        f"pyarrow tz={table.schema.field('at').type.tz} -> from_arrow: {zone(lambda: pl.from_arrow(table))},"
        f" after a cast: {zone(lambda: pl.from_arrow(in_utc))}, pl.DataFrame: {zone(lambda: pl.DataFrame({'at': [at]}))}"
    )
PY

cat >expected <<'TXT'
pyarrow tz=UTC -> from_arrow: UTC, after a cast: UTC, pl.DataFrame: UTC
pyarrow tz=+02:00 -> from_arrow: Etc/GMT-2, after a cast: UTC, pl.DataFrame: UTC
pyarrow tz=-12:00 -> from_arrow: Etc/GMT+12, after a cast: UTC, pl.DataFrame: UTC
pyarrow tz=+14:00 -> from_arrow: Etc/GMT-14, after a cast: UTC, pl.DataFrame: UTC
pyarrow tz=+05:30 -> from_arrow: ComputeError, after a cast: UTC, pl.DataFrame: UTC
pyarrow tz=+05:45 -> from_arrow: ComputeError, after a cast: UTC, pl.DataFrame: UTC
pyarrow tz=-03:30 -> from_arrow: ComputeError, after a cast: UTC, pl.DataFrame: UTC
pyarrow tz=+09:30 -> from_arrow: ComputeError, after a cast: UTC, pl.DataFrame: UTC
TXT
HOME="$work" "$work/venv/bin/python" see.py | tee seen
diff -u expected seen || { echo "no longer as described"; exit 1; }
echo "as described"
