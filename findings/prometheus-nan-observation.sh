#!/usr/bin/env bash
# prometheus_client 0.26.0: one NaN makes a counter or a sum NaN until the process ends, and is not counted.
#
# Packages: prometheus_client 0.26.0.
# Expected: `Counter.inc` raises ValueError for negative amounts since counters only go up, so one expects NaN to be
#   refused too. OpenMetrics says that a histogram's sum must not be NaN.
# Happens: NaN is accepted everywhere. A counter stays NaN for good. A histogram puts NaN in no bucket, not even that
#   of +Inf; its count, which is the last bucket, leaves the observation out, but its sum is NaN for good. A summary
#   counts the observation. So three kinds of metric disagree about one event, and no later value repairs them.
# Why it matters: the mean of an empty batch, or a similarity to a zero vector, is NaN. One of them per process
#   turns rate(x_sum) / rate(x_count) into NaN on every dashboard until the next restart, and an alert that
#   compares with a threshold never fires again. Check `math.isfinite` before observing.
#
# Output seen:
#   inc(-1): ValueError
#   rewrites_total NaN
#   score_bucket{le="0.5"} 1.0
#   score_bucket{le="1.0"} 2.0
#   score_bucket{le="+Inf"} 2.0
#   score_count 2.0
#   score_sum NaN
#   margin_count 3.0
#   margin_sum NaN
set -euo pipefail
unset PYTHONPATH PYTHONHOME
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check \
  prometheus_client==0.26.0
cd "$work"

cat >see.py <<'PY'
from math import nan

from prometheus_client import CollectorRegistry, Counter, Histogram, Summary, generate_latest

registry = CollectorRegistry()
counter = Counter("rewrites", "Rewrites served.", registry=registry)
histogram = Histogram("score", "Scores.", buckets=(0.5, 1.0), registry=registry)
summary = Summary("margin", "Margins.", registry=registry)

try:
    counter.inc(-1)
except ValueError as error:
    print("inc(-1):", type(error).__name__)
for value in (0.25, nan, 0.75):
    counter.inc(value)
    histogram.observe(value)
    summary.observe(value)
for line in generate_latest(registry).decode().splitlines():
    if not line.startswith("#") and "_created" not in line:
        print(line)
PY

cat >expected <<'TXT'
inc(-1): ValueError
rewrites_total NaN
score_bucket{le="0.5"} 1.0
score_bucket{le="1.0"} 2.0
score_bucket{le="+Inf"} 2.0
score_count 2.0
score_sum NaN
margin_count 3.0
margin_sum NaN
TXT
HOME="$work" "$work/venv/bin/python" see.py | tee seen
diff -u expected seen || { echo "no longer as described"; exit 1; }
echo "as described"
