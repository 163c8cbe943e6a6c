"""Frozen words: word embeddings stay as they come when an encoder is trained."""

from torch import nn


def keep_words(transformer: nn.Module) -> None:
    """Excludes the word embeddings of a transformer from training.

    Words that a log has a few times would move away from their likes, and each step would go through all of
    them.
    """
    for name, weights in transformer.named_parameters():
        weights.requires_grad_("word_embeddings" not in name)
