"""The candidate guard: whether what the ranker has chosen may take the place of a request.

The ranker learns what usually was meant; it knows nothing of what must never be exchanged. So its choice is
held to what every pair is held to (`rewriting.guards.pair_guard`). What names another thing than the request
is left to the user's own history, and to rows of the table, which many trusted users stand behind.
"""

from labeling.text.normalisation import normalise
from rewriting.evidence.interpretation import Interpretation, slots_of
from rewriting.guards.pair_guard import PairGuard
from rewriting.guards.reason import REFUSAL_REASONS, RefusalReason
from rewriting.guards.sensitive import says_all, tells_private
from rewriting.ranking.candidates import Candidate, Source

_OWN = Source.HABIT | Source.OWN_REPAIR
"""What the user has said. What was run for them (`Source.OWN_RUN`) vouches for nothing."""


class CandidateGuard:
    """Judges candidates by the settings of a pair guard."""

    def __init__(self, pairs: PairGuard | None = None) -> None:
        self._pairs = pairs or PairGuard()

    def refusals(
        self,
        text: str,
        interpretation: Interpretation | None,
        locale: str,
        candidate: Candidate,
        users: int,
    ) -> tuple[RefusalReason, ...]:
        """Why a candidate must not take the place of a request; empty if nothing speaks against it.

        Args:
            text: of the request, normalised.
            interpretation: what the assistant would make of it; None: not known.
            locale: of the request; empty: not known.
            candidate: what would be run.
            users: distinct, who succeeded with it.

        Returns:
            In the order of `REFUSAL_REASONS`.
        """
        target = normalise(candidate.text)
        found = set(self._pairs.refusals_of_text(text, target, locale))
        is_plausible = self._pairs.is_plausible(text, target, locale) or (
            not found and _only_asks_in_other_words(text, interpretation, candidate)
        )
        is_own = bool(candidate.source & _OWN)
        if not (is_plausible or is_own):
            found.add("other_name")
        vouched = candidate.source & (_OWN if is_plausible else Source.OWN_REPAIR)
        if (self._pairs.sensitive.forbidden or not vouched) and self._pairs.is_newly_sensitive(
            (text, interpretation), (target, candidate.interpretation), is_plausible
        ):
            found.add("sensitive")
        if not is_own and users < self._pairs.settings.private_trust:
            if tells_private(text, target, slots_of(candidate.interpretation)):
                found.add("private")
        return tuple(reason for reason in REFUSAL_REASONS if reason in found)


def _only_asks_in_other_words(text: str, interpretation: Interpretation | None, candidate: Candidate) -> bool:
    """Whether a request says all that a candidate names, and the assistant made nothing else of it.

    That is: no slot of it has a value, or it has the candidate's intent.
    """
    named = [value for _, value in slots_of(candidate.interpretation) if value]
    understood = interpretation or ""
    is_same_intent = understood.split("|")[:2] == candidate.interpretation.split("|")[:2]
    is_lost = not any(value for _, value in slots_of(understood))
    return bool(named) and (is_lost or is_same_intent) and says_all(text, named)
