#!/usr/bin/env bash
# polars 2.1.0 and pyarrow 26.0.1: "accepted minus rejected" is four billion, or eighteen quintillion.
#
# Packages: polars 2.1.0, polars-runtime-32 2.1.0, pyarrow 26.0.1.
# Expected: the sum of booleans is a count, and the difference of two counts may be negative, as in NumPy, pandas and SQL.
# Happens: Polars counts in UInt32 and pyarrow in uint64, and both subtract without checking. Rejected more often than
#   accepted gives 4294967294 in Polars and 18446744073709551614 in pyarrow, not -2. The same expression on two
#   Series gives -2, since there the sums are Python integers, and `diff` of a count column is signed as well, so
#   a test on Series does not show it. Polars wraps likewise below `len()`, `n_unique()` and `str.len_chars()`.
# Why it matters: the worst rewrite of a table gets the highest net score and is served first. Cast to a signed type
#   before subtracting, or use `pyarrow.compute.subtract_checked`, which raises.
#
# Output seen:
#   polars, best first: {'rewrite': 'stop', 'net': 4294967294}
#   polars, best first: {'rewrite': 'play jazz', 'net': 2}
#   polars, cast first: {'rewrite': 'play jazz', 'net': 2}
#   polars, cast first: {'rewrite': 'stop', 'net': -2}
#   polars, two Series: -2
#   polars, len() - 5: 4294967295
#   polars, len() of groups, diff: [None, -1]
#   pyarrow: [2, 18446744073709551614]
#   pyarrow, checked: ArrowInvalid overflow
set -euo pipefail
unset PYTHONPATH PYTHONHOME
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check \
  polars==2.1.0 polars-runtime-32==2.1.0 pyarrow==26.0.1
cd "$work"

cat >see.py <<'PY'
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

turns = {
    "rewrite": ["play jazz", "play jazz", "stop", "stop"],
    "accepted": [True, True, False, False],
    "rejected": [False, False, True, True],
}
frame = pl.DataFrame(turns)
net = pl.col("accepted").sum() - pl.col("rejected").sum()
for row in frame.group_by("rewrite").agg(net=net).sort("net", descending=True).to_dicts():
    print("polars, best first:", row)
signed = pl.col("accepted").cast(pl.Int64).sum() - pl.col("rejected").cast(pl.Int64).sum()
for row in frame.group_by("rewrite").agg(net=signed).sort("net", descending=True).to_dicts():
    print("polars, cast first:", row)
stop = frame.filter(pl.col("rewrite") == "stop")
print("polars, two Series:", stop["accepted"].sum() - stop["rejected"].sum())
print("polars, len() - 5:", frame.select(pl.len() - 5).item())
print("polars, len() of groups, diff:", pl.DataFrame({"n": pl.Series([2, 1], dtype=pl.UInt32)})["n"].diff().to_list())

sums = pa.table(turns).group_by("rewrite").aggregate([("accepted", "sum"), ("rejected", "sum")]).sort_by("rewrite")
print("pyarrow:", pc.subtract(sums["accepted_sum"], sums["rejected_sum"]).to_pylist())
try:
    pc.subtract_checked(sums["accepted_sum"], sums["rejected_sum"])
except pa.ArrowInvalid as error:
    print("pyarrow, checked:", type(error).__name__, error)
PY

cat >expected <<'TXT'
polars, best first: {'rewrite': 'stop', 'net': 4294967294}
polars, best first: {'rewrite': 'play jazz', 'net': 2}
polars, cast first: {'rewrite': 'play jazz', 'net': 2}
polars, cast first: {'rewrite': 'stop', 'net': -2}
polars, two Series: -2
polars, len() - 5: 4294967295
polars, len() of groups, diff: [None, -1]
pyarrow: [2, 18446744073709551614]
pyarrow, checked: ArrowInvalid overflow
TXT
HOME="$work" "$work/venv/bin/python" see.py | tee seen
diff -u expected seen || { echo "no longer as described"; exit 1; }
echo "as described"
