"""Sources: the texts that may have a rewrite, and what counts of each."""

from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

from rewriting.chains.counts import ChainCounts, TextKey, text_of
from rewriting.chains.run_outcomes import ORDINARY_SESSIONS
from rewriting.chains.settings import ChainSettings
from rewriting.chains.source_evidence import SourceEvidence, source_evidence
from streams.turn import UserId


class Sources:
    """The sources of one assistant, as its counts are now."""

    def __init__(self, counts: ChainCounts, settings: ChainSettings) -> None:
        self._counts = counts
        self._settings = settings
        self._asked: set[TextKey] = set()  # of which it was asked whether they fare otherwise than before
        self._ceased: dict[tuple[int, str], bool] = {}  # in one solution

    def renew(self) -> None:
        """Notes that the counts may have changed."""
        self._ceased.clear()
        self._asked &= self._counts.texts.keys()

    def of_users(self, users: AbstractSet[UserId]) -> set[int]:
        """The interpretations of texts that may count otherwise, since these users were seen again.

        Whether a user is known, and so has a say in whether something has changed, depends on all they do.
        """
        texts = self._counts.texts
        return {
            number
            for key in self._asked
            if key in texts and texts[key].is_of_any(users)
            for number in texts[key].interpretations
        }

    def at(self, number: int) -> Iterator[tuple[TextKey, dict[int, SourceEvidence]]]:
        """The texts of an interpretation that may have a rewrite, and what counts of each for each target.

        Where all that is understood so is met no more, as a song that is known by another name since, what
        users of one wording came to counts for all of them.
        """
        for keys in self._wordings(number).values():
            said = [key for key in keys if self._is_said_enough(key)]
            own = {
                key: {target: self._evidence((key,), target) for target in self._targets(key)} for key in said
            }
            pooled = {
                target: evidence
                for target in {
                    target
                    for found in own.values()
                    for target, evidence in found.items()
                    if len(said) > 1 and evidence.has_ceased
                }
                if (evidence := self._evidence(said, target)).has_ceased
            }
            for key in said:
                known = self._counts.texts[key].interpretations
                of_all = {
                    target: evidence
                    for target, evidence in pooled.items()
                    if target not in known and self._follows(key, evidence)
                }
                if found := own[key] | of_all:
                    yield key, found

    def has_ceased(self, number: int, locale: str) -> bool:
        """Whether an interpretation that was met once is met no more: no row may lead there."""
        if (number, locale) not in self._ceased:
            keys = self._wordings(number).get(locale, [])
            self._ceased[number, locale] = bool(keys) and self._evidence(keys, None).has_ceased
        return self._ceased[number, locale]

    def _wordings(self, number: int) -> dict[str, list[TextKey]]:
        """The texts that are mostly understood so, by locale."""
        by_locale: dict[str, list[TextKey]] = {}
        for key in sorted(self._counts.texts_at[number]):
            if self._counts.home(key) == number:
                by_locale.setdefault(text_of(key)[1], []).append(key)
        return by_locale

    def _evidence(self, keys: Sequence[TextKey], target: int | None) -> SourceEvidence:
        """What counts of texts; for a target, whose makers do not say whether they have ceased to work."""
        self._asked.update(keys)
        texts = [self._counts.texts[key] for key in keys]
        of_these: Counter[UserId] = Counter()

        def is_known(user: UserId) -> bool:
            if not of_these:
                for text in texts:
                    of_these.update(text.times_by_user())
            return self._counts.ordinary_sessions(user) - of_these[user] >= ORDINARY_SESSIONS

        tries = () if target is None else (text.led_to.get(target, {}) for text in texts)
        makers = {tried.user_id for by_session in tries for tried in by_session.values()}
        return source_evidence(self._counts, keys, is_known, makers)

    def _is_said_enough(self, key: TextKey) -> bool:
        """Whether a text is said so often, and by so many, that it may have a rewrite."""
        counts, settings = self._counts.texts[key], self._settings
        return counts.requests >= settings.min_requests and counts.is_said_by(settings.min_text_users)

    def _targets(self, key: TextKey) -> list[int]:
        """What enough users went on to from a text, and what it is never understood as."""
        counts = self._counts.texts[key]
        return [
            number
            for number, tries in counts.led_to.items()
            if number not in counts.interpretations
            and len({tried.user_id for tried in tries.values()}) >= self._settings.min_users
        ]

    def _follows(self, key: TextKey, pooled: SourceEvidence) -> bool:
        """Whether a wording is met no more, as the others."""
        days, since = self._counts.texts[key].days, pooled.since or 0
        now = [is_met for user in days.users for day, is_met in days.of(user) if day >= since]
        return 2 * sum(now) <= len(now)
