#!/usr/bin/env bash
# rapidfuzz 3.14.6 and bm25s 0.3.16: the vowel signs of Hindi and Thai are treated as punctuation.
#
# Packages: rapidfuzz 3.14.6, bm25s 0.3.16, numpy 2.4.6, scipy 1.17.1.
# Expected: both are used for text of any language. RapidFuzz documents `utils.default_process` as removing all
#   non-alphanumeric characters, bm25s its default token pattern as words of two characters or more.
# Happens: vowel signs and viramas are combining marks, and neither `str.isalnum` nor the \w of Python's `re` counts
#   them as part of a word. RapidFuzz replaces each with a space, so different words become equal and score 100.
#   bm25s splits words at them and drops the single letters that remain, so whole words leave the index.
#   Precomposed é is kept but decomposed e + U+0301 is not, so the same holds for European text in NFD.
# Why it matters: "day" equals "donation" and "eat" equals "each other" in a matcher whose English tests are
#   perfect, and rewrites are learned between unrelated requests. Keep the characters of the Unicode categories
#   Mn and Mc in your own processor, and tokenise such languages yourself.
#
# Output seen:
#   English day dry: ratio 66.7, with default_process 66.7
#   Hindi दिन दान: ratio 66.7, with default_process 100.0
#   Hindi पानी पूना: ratio 50.0, with default_process 100.0
#   Thai กิน กัน: ratio 66.7, with default_process 100.0
#   Tamil கடை கடி: ratio 66.7, with default_process 100.0
#   naïve decomposed -> 'nai ve'
#   bm25s 'the weather of the day' -> ['the', 'weather', 'of', 'the', 'day']
#   bm25s 'दिन का मौसम' -> ['सम']
#   bm25s 'आज दिल्ली का मौसम' -> ['आज', 'सम']
set -euo pipefail
unset PYTHONPATH PYTHONHOME
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check \
  rapidfuzz==3.14.6 bm25s==0.3.16 numpy==2.4.6 scipy==1.17.1
cd "$work"

cat >see.py <<'PY'
import bm25s
from rapidfuzz import fuzz, utils

for language, one, other in (
    ("English", "day", "dry"),
    ("Hindi", "दिन", "दान"),  # day, donation
    ("Hindi", "पानी", "पूना"),  # water, Poona
    ("Thai", "กิน", "กัน"),  # eat, each other
    ("Tamil", "கடை", "கடி"),  # shop, bite
):
    plain = fuzz.ratio(one, other)
    processed = fuzz.ratio(one, other, processor=utils.default_process)
    print(f"{language} {one} {other}: ratio {plain:.1f}, with default_process {processed:.1f}")
print(f"naïve decomposed -> {utils.default_process('nai' + chr(0x308) + 've')!r}")

for text in ("the weather of the day", "दिन का मौसम", "आज दिल्ली का मौसम"):
    tokens = bm25s.tokenize([text], stopwords=[], return_ids=False, show_progress=False)[0]
    print(f"bm25s {text!r} -> {tokens}")
PY

cat >expected <<'TXT'
English day dry: ratio 66.7, with default_process 66.7
Hindi दिन दान: ratio 66.7, with default_process 100.0
Hindi पानी पूना: ratio 50.0, with default_process 100.0
Thai กิน กัน: ratio 66.7, with default_process 100.0
Tamil கடை கடி: ratio 66.7, with default_process 100.0
naïve decomposed -> 'nai ve'
bm25s 'the weather of the day' -> ['the', 'weather', 'of', 'the', 'day']
bm25s 'दिन का मौसम' -> ['सम']
bm25s 'आज दिल्ली का मौसम' -> ['आज', 'सम']
TXT
HOME="$work" "$work/venv/bin/python" see.py | tee seen
diff -u expected seen || { echo "no longer as described"; exit 1; }
echo "as described"
