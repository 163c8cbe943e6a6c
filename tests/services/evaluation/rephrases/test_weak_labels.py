from collections.abc import Sequence

import msgspec
import pytest
from rephrase_world import WorldSession, rephrase_sessions

from rewriting.errors import RephraseTrainingError
from rewriting.rephrases.settings import RephraseSettings
from rewriting.rephrases.weak_rephrases import WeakRephrases
from services.evaluation.rephrases.weak_labels import WeakLabels
from streams.session import Session, sessionize
from streams.turn import TurnEvent

SETTINGS = RephraseSettings()


def of(assistant: str, world: Sequence[WorldSession]) -> list[Session]:
    """The sessions of a world, as an assistant's."""
    turns = (turn for session in world for turn in session.turns)
    return sessionize(msgspec.structs.replace(turn, assistant_id=assistant) for turn in turns)


def turns_of(sessions: Sequence[Session]) -> list[tuple[TurnEvent, ...]]:
    return [session.turns for session in sessions]


A = of("a", rephrase_sessions(300))
B = of("b", rephrase_sessions(300, seed=5))


def test_each_assistant_is_judged_by_what_its_own_log_teaches() -> None:
    labels = WeakLabels.fit([*A, *B], SETTINGS)
    unseen = {name: turns_of(of(name, rephrase_sessions(20, seed=2))) for name in "ab"}
    mixed = [turns for pair in zip(unseen["b"], unseen["a"], strict=True) for turns in pair]
    found = labels.detect(mixed)
    for name, links, log in (("a", found[1::2], A), ("b", found[::2], B)):
        assert links == WeakRephrases.fit(turns_of(log), SETTINGS).detect(unseen[name])
    assert found[::2] != found[1::2]


def test_of_an_assistant_without_a_log_nothing_is_said() -> None:
    unseen = turns_of(of("stranger", rephrase_sessions(5, seed=2)))
    assert WeakLabels.fit(A, SETTINGS).detect(unseen) == [[]] * 5


def test_a_log_that_teaches_nothing_is_refused() -> None:
    with pytest.raises(RephraseTrainingError, match="200 are needed"):
        WeakLabels.fit([*A, *of("b", rephrase_sessions(3))], SETTINGS)
