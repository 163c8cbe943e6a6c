"""The simulated logs keep the contract, are the same every time, and are as hard as they claim."""

import gzip
import hashlib
import itertools
from collections import Counter, defaultdict
from pathlib import Path

import jsonschema
import msgspec
import pytest

from services.errors import SimulationError
from services.platform.clock import now_ms
from services.simulator import (
    GeneratedLogSettings,
    GoldTurn,
    PlantedPair,
    SimulatedTurn,
    SimulationSettings,
    generate_turns,
    planted_log,
    simulate,
    write_simulation,
)
from services.simulator.stages.catalogue import make_stage_catalogue
from services.simulator.world.catalogue import Catalogue, make_catalogue
from services.simulator.world.language_understanding import FALLBACK, LanguageUnderstanding
from services.simulator.world.settings import DAY_MS
from services.simulator.world.sound import SOUND_ALIKES, sound_alike
from streams.session import sessionize
from streams.turn import TurnEvent, decode_turn, encode_turn, turn_schema
from streams.turn_file import read_lines, read_turns

SMALL = SimulationSettings(users=40, days=3, test_days=2)
LIGHT_WORDS = frozenset({"the", "a", "an", "my", "to", "of", "for", "on", "in", "at", "please"})


@pytest.fixture(scope="module")
def turns() -> list[SimulatedTurn]:
    return list(simulate(SMALL))


@pytest.fixture(scope="module")
def many_turns() -> list[SimulatedTurn]:
    return list(simulate(SimulationSettings()))


def keeps_contract(events: list[TurnEvent]) -> None:
    validator = jsonschema.Draft202012Validator(turn_schema())
    for event in events:
        line = encode_turn(event)
        assert decode_turn(line, now_ms()) == event
        assert not list(validator.iter_errors(msgspec.json.decode(line)))


def in_time_order_with_unique_ids(events: list[TurnEvent]) -> None:
    assert len({event.event_id for event in events}) == len(events)
    keys = [(event.ts_ms, event.event_id) for event in events]
    assert keys == sorted(keys)


def digest(events: list[TurnEvent]) -> str:
    return hashlib.sha256(b"\n".join(map(encode_turn, events))).hexdigest()


@pytest.mark.parametrize("stage_faults", [False, True], ids=["plain", "stages"])
class TestEveryWorld:
    def test_events_keep_the_contract_in_time_order(self, stage_faults: bool) -> None:
        events = [turn.event for turn in simulate(msgspec.structs.replace(SMALL, stage_faults=stage_faults))]
        keeps_contract(events)
        in_time_order_with_unique_ids(events)

    def test_same_settings_give_the_same_turns(self, stage_faults: bool) -> None:
        settings = msgspec.structs.replace(SMALL, stage_faults=stage_faults)
        assert list(simulate(settings)) == list(simulate(settings))

    def test_more_users_leave_the_others_as_they_were(self, stage_faults: bool) -> None:
        few = SimulationSettings(users=5, days=2, test_days=0, stage_faults=stage_faults)
        more = msgspec.structs.replace(few, users=9)
        of_few = list(simulate(few))
        users = {turn.event.user_id for turn in of_few}
        assert of_few == [turn for turn in simulate(more) if turn.event.user_id in users]

    def test_files_are_the_same_whenever_they_are_written(self, stage_faults: bool, tmp_path: Path) -> None:
        settings = msgspec.structs.replace(SMALL, users=4, stage_faults=stage_faults)
        for name in ("one", "other"):
            write_simulation(settings, tmp_path / name)
        for path in (tmp_path / "one").iterdir():
            assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()
            assert gzip.decompress(path.read_bytes()).endswith(b"\n")


