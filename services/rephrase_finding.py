"""Finding rephrases in a log: what is said of each of its turns."""

from collections.abc import Callable, Iterable, Iterator

from rewriting.rephrase_link import Rephrase, RephraseDetector, rephrases_of
from rewriting.rephrase_settings import RephraseSettings
from services.errors import StateError
from streams.session import Session
from streams.turn import AssistantId, TurnEvent

_SESSIONS_AT_A_TIME = 1_000  # between two steps of a progress bar


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
    by_assistant: dict[AssistantId, list[Session]] = {}
    for session in sessions:
        by_assistant.setdefault(session.assistant_id, []).append(session)
    detectors: dict[AssistantId, RephraseDetector] = {}
    for assistant_id in by_assistant:
        detector = detector_of(assistant_id)
        if detector is None:
            raise StateError(
                f"there is no rephrase detector for assistant {assistant_id!r}: make one with `rehear learn` "
                "on its log"
            )
        detectors[assistant_id] = detector
    found: dict[tuple[str, str], Rephrase] = {}
    for assistant_id, of_assistant in by_assistant.items():
        detector = detectors[assistant_id]
        for start in range(0, len(of_assistant), _SESSIONS_AT_A_TIME):
            some = of_assistant[start : start + _SESSIONS_AT_A_TIME]
            detected = detector.detect([session.turns for session in some])
            for session, links in zip(some, detected, strict=True):
                said = rephrases_of(session, links, settings.threshold, settings.points_at)
                found.update(((assistant_id, one.event_id), one) for one in said)
            on_found(len(some))
    for turn in log:
        one = found.pop((turn.assistant_id, turn.event_id), None)
        if one is not None:
            yield one
