#!/usr/bin/env bash
# typer 0.29.2: a date option reads 20240101 as 20,240,101 seconds, a day in August 1970.
#
# Packages: typer 0.29.2, with pydantic 2.14.3 and pydantic_core 2.50.4.
# Expected: Typer's tutorial says that a datetime parameter accepts three formats, %Y-%m-%d,
#   %Y-%m-%dT%H:%M:%S and %Y-%m-%d %H:%M:%S, and shows that everything else is refused with exit status 2.
# Happens: this release converts values with Pydantic. A string of digits is Unix time: in seconds, or above
#   20,000,000,000 in milliseconds. So the compact date 20240101 and the bare year 2024 are both accepted, as
#   moments of 1970. They carry UTC, whereas 2024-01-01 carries no time zone, so comparing two such options
#   can raise TypeError. An int option takes 5.0 too, but not 5e0.
# Why it matters: "--since 20240101" selects the whole log instead of one year, and "--until 2024" nothing;
#   a retention job with the same slip deletes nothing or everything. The exit status is 0.
#   Give `formats=` (which still goes through strptime), or parse the text yourself.
#
# Output seen:
#   --since 2024-01-01 -> 0: 2024-01-01 00:00:00
#   --since 20240101 -> 0: 1970-08-23 06:15:01+00:00
#   --since 2024 -> 0: 1970-01-01 00:33:44+00:00
#   --since 1700000000 -> 0: 2023-11-14 22:13:20+00:00
#   --since 1700000000000 -> 0: 2023-11-14 22:13:20+00:00
#   --since 2024-1-1 -> 2
#   --days 5.0 -> 0: 5
#   --days 5e0 -> 2
#   --dated 20240101 (formats=["%Y%m%d"]) -> 0: 2024-01-01 00:00:00
set -euo pipefail
unset PYTHONPATH PYTHONHOME
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check typer==0.29.2 pydantic==2.14.3 pydantic_core==2.50.4
cd "$work"

cat >see.py <<'PY'
from datetime import datetime
from typing import Annotated, Optional

import typer
from typer.testing import CliRunner

app = typer.Typer()


@app.command()
def select(
    since: Annotated[Optional[datetime], typer.Option()] = None,
    days: Annotated[Optional[int], typer.Option()] = None,
    dated: Annotated[Optional[datetime], typer.Option(formats=["%Y%m%d"])] = None,
) -> None:
    print(next(value for value in (since, days, dated) if value is not None))


def run(option, value, note=""):
    result = CliRunner().invoke(app, [option, value])
    shown = f": {result.stdout.strip()}" if result.exit_code == 0 else ""
    print(f"{option} {value}{note} -> {result.exit_code}{shown}")


for value in ("2024-01-01", "20240101", "2024", "1700000000", "1700000000000", "2024-1-1"):
    run("--since", value)
run("--days", "5.0")
run("--days", "5e0")
run("--dated", "20240101", ' (formats=["%Y%m%d"])')
PY

cat >expected <<'TXT'
--since 2024-01-01 -> 0: 2024-01-01 00:00:00
--since 20240101 -> 0: 1970-08-23 06:15:01+00:00
--since 2024 -> 0: 1970-01-01 00:33:44+00:00
--since 1700000000 -> 0: 2023-11-14 22:13:20+00:00
--since 1700000000000 -> 0: 2023-11-14 22:13:20+00:00
--since 2024-1-1 -> 2
--days 5.0 -> 0: 5
--days 5e0 -> 2
--dated 20240101 (formats=["%Y%m%d"]) -> 0: 2024-01-01 00:00:00
TXT
HOME="$work" "$work/venv/bin/python" see.py | tee seen
diff -u expected seen || { echo "no longer as described"; exit 1; }
echo "as described"
