"""Simulated worlds whose stages can fail by themselves: the rule, the rates, the traces, held-out names."""

import itertools
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from failure_isolation.rule import FAILURE_POINTS, STAGES
from labeling.annotations.annotation import decode_annotation
from services.platform.clock import now_ms
from services.simulator import GoldTurn, SimulatedTurn, SimulationSettings, simulate, write_simulation
from services.simulator.stages.catalogue import STOP, make_stage_catalogue
from services.simulator.stages.misunderstanding import taken_for
from services.simulator.stages.truth import FAILED, NOTHING_ASKED, Passage, stage_truth
from services.simulator.stages.world import StageWorld
from services.simulator.world.frame import frame
from services.simulator.world.language_understanding import LanguageUnderstanding
from streams.turn import EventId
from streams.turn_file import read_lines, read_turns

SMALL = SimulationSettings(users=30, days=6, test_days=1, stage_faults=True)
NAMED = ("song", "artist", "city", "contact", "room", "device")


@pytest.fixture(scope="module")
def turns() -> list[SimulatedTurn]:
    return list(simulate(msgspec.structs.replace(SMALL, users=150)))


def wrong_stages(turn: SimulatedTurn) -> tuple[str, ...]:
    assert turn.stages is not None
    return tuple(output.stage for output in turn.stages.outputs if not output.right)


def names_of(settings: SimulationSettings) -> set[str]:
    catalogue = StageWorld(settings).catalogue
    absent = {goal.frame.slots[0].value or "" for goal in catalogue.goals["absent"]}
    return absent.union(*(catalogue.names[kind] for kind in NAMED))


class TestTruth:
    MEANT = frame("home", "turn_off", device="light")
    INTENDED = Passage(awake=True, heard="a", understood=MEANT, resolved=MEANT, done=MEANT)

    def test_an_error_that_is_made_good_is_none(self) -> None:
        actual = msgspec.structs.replace(self.INTENDED, heard="b")
        assert stage_truth(self.INTENDED, actual, supported=True).failure_point == "correct"

    def test_a_failing_result_is_its_own_even_after_an_error_that_was_made_good(self) -> None:
        actual = msgspec.structs.replace(self.INTENDED, heard="b", done=FAILED)
        assert stage_truth(self.INTENDED, actual, supported=True).failure_point == "result"

    def test_right_names_with_a_wrong_intent_make_nothing_good(self) -> None:
        other = frame("home", "turn_on", device="light")
        actual = msgspec.structs.replace(self.INTENDED, understood=other, resolved=other, done=other)
        assert stage_truth(self.INTENDED, actual, supported=True).failure_point == "nlu"

    def test_whatever_follows_a_false_wake_is_one(self) -> None:
        truth = stage_truth(NOTHING_ASKED, self.INTENDED, supported=True)
        assert truth.failure_point == "false_wake"
        assert not any(output.right for output in truth.outputs)


