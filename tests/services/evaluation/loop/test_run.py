"""Small worlds of the closed loop in which it is known what must come of a table made by hand."""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from loop_world import lived_by_hand, loop_settings, small_world, stub_checkout

from labeling.text.normalisation import normalise
from services.evaluation.errors import OtherCheckoutError
from services.evaluation.loop.history import LoopHistory, Pair
from services.evaluation.loop.learner import LearnerTask, TableLearner, as_if_said, as_logged
from services.evaluation.loop.other_checkout import OtherCheckout
from services.evaluation.loop.run import run_loop
from services.evaluation.loop.score import score_loop
from services.evaluation.loop.sources import EventTargets, followed_share, source_stories
from services.settings import Settings
from services.simulator.loop.planting import PlantedRewrite, choose_planted
from services.simulator.loop.world import LoopWorld
from services.simulator.world.catalogue import Goal
from streams.turn import TurnEvent, decode_turn, encode_turn


def words(goal: Goal) -> str:
    return normalise(goal.phrasings[0])


def most_said(history: LoopHistory, goals: list[Goal], *, since: int) -> Goal:
    """Of some goals, the one whose first wording was said most from a day on."""
    said = Counter(turn.said for turn in history.turns if turn.day >= since)
    return max(goals, key=lambda goal: said[words(goal)])


WITHDRAWN = small_world(withdrawn={"day": 2, "songs": 15})


def test_a_row_to_a_withdrawn_song_is_run_in_vain_until_it_is_gone_and_each_such_request_counts() -> None:
    settings = loop_settings(WITHDRAWN, days=6, users=80)
    raw, world, _ = lived_by_hand(settings, {})
    song = most_said(raw, list(world.events.withdrawn), since=2)
    other = song.phrasings[1]
    rows = {words(song): other}  # the same wish in other words: right before the song goes, wrong after
    history, world, _ = lived_by_hand(settings, {day: rows for day in range(1, 4)})

    (story,) = source_stories(history, world, ())

    ran = [turn for turn in history.turns if turn.run == normalise(other)]
    assert all(turn.right for turn in ran if turn.day < 2)
    in_vain = [turn for turn in ran if turn.day >= 2]
    assert in_vain
    assert not any(turn.right for turn in in_vain)
    assert (story.kind, story.text, story.target) == ("withdrawn", words(song), normalise(other))
    assert (story.day_live, story.day_gone, story.days_live) == (1, 4, 3)
    assert (story.requests, story.requests_until_gone, story.harmed) == (len(in_vain), len(in_vain), 0)


def test_failed_requests_of_those_who_made_a_row_do_not_count_until_it_is_gone() -> None:
    settings = loop_settings(WITHDRAWN, days=5, users=80)
    raw, world, _ = lived_by_hand(settings, {})
    song = most_said(raw, list(world.events.withdrawn), since=2)
    rows = {words(song): song.phrasings[1]}
    history, world, _ = lived_by_hand(settings, {day: rows for day in range(2, 5)})
    user = next(turn.user_id for turn in history.turns if turn.run is not None and turn.day >= 2)
    made = [
        msgspec.structs.replace(
            history.turns[0], user_id=user, day=0, before=words(song), said=normalise(song.phrasings[1])
        )
    ]
    known = msgspec.structs.replace(history, turns=(*made, *history.turns))

    (before,), (after,) = source_stories(history, world, ()), source_stories(known, world, ())

    theirs = sum(turn.user_id == user for turn in history.turns if turn.run is not None)
    assert before.requests_until_gone is not None
    assert after.requests_until_gone == before.requests_until_gone - theirs


def planted_pair(world: LoopWorld, history: LoopHistory) -> PlantedRewrite:
    source = most_said(history, list(world.events.unchanged[:20]), since=0)
    return PlantedRewrite(kind="popular", source=words(source), target=world.events.unpopular)


PLANTED = small_world(planted={"day": 1, "accounts": 0.05, "confirming": 0.025})