class TestSimulation:
    def test_tries_at_different_wishes_do_not_overlap(self, turns: list[SimulatedTurn]) -> None:
        by_user = defaultdict(list)
        for turn in turns:
            by_user[turn.event.user_id].append(turn.gold.goal_id)
        for goals in by_user.values():
            stretches = [goal for goal, _ in itertools.groupby(goals)]
            assert len(stretches) == len(set(stretches))

    def test_bytes_are_those_of_every_other_run_and_platform(self) -> None:
        events = [turn.event for turn in simulate(SimulationSettings(users=5, days=2, test_days=0))]
        assert digest(events) == "ea713433eda990c3520b55e8e5032ea5ae5dc56918509a86dbb01bd675cbef59"

    def test_another_seed_gives_another_world(self) -> None:
        one, other = (
            {
                turn.event.request.text
                for turn in simulate(SimulationSettings(seed=seed, users=20, days=1, test_days=0))
            }
            for seed in (1, 2)
        )
        names_of_both = {text for text in one & other if text.startswith(("play", "call"))}
        assert len(names_of_both) <= 0.05 * len(one)

    def test_days_and_test_days_are_those_asked_for(self, turns: list[SimulatedTurn]) -> None:
        assert {turn.gold.day for turn in turns} == set(range(5))
        for turn in turns:
            assert turn.gold.day == (turn.event.ts_ms - SMALL.start_ms) // DAY_MS
            in_learning_days = turn.event.ts_ms < SMALL.test_start_ms
            assert (turn.gold.recording_heard_before is None) == in_learning_days

    def test_gold_joins_events_one_to_one(self, turns: list[SimulatedTurn]) -> None:
        assert all(turn.gold.event_id == turn.event.event_id for turn in turns)

    def test_gold_is_correct_where_the_understanding_is_what_was_meant(
        self, turns: list[SimulatedTurn]
    ) -> None:
        def lenient(domain: str | None, intent: str, slots: object) -> object:
            values = sorted(
                (slot.name, [word for word in slot.value.lower().split() if word not in LIGHT_WORDS])
                for slot in slots  # type: ignore[attr-defined]  # slots of a frame or of a hypothesis
            )
            return domain, intent, values

        for turn in turns:
            meant, understood = turn.gold.reference_nlu, turn.event.nlu[0]
            assert turn.gold.correct == (
                lenient(meant.domain, meant.intent, meant.slots)
                == lenient(understood.domain, understood.intent, understood.slots)
            )
            assert turn.gold.correct == (turn.gold.failure_point == "correct")
            assert not (turn.gold.correct and turn.gold.confused)

    def test_failure_point_is_recognition_only_where_another_text_was_heard(
        self, turns: list[SimulatedTurn]
    ) -> None:
        points = Counter()
        for turn in turns:
            misheard = turn.gold.reference_text != turn.event.request.text
            points[turn.gold.failure_point] += 1
            if turn.gold.failure_point == "asr":
                assert misheard
            elif turn.gold.failure_point != "correct":
                assert not misheard
        assert set(points) == {"asr", "nlu", "entity_resolution", "correct"}

    def test_tries_are_linked_from_first_to_last(self, turns: list[SimulatedTurn]) -> None:
        by_id = {turn.event.event_id: turn for turn in turns}
        for turn in turns:
            if turn.gold.attempt == 0:
                assert turn.gold.rephrase_of is None
                continue
            assert turn.gold.rephrase_of is not None
            earlier = by_id[turn.gold.rephrase_of]
            assert earlier.gold.goal_id == turn.gold.goal_id
            assert earlier.gold.attempt == turn.gold.attempt - 1
            assert earlier.event.user_id == turn.event.user_id
            assert 4_000 <= turn.event.ts_ms - earlier.event.ts_ms < 24_000
            assert not earlier.gold.correct or earlier.event.response.status == "unsupported"  # type: ignore[union-attr]  # always there

    def test_nothing_but_the_gold_tells_right_from_wrong(self, many_turns: list[SimulatedTurn]) -> None:
        status = Counter(
            (turn.gold.correct, turn.event.response and turn.event.response.status) for turn in many_turns
        )
        wrong = sum(count for (correct, _), count in status.items() if not correct)
        assert 0.3 < status[False, "ok"] / wrong < 0.7
        confidences = {
            correct: sorted(
                turn.event.request.asr[0].confidence or 0
                for turn in many_turns
                if turn.gold.correct == correct
            )
            for correct in (True, False)
        }
        right, wrong_ones = confidences[True], confidences[False]
        assert right[len(right) // 2] > wrong_ones[len(wrong_ones) // 2] + 0.1
        assert wrong_ones[int(0.95 * len(wrong_ones))] > right[len(right) // 4]

    def test_shares_of_errors_and_second_tries(self, many_turns: list[SimulatedTurn]) -> None:
        assert 20_000 <= len(many_turns) <= 40_000
        first = [turn.gold for turn in many_turns if turn.gold.attempt == 0]
        defects = [turn.gold for turn in many_turns if not turn.gold.correct]
        assert 0.78 < sum(gold.correct for gold in first) / len(first) < 0.9
        assert 0.1 < 1 - len(first) / len(many_turns) < 0.25
        assert 0.08 < sum(gold.confused for gold in defects) / len(defects) < 0.35
        unsupported = [
            turn
            for turn in many_turns
            if turn.gold.correct and turn.event.response and turn.event.response.status == "unsupported"
        ]
        assert 0.01 < len(unsupported) / len(many_turns) < 0.08

    def test_the_same_errors_meet_many_users(self, many_turns: list[SimulatedTurn]) -> None:
        users = defaultdict(set)
        for turn in many_turns:
            if not turn.gold.correct:
                users[turn.event.request.text].add(turn.event.user_id)
        defects = [turn for turn in many_turns if not turn.gold.correct]
        shared = sum(len(users[turn.event.request.text]) >= 3 for turn in defects)
        assert 0.4 < shared / len(defects) < 0.95

    def test_a_good_share_of_the_errors_can_be_mended_and_not_all(
        self, many_turns: list[SimulatedTurn]
    ) -> None:
        # The best that a table for all users can do: the commonest meaning of each text in the learning days.
        learning = [turn for turn in many_turns if turn.gold.recording_heard_before is None]
        meanings: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for turn in learning:
            meanings[turn.event.request.text][repr(turn.gold.reference_nlu)] += 1
        wins = losses = defects = 0
        for turn in many_turns[len(learning) :]:
            defects += not turn.gold.correct
            known = meanings.get(turn.event.request.text)
            if known is None:
                continue
            right = known.most_common(1)[0][0] == repr(turn.gold.reference_nlu)
            wins += right and not turn.gold.correct
            losses += turn.gold.correct and not right
        assert 0.5 < (wins - losses) / defects < 0.8
        assert wins > 10 * losses

    def test_some_errors_are_what_other_users_mean(self, many_turns: list[SimulatedTurn]) -> None:
        meant_by_others = {turn.event.request.text for turn in many_turns if turn.gold.correct}
        habitual = Counter(
            (turn.event.user_id, turn.gold.reference_text, turn.event.request.text)
            for turn in many_turns
            if turn.gold.confused and turn.event.request.text in meant_by_others
        )
        assert sum(count >= 3 for count in habitual.values()) >= 10

    def test_no_day_gives_no_turn(self) -> None:
        assert list(simulate(SimulationSettings(days=0, test_days=0))) == []
        assert list(simulate(SimulationSettings(users=3, requests_per_user_day=0))) == []

    @pytest.mark.parametrize("requests", [0.3, 2.0, 200.0])
    def test_any_rate_keeps_time_order_and_days(self, requests: float) -> None:
        settings = SimulationSettings(users=8, days=2, test_days=0, requests_per_user_day=requests)
        turns = list(simulate(settings))
        in_time_order_with_unique_ids([turn.event for turn in turns])
        assert all(turn.gold.day == (turn.event.ts_ms - settings.start_ms) // DAY_MS for turn in turns)

    def test_rate_is_the_one_asked_for(self, many_turns: list[SimulatedTurn]) -> None:
        wishes = sum(turn.gold.attempt == 0 for turn in many_turns)
        assert wishes / (300 * 17) == pytest.approx(5, rel=0.05)


@pytest.mark.parametrize(
    ("settings", "named", "wrong"),
    [
        (SimulationSettings(), "users", 0),
        (SimulationSettings(), "days", -1),
        (SimulationSettings(), "requests_per_user_day", -0.5),
        (SimulationSettings(), "requests_per_user_day", float("nan")),
        (SimulationSettings(), "start_ms", 1_736_121_600_000_000),
        (SimulationSettings(), "start_ms", 1_736_121_600),
        (SimulationSettings(), "assistant_id", " "),
        (SimulationSettings(), "held_out", True),  # without faults of stages
        (SimulationSettings(stage_faults=True), "annotated_share", 1.2),
        (GeneratedLogSettings(), "users", 99),
        (GeneratedLogSettings(), "seed", -1),
        (GeneratedLogSettings(), "failure_rate", 1.1),
        (GeneratedLogSettings(), "large_component_share", -0.1),
    ],
)
def test_wrong_settings_are_refused_by_name(settings: msgspec.Struct, named: str, wrong: object) -> None:
    with pytest.raises(SimulationError, match=named):
        msgspec.structs.replace(settings, **{named: wrong})


CATALOGUES = {
    **{f"plain {seed}": make_catalogue(seed) for seed in range(5)},
    **{f"held out: {flag}": make_stage_catalogue(2, held_out=flag) for flag in (False, True)},
}


class TestWorld:
    @pytest.mark.parametrize("catalogue", CATALOGUES.values(), ids=CATALOGUES)
    def test_usual_wordings_are_understood_and_awkward_ones_are_not(self, catalogue: Catalogue) -> None:
        understanding = LanguageUnderstanding(catalogue)
        for goal in catalogue.all_goals:
            assert {understanding.understand(text) for text in goal.phrasings} == {goal.frame}
            assert goal.frame not in {understanding.understand(text) for text in goal.awkward}

    @pytest.mark.parametrize("seed", range(5))
    def test_names_are_all_different(self, seed: int) -> None:
        catalogue = make_catalogue(seed)
        names = [name for kind in ("song", "artist", "city", "contact") for name in catalogue.names[kind]]
        assert len(names) == len(set(names))
        assert len({goal.frame for goal in catalogue.all_goals}) == len(catalogue.all_goals)
        assert catalogue.twins
        assert all(twin != original for twin, original in catalogue.twins.items())

    def test_unknown_text_is_not_understood(self) -> None:
        understanding = LanguageUnderstanding(make_catalogue(1))
        for text in ("", " ", "mumble", "play", "turn on", "ça va ?", "please please", "x" * 10_000):
            assert understanding.understand(text) == FALLBACK

    def test_a_word_is_taken_for_another_always_the_same(self) -> None:
        for word in [*SOUND_ALIKES, "belano", "aa", "xyz", "q", "to"]:
            for kind in range(6):
                heard = sound_alike(3, word, kind)
                assert heard != word
                assert heard == sound_alike(3, word, kind)


class TestFiles:
    def test_files_hold_the_simulation(self, tmp_path: Path, turns: list[SimulatedTurn]) -> None:
        files = write_simulation(SMALL, tmp_path / "new" / "folder")
        train, test = list(read_turns(files.turns_train, now_ms)), list(read_turns(files.turns_test, now_ms))
        assert [*train, *test] == [turn.event for turn in turns]
        assert (files.train_count, files.test_count) == (len(train), len(test))
        assert all(event.ts_ms < SMALL.test_start_ms for event in train)
        assert all(event.ts_ms >= SMALL.test_start_ms for event in test)
        gold = [msgspec.json.decode(line, type=GoldTurn) for _, line in read_lines(files.gold_test)]
        assert gold == [turn.gold for turn in turns if turn.event.ts_ms >= SMALL.test_start_ms]

    def test_gold_has_the_columns_of_the_scorer(self, tmp_path: Path) -> None:
        files = write_simulation(SMALL, tmp_path)
        for _, line in read_lines(files.gold_test):
            assert list(msgspec.json.decode(line)) == [
                "event_id", "goal_id", "reference_text", "reference_nlu", "correct", "attempt",
                "rephrase_of", "failure_point", "recording_heard_before", "confused", "day",
            ]  # fmt: skip

    def test_understanding_covers_every_text(self, tmp_path: Path, turns: list[SimulatedTurn]) -> None:
        files = write_simulation(SMALL, tmp_path)
        answers = {
            answer["text"]: (answer["domain"], answer["intent"], answer["slots"])
            for answer in (msgspec.json.decode(line) for _, line in read_lines(files.nlu))
        }
        assert len(answers) == files.text_count
        assert list(answers) == sorted(answers)
        for turn in turns:
            understood = turn.event.nlu[0]
            slots = msgspec.to_builtins(understood.slots)
            assert answers[turn.event.request.text] == (understood.domain, understood.intent, list(slots))
            assert turn.gold.reference_text in answers


class TestPlantedLog:
    def test_pairs_happen_as_often_as_asked_and_nothing_else(self) -> None:
        events = planted_log(
            [
                PlantedPair(source="play belino", target="play belano", users=4),
                PlantedPair(source="play belino", target="play melino", users=1),
                PlantedPair(source="coal mum", target="call mum", users=2, sessions_per_user=3),
            ],
            successes={"play belano": 7},
            failures={"pray belano": 5},
        )
        keeps_contract(events)
        in_time_order_with_unique_ids(events)
        sessions = Counter()
        users = defaultdict(set)
        for session in sessionize(events):
            said = tuple(
                (turn.request.text, turn.response.status if turn.response else None) for turn in session.turns
            )
            sessions[said] += 1
            users[said].add(session.user_id)
        assert {said: (count, len(users[said])) for said, count in sessions.items()} == {
            (("play belino", "error"), ("play belano", "ok")): (4, 4),
            (("play belino", "error"), ("play melino", "ok")): (1, 1),
            (("coal mum", "error"), ("call mum", "ok")): (6, 2),
            (("play belano", "ok"),): (7, 7),
            (("pray belano", "error"),): (5, 5),
        }

    def test_interpretations_are_those_given(self) -> None:
        pair = PlantedPair(source="a", target="b", users=1)
        assert all(turn.nlu == () for turn in planted_log([pair], understand=lambda text: None))
        own = [turn.nlu[0].slots[0].value for turn in planted_log([pair])]
        assert own == ["a", "b"]

    def test_nothing_asked_gives_nothing(self) -> None:
        assert planted_log([]) == []

    def test_impossible_requests_are_refused(self) -> None:
        with pytest.raises(SimulationError, match="at least 1 user"):
            planted_log([PlantedPair(source="a", target="b", users=0)])
        with pytest.raises(SimulationError, match="'a' is said by 0 users"):
            planted_log([], successes={"a": 0})
        with pytest.raises(SimulationError, match="retry_ms"):
            planted_log([], retry_ms=0)


class TestGeneratedLog:
    def test_turns_keep_the_contract_in_time_order(self) -> None:
        events = list(generate_turns(2_000))
        assert len(events) == 2_000
        keeps_contract(events)
        in_time_order_with_unique_ids(events)

    def test_a_longer_log_starts_with_the_shorter(self) -> None:
        longer = list(generate_turns(30_000))
        assert list(generate_turns(500)) == longer[:500]
        assert digest(longer) == "4541b8a181c8aba1736eb4434568ebbd96033b1586a400f3fa27e483dbdfdf68"

    def test_seed_and_size_are_heeded(self) -> None:
        other = GeneratedLogSettings(seed=8)
        assert list(generate_turns(100, other)) != list(generate_turns(100))
        assert list(generate_turns(0)) == []

    def test_distinct_texts_grow_as_heaps_law_has_it(self) -> None:
        texts: set[str] = set()
        distinct = {}
        for number, turn in enumerate(generate_turns(320_000), 1):
            texts.add(turn.request.text)
            if number in (5_000, 20_000, 80_000, 320_000):
                distinct[number] = len(texts)
        sizes = sorted(distinct)
        for fewer, more in itertools.pairwise(sizes):
            # Exponent 2/3: four times the turns bring 2.5 times the texts.
            assert 2.0 < distinct[more] / distinct[fewer] < 3.2

    def test_sessions_are_of_one_goal_and_fail_as_often_as_asked(self) -> None:
        settings = GeneratedLogSettings(users=100, failure_rate=0.3)
        sessions = sessionize(generate_turns(30_000, settings))
        lengths = Counter(len(session.turns) for session in sessions)
        assert set(lengths) == {1, 2, 3}
        first = [session.turns[0].response for session in sessions]
        failed = sum(response is not None and response.status != "ok" for response in first)
        assert failed / len(sessions) == pytest.approx(0.3, abs=0.02)

    def test_goals_are_joined_to_small_components_and_one_large(self) -> None:
        parent: dict[str, str] = {}

        def root(text: str) -> str:
            parent.setdefault(text, text)
            while parent[text] != text:
                parent[text] = parent[parent[text]]
                text = parent[text]
            return text

        settings = GeneratedLogSettings(failure_rate=0.5, large_component_share=0.2)
        for session in sessionize(generate_turns(150_000, settings)):
            for one, other in itertools.pairwise(session.turns):
                parent[root(one.request.text)] = root(other.request.text)
        sizes = sorted(Counter(root(text) for text in list(parent)).values())
        assert sizes[-1] > 500
        assert sizes[-2] <= 40
        assert len(sizes) > 1_000

    def test_less_than_no_turn_is_refused(self) -> None:
        with pytest.raises(SimulationError, match="-1 turns"):
            next(generate_turns(-1))
