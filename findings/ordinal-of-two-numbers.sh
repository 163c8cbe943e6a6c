#!/usr/bin/env bash
# num2words 0.5.14: in Belarusian the 70th and the 80th are spoken alike, and in Catalan there is no 30th.
#
# Packages: num2words 0.5.14.
# Expected: two numbers have two ordinals. A number that has a cardinal in a language whose ordinals are supported
#   has an ordinal, too; where it has none, `NotImplementedError` says so, as for languages without ordinals.
# Happens: the Belarusian ordinal of 80 is that of 70, at the end of longer numbers as well, though their cardinals
#   differ. In Catalan the ordinals of 29 and 31 are there; that of 30, as of the other round tens up to 90, is a
#   bare `KeyError: 0`.
# Why it matters: whoever reads spoken numbers by turning the table round ("which number is spoken so?") takes the
#   80th for the 70th without a sign, and a loop over a month's days ends at the 30th in one language alone. Check
#   that the table is one to one before it is turned round, and catch more than `NotImplementedError`.
#
# Output seen:
#   be 70: cardinal 'семдзесят', ordinal 'сямідзясяты'
#   be 80: cardinal 'восемдзесят', ordinal 'сямідзясяты'
#   be 170: cardinal 'сто семдзесят', ordinal 'ста сямідзясяты'
#   be 180: cardinal 'сто восемдзесят', ordinal 'ста сямідзясяты'
#   ca 29: cardinal 'vint-i-nou', ordinal 'vint-i-novè'
#   ca 30: cardinal 'trenta', ordinal KeyError(0)
#   ca 31: cardinal 'trenta-un', ordinal 'trenta-unè'
set -euo pipefail
unset PYTHONPATH PYTHONHOME
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check \
  num2words==0.5.14
cd "$work"

cat >see.py <<'PY'
from num2words import num2words


def ordinal(number: int, language: str) -> str:
    try:
        return repr(num2words(number, lang=language, to="ordinal"))
    except Exception as error:
        return repr(error)


for language, number in (("be", 70), ("be", 80), ("be", 170), ("be", 180), ("ca", 29), ("ca", 30), ("ca", 31)):
    cardinal = num2words(number, lang=language)
    print(f"{language} {number}: cardinal {cardinal!r}, ordinal {ordinal(number, language)}")
PY

cat >expected <<'TXT'
be 70: cardinal 'семдзесят', ordinal 'сямідзясяты'
be 80: cardinal 'восемдзесят', ordinal 'сямідзясяты'
be 170: cardinal 'сто семдзесят', ordinal 'ста сямідзясяты'
be 180: cardinal 'сто восемдзесят', ordinal 'ста сямідзясяты'
ca 29: cardinal 'vint-i-nou', ordinal 'vint-i-novè'
ca 30: cardinal 'trenta', ordinal KeyError(0)
ca 31: cardinal 'trenta-un', ordinal 'trenta-unè'
TXT
HOME="$work" "$work/venv/bin/python" see.py | tee seen
diff -u expected seen || { echo "no longer as described"; exit 1; }
echo "as described"