def test_a_planted_row_harms_each_honest_request_that_was_right_as_said_and_no_other() -> None:
    settings = loop_settings(PLANTED, days=4)
    raw, world, _ = lived_by_hand(settings, {})
    pair = planted_pair(world, raw)
    rows = {pair.source: pair.target_text}

    history, world, _ = lived_by_hand(settings, {2: rows}, [pair])
    scores = score_loop(settings, [history], world, [pair])

    ran = [turn for turn in history.turns if turn.honest and turn.day == 2 and turn.said == pair.source]
    harmed = sum(turn.right_as_said for turn in ran)
    (story,) = scores.sources
    summary = scores.summary["by hand"]
    assert harmed
    assert (story.kind, story.day_live, story.day_gone, story.days_live) == ("planted", 2, 3, 1)
    assert (story.requests, story.harmed) == (len(ran), harmed)
    assert (summary.planted_harmed, summary.planted_nights_live) == (harmed, 1)
    assert summary.losses == harmed  # planted rows included
    assert summary.flips_per_pair == 0  # that it goes is asked for


def test_accounts_plant_once_a_day_until_they_are_served_and_others_then_confirm() -> None:
    settings = loop_settings(PLANTED, days=4)
    raw, world, _ = lived_by_hand(settings, {})
    pair = planted_pair(world, raw)
    rows = {pair.source: pair.target_text}

    history, _, log = lived_by_hand(settings, {2: rows, 3: rows}, [pair])

    by_day = {
        day: [turn for turn in history.turns if not turn.honest and turn.day == day] for day in range(4)
    }
    target = normalise(pair.target_text)
    assert by_day[0] == []
    assert [turn.said for turn in by_day[1]] == [pair.source, target] * 2  # two accounts, one after the other
    assert [(turn.said, turn.run) for turn in by_day[2]] == [(pair.source, target)] * 2
    assert [(turn.said, turn.run) for turn in by_day[3]] == [(pair.source, target)] * 3  # one more confirms
    forged = [turn for turn in log if turn.user_id.startswith("p") and turn.request.text == pair.source]
    assert [bool(turn.signals.barge_in) for turn in forged] == [True, True, False, False]


SWITCHED = small_world(switched={"day": 1, "songs": 15, "share": 1.0})


def switched_world(days: int) -> tuple[Any, LoopWorld, Any]:
    """A world whose songs switch on day 1, and the change whose old name is misheard most."""
    settings = loop_settings(SWITCHED, days=days, users=60)
    raw, world, _ = lived_by_hand(settings, {})
    said = Counter(turn.said for turn in raw.turns if turn.day >= 1 and not turn.right_as_said)
    return settings, world, max(world.events.switched, key=lambda change: said[_misheard(world, change.old)])


def _misheard(world: LoopWorld, goal: Goal) -> str:
    return normalise(world.recogniser.hearing(goal.phrasings[0]).errors[0])


@pytest.mark.parametrize(("follows", "share"), [(True, 1.0), (False, 0.0)])
def test_a_switched_source_has_followed_if_it_leads_to_what_is_meant_now_a_week_after(
    follows: bool, share: float
) -> None:
    settings, world, change = switched_world(9)
    source = _misheard(world, change.old)
    old, new = {source: change.old.phrasings[0]}, {source: change.new.phrasings[0]}
    tables = {1: old} | {day: new if follows else old for day in range(2, 9)}

    history, world, _ = lived_by_hand(settings, tables)
    stories = source_stories(history, world, ())

    (story,) = stories
    assert (story.kind, story.text, story.target) == ("switched", source, words(change.new))
    assert (story.day_live, story.day_gone) == ((2, 2) if follows else (None, None))
    assert story.requests == sum(
        turn.said == source and turn.meant == change.new.frame for turn in history.turns if turn.day >= 1
    )
    assert story.requests
    assert followed_share(stories, history, world) == share


def test_after_a_switch_the_words_of_the_old_song_mean_the_new_one() -> None:
    settings, world, change = switched_world(4)
    source = _misheard(world, change.old)
    history, _, _ = lived_by_hand(settings, {day: {source: change.new.phrasings[0]} for day in range(4)})

    ran = [turn for turn in history.turns if turn.run is not None]

    assert not any(turn.right for turn in ran if turn.day < 1)
    assert any(turn.right for turn in ran if turn.day >= 1)


