"""Variants of the failure model: what each reads, on which turns, and all of them through the command."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from failure_world import (
    WORDS,
    WordIsolator,
    annotations_of,
    failure_dialogue,
    failure_log,
    said,
    true_point,
)
from report_command import run_command, write_lines
from rich.console import Console
from tiny_encoder import write_tiny_base
from turns import turn_event

from failure_isolation.errors import FailureTrainingError
from failure_isolation.part import TRACES
from failure_isolation.settings import FailureSettings
from failure_isolation.turn_failure import TurnFailure
from services.errors import SettingsError
from services.evaluation.common.log_split import Fold, LogSplit, read_split
from services.evaluation.common.variant_run import named_variants, run_variants
from services.evaluation.errors import MismatchError
from services.evaluation.failures import variant_training as failure_variant_training
from services.evaluation.failures.ablations import FailureVariants
from services.evaluation.failures.evaluation import FailureEvaluation
from services.evaluation.failures.file import read_failures
from services.evaluation.failures.gold import FAILURE_GOLD, GoldFailure
from services.evaluation.failures.score import FailureScores
from services.evaluation.failures.variant_training import MadeIsolator
from services.evaluation.failures.variants import (
    ALL_OF_IT,
    VARIANTS,
    FailureVariant,
    WithholdingIsolator,
)
from streams.turn import Entity, NluHypothesis, Recognition, Request, Response, TurnEvent

LOG = failure_log(range(40))


def variant(name: str) -> FailureVariant:
    (found,) = named_variants(VARIANTS, [name])
    return found


def split(folder: Path, log: Sequence[TurnEvent] = LOG, **changes: Any) -> LogSplit[GoldFailure]:
    return read_split(
        FAILURE_GOLD,
        turns=[write_lines(folder / "turns.jsonl", log)],
        annotations=[write_lines(folder / "said.jsonl", annotations_of(log))],
        gap_ms=45_000,
        **changes,
    )


def test_what_is_scored_is_not_learned_from(tmp_path: Path) -> None:
    parted = split(tmp_path, fold=Fold(0, 2))
    learned = {turn.event_id for turn in parted.train_turns}
    scored = {turn.event_id for turn in parted.test_turns}
    assert learned | scored == {turn.event_id for turn in LOG}
    assert min(len(learned), len(scored)) > 40
    assert set(parted.annotations) == learned
    assert {line.event_id for line in parted.gold} == scored


def test_a_group_is_on_one_side(tmp_path: Path) -> None:
    """Dialogues of one sentence, three recordings of each; and groups that share a dialogue are one."""
    groups = {turn.event_id: str(int(turn.dialogue_id[1:]) // 3) for turn in LOG}  # type: ignore[index]
    groups["d0-0-asr"] = "1"  # so the groups 0 and 1 are one
    sides = []
    for fold in (0, 1):
        parted = split(tmp_path, fold=Fold(fold, 2), groups=groups)
        sides.append({groups[turn.event_id] for turn in parted.test_turns})
        assert not sides[-1] & {groups[turn.event_id] for turn in parted.train_turns}
    assert sides[0] | sides[1] == set(groups.values())
    assert {"0", "1"} <= sides[0] or {"0", "1"} <= sides[1]
    assert min(map(len, sides)) >= 2


def test_logs_that_share_a_group_are_refused(tmp_path: Path) -> None:
    test = write_lines(tmp_path / "test.jsonl", failure_log([50]))
    groups = {turn.event_id: "same" for turn in [*failure_log([50]), *LOG[:4]]}
    with pytest.raises(MismatchError, match="1 groups are to be learned from and to be scored on"):
        split(tmp_path, test_turns=test, groups=groups)
    with pytest.raises(MismatchError, match="no failure point of any turn to be scored on is known"):
        split(tmp_path, test_turns=test)


class RememberingIsolator:
    """Remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[list[TurnEvent]] = []

    def isolate(self, sessions: Sequence[Sequence[TurnEvent]]) -> list[list[TurnFailure]]:
        self.given += [list(turns) for turns in sessions]
        return [
            [said(turn, "asr", 0.5 + 0.01 * number) for number, turn in enumerate(turns)]
            for turns in sessions
        ]


