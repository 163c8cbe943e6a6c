"""Finding rephrases in a log: what is said of each of its turns."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from rewriting.evidence.rephrase_link import Rephrase, RephraseDetector, rephrases_of
from rewriting.rephrases.settings import RephraseSettings
from services.session_models.answers import Answer, model_answers, turn_answers
from services.session_models.rephrases.kind import KIND
from streams.session import Session
from streams.turn import AssistantId, EventId, TurnEvent


def find_rephrases(
    log: Iterable[TurnEvent],
    sessions: Iterable[Session],
    detector_of: Callable[[AssistantId], RephraseDetector | None],
    settings: RephraseSettings,
    on_found: Callable[[int], None] = lambda sessions: None,
) -> Iterator[Rephrase]:
    """What is said of each turn, in the order of the log; a turn that comes twice is spoken of once.

    Args:
        log: of any assistants, in any order.
        sessions: that the log is made of.
        detector_of: the detector of an assistant.
        settings: threshold, and what is named.
        on_found: is told how many sessions were searched since it was last told.

    Raises:
        StateError: an assistant of the log has no detector.
        RephraseInputError: a session is too long.
    """

    def answer_by(detector: RephraseDetector) -> Answer[Rephrase]:
        def answer(some: Sequence[Session]) -> Iterator[tuple[EventId, Rephrase]]:
            for session, links in zip(some, KIND.judge(detector, some), strict=True):
                for said in rephrases_of(session, links, settings.threshold, settings.points_at):
                    yield said.event_id, said

        return answer

    return turn_answers(log, sessions, model_answers(KIND, detector_of, answer_by), on_found)