def test_an_event_asks_for_the_first_change_of_a_row_only_once_it_has_happened() -> None:
    world = LoopWorld(7, 5, SWITCHED)
    change = world.events.switched[0]
    targets = EventTargets(world, ())
    asked = [targets.asked_for(pair, day) for pair in _pairs(change.old, change.new) for day in (1, 2)]

    assert asked == [False, True, False, False]


def _pairs(*goals: Goal) -> list[Pair]:
    return [Pair("anything", words(goal)) for goal in goals]


def test_an_old_name_that_leads_to_the_new_one_is_told() -> None:
    settings = loop_settings(small_world(renamed={"day": 1, "songs": 15}), days=5, users=80)
    raw, world, _ = lived_by_hand(settings, {})
    song = most_said(raw, [change.old for change in world.events.renamed], since=1)
    new = next(change.new for change in world.events.renamed if change.old == song)
    rows = {words(song): new.phrasings[0]}

    history, world, _ = lived_by_hand(settings, {3: rows, 4: rows})
    scores = score_loop(settings, [history], world, ())

    (story,) = [one for one in scores.sources if one.text == words(song)]
    assert (story.kind, story.target, story.day_live) == ("renamed", words(new), 3)
    assert scores.summary["by hand"].renamed_followed == 1
    assert scores.summary["by hand"].renamed_days == 2
    ran = [turn for turn in history.turns if turn.run is not None]
    assert sum(turn.right for turn in ran) > len(ran) / 2  # others are misheard as the old name
    assert not any(turn.right_as_said for turn in ran)


def test_every_turn_of_the_log_keeps_the_contract_and_says_what_was_served() -> None:
    settings = loop_settings(small_world(), share=0.5)
    raw, world, _ = lived_by_hand(settings, {})
    source = most_said(raw, list(world.events.unchanged[:20]), since=0)
    rows = {words(source): source.phrasings[1]}

    _, _, log = lived_by_hand(settings, {0: rows, 1: rows, 2: rows})

    assert [decode_turn(encode_turn(turn), turn.ts_ms) for turn in log] == log
    assert {turn.arm for turn in log} == {"control", "treatment"}
    assert {turn.table_version for turn in log} == {1, 2}
    said = [turn for turn in log if normalise(turn.request.text) == words(source)]
    assert said
    for turn in said:
        treated = turn.arm == "treatment"
        assert turn.executed_text == (source.phrasings[1] if treated else None)
        assert (turn.rewrite_id is not None, turn.withheld_rewrite_id is not None) == (treated, not treated)


def test_the_same_seed_gives_the_same_log_and_another_gives_another() -> None:
    settings = loop_settings(small_world(), days=2)

    first, second, other = (
        lived_by_hand(msgspec.structs.replace(settings, seed=seed), {})[2] for seed in (7, 7, 8)
    )

    assert first == second
    assert first != other


def log_of(world: Any) -> list[TurnEvent]:
    return lived_by_hand(loop_settings(world, days=3, users=60), {})[2]


def second_tries(log: list[TurnEvent]) -> float:
    """About how many there are for each request: a request within a minute of the user's last."""
    last: dict[str, int] = {}
    tries = 0
    for turn in log:
        tries += turn.ts_ms - last.get(turn.user_id, 0) <= 24_000
        last[turn.user_id] = turn.ts_ms
    return tries / len(log)


def test_without_barge_in_no_turn_says_whether_it_was_cut_short() -> None:
    log = log_of(small_world(signals={"barge_in": 0.0, "barge_in_if_right": 0.0}))

    assert {turn.signals.barge_in for turn in log} == {None}
    assert {turn.signals.barge_in for turn in log_of(small_world())} == {True, False}


def test_with_half_the_second_tries_there_are_far_fewer_of_them() -> None:
    usual, halved = (second_tries(log_of(small_world(users={"second_tries": by}))) for by in (1.0, 0.5))

    assert halved < 0.7 * usual


