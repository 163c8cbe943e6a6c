"""Pairs: what the log shows of a source and a target, for the guard of meaning and for that of outcomes."""

from collections import Counter
from collections.abc import Mapping, Sequence

from rewriting.chains.counts import ChainCounts, RunOutcome, SecondTry, TextKey, text_key, text_of
from rewriting.chains.run_outcomes import ORDINARY_SESSIONS, RunVerdict, fails_lately, verdict_of
from rewriting.chains.settings import ChainSettings
from rewriting.chains.source_evidence import SourceEvidence, led_to_by
from rewriting.guards.pair_guard import PairEvidence, PairGuard, PairUser
from rewriting.guards.trust import trust
from streams.turn import UserId

_MANY = 0.5  # of the users of the commonest wording


class Pairs:
    """The pairs of one assistant, as its counts are now."""

    def __init__(self, counts: ChainCounts, settings: ChainSettings, guard: PairGuard) -> None:
        self._counts = counts
        self._settings = settings
        self._guard = guard
        self._parts: dict[TextKey, dict[TextKey, bool]] = {}  # source -> part -> whether that is a request

    def forget(self, source: TextKey) -> None:
        """Forgets what was found of the pairs of a source."""
        self._parts.pop(source, None)

    @property
    def sources(self) -> set[TextKey]:
        """The sources of which something was found that depends on other texts."""
        return set(self._parts)

    def with_other_parts(self) -> set[int]:
        """The interpretations of sources of which another part is a request by now, or none any more."""
        return {
            number
            for source, parts in self._parts.items()
            if source in self._counts.texts
            and any(self._is_request(part) != was for part, was in parts.items())
            for number in self._counts.texts[source].interpretations
        }

    def target(self, key: TextKey, evidence: SourceEvidence, number: int) -> str | None:
        """What users came to say, who came from a text: of what sounds like it, what many said first.

        None if too few users have ever succeeded with any of it. Arguments as of `of`.
        """
        tries = (
            tried
            for wording in evidence.keys
            for tried in self._counts.texts[wording].led_to.get(number, {}).values()
        )
        source, locale = text_of(key)
        said: dict[str, dict[UserId, int]] = {}
        for tried in tries:
            users = said.setdefault(tried.text, {})
            users[tried.user_id] = min(tried.day, users.get(tried.user_id, tried.day))
        texts = self._counts.texts
        known = {
            text: users
            for text, users in said.items()
            if len(texts[text_key(text, locale)].met_users) >= self._settings.min_text_users
        }
        if not known:
            return None
        alike = {
            text: users
            for text, users in known.items()
            if len(users) >= self._settings.min_users and self._guard.is_plausible(source, text, locale)
        }
        return first_of_many(alike or known, self._settings.min_users)

    def of(self, key: TextKey, evidence: SourceEvidence, number: int, target: str) -> PairEvidence:
        """What the log shows of a text and a target, for the guard of meaning.

        Args:
            key: of the source.
            evidence: of the source.
            number: the interpretation of the target.
            target: its text.
        """
        source, locale = text_of(key)
        tries: dict[UserId, list[SecondTry]] = {}
        for tried in evidence.led_to[number].values():
            if self._means(tried.text, target, locale):
                tries.setdefault(tried.user_id, []).append(tried)
        said_target = self._counts.texts[text_key(target, locale)]
        met_otherwise = evidence.met_users | {
            user for other, users in evidence.run_met.items() if other != number for user in users
        }
        own = () if evidence.since is None else self._counts.texts[key].interpretations
        went_on = {
            tried.user_id
            for other, all_tries in evidence.led_to.items()
            if other not in own  # since something has changed, who tries the same again has not found out
            for tried in all_tries.values()
        }
        return PairEvidence(
            source=source,
            target=target,
            locale=locale,
            source_interpretation=self._counts.interpretations[self._counts.home(key)],
            target_interpretation=self._counts.interpretations[number],
            users=[
                PairUser(
                    trust=trust(
                        self._counts.days.get(user_id, {}),
                        sum(self._counts.texts[said].times_said(user_id) for said in evidence.keys)
                        + said_target.times_said(user_id)
                        - sum((not tried.after_run) + (tried.text == target) for tried in tried_by),
                    ),
                    visible=any(tried.visible for tried in tried_by),
                    answered=all(tried.is_answer for tried in tried_by),
                    echoed=all(tried.is_echo for tried in tried_by),
                )
                for user_id, tried_by in sorted(tries.items())
            ],
            said=len(evidence.said),
            content=round(evidence.truly_met * len(met_otherwise - tries.keys())),
            went_on=len(went_on.union(*evidence.run_met.values())),
            wordings=self._wordings(tries, target),
            met_by_run=len(evidence.run_met.get(number, {}).keys() - tries.keys()),
            has_ceased=evidence.has_ceased,
            rest_is_request=self._rest_is_request(key, target),
        )

    def verdict(self, key: TextKey, evidence: SourceEvidence, number: int, target: str) -> RunVerdict | None:
        """What users say of a rewrite who did not make it; None: it was never run. Arguments as of `of`."""
        counts = self._counts.texts[key]
        locale = text_of(key)[1]
        run: Counter[RunOutcome] = Counter()
        texts = [self._counts.texts[wording] for wording in evidence.keys]
        for text, outcomes in counts.run.items():
            if text == target or led_to_by(self._counts, texts, text) == number:
                run.update(
                    {
                        outcome: times
                        for outcome, times in outcomes.items()
                        if evidence.since is None or outcome.day >= evidence.since
                    }
                )
        if not run:
            return None
        said_target = self._counts.texts[text_key(target, locale)]
        tries = (*evidence.led_to[number].values(), *counts.led_to.get(number, {}).values())
        makers = {tried.user_id for tried in tries}
        of_source = counts.times_by_user()

        def is_known(user: UserId) -> bool:
            of_pair = of_source[user] + said_target.times_said(user)
            return self._counts.ordinary_sessions(user) - of_pair >= ORDINARY_SESSIONS

        said: Counter[UserId] = Counter()
        met: Counter[UserId] = Counter()
        for user in counts.days.users:
            for day, is_met in counts.days.of(user):
                if evidence.since is None or day >= evidence.since:
                    said[user] += 1
                    met[user] += is_met
        return verdict_of(
            run,
            said,
            met,
            lambda user: user not in makers and is_known(user),
            fails=fails_lately(run, is_known),
        )

    def _wordings(self, tries: Mapping[UserId, Sequence[SecondTry]], target: str) -> list[str]:
        """How else those who came to a target asked for it, of what at least half as many say."""
        said = Counter(text for by_user in tries.values() for text in {tried.text for tried in by_user})
        most = max(said.values())
        return sorted(text for text, users in said.items() if text != target and users >= _MANY * most)

    def _means(self, text: str, target: str, locale: str) -> bool:
        """Whether who came to the same interpretation with a text meant the target, too.

        Where no slots are logged, an intent stands for many wishes, which only the words tell apart.
        """
        return text == target or self._counts.has_slots or self._guard.is_same(text, target, locale)

    def _rest_is_request(self, key: TextKey, target: str) -> bool:
        """Whether a target is one end of a source, whose rest users have succeeded with by itself."""
        source, locale = text_of(key)
        rest = source.removeprefix(target) if source.startswith(target) else source.removesuffix(target)
        words = rest.split()
        if len(words) == len(source.split()):
            return False
        parts = {" ".join(words), " ".join(words[1:]), " ".join(words[:-1])} - {""}
        known = {part: self._is_request(part) for part in (text_key(part, locale) for part in parts)}
        self._parts.setdefault(key, {}).update(known)
        return any(known.values())

    def _is_request(self, key: TextKey) -> bool:
        """Whether users have succeeded with a text."""
        counts = self._counts.texts.get(key)
        return counts is not None and bool(counts.met_users)


def first_of_many(said: Mapping[str, Mapping[UserId, int]], min_users: int) -> str:
    """The wording that enough users came to first, of those that many say.

    What most say changes with every few requests; this stays until another is said by twice as many.

    Args:
        said: wording -> user -> first day; not empty.
        min_users: how many are enough.
    """
    most = max(map(len, said.values()))
    many = [text for text, users in said.items() if len(users) >= _MANY * most]

    def order(text: str) -> tuple[int, int, str]:
        days = sorted(said[text].values())
        return days[min(min_users, len(days)) - 1], -len(days), text

    return min(many, key=order)
