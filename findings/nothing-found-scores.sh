#!/usr/bin/env bash
# bm25s 0.3.16 with pytrec-eval-terrier 0.5.11: a query that matches nothing can score 1.
#
# Packages: bm25s 0.3.16, pytrec-eval-terrier 0.5.11, numpy 2.4.6, scipy 1.17.1.
# Expected: a query whose words are not in the index retrieves nothing, and an evaluation gives it 0. Lucene, whose BM25
#   bm25s reproduces by default, returns only documents that hold a word of the query.
# Happens: bm25s fills every answer up to k with documents of score 0; an empty query gets k of them as well. As a run
#   they are all tied, and trec_eval orders ties by document id, descending, whatever order the run was in. Where
#   the relevant document is among them, its reciprocal rank is 1 or 0.2 according to its name alone.
# Why it matters: requests with no known word are frequent in speech. Each adds a chance k / n of a hit to the recall and
#   MRR of the baseline that a rewriter is compared with, which is much in a small test set. Drop documents of
#   score 0 before evaluating.
#
# Output seen:
#   'number03': 5 documents, 1 with a score above 0
#   'weather tomorrow': 5 documents, 0 with a score above 0
#   '': 5 documents, 0 with a score above 0
#   'weather tomorrow', relevant is 'zebra': reciprocal rank 1.0, recall 1.0
#   'weather tomorrow', relevant is 'aardvark': reciprocal rank 0.2, recall 1.0
set -euo pipefail
unset PYTHONPATH PYTHONHOME
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check \
  bm25s==0.3.16 pytrec-eval-terrier==0.5.11 numpy==2.4.6 scipy==1.17.1
cd "$work"

cat >see.py <<'PY'
import bm25s
import pytrec_eval

REQUESTS = [f"request number{i:02d}" for i in range(12)]
index = bm25s.BM25()
index.index(bm25s.tokenize(REQUESTS, show_progress=False), show_progress=False)


def retrieve(query):
    found = index.retrieve(bm25s.tokenize([query], show_progress=False), k=5, show_progress=False)
    return dict(zip(found.documents[0].tolist(), found.scores[0].tolist(), strict=True))


for query in ("number03", "weather tomorrow", ""):
    scores = retrieve(query)
    print(f"{query!r}: {len(scores)} documents, {sum(score > 0 for score in scores.values())} with a score above 0")

nothing = retrieve("weather tomorrow")
relevant = next(iter(nothing))
for name in ("zebra", "aardvark"):
    run = {name if i == relevant else f"document {i:02d}": score for i, score in nothing.items()}
    judge = pytrec_eval.RelevanceEvaluator({"q": {name: 1}}, {"recip_rank", "recall_5"})
    measured = judge.evaluate({"q": run})["q"]
    print(
        f"'weather tomorrow', relevant is {name!r}:"
        f" reciprocal rank {measured['recip_rank']:.1f}, recall {measured['recall_5']:.1f}"
    )
PY

cat >expected <<'TXT'
'number03': 5 documents, 1 with a score above 0
'weather tomorrow': 5 documents, 0 with a score above 0
'': 5 documents, 0 with a score above 0
'weather tomorrow', relevant is 'zebra': reciprocal rank 1.0, recall 1.0
'weather tomorrow', relevant is 'aardvark': reciprocal rank 0.2, recall 1.0
TXT
HOME="$work" "$work/venv/bin/python" see.py | tee seen
diff -u expected seen || { echo "no longer as described"; exit 1; }
echo "as described"
