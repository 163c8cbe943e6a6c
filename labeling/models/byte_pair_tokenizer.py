"""Byte-level BPE in the way of RoBERTa, learned from a log: no text of any script is unknown to it."""

from collections.abc import Iterable
from typing import Final

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from labeling.errors import EncoderTrainingError

START: Final = "<s>"
PADDING: Final = "<pad>"
END: Final = "</s>"
UNKNOWN: Final = "<unk>"
MASK: Final = "<mask>"

SPECIAL_TOKENS: Final = (START, PADDING, END, UNKNOWN, MASK)
"""Their ids are their places here."""

LEAST_VOCABULARY: Final = len(SPECIAL_TOKENS) + 256
"""The special tokens and all bytes."""

_LEAST_SEEN: Final = 2  # times: a pair of tokens that came once says nothing of the language


def train_byte_pairs(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """Learns a tokenizer; the same texts give the same one.

    Texts are put in small letters, and the first word of a text is cut as any other. Offsets of tokens are
    those of the characters in the text as it was given: white space is in none of them, and a token that is
    white space alone has an empty range. The bytes of a character that is cut have the range of all of it.

    Args:
        texts: of any script and number; with none, each byte is a token.
        vocabulary: most tokens, special ones included; there are fewer where the texts give no more.

    Returns:
        It neither pads nor cuts, and puts `<s>` before a text and `</s>` after it where asked for special
        tokens.

    Raises:
        EncoderTrainingError: the vocabulary has no room for all bytes.
    """
    if vocabulary < LEAST_VOCABULARY:
        raise EncoderTrainingError(
            f"vocabulary is {vocabulary}: it must be {LEAST_VOCABULARY} or more, for a token for each byte"
        )
    tokenizer = Tokenizer(models.BPE())
    # White space, of whatever kind and width, becomes spaces one for one, so that no offset moves.
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.Replace(Regex(r"\s"), " "), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=_LEAST_SEEN,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(
        (END, SPECIAL_TOKENS.index(END)), (START, SPECIAL_TOKENS.index(START))
    )
    return as_it_is(tokenizer)


def as_it_is(tokenizer: Tokenizer) -> Tokenizer:
    """Has a tokenizer read texts as they are: none padded or cut, and a special token spelled in one is text.

    The last is not kept in its file: it is to be said again whenever one was read.
    """
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.encode_special_tokens = True
    return tokenizer
