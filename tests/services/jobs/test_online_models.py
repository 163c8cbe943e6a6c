"""The models of online rewriting, learned from the log of a simulated assistant with known right answers."""

import importlib.util
from pathlib import Path

import msgspec
import pytest
from jobs import work_on
from rewritten_turns import meant, said, sessions_of
from sqlalchemy import Engine
from tiny_encoder import write_tiny_base

from labeling.models.in_use import current_models, model_folder
from rewriting.encoders.settings import EncoderSettings
from rewriting.ranking.candidates import CandidateSettings
from rewriting.ranking.online_settings import OnlineSettings
from rewriting.ranking.settings import RankerSettings
from rewriting.requests.step import session_requests
from services.evaluation.common.gold import read_gold
from services.evaluation.common.understanding import load_understanding
from services.evaluation.rewrites.prediction import Prediction
from services.evaluation.rewrites.score import score_rewrites
from services.jobs.online_models import OnlineLearning, encoder_examples, learn_online
from services.jobs.rewrite_replay import ReplayedTurn, replay_turns
from services.jobs.served_layers import served_layers
from services.jobs.turn_logs import learn_from_files
from services.platform.clock import now_ms
from services.platform.database import open_database
from services.settings import Settings
from services.simulator import SimulationSettings, write_simulation
from services.simulator.simulation_files import SimulationFiles
from streams.stores.database_schema import reading
from streams.turn import AssistantId, TurnEvent
from streams.turn_file import read_turns

DEMO = AssistantId("demo-assistant")


@pytest.fixture(scope="module")
def simulation(tmp_path_factory: pytest.TempPathFactory) -> SimulationFiles:
    folder = tmp_path_factory.mktemp("simulation")
    return write_simulation(SimulationSettings(users=40, days=10, test_days=3), folder)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_base(tmp_path_factory.mktemp("base") / "tiny", ["play", "the", "song", "lights", "set"])


def settings_for(state: Path, base: Path) -> Settings:
    return Settings(
        state=str(state),
        encoder=EncoderSettings(base=str(base), layers=None),
        ranker=RankerSettings(trees=60, min_leaf=15, threads=1, min_examples=200, win_loss=4.0),
    )


def learned(settings: Settings, simulation: SimulationFiles) -> tuple[Engine, OnlineLearning]:
    engine = open_database(settings.database_location)
    learn_from_files(engine, settings, [simulation.turns_train], now_ms)
    return engine, learn_online(work_on(engine, DEMO, settings))


@pytest.fixture(scope="module")
def world(
    tmp_path_factory: pytest.TempPathFactory, simulation: SimulationFiles, base: Path
) -> tuple[Settings, Engine, OnlineLearning]:
    settings = settings_for(tmp_path_factory.mktemp("state"), base)
    return settings, *learned(settings, simulation)


def replayed(settings: Settings, engine: Engine, turns: list[TurnEvent]) -> list[ReplayedTurn]:
    layers = served_layers(engine, settings, now_ms)
    with reading(engine) as connection:
        return list(replay_turns(turns, layers, connection))


def test_online_rewriting_wins_more_than_the_table_alone(
    world: tuple[Settings, Engine, OnlineLearning], simulation: SimulationFiles
) -> None:
    settings, engine, learning = world
    assert learning.serves
    turns = list(read_turns(simulation.turns_test, now_ms))
    layers = served_layers(engine, settings, now_ms)
    with reading(engine) as connection:
        table_alone = list(
            replay_turns(turns, msgspec.structs.replace(layers, online={}, verdicts={}), connection)
        )
    predictions = {
        name: [
            Prediction(event_id=one.event_id, rewrite=one.rewrite, method=one.method, scope=one.scope)
            for one in answers
        ]
        for name, answers in (("online", replayed(settings, engine, turns)), ("table", table_alone))
    }
    scores = score_rewrites(
        turns,
        list(read_gold(simulation.gold_test)),
        predictions,
        load_understanding(simulation.nlu),
        resamples=20,
    )
    online, table = (one.overall for one in scores.predictors)
    assert online.wins - online.losses > table.wins - table.losses
    assert online.wins > 3 * online.losses


