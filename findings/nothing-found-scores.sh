#!/usr/bin/env bash
# bm25s 0.3.16 with ranx 0.3.21 and ir-measures 0.4.3: a query that matches nothing scores 0, 0.2 or 1.
#
# Packages: bm25s 0.3.16, ranx 0.3.21, ir-measures 0.4.3, numba 0.68.1, numpy 2.4.6, scipy 1.17.1, pandas 3.1.1.
# Expected: a query whose words are not in the index retrieves nothing, and an evaluation gives it 0. Lucene's BM25,
#   whose scores bm25s reproduces by default, returns only documents that hold a query word.
# Happens: bm25s fills the answer up to k with documents of score 0, from the end of the corpus. As a run they are all
#   tied. ir-measures ranks ties by document id, descending (as trec_eval does); ranx keeps the order of the dict
#   in a short run (5 documents here), and in a longer one (20) uses an order that is neither. So the reciprocal
#   rank of the same useless answer depends on the document's place in the corpus and on which library measures it.
# Why it matters: out-of-vocabulary requests, frequent in speech, add to the recall and MRR of the baseline that a
#   rewriter is compared with. Drop documents of score 0 before evaluating, and break ties yourself.
#
# Output seen:
#   documents [11, 10, 9, 8, 7] scores [0.0, 0.0, 0.0, 0.0, 0.0]
#   nothing found, relevant d11: ranx 1.000, ir-measures 1.000
#   nothing found, relevant d07: ranx 0.200, ir-measures 0.200
#   nothing found, relevant d00: ranx 0.000, ir-measures 0.000
#   the same, dict reversed, relevant d11: ranx 0.200, ir-measures 1.000
#   the same, dict reversed, relevant d07: ranx 1.000, ir-measures 0.200
#   20 tied, relevant d00: ranx 0.053, ir-measures 0.050
#   20 tied, relevant d01: ranx 0.056, ir-measures 0.053
#   20 tied, relevant d19: ranx 0.050, ir-measures 1.000
set -euo pipefail
unset PYTHONPATH PYTHONHOME
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check \
  bm25s==0.3.16 ranx==0.3.21 ir-measures==0.4.3 numba==0.68.1 numpy==2.4.6 scipy==1.17.1 pandas==3.1.1
cd "$work"

cat >see.py <<'PY'
import warnings

warnings.simplefilter("ignore")

import bm25s
import ir_measures
from ir_measures import RR
from ranx import Qrels, Run, evaluate


def measure(title, run, relevant):
    judged = {"q": {relevant: 1}}
    ranx = float(evaluate(Qrels(judged), Run({"q": run}), "mrr"))
    trec = ir_measures.calc_aggregate([RR], judged, {"q": run})[RR]
    print(f"{title}, relevant {relevant}: ranx {ranx:.3f}, ir-measures {trec:.3f}")


requests = [f"request number{i:02d}" for i in range(12)]
index = bm25s.BM25()
index.index(bm25s.tokenize(requests, show_progress=False), show_progress=False)
found = index.retrieve(bm25s.tokenize(["weather tomorrow"], show_progress=False), k=5, show_progress=False)
print("documents", found.documents[0].tolist(), "scores", found.scores[0].tolist())

run = {f"d{i:02d}": float(score) for i, score in zip(found.documents[0], found.scores[0])}
for relevant in ("d11", "d07", "d00"):
    measure("nothing found", run, relevant)
backwards = dict(reversed(run.items()))
for relevant in ("d11", "d07"):
    measure("the same, dict reversed", backwards, relevant)
tied = {f"d{i:02d}": 0.0 for i in range(20)}
for relevant in ("d00", "d01", "d19"):
    measure("20 tied", tied, relevant)
PY

cat >expected <<'TXT'
documents [11, 10, 9, 8, 7] scores [0.0, 0.0, 0.0, 0.0, 0.0]
nothing found, relevant d11: ranx 1.000, ir-measures 1.000
nothing found, relevant d07: ranx 0.200, ir-measures 0.200
nothing found, relevant d00: ranx 0.000, ir-measures 0.000
the same, dict reversed, relevant d11: ranx 0.200, ir-measures 1.000
the same, dict reversed, relevant d07: ranx 1.000, ir-measures 0.200
20 tied, relevant d00: ranx 0.053, ir-measures 0.050
20 tied, relevant d01: ranx 0.056, ir-measures 0.053
20 tied, relevant d19: ranx 0.050, ir-measures 1.000
TXT
HOME="$work" "$work/venv/bin/python" see.py | tee seen
diff -u expected seen || { echo "no longer as described"; exit 1; }
echo "as described"
