"""The span model as a torch module, for training and export: a BERT that points at the next try."""

import torch
from torch import Tensor, nn

from labeling.models.encoder_base import EncoderBase
from rewriting.rephrases.dialogue_tokenizer import DialogueTokenizer


class SpanModel(nn.Module):
    """Transformer with two logits for each token: that the span starts here, and that it ends here.

    As in extractive question answering (Devlin et al., 2019), with requests for answers.
    """

    def __init__(self, base: EncoderBase, tokenizer: DialogueTokenizer) -> None:
        """Starts from a base, whose embeddings are extended by the special tokens."""
        super().__init__()
        self.base = base
        self.tokenizer = tokenizer
        self.transformer = base.transformer
        self.transformer.resize_token_embeddings(tokenizer.size, mean_resizing=False)  # type: ignore[operator]  # it has one
        self.head = nn.Linear(base.width, 2)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        """Logits of start and end: (batch, tokens, 2); all arguments are (batch, tokens)."""
        types = {"token_type_ids": token_type_ids} if self.base.has_types else {}
        hidden = self.transformer(input_ids=input_ids, attention_mask=attention_mask, **types)
        logits: Tensor = self.head(hidden.last_hidden_state)  # (batch, tokens, 2)
        return logits


def span_scores(logits: Tensor, spans: Tensor, known: Tensor) -> Tensor:
    """Log probability of none and of each candidate: start of its first token plus end of its last, softmax.

    Args:
        logits: (batch, tokens, 2)
        spans: (batch, spans, 2) first and last token of each; the first span is none.
        known: (batch, spans) False: padding.

    Returns:
        (batch, spans); padding has a probability of 0.
    """
    starts = logits[..., 0].gather(1, spans[..., 0])  # (batch, spans)
    ends = logits[..., 1].gather(1, spans[..., 1])  # (batch, spans)
    return torch.log_softmax((starts + ends).masked_fill(~known, -1e4), dim=-1)
