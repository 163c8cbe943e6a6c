"""The pair guard: whether a pair of requests may be a rewrite, by what they ask and who made it.

A pair is **plausible** where its target sounds like its source, or the assistant understood the same; a few
users suffice for it. A target that names another thing needs many users who are known for long.
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from labeling.text.comparison import Comparison, alike, compare, is_giving_up, leans_on_another
from labeling.text.language import languages_of
from rewriting.evidence.interpretation import slots_of
from rewriting.guards.reason import REFUSAL_REASONS, RefusalReason
from rewriting.guards.sensitive import says_all, sensitive_kinds, tells_private
from rewriting.guards.settings import GuardSettings, SensitiveSettings
from rewriting.guards.trust import weight

_MOST_DROPPED = 0.7  # share of the source's letters that a target may leave out
_SOUNDS_THE_SAME = 0.7  # likeness from which two texts are taken for one
_SOUNDS_LIKE_A_REQUEST = 0.6  # likeness from which a text is taken for the source, whatever else it means


class PairUser(Struct, frozen=True):
    """One user who said a source and went on to a target."""

    trust: float  # `rewriting.guards.trust.trust`
    visible: bool  # a request of theirs with the source failed visibly
    answered: bool  # whenever they went on, the assistant had just asked something
    echoed: bool  # or they repeated its own words


class PairEvidence(Struct, frozen=True, kw_only=True):
    """What the log shows of a pair."""

    source: str  # normalised
    target: str  # normalised
    locale: str = ""
    source_interpretation: str | None = None
    target_interpretation: str | None = None
    users: Sequence[PairUser]  # who went on from the source to the target
    said: int  # users who said the source
    content: int  # users whom the source met, and who did not go on
    went_on: int  # users who went on from the source to anything, or whom a rewrite met
    wordings: Sequence[str] = ()  # of the target, normalised, by which many ask for the same
    met_by_run: int = 0  # users who did not go on to the target, and whom a rewrite to it met
    has_ceased: bool = False  # the source was met once and, since something has changed, is no more
    rest_is_request: bool = False  # what the target leaves out of the source is a request of its own


class PairGuard:
    """Judges pairs by one set of settings."""

    def __init__(
        self, settings: GuardSettings | None = None, sensitive: SensitiveSettings | None = None
    ) -> None:
        self.settings = settings or GuardSettings()
        self.sensitive = sensitive or SensitiveSettings()

    def refusals(self, pair: PairEvidence) -> tuple[RefusalReason, ...]:
        """Why a pair is no rewrite, in the order of `REFUSAL_REASONS`; empty if nothing speaks against it."""
        compared = compare(pair.source, pair.target, pair.locale)
        found = {*self._by_text(pair, compared), *self._by_users(pair, compared)}
        return tuple(reason for reason in REFUSAL_REASONS if reason in found)

    def refusals_of_proven(self, pair: PairEvidence) -> tuple[RefusalReason, ...]:
        """The same of a pair that has proved itself where it was run: those who made it are asked no more."""
        compared = compare(pair.source, pair.target, pair.locale)
        found = {*self._by_text(pair, compared)}
        found |= {*self._by_users(pair, compared)} & {"sensitive", "private"}
        return tuple(reason for reason in REFUSAL_REASONS if reason in found)

    def refusals_of_text(self, source: str, target: str, locale: str = "") -> tuple[RefusalReason, ...]:
        """The same of two texts alone, whoever said them; normalised."""
        pair = PairEvidence(
            source=source, target=target, locale=locale, users=(), said=0, content=0, went_on=0
        )
        found = {*self._by_text(pair, compare(source, target, locale))}
        return tuple(reason for reason in REFUSAL_REASONS if reason in found)

    def is_plausible(self, source: str, target: str, locale: str = "") -> bool:
        """Whether a target sounds like its source, and asks for nothing that the source does not."""
        return self._is_plausible(compare(source, target, locale))

    def is_same(self, source: str, target: str, locale: str = "") -> bool:
        """Whether two texts are the same request, but for how some of it was heard or spelt."""
        compared = compare(source, target, locale)
        return (
            self._is_plausible(compared)
            and compared.likeness >= _SOUNDS_THE_SAME
            and not compared.dropped
            and not compared.added
        )

    def is_newly_sensitive(
        self, source: tuple[str, str | None], target: tuple[str, str | None], is_plausible: bool
    ) -> bool:
        """Whether a target is sensitive in a way that the source is not, or names another such thing.

        Args:
            source: its text, normalised, and its interpretation.
            target: the same.
            is_plausible: whether the target names what the source does.
        """
        kinds = sensitive_kinds(*target, self.sensitive)
        return bool(kinds - sensitive_kinds(*source, self.sensitive) if is_plausible else kinds)

    def _is_plausible(self, compared: Comparison) -> bool:
        least = self.settings.min_likeness if compared.is_framed else self.settings.min_whole_likeness
        return compared.sounds_alike >= least and compared.dropped <= _MOST_DROPPED

    def _by_text(self, pair: PairEvidence, compared: Comparison) -> Iterator[RefusalReason]:
        yield from compared.differences
        if compared.likeness < _SOUNDS_LIKE_A_REQUEST and (
            is_giving_up(pair.target, pair.locale) or is_giving_up(pair.source, pair.locale)
        ):
            yield "giving_up"
        if leans_on_another(pair.target, pair.locale) and not leans_on_another(pair.source, pair.locale):
            yield "fragment"
        if compared.dropped_words and (pair.rest_is_request or _is_half(pair, compared)):
            yield "fragment"

    def _by_users(self, pair: PairEvidence, compared: Comparison) -> Iterator[RefusalReason]:
        is_plausible = (
            self._is_plausible(compared) or _only_asks_in_other_words(pair, compared)
        ) and not _names_another_value(pair)
        users = pair.users
        if not is_plausible or compared.added:  # else it repeats the request, whatever had been asked
            users = [user for user in users if not user.answered and not user.echoed]
            if len(users) < self.settings.min_users:
                yield from _made_up(pair.users)
        visible = [user for user in users if user.visible]
        yield from self._by_number(users, visible, is_plausible)
        yield from self._by_share(pair, compared, users, is_plausible)
        if not is_plausible and sum(user.trust for user in visible) < self.settings.min_trust:
            yield "other_name"
            yield "new_accounts"
        trusted = sum(min(user.trust, 1) for user in visible)
        source = pair.source, pair.source_interpretation
        is_sensitive = any(
            self.is_newly_sensitive(source, (wording, pair.target_interpretation), is_plausible)
            for wording in (pair.target, *pair.wordings)
        )
        if is_sensitive and (
            self.sensitive.forbidden
            or trusted < self.settings.min_trust
            or len(visible) < self.settings.min_named_share * pair.said
        ):
            yield "sensitive"
        told = slots_of(pair.target_interpretation or "")
        if trusted < self.settings.private_trust and tells_private(pair.source, pair.target, told):
            yield "private"

    def _by_number(
        self, users: Sequence[PairUser], visible: Sequence[PairUser], is_plausible: bool
    ) -> Iterator[RefusalReason]:
        counted = sum(weight(user.trust) for user in (users if is_plausible else visible))
        least_visible = self.settings.min_visible_share * len(users)
        is_seen_to_fail = len(visible) >= least_visible and (visible or not least_visible)
        if counted < self.settings.min_users or not is_seen_to_fail:
            yield "few_people"

    def _by_share(
        self, pair: PairEvidence, compared: Comparison, users: Sequence[PairUser], is_plausible: bool
    ) -> Iterator[RefusalReason]:
        settings = self.settings
        for_it = len(users) + pair.met_by_run
        share = for_it / max(pair.said, 1)
        least = settings.min_added_share if compared.added > _MUCH_ADDED else settings.min_share
        most = settings.min_most_share * pair.went_on
        is_most = for_it > most if compared.added else for_it >= most
        is_same = compared.likeness >= _SOUNDS_LIKE_A_REQUEST and not compared.added
        if share < least or not (is_most or is_same):
            yield "small_share"
        named_share = settings.min_share if pair.has_ceased else settings.min_named_share
        if not is_plausible and (share < named_share or for_it < settings.min_named_odds * pair.content):
            yield "other_name"


_MUCH_ADDED = 0.3  # share of the target's letters that the source has nothing for, above which it says more


def _made_up(users: Sequence[PairUser]) -> Iterator[RefusalReason]:
    """What users said who did not come to it by themselves."""
    if any(user.answered for user in users):
        yield "answer_to_question"
    if any(user.echoed for user in users):
        yield "echo"


def _names_another_value(pair: PairEvidence) -> bool:
    """Whether users were content with a value of a slot, of which the target has one that is not alike."""
    known = dict(slots_of(pair.source_interpretation or ""))
    return pair.content > 0 and any(
        value
        and known.get(name)
        and known[name] != value
        and alike(known[name], value) < _SOUNDS_LIKE_A_REQUEST
        for name, value in slots_of(pair.target_interpretation or "")
    )


def _only_asks_in_other_words(pair: PairEvidence, compared: Comparison) -> bool:
    """Whether the source says all that the target names, nobody was content with it, and all saw it fail.

    Then the words around what is named are what the assistant did not understand.
    """
    named = [value for _, value in slots_of(pair.target_interpretation or "") if value]
    return (
        bool(named)
        and not pair.content
        and not compared.differences
        and all(user.visible for user in pair.users)
        and says_all(pair.source, named)
    )


def _is_half(pair: PairEvidence, compared: Comparison) -> bool:
    """Whether the source joins two requests, of which the target is one."""
    joins = frozenset[str]().union(
        *(language.conjunctions for language in languages_of(pair.locale, (pair.source, pair.target)))
    )
    words = pair.source.split()
    return len(compared.dropped_words) > 1 and bool(joins & set(words[1:-1]) - set(pair.target.split()))
