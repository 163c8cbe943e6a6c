"""`rehear evaluate ablations`: the system of a state, without each of its parts, and beside baselines."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table
from sqlalchemy import Connection, Engine

from rewriting.table.lookup import LookupTable
from services.evaluation.common.evaluation_run import ScoredLog
from services.evaluation.common.gold import GoldTurn
from services.evaluation.common.report_files import Report, percent_interval, share_cell
from services.evaluation.common.training_log import TrainingLog
from services.evaluation.errors import EvaluationStateError
from services.evaluation.rewrites.baselines import learn_text_chain, no_rewrite
from services.evaluation.rewrites.evaluation import NO_REWRITE, TEXT_CHAIN, RewriteEvaluation
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
from streams.stores.database_schema import reading
from streams.stores.session_store import all_sessions
from streams.turn import AssistantId, TurnEvent

BASELINES = (*NEAREST, TEXT_CHAIN, NO_REWRITE)


def ablation_report(evaluation: RewriteScores) -> Report:
    """The evaluation as a page, and as tables of the predictors and of the whole system by groups."""
    return rewrite_report(evaluation, breakdown_table(evaluation))


class AblationEvaluation(RewriteEvaluation, frozen=True, kw_only=True):
    """The variants of the system of a state, trained from its sessions, beside baselines.

    Gold and understanding are looked at by the scoring alone.
    """

    report: Callable[[RewriteScores], Report] = ablation_report
    settings: AblationSettings

    def score(
        self, log: ScoredLog[GoldTurn, Prediction], progress: Progress, notes: Sequence[str] = ()
    ) -> RewriteScores:
        """As `score_rewrites`, of what each variant says; the log has no lines of its own.

        Raises:
            EvaluationError: the files do not belong together, or the state does not know the assistants.
            ArtifactError: a model of the state cannot be used.
        """
        ablation, turns = self.settings, log.turns
        engine = open_database(ablation.settings.database_location)
        with reading(engine) as connection:
            assistants = _known_assistants(connection, turns)
            past = [turn for key in assistants for turn in _turns_of(connection, key)]
            layers, closed = _layers(engine, ablation, assistants, progress)
            predictions: dict[str, Iterable[Prediction]] = {}
            for name in (*VARIANTS, *NEAREST):
                if name in layers:
                    bar = progress.add_task(f"replaying, {name}", total=len(turns))
                    replay = _replayed(turns, layers[name], connection, ablation.settings.sessions.gap_ms)
                    predictions[name] = list(progress.track(replay, task_id=bar))
        predictions[TEXT_CHAIN] = learn_text_chain(past).predict(turns)
        predictions[NO_REWRITE] = no_rewrite(turns)
        told = []
        if closed:
            told.append(
                f"On the held-back days of the training log no threshold shows {ablation.ranker.win_loss:g} "
                f"wins for each loss, or there was too little to learn from, for: {', '.join(closed)}. What "
                "is left of a variant then is the table, and of a baseline nothing."
            )
        scoring = progress.add_task("scoring", total=len(predictions))
        scores = score_rewrites(
            turns,
            log.gold,
            predictions,
            self.understanding,
            baselines=BASELINES,
            main=ALL_LAYERS,
            groups=TrainingLog.of(past).groups,
            resamples=self.resamples,
            seed=self.seed,
            on_scored=lambda _: progress.advance(scoring),
            notes=[*told, *notes],
        )
        return msgspec.structs.replace(scores, notes=(personal_layer_adds(scores), *scores.notes))


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