FULL = turn_event(
    event_id="full",
    request=Request(
        text="play jazz",
        asr=(Recognition(text="play jazz", confidence=0.8), Recognition(text="play chess")),
        wake_confidence=0.9,
    ),
    nlu=(NluHypothesis(intent="play", confidence=0.7), NluHypothesis(intent="game")),
    entities=(Entity(mention="jazz", resolved="Jazz"),),
    response=Response(text="playing", status="ok"),
)


def test_what_is_withheld() -> None:
    turns = failure_dialogue(1)
    for kind, parts in (
        ("context", [turns[:1], turns[1:2], turns[2:3], turns[3:]]),
        ("later turns", [turns[:1], turns[:2], turns[:3], turns]),
    ):
        inner = RememberingIsolator()
        (found,) = WithholdingIsolator(inner, kind).isolate([turns])  # type: ignore[arg-type]
        assert inner.given == parts
        assert [one.event_id for one in found] == [turn.event_id for turn in turns]
    inner = RememberingIsolator()
    WithholdingIsolator(inner, "traces").isolate([[FULL]])
    ((bare,),) = inner.given
    assert (bare.request.asr, bare.nlu) == (FULL.request.asr[:1], FULL.nlu[:1])
    assert (bare.entities, bare.request.wake_confidence) == ((), None)
    assert (bare.request.text, bare.response) == (FULL.request.text, FULL.response)
    WithholdingIsolator(inner, "responses").isolate([[FULL]])
    assert inner.given[1][0].response == Response(status="ok")


def test_variants_that_are_nothing_of_their_own(tmp_path: Path) -> None:
    parted = split(tmp_path)
    made = [one.name for one in VARIANTS if one.why_not(parted, FailureSettings()) is None]
    assert "without traces" not in made
    assert "traces withheld" not in made
    assert {ALL_OF_IT, "without context", "later turns withheld", "responses withheld"} <= set(made)
    single = [turn for turn in LOG if turn.event_id.split("-")[1] == "0"]
    single = [msgspec.structs.replace(turn, response=None) for turn in single] + [
        msgspec.structs.replace(
            turn, event_id=turn.event_id.replace("asr", "nlu"), dialogue_id="x" + turn.event_id
        )
        for turn in single
    ]
    few = split(tmp_path, [msgspec.structs.replace(turn, response=None) for turn in single])
    left = [one.name for one in VARIANTS if one.why_not(few, FailureSettings()) is None]
    assert left == [ALL_OF_IT, "without metadata"]
    assert variant("without traces").hidden == TRACES
    assert (
        variant("without traces").why_not(parted, FailureSettings(traces=False))
        == "the settings have no traces"
    )
    assert len({one.file_name for one in VARIANTS}) == len(VARIANTS)
    with pytest.raises(SettingsError, match="no variant 'all'"):
        named_variants(VARIANTS, ["all"])


def run(kind: FailureVariants, names: Sequence[str], *arguments: Any, **options: Any) -> FailureScores:
    quiet = Console(file=io.StringIO())
    return run_variants(
        kind, named_variants(VARIANTS, names), *arguments, every=True, console=quiet, **options
    )


