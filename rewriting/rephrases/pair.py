"""Rephrase pairs: what was said at first, and what was said instead with the next try.

A request that was rewritten stands in them as it was said, never as it was run; what the assistant would have
made of it, and whether that would have been met, is not known.
"""

from collections.abc import Iterable

from msgspec import Struct

from labeling.text.normalisation import normalise
from labeling.text.outcome import judge_turns
from labeling.text.rewritten_request import is_rewritten
from rewriting.evidence.interpretation import Interpretation, interpretation_as_said
from rewriting.evidence.rephrase_link import RephraseLink, resolve
from rewriting.evidence.rephrase_outcome import judged_by_links
from rewriting.rephrases.settings import RephraseSettings
from streams.session import Session, SessionId
from streams.turn import UserId


class RephrasePair(Struct, frozen=True, array_like=True, gc=False):
    """A request and its next try."""

    session_id: SessionId
    source: int  # position among the session's turns
    target: int
    user_id: UserId
    source_text: str  # normalised, as it was said
    source_interpretation: Interpretation  # `interpretation_as_said`
    target_surface: str  # as it was said
    target_interpretation: Interpretation
    score: float  # of the link, 0..1
    target_success: float  # weight of the success of the next try, 0..1, as in `TurnOutcome`; 0: rewritten

    @property
    def target_text(self) -> str:
        """The next try, normalised."""
        return normalise(self.target_surface)


def pairs_of(
    session: Session, links: Iterable[RephraseLink], settings: RephraseSettings
) -> list[RephrasePair]:
    """The pairs of a session, by their sources.

    Requests without a word make none. Of a declared dialogue only the opening request is a source: a later
    one answers what the assistant has just said, and means something else wherever something else was said.

    Args:
        session: whose turns the links are of.
        links: as detected.
        settings: the least score of a pair, and how the success of the next try is judged.
    """
    links = list(links)
    turns = session.turns
    spoken = [
        position
        for position, turn in enumerate(turns)
        if normalise(turn.request.text) and (turn.executed_text is None or normalise(turn.executed))
    ]
    outcomes = judged_by_links(
        judge_turns([turns[position] for position in spoken]), links, spoken, settings.rule
    )
    success = {
        position: 0.0 if is_rewritten(turns[position]) else outcome.success
        for position, outcome in zip(spoken, outcomes, strict=True)
    }
    pairs = [
        RephrasePair(
            session.session_id,
            link.source,
            link.target,
            session.user_id,
            normalise(turns[link.source].request.text),
            interpretation_as_said(turns[link.source]),
            " ".join(turns[link.target].request.text.split()),
            interpretation_as_said(turns[link.target]),
            link.score,
            success[link.target],
        )
        for link in resolve(links)
        if link.score >= settings.threshold and link.source in success and link.target in success
    ]
    if session.dialogue_id is not None:
        pairs = [pair for pair in pairs if pair.source == spoken[0]]
    return sorted(pairs, key=lambda pair: pair.source)