def test_three_times_the_planted_accounts_plant_three_times_as_much() -> None:
    counts = []
    for accounts in (0.05, 0.15):
        settings = loop_settings(small_world(planted={"day": 0, "accounts": accounts}), days=2)
        world = LoopWorld(7, 40, settings.world)
        history, _, _ = lived_by_hand(settings, {}, choose_planted(world))
        counts.append(sum(not turn.honest for turn in history.turns))

    assert counts[0] > 0
    assert counts[1] == 3 * counts[0]


def test_each_kind_of_source_is_planted_and_leads_to_one_song_or_to_ones_that_sound_alike() -> None:
    plain = LoopWorld(7, 60, small_world(planted={"accounts": 0.05}))
    alike = LoopWorld(7, 60, small_world(planted={"accounts": 0.05, "sounds_alike": True}))

    one, many = choose_planted(plain), choose_planted(alike)

    assert [pair.kind for pair in one] == ["popular", "middling", "rare", "misheard", "unreleased"]
    assert [pair.source for pair in many] == [pair.source for pair in one]
    assert len({pair.target_text for pair in one}) == 1
    assert len({pair.target_text for pair in many}) == 5
    for pair in many:  # somebody has published it
        assert alike.answer(pair.target_text, 0).response.status == "ok"


def test_the_learners_of_a_loop_do_not_know_of_each_other(tmp_path: Path) -> None:
    settings = loop_settings(small_world(), users=60, learners=("rehear", "naive"))

    both = run_loop(settings, Settings(), folder=tmp_path)
    alone = run_loop(msgspec.structs.replace(settings, learners=("naive",)), Settings(), folder=tmp_path)

    assert [day for day in both.days if day.learner == "naive"] == list(alone.days)
    assert both.summary["naive"] == alone.summary["naive"]
    assert both.summary["naive"].wins > 0
    assert list(tmp_path.iterdir()) == []


def test_without_guards_of_meaning_planted_rows_go_live_and_with_them_they_do_not() -> None:
    world = small_world(planted={"day": 0, "accounts": 0.1})
    settings = loop_settings(world, learners=("rehear",))

    nights = [
        run_loop(msgspec.structs.replace(settings, guards=guards), Settings())
        .summary["rehear"]
        .planted_nights_live
        for guards in (True, False)
    ]

    assert nights == [0, 2]


STUB = """
import json, pathlib, sys
command, *options = sys.argv[1:]
given = dict(zip(options[::2], options[1::2]))
known = {"schema_version", "event_id", "assistant_id", "user_id", "ts_ms", "request", "locale", "device",
         "nlu", "entities", "response", "signals", "executed_text", "rewrite_id", "dialogue_id", "prompt"}
if command == "schema":
    print(json.dumps({"properties": {name: {} for name in known}}))
turns = [json.loads(line) for line in open(given["--turns"])] if "--turns" in given else []
if any(turn.keys() - known for turn in turns):
    sys.exit("unknown fields")
if command == "learn":
    pathlib.Path(given["--state"]).mkdir(exist_ok=True)
if command == "rewrite":
    assert pathlib.Path(given["--state"]).is_dir()
    with open(given["--out"], "w") as out:
        for turn in turns:
            text, sure = turn["request"]["text"], turn["request"]["asr"][0]["confidence"]
            run = "play b" if text == "pley b" and sure < 0.45 else None
            line = {"event_id": turn["event_id"], "rewrite": run, "method": "chain", "score": 0.5}
            out.write(json.dumps(line) + "\\n")
"""


def test_the_table_of_another_checkout_is_read_from_its_answers(tmp_path: Path) -> None:
    other = OtherCheckout("against", stub_checkout(tmp_path / "other", STUB), "demo-assistant", tmp_path)
    _, _, log = lived_by_hand(loop_settings(small_world(), days=2, users=3), {})
    one = msgspec.structs.replace(log[0], request=msgspec.structs.replace(log[0].request, text="pley b"))
    two = msgspec.structs.replace(one, event_id="later", ts_ms=one.ts_ms + 9_000)

    assert other.table().live == ()
    other.learn(0, [one, two])
    (row,) = other.table().live

    assert (row.source_text, row.target_text, row.max_confidence) == ("pley b", "play b", 0.45)


