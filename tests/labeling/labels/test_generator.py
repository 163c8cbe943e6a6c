"""Labels of sessions, whatever these are: of each by itself, in any order, or refused with a reason."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from label_world import label_dialogues, turns_of
from turns import turn_event

from labeling.errors import ArtifactError, LabelInputError
from labeling.labels.generator import KIND, TURNS, ModelLabelGenerator
from labeling.labels.turn_label import TurnLabel
from labeling.models.artifact import write_artifact
from labeling.models.onnx_model import DESCRIPTION_NAME, TOKENIZER_NAME
from labeling.turns.dialogue_model import DIALOGUES, MOST_TURNS
from streams.turn import Device, Entity, NluHypothesis, Recognition, Request, Response, Signals, TurnEvent

SESSIONS = turns_of(label_dialogues(15, seed=6))


def _checked(turns: Sequence[TurnEvent], labels: Sequence[TurnLabel]) -> None:
    """What holds for the labels of any dialogue."""
    assert [label.event_id for label in labels] == [turn.event_id for turn in turns]
    goal = None
    for label in labels:
        goal = label.event_id if label.goal_start else goal
        assert label.goal_id == goal  # the event that the goal starts with
    for turn, label in zip(turns, labels, strict=True):
        assert all(0 <= sure <= 1 for sure in label.confidence.values())
        for share in (label.goal_success, label.defect, label.dissatisfaction):
            assert share is not None
            assert 0 <= share <= 1
        assert label.satisfaction in range(1, 6)
        assert (label.intent, label.domain) != (None, None)
        assert label.slots is not None
        end = 0
        for slot in label.slots:
            assert end <= slot.start < slot.end
            assert turn.request.text[slot.start : slot.end] == slot.value
            end = slot.end
    rated = [label.dialogue_satisfaction is not None for label in labels]
    assert rated == [False] * (len(labels) - 1) + [True]


def test_labels_of_a_session_do_not_depend_on_the_others_or_on_their_order(
    generator: ModelLabelGenerator, artifact: Path
) -> None:
    together = generator.label(SESSIONS)
    for turns, labels in zip(SESSIONS, together, strict=True):
        _checked(turns, labels)
    assert generator.label(SESSIONS[::-1]) == together[::-1]
    fresh = ModelLabelGenerator.load(artifact)
    assert [fresh.label([turns])[0] for turns in SESSIONS[::-1]] == together[::-1]


def test_no_sessions_have_no_labels(generator: ModelLabelGenerator) -> None:
    assert generator.label([]) == []
    assert generator.label([[]]) == [[]]


def test_a_dialogue_of_500_turns_is_labelled(generator: ModelLabelGenerator) -> None:
    all_turns = [turn for dialogue in label_dialogues(160, seed=7) for turn in dialogue.turns]
    turns = all_turns[:500]
    assert len(turns) == 500
    (labels,) = generator.label([turns])
    _checked(turns, labels)
    assert 50 < sum(label.goal_start for label in labels) < 450


_EVERYTHING = turn_event(
    "play jazz",
    event_id="everything",
    ts_ms=1_700_000_000_000,
    dialogue_id="d",
    locale="de-DE",
    device=Device(type="speaker", has_screen=False),
    prompt="What now?",
    executed_text="play some jazz",
    request=Request(
        text="play jazz", asr=(Recognition(text="play jazz", confidence=0.9),), wake_confidence=1
    ),
    nlu=(NluHypothesis(intent="play", confidence=-7.5), NluHypothesis(intent="stop", confidence=1e300)),
    entities=(Entity(mention="jazz", type="genre", resolved="Jazz", confidence=0.5),),
    response=Response(text="", action="play", status="unsupported"),
    signals=Signals(barge_in=True, terminated=True, feedback="negative"),
)


@pytest.mark.parametrize(
    "texts",
    [
        ["play jazz"],
        [""],
        ["", "", ""],
        [" \n\t "],
        ["x" * 10_000],
        ["play jazz " * 1_000, "more please"],
        ["播放爵士乐", "تشغيل الموسيقى", "\u0130\u0130 jazz", "😀", "\x00"],
        ["<s> [CLS] </s>", "[SEP] [PAD] <pad>"],
    ],
    ids=["one", "empty", "empty ones", "space", "one long word", "long", "other scripts", "special tokens"],
)
def test_any_texts_are_labelled(generator: ModelLabelGenerator, texts: list[str]) -> None:
    turns = [turn_event(text, event_id=str(number)) for number, text in enumerate(texts)]
    (labels,) = generator.label([turns])
    _checked(turns, labels)


def test_turns_of_which_nothing_or_everything_is_known_are_labelled(generator: ModelLabelGenerator) -> None:
    turns = [
        turn_event("play jazz", event_id="nothing"),
        _EVERYTHING,
        msgspec.structs.replace(_EVERYTHING, event_id="earlier", ts_ms=5),
        turn_event("stop", event_id="bare", response=Response(), device=Device(), nlu=()),
    ]
    (labels,) = generator.label([turns])
    _checked(turns, labels)


def test_a_log_without_sessions_is_refused(generator: ModelLabelGenerator) -> None:
    turns = [turn_event(event_id=str(number)) for number in range(MOST_TURNS + 1)]
    with pytest.raises(LabelInputError, match=r"user 'u' has 10,001 turns, from event '0' on"):
        generator.label([SESSIONS[0], turns])


@pytest.mark.parametrize("name", [TURNS, DIALOGUES, DESCRIPTION_NAME, TOKENIZER_NAME, "manifest.json"])
@pytest.mark.parametrize("harm", ["other bytes", "gone"])
def test_a_damaged_artifact_is_refused(artifact: Path, tmp_path: Path, name: str, harm: str) -> None:
    folder = tmp_path / "labels"
    shutil.copytree(artifact, folder)
    if harm == "gone":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(b"{}")
    with pytest.raises(ArtifactError):
        ModelLabelGenerator.load(folder)


@pytest.mark.parametrize("name", [TURNS, DIALOGUES, DESCRIPTION_NAME, TOKENIZER_NAME])
def test_an_artifact_of_another_version_is_refused_with_what_to_do(
    artifact: Path, tmp_path: Path, name: str
) -> None:
    """Whole by its hashes, but no model of today's."""

    def write(partial: Path) -> None:
        for file in artifact.iterdir():
            if file.name != "manifest.json":
                (partial / file.name).write_bytes(
                    b'{"unknown": 1}' if file.name == name else file.read_bytes()
                )

    write_artifact(tmp_path / "labels", KIND, write, facts={})
    with pytest.raises(ArtifactError, match="train it again"):
        ModelLabelGenerator.load(tmp_path / "labels")


def test_what_is_no_label_generator_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        ModelLabelGenerator.load(tmp_path / "missing")
    write_artifact(tmp_path / "other", "text-encoder", lambda partial: None, facts={})
    with pytest.raises(ArtifactError, match="text-encoder"):
        ModelLabelGenerator.load(tmp_path / "other")


_IN_A_PROCESS = """
import sys
from pathlib import Path
from labeling.labels.generator import ModelLabelGenerator
from streams.turn import Request, TurnEvent
turn = TurnEvent(
    schema_version=1, event_id="e", assistant_id="a", user_id="u", ts_ms=0, request=Request(text="play jazz")
)
((label,),) = ModelLabelGenerator.load(Path(sys.argv[1])).label([[turn]])
heavy = {"torch", "transformers", "sentence_transformers"} & set(sys.modules)
print(heavy, label.intent)
"""


def test_labelling_needs_no_training_library(artifact: Path, generator: ModelLabelGenerator) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _IN_A_PROCESS, str(artifact)], capture_output=True, text=True, check=True
    )
    ((label,),) = generator.label([[turn_event("play jazz")]])
    assert done.stdout.strip() == f"set() {label.intent}"