class TestStageFaults:
    def test_every_class_occurs_at_about_its_rate(self, turns: list[SimulatedTurn]) -> None:
        shares = {point: 0.0 for point in FAILURE_POINTS}
        for turn in turns:
            shares[turn.gold.failure_point] += 1 / len(turns)
        assert 0.65 < shares.pop("correct") < 0.78
        assert all(0.04 < share < 0.085 for share in shares.values()), shares

    def test_the_failure_point_is_the_rule_applied_to_the_stages(self, turns: list[SimulatedTurn]) -> None:
        for turn in turns:
            assert turn.stages is not None
            assert [output.stage for output in turn.stages.outputs] == list(STAGES)
            assert turn.gold.failure_point == turn.stages.failure_point
            assert turn.gold.correct == (turn.gold.failure_point == "correct")

    @pytest.mark.parametrize(
        ("happened", "point", "at_least"),
        [
            (lambda t: wrong_stages(t) == ("asr", "nlu", "entity_resolution", "result"), "asr", 200),
            (lambda t: wrong_stages(t) == ("asr",) and t.stages.reached, "correct", 50),
            (lambda t: wrong_stages(t) == ("asr", "nlu") and t.stages.reached, "correct", 100),
            (lambda t: wrong_stages(t) == ("nlu",) and t.stages.reached, "correct", 30),
            (lambda t: wrong_stages(t) == () and not t.stages.supported, "correct", 100),
            (lambda t: wrong_stages(t) == ("entity_resolution", "result"), "entity_resolution", 200),
            (lambda t: wrong_stages(t) == ("result",), "result", 150),
        ],
        ids=[
            "propagated",
            "understood all the same",
            "misheard name resolved all the same",
            "first interpretation overridden",
            "unsupported",
            "entity",
            "result",
        ],
    )
    def test_worked_cases_occur_and_are_labelled(
        self, turns: list[SimulatedTurn], happened: Callable[[SimulatedTurn], bool], point: str, at_least: int
    ) -> None:
        points = Counter(turn.gold.failure_point for turn in turns if happened(turn))
        assert set(points) == {point}
        assert points[point] >= at_least  # type: ignore[index]  # a failure point

    def test_the_truth_is_among_the_alternatives_as_often_as_said(self, turns: list[SimulatedTurn]) -> None:
        heard, understood, resolved = [], [], []
        for turn in turns:
            event, gold = turn.event, turn.gold
            if gold.failure_point == "asr":
                heard.append(gold.reference_text in [other.text for other in event.request.asr[1:]])
            elif gold.failure_point == "nlu":
                meant = gold.reference_nlu
                understood.append(
                    any((h.intent, h.slots) == (meant.intent, meant.slots) for h in event.nlu[1:])
                )
            elif gold.failure_point == "entity_resolution" and event.response and event.response.action:
                mention = event.entities[0].mention
                resolved.append(any(other.resolved == mention for other in event.entities[1:]))
        assert 0.7 < sum(heard) / len(heard) < 0.9
        assert 0.65 < sum(understood) / len(understood) < 0.9
        assert 0.6 < sum(resolved) / len(resolved) < 0.95

    def test_traces_list_alternatives_the_best_first(self, turns: list[SimulatedTurn]) -> None:
        lengths: defaultdict[str, list[int]] = defaultdict(list)
        for turn in turns:
            request = turn.event.request
            assert request.asr[0].text == request.text
            for trace in (request.asr, turn.event.nlu):
                confidences = [entry.confidence or 0.0 for entry in trace]
                assert confidences == sorted(confidences, reverse=True)
            for _, candidates in itertools.groupby(turn.event.entities, key=lambda e: (e.mention, e.type)):
                confidences = [entity.confidence or 0.0 for entity in candidates]
                assert confidences == sorted(confidences, reverse=True)
            lengths["asr"].append(len(request.asr))
            lengths["nlu"].append(len(turn.event.nlu))
            lengths["entities"].append(len(turn.event.entities))
        assert all(sum(length >= 3 for length in found) > 0.45 * len(turns) for found in lengths.values())

    def test_no_response_and_no_status_gives_a_stage_away(self, turns: list[SimulatedTurn]) -> None:
        by_field: defaultdict[object, Counter[str]] = defaultdict(Counter)
        for turn in turns:
            response = turn.event.response
            assert response is not None
            by_field["text", response.text][turn.gold.failure_point] += 1
            by_field["status", response.status][turn.gold.failure_point] += 1
            by_field["action", response.action][turn.gold.failure_point] += 1
        for value, points in by_field.items():
            if points.total() >= 40:
                commonest = max(points[point] for point in STAGES)
                assert commonest < 0.75 * points.total(), (value, points)

    def test_reactions_tell_something_and_are_never_sure(self, turns: list[SimulatedTurn]) -> None:
        cut_short = Counter((turn.gold.correct, turn.event.signals.barge_in) for turn in turns)
        wrong = cut_short[False, True] / (cut_short[False, True] + cut_short[False, False])
        right = cut_short[True, True] / (cut_short[True, True] + cut_short[True, False])
        assert 0.03 < right < 0.1
        assert 0.2 < wrong < 0.5
        followed = {turn.gold.rephrase_of for turn in turns}
        tried_again = Counter(
            (turn.gold.correct, turn.event.event_id in followed)
            for turn in turns
            if turn.gold.failure_point != "false_wake"
        )
        assert 0.5 < tried_again[False, True] / (tried_again[False, True] + tried_again[False, False]) < 0.85
        assert 0 < tried_again[True, True] / tried_again[True, False] < 0.05
        assert {turn.event.signals.feedback for turn in turns} == {"positive", "negative", None}

    def test_false_wakes_are_heard_like_requests_at_times(self, turns: list[SimulatedTurn]) -> None:
        woken = [turn.event for turn in turns if turn.gold.failure_point == "false_wake"]
        understood = sum(event.nlu[0].intent != "fallback" for event in woken)
        assert 0.2 < understood / len(woken) < 0.5
        sure = sorted(event.request.wake_confidence or 0.0 for event in woken)
        asked = sorted(
            turn.event.request.wake_confidence
            for turn in turns
            if turn.gold.failure_point != "false_wake" and turn.event.request.wake_confidence is not None
        )
        assert sure[len(sure) // 2] < asked[len(asked) // 10]
        assert sure[int(0.95 * len(sure))] > asked[len(asked) // 4]

    def test_locales_devices_and_days_differ(self, turns: list[SimulatedTurn]) -> None:
        assert len({turn.event.locale for turn in turns}) == 4
        assert len({turn.event.device.type for turn in turns if turn.event.device}) == 5
        world = StageWorld(SMALL)
        domain = world.outage(3)
        assert domain is not None
        assert [day for day in range(7) if world.outage(day)] == [3]
        hit = [t.gold.failure_point == "result" for t in turns if _asked(t) == domain and t.gold.day == 3]
        spared = [t.gold.failure_point == "result" for t in turns if _asked(t) == domain and t.gold.day != 3]
        assert sum(hit) / len(hit) > 2 * sum(spared) / len(spared)


def _asked(turn: SimulatedTurn) -> str:
    return turn.gold.reference_nlu.domain


class TestHeldOutWorld:
    def test_names_and_users_are_none_of_those_learned_from(self) -> None:
        for seed, other in itertools.product(range(4), range(4)):
            learned = msgspec.structs.replace(SMALL, seed=seed)
            held_out = msgspec.structs.replace(SMALL, seed=other, held_out=True)
            assert not names_of(learned) & names_of(held_out)
            assert StageWorld(learned).person(3).user.user_id != StageWorld(held_out).person(3).user.user_id

    def test_words_of_names_are_others_too(self) -> None:
        learned, held_out = (
            {
                word
                for name in names_of(msgspec.structs.replace(SMALL, held_out=flag))
                for word in name.split()
            }
            for flag in (False, True)
        )
        assert not learned & held_out

    def test_no_event_names_what_was_learned_from(self) -> None:
        held_out = msgspec.structs.replace(SMALL, seed=8, held_out=True)
        learned = names_of(SMALL)
        for turn in simulate(held_out):
            assert not learned & {entity.resolved for entity in turn.event.entities}

    def test_the_assistant_is_the_same(self) -> None:
        learned, held_out = (make_stage_catalogue(7, held_out=flag) for flag in (False, True))
        assert set(learned.goals) == set(held_out.goals)
        actions = [{goal.frame.action for goal in world.all_goals} for world in (learned, held_out)]
        assert actions[0] == actions[1]

    @pytest.mark.parametrize("held_out", [False, True])
    def test_every_request_is_taken_for_another(self, held_out: bool) -> None:
        catalogue = make_stage_catalogue(2, held_out=held_out)
        understanding = LanguageUnderstanding(catalogue)
        assert {understanding.understand(text) for text in STOP.phrasings} == {STOP.frame}
        for goal in (*catalogue.all_goals, STOP):
            assert taken_for(goal.frame)
            assert goal.frame not in taken_for(goal.frame)


class TestFiles:
    def test_a_share_of_the_turns_to_learn_from_is_annotated(self, tmp_path: Path) -> None:
        files = write_simulation(SMALL, tmp_path)
        assert files.annotations is not None
        assert files.gold_train is not None
        gold = {
            line.event_id: line
            for line in (msgspec.json.decode(line, type=GoldTurn) for _, line in read_lines(files.gold_train))
        }
        assert list(gold) == [turn.event_id for turn in read_turns(files.turns_train, now_ms)]
        annotations = [decode_annotation(line) for _, line in read_lines(files.annotations)]
        assert len(annotations) == files.annotation_count
        assert len(annotations) / files.train_count == pytest.approx(0.2, abs=0.03)
        for annotation in annotations:
            assert annotation.failure_point == gold[EventId(annotation.event_id)].failure_point

    def test_the_command_writes_held_out_worlds(self, tmp_path: Path) -> None:
        done = subprocess.run(
            [
                *(sys.executable, "-c", "from services.cli import main; main()", "simulate"),
                *("--out", str(tmp_path), "--users", "3", "--days", "2", "--test-days", "1"),
                *("--stage-faults", "--held-out", "--annotated-share", "1"),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "annotated with their failure point" in done.stdout
        trained_on = [turn.event_id for turn in read_turns(tmp_path / "turns.train.jsonl.gz", now_ms)]
        assert all(event_id.startswith("h7-") for event_id in trained_on)
        annotations = [
            decode_annotation(line) for _, line in read_lines(tmp_path / "annotations.train.jsonl.gz")
        ]
        assert [annotation.event_id for annotation in annotations] == trained_on

    def test_other_logs_have_no_annotations(self, tmp_path: Path) -> None:
        files = write_simulation(SimulationSettings(users=2, days=1, test_days=1), tmp_path)
        assert files.annotations is None
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "gold.test.jsonl.gz", "nlu.jsonl.gz", "turns.test.jsonl.gz", "turns.train.jsonl.gz",
        ]  # fmt: skip