def test_a_replay_without_the_models_serves_no_row_that_was_not_accepted(
    world: tuple[Settings, Engine, OnlineLearning], simulation: SimulationFiles
) -> None:
    settings, engine, learning = world
    assert learning.judged > 0
    turns = list(read_turns(simulation.turns_test, now_ms))
    layers = served_layers(engine, settings, now_ms)
    with reading(engine) as connection:
        tables = msgspec.structs.replace(layers, online={}, verdicts={})
        alone = {one.event_id: one.rewrite for one in replay_turns(turns, tables, connection)}
    folder = Path(settings.state) / "models"
    folder.rename(folder.with_name("away"))
    try:
        without = served_layers(engine, settings, now_ms)
        assert list(without.troubles) == [DEMO]
        answers = replayed(settings, engine, turns)
    finally:
        folder.with_name("away").rename(folder)
    served = {one.event_id for one in answers if one.rewrite is not None}
    assert served
    assert served < {event for event, rewrite in alone.items() if rewrite is not None}
    assert all(one.rewrite in (None, alone[one.event_id]) for one in answers)


def test_a_replay_sees_nothing_of_what_comes_later(
    world: tuple[Settings, Engine, OnlineLearning], simulation: SimulationFiles
) -> None:
    settings, engine, _ = world
    turns = sorted(read_turns(simulation.turns_test, now_ms), key=lambda turn: turn.ts_ms)
    whole = {one.event_id: one for one in replayed(settings, engine, turns)}
    first_half = replayed(settings, engine, turns[: len(turns) // 2])
    assert [whole[one.event_id] for one in first_half] == first_half


def test_the_same_log_learns_the_same_models(
    world: tuple[Settings, Engine, OnlineLearning],
    simulation: SimulationFiles,
    base: Path,
    tmp_path: Path,
) -> None:
    _, engine, _ = world
    other = settings_for(tmp_path / "other", base)
    (tmp_path / "other").mkdir()
    again, _ = learned(other, simulation)
    with reading(engine) as one, reading(again) as two:
        assert current_models(one, DEMO) == current_models(two, DEMO)  # names are hashes of the contents
    again.dispose()


def test_former_models_are_deleted_when_others_have_taken_their_place(
    world: tuple[Settings, Engine, OnlineLearning],
) -> None:
    settings, engine, _ = world
    folder = model_folder(Path(settings.state).absolute(), DEMO)
    old = folder / "ranker-of-long-ago"
    old.mkdir()
    learn_online(work_on(engine, DEMO, settings))
    with reading(engine) as connection:
        names = set(current_models(connection, DEMO).values())
    assert {path.name for path in folder.iterdir()} == names


def test_without_torch_a_ranker_is_learned_and_no_encoder(
    simulation: SimulationFiles, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    engine, learning = learned(settings_for(tmp_path, base), simulation)
    assert learning.encoder is None
    assert learning.ranker is not None
    assert learning.encoded == 0
    engine.dispose()


def test_a_pair_encoder_is_trained_where_it_is_used(
    simulation: SimulationFiles, base: Path, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path, base)
    settings = msgspec.structs.replace(
        settings,
        online=OnlineSettings(pairs=2, candidates=CandidateSettings(min_users=2)),
        ranker=msgspec.structs.replace(settings.ranker, warm_up_share=0.6),  # enough pairs for encoders
    )
    engine, learning = learned(settings, simulation)
    assert learning.ranker is not None
    (parts,) = served_layers(engine, settings, now_ms).online.values()
    assert parts.rewriter.pair_encoder is not None
    with_pairs = replayed(settings, engine, list(read_turns(simulation.turns_test, now_ms)))
    assert any(one.method == "retrieval" for one in with_pairs)
    engine.dispose()


def test_an_assistant_of_which_nothing_is_known_learns_nothing(
    world: tuple[Settings, Engine, OnlineLearning],
) -> None:
    settings, engine, _ = world
    learning = learn_online(work_on(engine, AssistantId("nobody"), settings))
    assert (learning.examples, learning.ranker, learning.serves) == (0, None, False)
    assert "the table answers alone" in learning.in_words


def test_the_encoder_learns_what_was_said_and_nothing_of_what_was_run() -> None:
    people = ["a", "b", "c"]
    log = [
        *sessions_of(people, said("play sonk", run="play song")),
        *sessions_of(people, said("play sonk", run="play song", met=False), said("play blues"), day=1),
        *sessions_of(people, said("play song"), day=2),
    ]
    examples, known = encoder_examples(map(session_requests, log), min_users=3)
    assert known == {"play blues": meant("play blues"), "play song": meant("play song")}
    (example,) = examples
    assert (example.query, example.positive) == ("play sonk", "play blues")
    assert (example.query_interpretation, example.positive_interpretation) == (None, meant("play blues"))