def test_another_checkout_that_does_not_work_is_named_with_what_it_said(tmp_path: Path) -> None:
    broken = stub_checkout(tmp_path / "other", "import sys; sys.exit('no such table')")

    with pytest.raises(OtherCheckoutError, match=r"rehear schema ended with status 1: no such table"):
        OtherCheckout("against", broken, "demo-assistant", tmp_path)
    with pytest.raises(OtherCheckoutError, match="cannot be run"):
        OtherCheckout("elsewhere", tmp_path / "nowhere", "demo-assistant", tmp_path)


def test_what_is_learned_day_by_day_is_served_the_next_day_with_the_versions_of_the_table(
    tmp_path: Path,
) -> None:
    world = LoopWorld(7, 60, small_world())
    task = LearnerTask(
        assistant_id=world.assistant_id,
        start_ms=world.start_ms,
        folder=tmp_path,
        settings=Settings(),
        guards=True,
    )
    learner = TableLearner("rehear", as_logged, task)
    assert learner.table().live == ()

    _, _, log = lived_by_hand(loop_settings(small_world(), days=4, users=60), {})
    learner.learn(0, log)
    table = learner.table()
    learner.close()

    assert table.live
    source = table.live[0].source_text
    probe = msgspec.structs.replace(
        log[0], request=msgspec.structs.replace(log[0].request, text=source, asr=()), nlu=()
    )
    answer = table.answer(probe, None)
    assert answer.table_version > 0
    assert answer.rewrite is not None or table.live[0].max_confidence is not None


def test_who_saw_a_wrong_rewrite_changes_the_words_more_often() -> None:
    settings = {by: loop_settings(small_world(users={"protests": by}), days=4, users=80) for by in (0.0, 1.0)}
    raw, world, _ = lived_by_hand(settings[0.0], {})
    source = most_said(raw, list(world.events.unchanged[:20]), since=0)
    rows = {words(source): world.events.unpopular.phrasings[0]}

    repeated = {}
    for by, chosen in settings.items():
        history, _, _ = lived_by_hand(chosen, dict.fromkeys(range(4), rows))
        tries = [turn for turn in history.turns if turn.before == words(source)]
        repeated[by] = sum(turn.said == turn.before for turn in tries) / len(tries)

    assert repeated[0.0] > 0.3
    assert repeated[1.0] < 0.1


def test_who_wanted_in_vain_what_was_withdrawn_comes_to_want_something_else() -> None:
    asked = {}
    for forgets in (0.0, 1.0):
        world = small_world(withdrawn={"day": 1, "songs": 15, "forgets": forgets})
        history, lived_in, _ = lived_by_hand(loop_settings(world, days=6, users=60), {})
        names = {normalise(text) for goal in lived_in.events.withdrawn for text in goal.phrasings}
        asked[forgets] = sum(turn.said in names for turn in history.turns if turn.day >= 3)

    assert 0 < asked[1.0] < 0.7 * asked[0.0]  # most are no habit of who asks


def test_the_naive_learner_takes_what_was_run_for_what_was_said() -> None:
    settings = loop_settings(WITHDRAWN, days=4, users=80)
    raw, world, _ = lived_by_hand(settings, {})
    song = most_said(raw, list(world.events.withdrawn), since=1)
    _, _, log = lived_by_hand(settings, {1: {words(song): song.phrasings[1]}})
    rewritten = [turn for turn in log if turn.executed_text is not None]
    assert rewritten
    for turn in rewritten:
        naive = as_if_said(turn)
        assert naive.request.text == turn.executed_text != turn.request.text
        assert (naive.executed_text, naive.rewrite_id) == (None, None)
        assert naive.nlu == turn.nlu
        assert as_logged(turn) is turn
