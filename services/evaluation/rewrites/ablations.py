"""`rehear evaluate ablations`: the system of a state, without each of its parts, and beside baselines."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table
from sqlalchemy import Connection, Engine

from rewriting.table.lookup import LookupTable
from services.evaluation.common.confidence_interval import DEFAULT_RESAMPLES
from services.evaluation.common.evaluation_run import progress_bars
from services.evaluation.common.gold import read_gold
from services.evaluation.common.report_files import percent_interval, share_cell
from services.evaluation.common.training_log import TrainingLog
from services.evaluation.common.understanding import load_understanding
from services.evaluation.errors import EvaluationStateError
from services.evaluation.rewrites.baselines import learn_text_chain, no_rewrite
from services.evaluation.rewrites.evaluation import NO_REWRITE, TEXT_CHAIN
from services.evaluation.rewrites.learned_assistant import read_learned_assistant
from services.evaluation.rewrites.prediction import Prediction
from services.evaluation.rewrites.report import TABLED_BREAKDOWNS, rewrite_report, win_loss_cell
from services.evaluation.rewrites.score import RewriteScores, score_rewrites
from services.evaluation.rewrites.variants import (
    ALL_LAYERS,
    GLOBAL_ALONE,
    NEAREST,
    TABLE_ALONE,
    VARIANTS,
    AblationSettings,
    make_variants,
)
from services.jobs.rewrite_replay import replay_turns
from services.jobs.served_layers import OnlineLayer, ServedLayers
from services.platform.clock import now_ms
from services.platform.database import open_database
from services.settings import Settings
from streams.stores.database_schema import reading
from streams.stores.session_store import all_sessions
from streams.turn import AssistantId, TurnEvent
from streams.turn_file import read_turns

BASELINES = (*NEAREST, TEXT_CHAIN, NO_REWRITE)


def run_ablations(
    *,
    settings: Settings,
    turns: Path,
    gold: Path,
    understanding: Path,
    out: Path,
    win_loss: float | None = None,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    console: Console | None = None,
) -> RewriteScores:
    """Trains the variants from the sessions of a state, replays the test log, and writes the report.

    Gold and understanding are looked at by the scoring alone.

    Args:
        settings: with the state; the variants are trained by its settings.
        turns: the test log.
        gold: a line for each of its turns.
        understanding: the assistant's answers, or a program (`load_understanding`).
        out: folder of the report.
        win_loss: wanted wins for each loss; by default that of the settings. Given, the gates of the system
            are set anew, too.
        resamples: of the users, for the confidence intervals.
        seed: of the resampling.
        console: where progress and tables go; standard output by default.

    Raises:
        EvaluationError: a file cannot be used, the files do not belong together, or the state does not know
            the log's assistants.
        TurnFileError: a file cannot be read.
        ArtifactError: a model of the state cannot be used.
    """
    console = console or Console()
    log = list(read_turns(turns, now_ms))
    meant = list(read_gold(gold))
    assistant = load_understanding(understanding)
    engine = open_database(settings.database_location)
    ablation = AblationSettings(settings, win_loss)
    with progress_bars(console) as progress, reading(engine) as connection:
        assistants = _known_assistants(connection, log)
        past = [turn for key in assistants for turn in _turns_of(connection, key)]
        layers, closed = _layers(engine, ablation, assistants, progress)
        predictions: dict[str, Iterable[Prediction]] = {}
        for name in (*VARIANTS, *NEAREST):
            if name in layers:
                bar = progress.add_task(f"replaying, {name}", total=len(log))
                replay = _replayed(log, layers[name], connection, settings.sessions.gap_ms)
                predictions[name] = list(progress.track(replay, task_id=bar))
        predictions[TEXT_CHAIN] = learn_text_chain(past).predict(log)
        predictions[NO_REWRITE] = no_rewrite(log)
        scoring = progress.add_task("scoring", total=len(predictions))
        evaluation = score_rewrites(
            log,
            meant,
            predictions,
            assistant,
            baselines=BASELINES,
            main=ALL_LAYERS,
            groups=TrainingLog.of(past).groups,
            resamples=resamples,
            seed=seed,
            on_scored=lambda _: progress.advance(scoring),
            notes=list(_closed_notes(closed, ablation)),
        )
    evaluation = msgspec.structs.replace(
        evaluation, notes=(personal_layer_adds(evaluation), *evaluation.notes)
    )
    report = rewrite_report(evaluation, breakdown_table(evaluation))
    report.show(report.write(out), console)
    return evaluation


def personal_layer_adds(evaluation: RewriteScores) -> str:
    """What the personal layer adds to the global one, in words."""
    (added,) = [
        one.defect_reduction
        for one in evaluation.differences
        if one.predictor == ALL_LAYERS and one.baseline == GLOBAL_ALONE
    ]
    value = "n/a" if added.value is None else f"{100 * added.value:.1f}"
    return (
        f"On top of the global layer alone, the personal layer removes a further {value} percent points of "
        f"all defects ({percent_interval(added)}). This adds to what the global layer removes: it is not a "
        "share of what that layer leaves."
    )


def breakdown_table(evaluation: RewriteScores) -> Table:
    """The breakdowns of the whole system, with 95 % intervals."""
    table = Table(title=f"{ALL_LAYERS}, by groups of requests and of rewrites")
    for column in ("by", "group"):
        table.add_column(column)
    for column in ("requests", "defects", "defect reduction", "win : loss", "wins", "losses"):
        table.add_column(column, justify="right")
    (system,) = [one for one in evaluation.predictors if one.name == ALL_LAYERS]
    for by in TABLED_BREAKDOWNS:
        parts = [part for part in system.breakdowns if part.by == by]
        for part in parts:
            score = part.score
            table.add_row(
                by,
                escape(part.group),
                f"{score.turns:,}",
                f"{score.defects:,}",
                share_cell(score.defect_reduction),
                win_loss_cell(score),
                f"{score.wins:,}",
                f"{score.losses:,}",
                end_section=part is parts[-1],
            )
    return table


def _layers(
    engine: Engine, ablation: AblationSettings, assistants: Sequence[AssistantId], progress: Progress
) -> tuple[dict[str, ServedLayers], list[str]]:
    """The layers of each variant, and the names of those whose gates let nothing pass."""
    tables: dict[str, dict[AssistantId, LookupTable]] = {}
    online: dict[str, dict[AssistantId, OnlineLayer]] = {}
    closed = []
    for assistant_id in assistants:
        learned = read_learned_assistant(engine, ablation.settings, assistant_id, now_ms)
        for variant in make_variants(learned, ablation, progress):
            tables.setdefault(variant.name, {})[assistant_id] = variant.table
            if variant.online is not None:
                online.setdefault(variant.name, {})[assistant_id] = variant.online
            elif variant.name != TABLE_ALONE:
                closed.append(f"{variant.name} ({assistant_id})" if len(assistants) > 1 else variant.name)
    layers = {name: ServedLayers(tables[name], online.get(name, {})) for name in tables}
    return layers, closed


def _closed_notes(closed: Sequence[str], ablation: AblationSettings) -> Iterator[str]:
    if closed:
        yield (
            f"On the held-back days of the training log no threshold shows {ablation.ranker.win_loss:g} wins "
            f"for each loss, or there was too little to learn from, for: {', '.join(closed)}. What is left "
            "of a variant then is the table, and of a baseline nothing."
        )


def _replayed(
    log: Sequence[TurnEvent], layers: ServedLayers, connection: Connection, gap_ms: int
) -> Iterator[Prediction]:
    for turn in replay_turns(log, layers, connection, gap_ms):
        yield Prediction(
            event_id=turn.event_id,
            rewrite=turn.rewrite,
            method=turn.method,
            scope=turn.scope,
            score=turn.score,
        )


def _known_assistants(connection: Connection, log: Sequence[TurnEvent]) -> list[AssistantId]:
    assistants = sorted({AssistantId(turn.assistant_id) for turn in log})
    known = [key for key in assistants if next(_turns_of(connection, key), None) is not None]
    if not known:
        raise EvaluationStateError(
            f"the state holds no sessions of the test log's assistants ({', '.join(assistants)}): give the "
            "state that `rehear learn` made from their training log"
        )
    return known


def _turns_of(connection: Connection, assistant_id: AssistantId) -> Iterator[TurnEvent]:
    return (turn for session in all_sessions(connection, assistant_id) for turn in session.turns)
