"""Settings of the ranker's training; in a module of their own, which loads no model library."""

from msgspec import Struct

from rewriting.ranking.features import Group


class RankerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the ranker is trained."""

    win_loss: float = 8.5
    """Wins for each loss that the held-back days must show. 8.5 is what the published system reports for
    rewrites judged by people. Raised, fewer rewrites; lowered, more and worse ones."""

    held_back_share: float = 0.2
    """Of the requests, 0..1, the last ones: they set the gates. Raised, the gates are surer and the models
    they judge are trained on less."""

    warm_up_share: float = 0.3
    """Of the sessions, 0..1, the first ones, from which the ranker does not learn: there is too little
    history yet, and the encoder learns from them. Raised, the encoder knows more, and the ranker learns from
    fewer days."""

    most_examples: int = 200_000
    """The latest requests that are learned from. Raised, training takes longer and more memory (6 KB)."""

    min_examples: int = 500
    """Requests whose meaning the log shows. From fewer, no ranker is trained."""

    trees: int = 600  # at most; the held-back days say when to stop
    patience: int = 40  # trees without gain after which to stop
    learning_rate: float = 0.05
    leaves: int = 31
    min_leaf: int = 60  # rows in a leaf: below some tens, single users decide
    seed: int = 1
    threads: int = 2
    left_out: tuple[Group, ...] = ()  # groups of features that the models may not see