def test_all_variants_are_scored_and_a_model_is_trained_once(tmp_path: Path) -> None:
    trained: list[str] = []

    def train(lesson: Any, one: FailureVariant, *more: Any) -> MadeIsolator:
        assert lesson.annotated_turns == len(lesson.annotations)
        trained.append(one.name)
        if one.hidden:
            return MadeIsolator(None, 0, 0.0, 0.0, 0, "nothing to learn from")
        return MadeIsolator(WordIsolator(), 7, 0.1, 50.0, 2)

    parted = split(tmp_path, fold=Fold(0, 2))
    names = [ALL_OF_IT, "without context", "context withheld", "later turns withheld"]
    kind = FailureVariants(evaluation=FailureEvaluation(encoder=False, resamples=20), train=train)
    scores = run(kind, names, parted, tmp_path / "out")
    assert trained == [ALL_OF_IT, "without context"]
    assert [one.name for one in scores.systems] == [
        ALL_OF_IT, "context withheld", "later turns withheld", "metadata", "majority",
    ]  # fmt: skip
    assert scores.systems[0].measures["macro_f1"].value == 1
    assert "Left out: without context (nothing to learn from)." in scores.notes
    facts = json.loads((tmp_path / "out/variants.json").read_text())
    assert [one["models"][0]["epochs"] for one in facts["variants"]] == [2, 0, 0]
    found = read_failures(tmp_path / "out/failures/later-turns-withheld.jsonl")
    assert {one.event_id for one in found} == {turn.event_id for turn in parted.test_turns}
    again = run(kind, names, parted, tmp_path / "out", resume=True)
    assert again == scores
    assert trained == [ALL_OF_IT, "without context", "without context"]  # it could not be made before
    with pytest.raises(FailureTrainingError, match="no variant can be trained: without context: nothing to"):
        run(kind, ["without context"], parted, tmp_path / "out")


def test_a_variant_learns_what_is_planted_too_and_keeps_groups_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []

    def learn(*arguments: Any) -> None:
        given[:] = arguments
        raise FailureTrainingError("seen enough")

    monkeypatch.setattr(failure_variant_training, "train_failure_model", learn)
    parted = split(tmp_path, fold=Fold(0, 2))
    room_of = {turn.event_id: turn.event_id[-1] for turn in LOG}
    evaluation = FailureEvaluation(settings=FailureSettings(planted_turns=60))
    with pytest.raises(FailureTrainingError, match="seen enough"):
        run(FailureVariants(evaluation=evaluation), [ALL_OF_IT], parted, tmp_path / "out")
    dialogues, annotations, _, _, groups = given
    assert groups is None
    assert [*parted.train[0].turns] == [*dialogues[0]]
    assert sum(map(len, dialogues)) == len(parted.train_turns) + 60
    assert {turn.event_id for turns in dialogues for turn in turns} == annotations.keys()
    grouped = FailureVariants(evaluation=FailureEvaluation(groups=room_of))
    with pytest.raises(FailureTrainingError, match="seen enough"):
        run(grouped, [ALL_OF_IT], parted, tmp_path / "out")
    dialogues, _, _, _, groups = given
    assert len(groups) == len(dialogues)
    rooms = [{room_of[turn.event_id] for turn in turns} for turns in dialogues]
    for number, room in enumerate(rooms):
        for other, other_room in enumerate(rooms):
            if room & other_room:
                assert groups[number] == groups[other]


def test_the_command_trains_real_models(tmp_path: Path) -> None:
    base = write_tiny_base(tmp_path / "base", [*WORDS.values(), "play", "done"], positions=400)
    settings = tmp_path / "rehear.toml"
    settings.write_text(f"[failures]\nbase = {json.dumps(str(base))}\nlayers = 1\npasses = 2\n")
    log = failure_log(range(60))
    groups = write_lines(
        tmp_path / "groups.jsonl", [{"event_id": turn.event_id, "user": turn.user_id} for turn in log]
    )
    options = [
        "--turns", write_lines(tmp_path / "turns.jsonl", log),
        "--annotations", write_lines(tmp_path / "said.jsonl", annotations_of(log)),
        "--folds", 2, "--groups", groups, "user", "--settings", settings, "--out", tmp_path / "out",
        "--variant", ALL_OF_IT, "--variant", "later turns withheld", "--no-encoder", "--resamples", 5,
    ]  # fmt: skip
    run_command("evaluate", "failure-variants", *options)
    report = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert [one["name"] for one in report["systems"]][:2] == [ALL_OF_IT, "later turns withheld"]
    known = {turn.event_id: true_point(turn) for turn in log}
    found = read_failures(tmp_path / "out/failures/all-of-it.jsonl")
    right = sum(known[one.event_id] == one.failure_point for one in found)
    accuracy = report["systems"][0]["measures"]["accuracy"]["value"]
    assert accuracy == pytest.approx(right / len(found))
