"""Answer settings: what a rewrite after a question must rest on."""

from msgspec import Struct

from rewriting.errors import AnswerSettingsError


class AnswerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a rewrite after a question must rest on."""

    min_users: int = 2
    """Distinct users to whom the value was confirmed after the text: no global rewrite rests on fewer.
    Raised, fewer requests are mended; at 1 every chance mention counts (docs/answers.md has figures)."""

    min_text_users: int = 3
    """Distinct users who have said the source after the question, and who have succeeded with the target's
    text: what fewer have said is private, and appears in no global rewrite."""

    min_value_users: int = 2
    """Distinct users who have answered the question with a value: then it is one that can be confirmed.
    Raised, rare values are not found; at 1, one request that was misheard makes a value."""

    min_confirmed_share: float = 0.2
    """Least share of the responses to those who gave a value in words, 0..1, that say it: then its words in
    a response confirm it, and are not there by chance. Raised, values that are told now and then drop out."""

    min_slot_share: float = 0.4
    """Share of the answers to a question, 0..1, that must give one and the same slot: that is what it asks
    for. An answer counts once for each user. Raised, questions that are often misheard drop out; lowered,
    questions for nothing in particular ("How may I help you?") come in."""

    min_share: float = 0.2
    """Least share of the confirmations of the value in all requests with the text after the question, 0..1.
    Many responses confirm nothing, so this is far below 1; lowered, chance mentions count."""

    evidence: int = 10
    """Sessions that a rewrite names as its evidence, at most."""

    def __post_init__(self) -> None:
        """Raises `AnswerSettingsError`, which is a ValueError too, if a value is out of range."""
        for name in ("min_users", "min_text_users", "min_value_users", "evidence"):
            if getattr(self, name) < 1:
                raise AnswerSettingsError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        for name in ("min_confirmed_share", "min_slot_share", "min_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise AnswerSettingsError(f"{name} is {getattr(self, name)}; it must be from 0 to 1")
