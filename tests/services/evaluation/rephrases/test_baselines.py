"""Baselines on dialogues in which it is known what each can see."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from turns import turn_event

from rewriting.encoders.pair_training import PairEncoderTraining
from rewriting.evidence.rephrase_link import RephraseLink, resolve
from rewriting.rephrases.dialogue_tokenizer import Part
from rewriting.rephrases.settings import RephraseSettings
from services.evaluation.errors import BaselineError
from services.evaluation.rephrases.ablations import ALL_TURNS, VARIANTS, ablated_systems
from services.evaluation.rephrases.baselines import (
    LIKENESSES,
    EditSimilarity,
    TextPairDetector,
    VectorCosine,
    base_encoder,
    best_threshold,
    edit_similarity,
    system_at_best_threshold,
)
from services.evaluation.rephrases.cross_encoder import train_cross_encoder, weak_pairs
from services.evaluation.rephrases.signal_rule import SignalRule, says_again
from streams.turn import TurnEvent

SETTINGS = RephraseSettings()


def session(*texts: str, gap_s: float = 10, start_s: float = 1_700_000_000) -> list[TurnEvent]:
    return [
        turn_event(text, event_id=f"e{number}", ts_ms=int((start_s + number * gap_s) * 1000))
        for number, text in enumerate(texts)
    ]


def linked(detector: TextPairDetector, turns: Sequence[TurnEvent]) -> dict[tuple[int, int], float]:
    (links,) = detector.detect([turns])
    return {(link.source, link.target): round(link.score, 2) for link in links}


def letters(settings: RephraseSettings = SETTINGS) -> TextPairDetector:
    return TextPairDetector(EditSimilarity(LIKENESSES["letters"]), settings)


def test_each_candidate_pair_has_a_score_and_the_best_source_is_kept() -> None:
    turns = session("play imagine dragon", "weather", "Play Imagine Dragons!")
    (links,) = letters().detect([turns])
    assert {(link.source, link.target) for link in links} == {(0, 1), (0, 2), (1, 2)}
    best = max(links, key=lambda link: link.score)
    assert (best.source, best.target) == (0, 2)
    assert best in resolve(links)


def test_all_baselines_look_within_the_window_of_the_detector() -> None:
    texts = ["play jazz"] * 4
    near = RephraseSettings(window_turns=1)
    assert linked(letters(near), session(*texts)) == {(0, 1): 1.0, (1, 2): 1.0, (2, 3): 1.0}
    soon = RephraseSettings(window_s=15)
    assert linked(letters(soon), session(*texts)) == {(0, 1): 1.0, (1, 2): 1.0, (2, 3): 1.0}
    assert linked(letters(soon), session(*texts, gap_s=20)) == {}
    talk = session("i would like cheap food", "i said i would like cheap food", gap_s=20)
    assert SignalRule(soon).detect([talk]) == [[]]


@pytest.fixture(scope="module")
def cosine(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> TextPairDetector:
    encoder = base_encoder(str(tiny_base), tmp_path_factory.mktemp("bi") / "encoder")
    return TextPairDetector(VectorCosine(encoder), SETTINGS)


def test_requests_without_words_are_like_no_other(cosine: TextPairDetector) -> None:
    turns = session("", "?!", "play jazz", "")
    assert set(linked(letters(), turns).values()) == {0}
    assert set(linked(cosine, turns).values()) == {0}


def test_the_same_words_have_the_same_vector(cosine: TextPairDetector) -> None:
    scores = linked(cosine, session("play jazz", "Play JAZZ.", "call mom"))
    assert scores[0, 1] == 1
    assert scores[0, 2] < 1


@pytest.mark.parametrize("sessions", [[], [[]], [session("play jazz")]])
def test_nothing_to_compare_gives_no_links(sessions: list[list[TurnEvent]]) -> None:
    assert letters().detect(sessions) == [[] for _ in sessions]
    assert SignalRule(SETTINGS).detect(sessions) == [[] for _ in sessions]


class Lengths:
    """Scores a pair by the length of its earlier text, in tenths."""

    def score(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        return np.array([len(earlier) / 10 for earlier, _ in pairs], dtype=np.float32)


def test_the_threshold_is_that_of_the_best_f1_with_weak_links() -> None:
    sessions = [session("x" * length, "next") for length in (9, 8, 7, 6, 5)]
    rephrased = [0.9, 0.8, 0.2, 0.7, 0.1]  # right at ranks 1, 2 and 4: best are the first four, F1 6/7
    weak = [[RephraseLink(0, 1, score)] for score in rephrased]
    detector = TextPairDetector(Lengths(), SETTINGS)
    threshold, f1 = best_threshold(detector, sessions, weak)
    assert threshold == pytest.approx(0.6)
    assert f1 == pytest.approx(6 / 7)
    system = system_at_best_threshold("lengths", detector, sessions, weak)
    assert system.baseline
    assert [line.said for line in system.rank([])] == []
    # The very pair that set the threshold is at it.
    assert threshold == detector.detect([sessions[3]])[0][0].score


def test_without_weak_links_no_threshold_can_be_set() -> None:
    with pytest.raises(BaselineError, match="shows no second tries"):
        best_threshold(letters(), [session("a", "b")], [[RephraseLink(0, 1, 0.4)]])


def test_the_likeness_is_chosen_by_the_weak_links() -> None:
    # The same words in another order: letters alone take them for less alike than a change of one word.
    same_words = [session("jazz play the", "play the jazz"), session("mom call my", "call my mom")]
    other_word = [session("play the jazz", "play the news"), session("call my mom", "call my dog")]
    sessions = [*same_words, *other_word]
    weak = [[RephraseLink(0, 1, score)] for score in (0.9, 0.9, 0.1, 0.1)]
    system = edit_similarity(sessions, weak, SETTINGS)
    assert system.name == "edit similarity (words)"
    assert system.threshold == 1
    _, f1 = best_threshold(letters(), sessions, weak)
    assert f1 < 1


@pytest.mark.parametrize(
    ("before", "text", "again"),
    [
        ("cheap food", "no i said cheap food", True),  # a correction
        ("cheap food", "Let me rephrase: something inexpensive", True),
        ("cheap food", "what do you mean", True),  # asks to clarify
        ("cheap food", "what do you means", True),  # nearly so
        (
            "find me cheap chinese restaurants near the station",
            "find cheap chinese restaurants near that station please",
            True,  # alike, and long enough
        ),
        ("find cheap chinese restaurants nearby", "find expensive italian hotels somewhere", False),
        ("find cheap chinese restaurants nearby", "yes find cheap chinese restaurants nearby", False),
        ("play maj and dragons", "play imagine dragons", False),  # three content words each
        ("play imagine dragons", "play imagine dragons", False),  # the same, and too short
        ("", "", False),
        ("cheap food", "", False),
        ("猫", "猫の音楽をかけて", False),
    ],
)
def test_the_signal_rule_knows_phrases_and_long_alike_requests(before: str, text: str, again: bool) -> None:
    assert says_again(before, text) is again
    links = [RephraseLink(0, 1, 1.0)] if again else []
    assert SignalRule(SETTINGS).detect([session(before, text)]) == [links]


WORLD = [
    *(session(f"play jazz {name}", f"call mom {name}") for name in "abcdefgh"),  # a second try
    *(session(f"call mom {name}", f"play jazz {name}") for name in "abcdefgh"),  # something else
]
WEAK = [[RephraseLink(0, 1, 0.95 if number < 8 else 0.05)] for number in range(16)]


def test_the_cross_encoder_learns_what_the_weak_links_say(tmp_path: Path, tiny_base: Path) -> None:
    settings = RephraseSettings(base=str(tiny_base), layers=1)
    told: list[int] = []
    detector = train_cross_encoder(
        WORLD,
        WEAK,
        settings,
        tmp_path / "cross",
        PairEncoderTraining(epochs=40, batch_size=16, learning_rate=5e-3),
        lambda _, done, total: told.append(done),
    )
    assert told == list(range(1, 41))
    assert linked(detector, session("play jazz x", "call mom x"))[0, 1] > 0.8
    assert linked(detector, session("call mom x", "play jazz x"))[0, 1] < 0.2


def test_sure_links_weigh_more_and_undecided_ones_nothing() -> None:
    sessions = [session("a", "b", "c"), session("d", "e")]
    weak = [[RephraseLink(0, 1, 0.9), RephraseLink(1, 2, 0.5)], [RephraseLink(0, 1, 0.3)]]
    pairs = [
        (p.query, p.candidate, p.is_right, round(p.weight, 6)) for p in weak_pairs(sessions, weak, SETTINGS)
    ]
    assert pairs == [("a", "b", True, 0.8), ("a", "c", False, 1.0), ("d", "e", False, 0.4)]
    with pytest.raises(BaselineError, match="shows no second tries"):
        weak_pairs(sessions, [[], []], SETTINGS)


def test_wrong_pairs_are_thinned_out() -> None:
    sessions = [session("a", "b"), *(session(f"x{number}", "y") for number in range(50))]
    weak = [[RephraseLink(0, 1, 0.9)], *([] for _ in range(50))]
    pairs = weak_pairs(sessions, weak, SETTINGS)
    assert sum(pair.is_right for pair in pairs) == 1
    assert len(pairs) == 5
    assert pairs == weak_pairs(sessions, weak, SETTINGS)


def test_each_variant_is_trained_and_named() -> None:
    hidden_parts: list[frozenset[Part]] = []

    def train(
        sessions: Sequence[Sequence[TurnEvent]], settings: RephraseSettings, hidden: frozenset[Part]
    ) -> TextPairDetector:
        assert sessions is WORLD
        hidden_parts.append(hidden)
        return letters(settings)

    systems = ablated_systems(train, WORLD, SETTINGS)
    assert hidden_parts == [{"time"}, {"responses"}, {"signals"}, set(), set(), set()]
    assert [system.name for system in systems] == [variant.name for variant in VARIANTS]
    assert not any(system.baseline for system in systems)
    # The same text, said again after 3 other requests, each a minute after the one before.
    turns = session("play jazz", "b", "c", "d", "play jazz", gap_s=60)
    sees = {
        system.name: any(link.target == 4 and link.source == 0 for link in system.detector.detect([turns])[0])
        for system in systems
    }
    assert sees == {variant.name: variant.window_turns == ALL_TURNS for variant in VARIANTS}
