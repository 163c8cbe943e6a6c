#!/usr/bin/env bash
# tokenizers 0.23.3: a byte-level BPE trained on your own log deletes characters that the log lacks.
#
# Packages: tokenizers 0.23.3, huggingface_hub 2.4.0.
# Expected: a byte-level tokenizer knows no unknown words: it falls back to the 256 bytes, so that decoding what was
#   encoded gives the text back.
# Happens: the 256 bytes are not part of the vocabulary unless the trainer is told so. `BpeTrainer` starts with the
#   characters that it sees, even behind a ByteLevel pre-tokenizer, and `BPE()` has no unknown token, so bytes that
#   the training text lacks are dropped without an error, inside of words and even inside of one character. Of
#   "TURN OFF" only the space remains, of a Hindi word nothing. ByteLevelBPETokenizer, a ready-made class of
#   the same package, passes the alphabet itself and loses nothing.
# Why it matters: a tokenizer for a recogniser's lower-cased output meets typed requests, names and emoji later, and
#   different requests become the same ids. Pass `initial_alphabet=ByteLevel.alphabet()`, and check that decoding
#   gives the text back.
#
# Output seen:
#   as is: 'turn on the light' -> 'turn on the light'
#   as is: 'TURN OFF' -> ' '
#   as is: 'wake me at 17:30' -> 'ake me at '
#   as is: 'call Zoë' -> 'call o�'
#   as is: 'दिन' -> '', no ids
#   with the alphabet: 'turn on the light' -> 'turn on the light'
#   with the alphabet: 'TURN OFF' -> 'TURN OFF'
#   with the alphabet: 'wake me at 17:30' -> 'wake me at 17:30'
#   with the alphabet: 'call Zoë' -> 'call Zoë'
#   with the alphabet: 'दिन' -> 'दिन'
#   ByteLevelBPETokenizer: 'turn on the light' -> 'turn on the light'
#   ByteLevelBPETokenizer: 'TURN OFF' -> 'TURN OFF'
#   ByteLevelBPETokenizer: 'wake me at 17:30' -> 'wake me at 17:30'
#   ByteLevelBPETokenizer: 'call Zoë' -> 'call Zoë'
#   ByteLevelBPETokenizer: 'दिन' -> 'दिन'
set -euo pipefail
unset PYTHONPATH PYTHONHOME
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check \
  tokenizers==0.23.3 huggingface_hub==2.4.0
cd "$work"

cat >see.py <<'PY'
from tokenizers import ByteLevelBPETokenizer, Tokenizer, decoders, models, pre_tokenizers, trainers

LOG = ["turn on the light", "play some jazz in the kitchen", "set a timer for five minutes", "café near me"] * 5


def trained(**options):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(LOG, trainers.BpeTrainer(vocab_size=400, show_progress=False, **options))
    return tokenizer


ready_made = ByteLevelBPETokenizer()
ready_made.train_from_iterator(LOG, vocab_size=400, show_progress=False)
tokenizers = {
    "as is": trained(),
    "with the alphabet": trained(initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())),
    "ByteLevelBPETokenizer": ready_made,
}
for name, tokenizer in tokenizers.items():
    for text in ("turn on the light", "TURN OFF", "wake me at 17:30", "call Zoë", "दिन"):
        ids = tokenizer.encode(text).ids
        print(f"{name}: {text!r} -> {tokenizer.decode(ids)!r}{'' if ids else ', no ids'}")
PY

cat >expected <<'TXT'
as is: 'turn on the light' -> 'turn on the light'
as is: 'TURN OFF' -> ' '
as is: 'wake me at 17:30' -> 'ake me at '
as is: 'call Zoë' -> 'call o�'
as is: 'दिन' -> '', no ids
with the alphabet: 'turn on the light' -> 'turn on the light'
with the alphabet: 'TURN OFF' -> 'TURN OFF'
with the alphabet: 'wake me at 17:30' -> 'wake me at 17:30'
with the alphabet: 'call Zoë' -> 'call Zoë'
with the alphabet: 'दिन' -> 'दिन'
ByteLevelBPETokenizer: 'turn on the light' -> 'turn on the light'
ByteLevelBPETokenizer: 'TURN OFF' -> 'TURN OFF'
ByteLevelBPETokenizer: 'wake me at 17:30' -> 'wake me at 17:30'
ByteLevelBPETokenizer: 'call Zoë' -> 'call Zoë'
ByteLevelBPETokenizer: 'दिन' -> 'दिन'
TXT
HOME="$work" "$work/venv/bin/python" see.py | tee seen
diff -u expected seen || { echo "no longer as described"; exit 1; }
echo "as described"
